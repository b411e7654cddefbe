"""docker/build-push-action's inputs for secrets and caches: from the job to the build, and caches of type gha back."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import hashlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from tidegate.base.errors import InvalidInput, NotFound, TidegateError
from tidegate.base.frozen import frozen
from tidegate.build.request import CacheSpec, parse_spec
from tidegate.runner.actions.action import Call
from tidegate.runner.caches import Caches, Wanted
from tidegate.runner.folder import remove

SECRET_LIMIT = 500 * 1024
_VERSION = hashlib.sha256(b"build cache 1").hexdigest()


def build_secrets(call: Call) -> dict[str, bytes]:
    """`secrets` (ID=VALUE), `secret-envs` (ID=VARIABLE) and `secret-files` (ID=PATH). Raises InvalidInput or NotFound.

    They are hidden in the log from now on.
    """
    found: dict[str, bytes] = {}
    for name, text in _pairs(call, "secrets"):
        found[name] = text.encode()
    environment = call.bench.environment()
    for name, variable in _pairs(call, "secret-envs"):
        if variable not in environment:
            raise NotFound(f"secret-envs: the variable {variable} is not set", where=call.where)
        found[name] = environment[variable].encode()
    for name, path in _pairs(call, "secret-files"):
        found[name] = call.bench.folder.read(call.bench.layout.in_workspace(path), SECRET_LIMIT)
    for value in found.values():
        call.bench.masker.add(value.decode("utf-8", "replace"))
    return found


def _pairs(call: Call, name: str) -> list[tuple[str, str]]:
    """Lines of `ID=TEXT`; one that has commas or quotes inside of quotes is written as CSV has it."""
    pairs = []
    for row in csv.reader(call.lines(name)):
        key, equals, value = ",".join(row).partition("=")
        if not key or not equals:
            raise InvalidInput(f"{name} has a line without ID=…", where=call.where)
        pairs.append((key.strip(), value))
    return pairs


@frozen
class BuildCaches:
    """What the builder reads and writes."""

    reads: tuple[CacheSpec, ...] = ()
    writes: tuple[CacheSpec, ...] = ()


@contextlib.asynccontextmanager
async def build_caches(call: Call) -> AsyncIterator[BuildCaches]:
    """`cache-from` and `cache-to`. One of type gha is kept in the Runner's caches, as actions/cache's are: it is laid
    down as a folder for the build, and kept when the build has ended well. That it can't be is a warning.
    """
    folder = call.bench.layout.staging / f"cache-{secrets.token_hex(8)}"
    await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True)
    try:
        reads = await _reads(call, folder)
        writes, kept = _writes(call, folder)
        yield BuildCaches(reads, writes)
        for fields, place in kept:
            await _keep(call, fields, place)
    finally:
        await asyncio.to_thread(remove, folder)


async def _reads(call: Call, folder: Path) -> tuple[CacheSpec, ...]:
    reads = []
    for at, fields in enumerate(_specs(call, "cache-from")):
        if fields.get("type") != "gha":
            reads.append(_shared(call, fields, writes=False))
        elif await _lay_down(call, fields, folder / f"from-{at}"):
            reads.append(CacheSpec("local", str(folder / f"from-{at}")))
    return tuple(reads)


def _writes(call: Call, folder: Path) -> tuple[tuple[CacheSpec, ...], list[tuple[dict[str, str], Path]]]:
    """The caches to write, and those of type gha, to be kept from their folders."""
    writes, kept = [], []
    for at, fields in enumerate(_specs(call, "cache-to")):
        if fields.get("type") == "gha":
            place = folder / f"to-{at}"
            writes.append(CacheSpec("local", str(place), fields.get("mode", "min"), ignore_error=True))
            kept.append((fields, place))
        elif fields.get("type") != "inline":
            writes.append(_shared(call, fields, writes=True))
    return tuple(writes), kept


def _specs(call: Call, name: str) -> list[dict[str, str]]:
    found = []
    for line in call.lines(name):
        words = next(iter(csv.reader([line])), [])
        pairs = [word.partition("=") for word in words]
        fields = {key.strip().lower(): value.strip() for key, _, value in pairs}
        found.append(fields if "=" in line else {"ref": line})
    return found


def _shared(call: Call, fields: dict[str, str], *, writes: bool) -> CacheSpec:
    if fields.get("type") == "local":
        remedy = "write type=gha, which is kept here, or type=registry"
        raise InvalidInput("a build can't reach a folder of the job", where=call.where, remedy=remedy)
    try:
        return parse_spec(fields, writes=writes)
    except InvalidInput as error:
        raise InvalidInput(error.message, where=call.where, remedy=error.remedy) from error


def _scope(call: Call) -> str:
    github = call.bench.github
    return f"{github['ref']} {github['head_ref']}" if github.get("head_ref") else str(github["ref"])


def _key(fields: dict[str, str]) -> str:
    return f"buildkit-{fields.get('scope') or 'buildkit'}-"


async def _lay_down(call: Call, fields: dict[str, str], target: Path) -> bool:
    """Whether there was a cache of that scope: of this branch, else of the base's or the default one."""
    caches, github = call.services.caches, call.bench.github
    if caches is None:
        return False
    repository = call.services.repository(str(github["repository"]))
    head = await repository.head() if repository is not None else None
    base = f"refs/heads/{github['base_ref']}" if github.get("base_ref") else None
    scopes = [scope for scope in (_scope(call), base, head) if scope]
    wanted = Wanted(str(github["repository"]), list(dict.fromkeys(scopes)), [_key(fields)], _VERSION)
    try:
        return await asyncio.to_thread(_unpacked, caches, wanted, target)
    except TidegateError as error:
        await call.bench.say(f"##[warning]The build's cache can't be used: {error}")
        return False


def _unpacked(caches: Caches, wanted: Wanted, target: Path) -> bool:
    """The archive is one that `_keep` wrote, of this program's own files."""
    from tidegate.oci.unpack import LayerFile, unpack_layer  # noqa: PLC0415 - few builds have such a cache

    cache = caches.find(wanted)
    if cache is None:
        return False
    archive = target.with_suffix(".tar")
    caches.copy_out(cache, archive)
    target.mkdir()
    unpack_layer(LayerFile(archive), target)
    archive.unlink()
    return True


async def _keep(call: Call, fields: dict[str, str], place: Path) -> None:
    caches = call.services.caches
    if caches is None or not (place / "index.json").exists():
        return
    repository = str(call.bench.github["repository"])
    try:
        await asyncio.to_thread(_save, caches, repository, _scope(call), _key(fields), place)
    except TidegateError as error:
        await call.bench.say(f"##[warning]The build's cache is not kept: {error}")


def _save(caches: Caches, repository: str, scope: str, key: str, place: Path) -> None:
    """Under a key that says what is in it: the same cache is kept once."""
    import tarfile  # noqa: PLC0415 - few builds have such a cache

    name = key + hashlib.sha256((place / "index.json").read_bytes()).hexdigest()[:32]
    if caches.has(repository, scope, name, _VERSION):
        return
    archive = place.with_suffix(".tar")
    with tarfile.open(archive, "w") as tar:
        tar.add(place, ".")
    with archive.open("rb") as file:
        caches.save(repository, scope, name, _VERSION, file)
    archive.unlink()
