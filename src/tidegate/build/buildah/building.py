"""Builds a whole Dockerfile with buildah: as nobody of this machine, on bases that were found here, in its own storage.

buildah's storage, settings and temporary files are below the build's cache; nothing of the machine's containers is read
or changed. Each platform has a storage, which one build at a time uses.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tidegate.base import process
from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.base.masking import Masker
from tidegate.build.assemble import Built
from tidegate.build.bases import Bases, Foundation
from tidegate.build.buildah import command
from tidegate.build.buildah.adopting import adopt_image
from tidegate.build.contents import Contents
from tidegate.build.dockerfile import Dockerfile, InvalidDockerfile, Problem
from tidegate.build.request import BuildRequest
from tidegate.build.sandboxing.emulation import emulator_for
from tidegate.build.sandboxing.output import follow
from tidegate.build.sandboxing.sandboxed import Settings, context_files, materialise
from tidegate.build.sandboxing.users import Users, confined_argv, find_users
from tidegate.build.stages import SCRATCH, StageGraph, StageKey, froms, origin_of
from tidegate.build.store import BuildStore
from tidegate.kinds.platform import Platform
from tidegate.oci.image import image_manifest
from tidegate.oci.values import Descriptor, Index

STORAGE = "buildah"
TIMEOUT = 3000.0
OUTPUT_LIMIT = 16 * 1024 * 1024
_TAIL = 12
_NAME = "localhost/tidegate/base"

Log = Callable[[str], None]


@frozen
class Buildah:
    """One build by buildah."""

    request: BuildRequest
    dockerfile: Dockerfile
    text: str
    store: BuildStore
    bases: Bases
    contents: Contents
    settings: Settings
    scratch: Path
    log: Log

    async def build(self, graph: StageGraph) -> list[Built]:
        """Every platform's image, side by side. InvalidInput with buildah's last lines, MissingTool or NotFound."""
        users = await find_users()
        await self._check()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._image(platform, key, graph, users))
                    for platform, key in graph.results.items()
                ]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            await self.bases.aclose()
        return [task.result() for task in tasks]

    async def _check(self) -> None:
        """What this buildah can't read is said before it is asked to."""
        found = await process.run(["buildah", "--version"], package=command.PACKAGE)
        version = command.version_of(found.text)
        lines = [one.line for stage in self.dockerfile.stages for one in stage.instructions if one.heredocs]
        if lines and version < command.HEREDOCS_SINCE:
            needed = ".".join(map(str, command.HEREDOCS_SINCE))
            message = f"buildah {version[0]}.{version[1]} reads no heredocs (<<); {needed} does, and --builder mixed"
            raise InvalidDockerfile(self.dockerfile.file, [Problem(line, message) for line in lines])

    async def _image(self, platform: Platform, key: StageKey, graph: StageGraph, users: Users) -> Built:
        work = self.scratch / f"buildah-{str(platform).replace('/', '-')}"
        foundations = await self._foundations(key, graph)
        machine = Platform.of_machine()
        targets = {graph.nodes[one].key.platform for one in _needed(key, graph)}
        emulators = [found for one in sorted(targets) if (found := emulator_for(one, machine))]
        lines = [emulator.line(str(emulator.program)) for emulator in emulators]
        async with self._storage(platform, users) as storage:
            changes = await asyncio.to_thread(self._lay_down, work, foundations, users, platform)
            hidden = Masker(tuple(value.decode("utf-8", "replace") for value in self.settings.secrets.values()))
            tool = _Tool(
                users, lines, {"storage": storage, "work": work}, self._environment(), self.log, platform, hidden
            )
            for name in dict.fromkeys(new.removeprefix("from=") for _, _, new in changes if _NAME in new):
                await tool.run(command.pull_argv(f"bases/{name.rpartition(':')[2]}"), name)
            secrets = {name: f"secret-{at}" for at, name in enumerate(self.settings.secrets)}
            request = self.request
            build = command.Build(
                str(platform), "localhost/tidegate/built", request.created, request.target, request.build_args, secrets,
                self.settings.network, request.no_cache,
            )  # fmt: skip
            await tool.run(command.build_argv(build))
            await tool.run(command.push_argv(build.tag, "out"))
            ground = foundations[_ground(key, graph)]
            built = await asyncio.to_thread(
                adopt_image, work / "out", request, self.store, ground, platform, self.scratch,
                pip=bool(command.pip_conf(self.settings.index)),
            )  # fmt: skip
        self.log(f"{platform}: {built.descriptor.digest}")
        return built

    async def _foundations(self, key: StageKey, graph: StageGraph) -> dict[StageKey | tuple[StageKey, str], Foundation]:
        """What each needed stage stands on, and the images that its `--from` names."""
        found: dict[StageKey | tuple[StageKey, str], Foundation] = {}
        for one in _needed(key, graph):
            node = graph.nodes[one]
            if node.base.stage is None:
                found[one] = await self.bases.find(node.base.image, one.platform)
            for _, text in froms(node.stage.instructions):
                origin = origin_of(self.dockerfile, text, one.number)
                if origin.stage is None:
                    found[one, text] = await self.bases.find(origin.image, one.target)
        return found

    def _environment(self) -> dict[str, str]:
        variables = process.network_settings(self.settings.environment)
        proxies = {name: value for name, value in variables.items() if name.lower().endswith("_proxy")}
        return process.minimal_environment(proxies | command.environment())

    @contextlib.asynccontextmanager
    async def _storage(self, platform: Platform, users: Users) -> AsyncIterator[Path]:
        """The platform's storage, for this build alone."""
        kind = "own" if users.range.base == 0 else "root"
        folder = self.store.folder(STORAGE) / f"{kind}-{str(platform).replace('/', '-')}"
        folder.mkdir(exist_ok=True)
        os.chown(folder, *users.chown(0, 0))
        descriptor = os.open(f"{folder}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            await asyncio.to_thread(fcntl.flock, descriptor, fcntl.LOCK_EX)
            os.utime(descriptor)
            os.ftruncate(descriptor, 0)  # its size will be another one; see evicting.py
            yield folder
        finally:
            os.close(descriptor)

    def _lay_down(
        self,
        work: Path,
        foundations: Mapping[StageKey | tuple[StageKey, str], Foundation],
        users: Users,
        platform: Platform,
    ) -> list[tuple[int, str, str]]:
        """Write all that buildah reads; gives what of the Dockerfile is another name here. Blocks."""
        first = users.range.base
        for folder in (work, work / "home", work / "bases", work / "host"):
            folder.mkdir()
        changes = []
        for key, foundation in foundations.items():
            stage, text = key if isinstance(key, tuple) else (key, "")
            if foundation.name == SCRATCH:
                continue
            name = f"{_NAME}:{_lay_base(foundation, platform, work / 'bases', self.store)}"
            changes += self._changes(stage, text, name)
        materialise(context_files(self.contents).nodes, self.contents, work / "context", first)
        index = self.settings.index
        files = command.settings(command.pip_conf(index)) | {"Dockerfile": command.rewritten(self.text, changes)}
        for file, content in files.items():
            (work / file).write_text(content)
        for at, value in enumerate(self.settings.secrets.values()):
            (work / f"secret-{at}").touch(0o600)
            (work / f"secret-{at}").write_bytes(value)
        if index.ca_file:
            shutil.copyfile(index.ca_file, work / "host/ca.pem")
        for path in (work, *work.iterdir(), work / "bases", *(work / "bases").rglob("*"), *(work / "host").iterdir()):
            os.chown(path, first, first)
        return changes

    def _changes(self, key: StageKey, text: str, name: str) -> list[tuple[int, str, str]]:
        """Where a stage's base, or the image of a `--from`, is written."""
        stage = self.dockerfile.stages[key.number]
        if not text:
            own = [(stage.line, f"--platform={stage.platform} ", "")] if stage.platform else []
            return [*own, (stage.line, stage.base, name)]
        return [(line, f"from={text}", f"from={name}") for line, found in froms(stage.instructions) if found == text]


@frozen
class _Tool:
    """Calls buildah."""

    users: Users
    handlers: Sequence[str]
    binds: Mapping[str, Path]
    environment: Mapping[str, str]
    log: Log
    platform: Platform
    masker: Masker

    async def run(self, argv: Sequence[str], name: str = "") -> None:
        """Call it; with `name`, the image whose id it prints gets that name."""
        whole = confined_argv(self.users, self.handlers, self.binds, argv)
        printed: list[str] = []

        def log(line: str) -> None:
            printed.append(line)
            if not name:
                self.log(f"{self.platform}: {line}")

        code, last = await follow(whole, self.environment, log, self.masker, timeout=TIMEOUT, limit=OUTPUT_LIMIT)
        if code != 0:
            lines = "\n".join([line for line in last.splitlines() if line.strip()][-_TAIL:])
            raise InvalidInput(f"{self.platform}: `{' '.join(argv[:2])}` ended with {code}:\n{lines}")
        if name:
            await self.run(command.tag_argv(printed[-1].strip(), name))


def _needed(key: StageKey, graph: StageGraph) -> list[StageKey]:
    """A stage and all that it needs."""
    found = [key]
    for earlier in graph.nodes[key].needs.values():
        found += [one for one in _needed(earlier, graph) if one not in found]
    return found


def _ground(key: StageKey, graph: StageGraph) -> StageKey:
    """The stage that has the image on which a stage stands in the end."""
    node = graph.nodes[key]
    return key if node.base.stage is None else _ground(node.needs[node.base.stage], graph)


def _lay_base(foundation: Foundation, platform: Platform, folder: Path, store: BuildStore) -> str:
    """Write a base as a layout in `folder`; its name there. Blocks.

    It says that it is for the platform that is built, whatever it is for: buildah takes no other (a stage of
    `FROM --platform=$BUILDPLATFORM` is of this machine's).
    """
    manifest, config = image_manifest(replace(foundation.config, platform=platform), foundation.layers)
    body = manifest.to_bytes()
    top = Descriptor.of(manifest.media_type, body, platform)
    name = top.digest.removeprefix("sha256:")[:32]
    blobs = folder / name / "blobs/sha256"
    if blobs.exists():
        return name
    blobs.mkdir(parents=True)
    for descriptor, data in ((top, body), (manifest.config, config)):
        (blobs / descriptor.digest.removeprefix("sha256:")).write_bytes(data)
    for layer in foundation.layers:
        target = blobs / layer.digest.removeprefix("sha256:")
        if not target.exists():
            shutil.copyfile(store.blob_path(layer.digest), target)
    (folder / name / "index.json").write_bytes(Index((top,)).to_bytes())
    (folder / name / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return name
