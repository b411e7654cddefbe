"""actions/upload-artifact and actions/download-artifact: files of a job, for the run's other jobs and for people.

The archive is written and read inside of the job's place; here it is copied, and never looked into.
"""

from __future__ import annotations

import asyncio
import fnmatch
import posixpath
import re
import secrets
from collections.abc import Mapping
from functools import partial

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.runner.actions.action import Call, Inputs, Outputs
from tidegate.runner.artifacts import MOST_DAYS, Artifact, Artifacts, Upload, check_name
from tidegate.runner.errand import brought, errand, expanded
from tidegate.runner.layout import TEMP

_NO_FILES = ("warn", "error", "ignore")
_BEYOND = re.compile(r"[{}\\]|[@+?*!]\(")


class UploadArtifact:
    """Keeps the files that `path` means as one artifact."""

    inputs = Inputs(
        "actions/upload-artifact",
        known={
            "name": "artifact", "path": "", "if-no-files-found": "warn", "retention-days": "0",
            "compression-level": "6", "overwrite": "false", "include-hidden-files": "false",
        },
        refused={"archive": "an artifact is always an archive"},
    )  # fmt: skip

    async def run(self, call: Call) -> Outputs:
        """Outputs `artifact-id`, `artifact-url`, `artifact-digest`. Raises Conflict where the name is taken."""
        store, bench, name = _store(call), call.bench, call.text("name")
        check_name(name)
        if bench.masker.mask(name) != name:
            remedy = "leave the secret out: everybody who sees the run sees this name"
            raise InvalidInput("the artifact's name holds a secret", where=call.where, remedy=remedy)
        missing = call.text("if-no-files-found")
        if missing not in _NO_FILES:
            raise InvalidInput(f"if-no-files-found is {missing!r}", where=call.where, remedy="warn, error or ignore")
        request = bench.request
        upload = Upload(
            run=request.run,
            attempt=request.attempt,
            repository=str(bench.github["repository"]),
            name=name,
            days=_number(call, "retention-days", MOST_DAYS) or MOST_DAYS,
            overwrite=call.flag("overwrite"),
        )
        lines = call.lines("path")
        if not lines:
            raise InvalidInput("the input 'path' is required", where=call.where)
        archive = f"{TEMP}/artifact-{secrets.token_hex(8)}.zip"
        found = await errand(
            bench,
            "pack-zip",
            patterns=lines,
            folder=bench.layout.workspace,
            hidden=call.flag("include-hidden-files"),
            level=_number(call, "compression-level", 9),
            archive=bench.layout.inside(archive),
        )
        if not found["files"]:
            return await _nothing_found(call, missing, lines)
        try:
            artifact = await asyncio.to_thread(_kept, call, store, upload, archive)
        finally:
            await asyncio.to_thread(bench.folder.delete, archive)
        await bench.say(
            f"{found['files']} files ({found['size']} bytes) below {found['root']} are the artifact {name!r}, "
            f"in {artifact.size} bytes, kept for {upload.days} days at most.",
            f"SHA256 digest of the archive: {artifact.digest}",
        )
        run = f"{call.services.server_url}/{artifact.repository}/actions/runs/{artifact.run_id}"
        return {
            "artifact-id": str(artifact.id),
            "artifact-url": f"{run}/artifacts/{artifact.id}",
            "artifact-digest": artifact.digest,
        }


async def _nothing_found(call: Call, missing: str, lines: list[str]) -> Outputs:
    said = f"No files were found with the provided path: {', '.join(lines)}. No artifact is uploaded."
    if missing == "error":
        raise NotFound(said, where=call.where)
    await call.bench.say(f"##[warning]{said}" if missing == "warn" else said)
    return {}


def _kept(call: Call, store: Artifacts, upload: Upload, archive: str) -> Artifact:
    with call.bench.folder.open(archive) as file:
        return store.add(upload, file)


class DownloadArtifact:
    """Brings artifacts of the run, or of another run of its repository, into a folder."""

    inputs = Inputs(
        "actions/download-artifact",
        known={
            "name": "", "path": "", "pattern": "", "merge-multiple": "false", "run-id": "", "artifact-ids": "",
            "repository": "",
        },
        accepted=frozenset({"github-token", "digest-mismatch"}),
        secret=frozenset({"github-token"}),
        refused={"skip-decompress": "artifacts are unpacked"},
    )  # fmt: skip

    async def run(self, call: Call) -> Outputs:
        """Output `download-path`. Raises NotFound where an artifact that is named is not there."""
        bench = call.bench
        there = await asyncio.to_thread(_of_run, call)
        wanted, alone = _chosen(call, there)
        target = expanded(bench, call.text("path") or ".")
        for artifact in wanted:
            folder = target if alone or call.flag("merge-multiple") else posixpath.join(target, artifact.name)
            count = await _bring(call, artifact, folder)
            await bench.say(f"Artifact {artifact.name!r}: {count} files are in {folder}")
        await bench.say(f"{len(wanted)} artifacts were downloaded.")
        return {"download-path": target}


def _of_run(call: Call) -> Mapping[str, Artifact]:
    """The artifacts to choose from, by name."""
    store, bench, number = _store(call), call.bench, call.text("run-id")
    own = str(bench.github["repository"])
    if call.text("repository").lower() not in ("", own.lower()):
        raise NotFound(f"only artifacts of {own} itself can be downloaded", where=call.where)
    if not number or number == bench.github["run_id"]:
        return {artifact.name: artifact for artifact in store.of_run(bench.request.run)}
    if not number.isdecimal():
        raise InvalidInput(f"run-id is {number!r}, not a number", where=call.where)
    return {artifact.name: artifact for artifact in store.of_run_id(own, int(number))}


def _chosen(call: Call, there: Mapping[str, Artifact]) -> tuple[list[Artifact], bool]:
    """The artifacts that are wanted, and whether it is one that goes to the folder itself."""
    name, pattern, numbers = call.text("name"), call.text("pattern"), call.items("artifact-ids")
    known = ", ".join(there) or "none"
    if name and numbers:
        raise InvalidInput("'name' and 'artifact-ids' don't go together", where=call.where, remedy="leave out one")
    if name:
        if name not in there:
            raise NotFound(f"there is no artifact {name!r}", where=call.where, remedy=f"artifacts there: {known}")
        return [there[name]], True
    if numbers:
        by_number = {str(artifact.id): artifact for artifact in there.values()}
        if unknown := [number for number in numbers if number not in by_number]:
            raise NotFound(f"there is no artifact with the id {unknown[0]}", where=call.where)
        return [by_number[number] for number in numbers], len(numbers) == 1
    if _BEYOND.search(pattern):
        raise InvalidInput(f"the pattern {pattern!r} has more than *, ? and [ ]", where=call.where)
    return [
        artifact for artifact in there.values() if not pattern or fnmatch.fnmatchcase(artifact.name, pattern)
    ], False


async def _bring(call: Call, artifact: Artifact, folder: str) -> int:
    async with brought(call.bench, partial(_store(call).copy_out, artifact)) as archive:
        found = await errand(call.bench, "unpack-zip", archive=archive, folder=folder)
    return int(found["files"])


def _number(call: Call, name: str, most: int) -> int:
    text = call.text(name) or "0"
    if not text.isdecimal() or int(text) > most:
        raise InvalidInput(f"{name} is {text!r}, not a number from 0 to {most}", where=call.where)
    return int(text)


def _store(call: Call) -> Artifacts:
    if call.services.artifacts is None:
        raise NotFound("there is no place for artifacts here", where=call.where)
    return call.services.artifacts
