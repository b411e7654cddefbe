"""The mixed builder's part: the lines of a build that must run, each in a sandbox on its stage's files."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from tidegate.base.errors import CommandFailed, InvalidInput
from tidegate.base.frozen import frozen
from tidegate.build.contents import Contents
from tidegate.build.executing import StageState
from tidegate.build.filesystem import Filesystem, Inode
from tidegate.build.index_settings import IndexSettings
from tidegate.build.layering import Layers, Made
from tidegate.build.sandboxing.output import Log
from tidegate.build.sandboxing.running import Line, Ran, Shell
from tidegate.build.sandboxing.users import find_users
from tidegate.build.steps import Mount, NeedsShell
from tidegate.build.store import BuildStore, key_of
from tidegate.oci.layers import Entry, EntryKind


@frozen
class Settings:
    """What a build's lines may have: the host's index settings and environment, build secrets, and what they reach.

    Without `cached` every line runs again.
    """

    index: IndexSettings
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    network: str = "host"
    cached: bool = True


@frozen
class Lines:
    """Runs lines; the machine is asked what it can do at the first one. It is what executing.Sandbox says."""

    settings: Settings
    store: BuildStore
    scratch: Path
    layers: Layers
    contents: Contents
    log: Log

    async def run(self, step: NeedsShell, state: StageState) -> Made:
        """The layer of what the command changed. A command that ends badly is InvalidInput, with its last lines."""
        given = self.settings
        shell = Shell(
            self.store, await find_users(), given.index, self.scratch, given.environment, given.secrets,
            network=given.network,
        )  # fmt: skip
        bound = await asyncio.to_thread(self._bound, step, state)
        line = Line(
            step.command,
            tuple(state.layers(self.store)),
            len(state.foundation.layers),
            state.platform,
            tuple(key_of(_rows(files)) for files in bound.values()),
        )
        key = line.key(given.index)
        if not given.cached:
            key = key_of({"key": key, "once": secrets.token_hex(16)})
        async with contextlib.AsyncExitStack() as held:
            ran: list[Ran] = []

            async def give() -> list[Entry]:
                ran.append(await held.enter_async_context(self._ran(shell, step, line, bound)))
                return ran[0].entries

            try:
                made = await self.layers.get(key, give)
            except CommandFailed as error:
                raise InvalidInput(f"{state.platform}: {error.message}", remedy=error.remedy) from error
            if ran and made.descriptor is not None:
                await asyncio.to_thread(shell.keep, line, made.diff_id, ran[0])
            return made

    def _ran(
        self, shell: Shell, step: NeedsShell, line: Line, bound: Mapping[Mount, dict[str, Inode]]
    ) -> contextlib.AbstractAsyncContextManager[Ran]:
        def log(text: str) -> None:
            self.log(f"{line.platform}: line {step.line}: {text}")

        log(f"{step.text} (in a sandbox: {step.why.partition(';')[0]})")

        def origin(mount: Mount, target: Path) -> None:
            materialise(bound[mount], self.contents, target, shell.users.range.base)

        return shell.run(line, origin, log)

    def _bound(self, step: NeedsShell, state: StageState) -> dict[Mount, dict[str, Inode]]:
        """What each bind mount shows, by path below it; the empty path is the thing itself."""
        found = {}
        for mount in step.command.mounts:
            if mount.type != "bind":
                continue
            files = self._files(mount, state)
            place = files.resolve(mount.source or "/")
            if place and place not in files.nodes:
                raise InvalidInput(f"--mount=type=bind: {mount.source} is not there")
            inner = {path[len(place) :].lstrip("/"): files.nodes[path] for path in files.under(place)}
            found[mount] = inner | ({"": files.nodes[place]} if place else {})
        return found

    def _files(self, mount: Mount, state: StageState) -> Filesystem:
        if mount.origin is None:
            return context_files(self.contents)
        if mount.origin.stage is None:
            raise InvalidInput(
                f"--mount=from={mount.origin.image}, an image, is not given to a RUN",
                remedy=f"give it a stage of its own: FROM {mount.origin.image} AS NAME",
            )
        return state.inputs[mount.origin.stage].files


def context_files(contents: Contents) -> Filesystem:
    """The build context as COPY sees it. Blocks: it reads every file."""
    files = Filesystem()
    for path, node in contents.context.nodes.items():
        kind = EntryKind(node.kind)
        content = contents.of_node(node) if kind is EntryKind.FILE else None
        mode = 0o755 if node.executable or kind is EntryKind.DIRECTORY else 0o644
        files.nodes[path] = Inode(kind, mode, content=content, target=node.target)
    return files


def materialise(files: Mapping[str, Inode], contents: Contents, target: Path, first_id: int) -> None:
    """Write files below `target` (or as it, where there is one of the empty path), owned as the image says. Blocks."""
    fetched = contents.fetch([node.content for node in files.values() if node.content is not None])
    if "" not in files:
        target.mkdir()
    for path, node in sorted(files.items()):
        place = target / path if path else target
        if node.kind is EntryKind.DIRECTORY:
            place.mkdir(exist_ok=True)
        elif node.kind is EntryKind.SYMLINK:
            place.symlink_to(node.target)
        elif node.content is not None:
            data = fetched[node.content.digest]
            if isinstance(data, bytes):
                place.write_bytes(data)
            else:
                shutil.copyfile(data, place)
        os.chown(place, first_id + node.uid, first_id + node.gid, follow_symlinks=False)
        if node.kind is not EntryKind.SYMLINK:
            place.chmod(node.mode)


def _rows(files: Mapping[str, Inode]) -> dict[str, object]:
    return {path: node.row() for path, node in files.items()}
