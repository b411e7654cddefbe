"""Carries out one stage's plan: every step changes the stage's files, and what changed is a layer.

Nothing of the image is ever run here, and nothing of this machine gets into it. A line that must run is given to the
`Sandbox` that the build has, if it has one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.build.bases import Bases, Foundation
from tidegate.build.bytecode import Compiler
from tidegate.build.contents import Contents
from tidegate.build.copying import ContextSource, Source, StageSource, copy_into
from tidegate.build.filesystem import Changes, Filesystem
from tidegate.build.index_settings import IndexSettings
from tidegate.build.layering import Layers, Made
from tidegate.build.native import NATIVE, NotNative
from tidegate.build.plan import Plan
from tidegate.build.remote import Downloads
from tidegate.build.running import run_natively
from tidegate.build.stages import StageNode
from tidegate.build.steps import Configure, Copy, MakeDirectory, NeedsShell, Origin, Run, Step
from tidegate.build.store import BuildStore
from tidegate.kinds.platform import Platform
from tidegate.oci.unpack import LayerFile

Log = Callable[[str], None]


@dataclass(slots=True)
class StageState:
    """How far a stage is: what it stands on, its files now, and every line so far, those of the stages below first."""

    node: StageNode
    foundation: Foundation
    files: Filesystem
    plan: Plan
    inputs: Mapping[int, StageState] = field(default_factory=dict)
    lines: list[tuple[Step, Made | None]] = field(default_factory=list)

    @property
    def platform(self) -> Platform:
        """What the stage's programs run on."""
        return self.node.key.platform

    def layers(self, store: BuildStore) -> list[LayerFile]:
        """Every layer's blob, the lowest first: what a sandbox unpacks."""
        below = zip(self.foundation.layers, self.foundation.config.diff_ids, strict=True)
        own = ((made.descriptor, made.diff_id) for _, made in self.lines if made is not None and made.descriptor)
        return [LayerFile(store.blob_path(layer.digest), diff_id) for layer, diff_id in (*below, *own) if layer]


class Sandbox(Protocol):
    """Runs what must run, in a stage's own files."""

    async def run(self, step: NeedsShell, state: StageState) -> Made:
        """The layer of what the command changed; it is not yet in `state.files`. Raises a TidegateError."""


@frozen
class Tools:
    """What all stages of a build share."""

    store: BuildStore
    layers: Layers
    contents: Contents
    bases: Bases
    settings: IndexSettings
    compiler: Compiler
    downloads: Downloads
    scratch: Path
    log: Log
    sandbox: Sandbox | None = None


async def carry_out(step: Step, state: StageState, tools: Tools) -> None:
    """Carry out one step; afterwards its layer is in the store and `state` has it.

    Raises InvalidInput, NotFound, Unavailable, or what the sandbox does.
    """
    try:
        made = await _made(step, state, tools)
    except NotNative as why:
        assert isinstance(step, Run)
        made = await _run(NeedsShell(step.line, step.text, str(why), step.command), state, tools)
    if made is not None:
        state.files.apply(made.changes)
    state.lines.append((step, made))


async def _made(step: Step, state: StageState, tools: Tools) -> Made | None:
    match step:
        case Configure():
            return None
        case MakeDirectory():
            return await _changed(state, tools, lambda files: _make_directory(step, files, tools))
        case Copy():
            return await _copy(step, state, tools)
        case Run():
            return await run_natively(step, state, tools)
        case NeedsShell():
            return await _run(step, state, tools)


async def _changed(state: StageState, tools: Tools, change: Callable[[Filesystem], None]) -> Made | None:
    """The layer of what `change`, which may block, does to the files; None where that is nothing."""

    def work() -> Changes:
        files = state.files.copy()
        change(files)
        return files.changes_since(state.files)

    changes = await asyncio.to_thread(work)
    return await tools.layers.of_changes(changes, tools.contents) if changes else None


def _make_directory(step: MakeDirectory, files: Filesystem, tools: Tools) -> None:
    uid, gid = tools.contents.accounts(files).owner(step.owner) if step.owner else (0, 0)
    files.make_directories(files.resolve(step.path), 0o755, uid, gid)


async def _copy(step: Copy, state: StageState, tools: Tools) -> Made | None:
    source = await _source(step.origin, state, tools)
    fetched = await tools.downloads.get(step.sources[0], step.checksum) if step.checksum else None

    def change(files: Filesystem) -> None:
        copy_into(step, source, files, tools.contents.accounts(files), tools.contents, fetched)

    return await _changed(state, tools, change)


async def _source(origin: Origin | None, state: StageState, tools: Tools) -> Source:
    if origin is None:
        return ContextSource(tools.contents.context, tools.contents)
    if origin.stage is not None:
        earlier = state.inputs[origin.stage]
        return StageSource(earlier.files, f"the stage {earlier.node.stage.name or origin.stage}")
    image = await tools.bases.find(origin.image, state.node.key.target)
    return StageSource(image.facts.filesystem(), origin.image)


def unbuildable(step: NeedsShell) -> str:
    """What is said of a line that must run where nothing can run it."""
    return f"RUN can't be built natively: {step.why}; {NATIVE}"


async def _run(step: NeedsShell, state: StageState, tools: Tools) -> Made:
    if tools.sandbox is None:
        raise InvalidInput(unbuildable(step))
    return await tools.sandbox.run(step, state)
