"""Carries out a RUN whose commands are all understood: what they come to is one layer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tidegate.build.actions import Action, InstallPackages, InstallWheels, MakeEnvironment
from tidegate.build.debian import adding
from tidegate.build.environments import make_environment
from tidegate.build.filesystem import Filesystem
from tidegate.build.installing import Installation, install, owned_by, prepare, same_place
from tidegate.build.interpreter import word_size
from tidegate.build.layering import Made
from tidegate.build.native import NotNative
from tidegate.build.operations import perform
from tidegate.build.steps import Run
from tidegate.build.world import World
from tidegate.oci.layers import Entry

if TYPE_CHECKING:
    from tidegate.build.executing import StageState, Tools

_APART = InstallWheels | InstallPackages | MakeEnvironment
REQUIREMENTS_LIMIT = 1024 * 1024


async def run_natively(step: Run, state: StageState, tools: Tools) -> Made | None:
    """The layer of what a RUN changes; None where that is nothing.

    Raises NotNative where an action can't be had without running it, InvalidInput, Unavailable or MissingTool.
    """
    files = state.files.copy()
    batches = list(_batches(step.actions))
    for batch in batches:
        wheels = [action for action in batch if isinstance(action, InstallWheels)]
        if wheels:
            made = await _install(step, wheels, files, state, tools)
            if len(batches) == 1:
                return made
            files.apply(made.changes)
        elif isinstance(batch[0], MakeEnvironment):
            await asyncio.to_thread(_environment, step, batch[0], files, state, tools)
        elif isinstance(batch[0], InstallPackages):
            made = await _add_packages(step, batch[0], files, state, tools)
            files.apply(made.changes)
        else:
            await asyncio.to_thread(_perform, batch, files, step, tools)
    changes = await asyncio.to_thread(files.changes_since, state.files)
    return await tools.layers.of_changes(changes, tools.contents) if changes else None


def _batches(actions: Sequence[Action]) -> Iterator[list[Action]]:
    """Neighbours that can be carried out together."""
    batch: list[Action] = []
    for action in actions:
        if batch and not _together(batch[-1], action):
            yield batch
            batch = []
        batch.append(action)
    if batch:
        yield batch


def _together(one: Action, other: Action) -> bool:
    if isinstance(one, InstallWheels) and isinstance(other, InstallWheels):
        return same_place(one, other)
    return not isinstance(one, _APART) and not isinstance(other, _APART)


def _environment(step: Run, action: MakeEnvironment, files: Filesystem, state: StageState, tools: Tools) -> None:
    python = state.foundation.facts.python
    if python is None:
        raise NotNative("the base has no Python for a virtual environment")
    world = World(files, tools.contents, step.command.user, step.command.environment)
    make_environment(action, world, python, wide=word_size(state.platform) == 64)


def _perform(actions: Sequence[Action], files: Filesystem, step: Run, tools: Tools) -> None:
    world = World(files, tools.contents, step.command.user)
    for action in actions:
        perform(action, world)


async def _add_packages(step: Run, action: InstallPackages, files: Filesystem, state: StageState, tools: Tools) -> Made:
    if step.command.user:
        raise NotNative("only root can install packages")
    ground = await asyncio.to_thread(adding.read_ground, files, tools.contents)
    fetcher = tools.bases.fetcher()
    packages = await adding.choose(
        action.names, ground, state.platform, tools.store, fetcher, tools.log, recommends=action.recommends
    )
    key = adding.layer_key(packages, ground, files)
    scratch = tools.scratch / f"packages-{key}"

    async def give() -> list[Entry]:
        scratch.mkdir()
        size = sum(package.size for package in packages) / 1e6
        tools.log(f"{state.platform}: line {step.line}: {len(packages)} packages of Debian, {size:.0f} MB")
        return await adding.add(packages, ground, files, tools.contents, fetcher, scratch)

    return await tools.layers.get(key, give)


async def _install(
    step: Run, actions: Sequence[InstallWheels], files: Filesystem, state: StageState, tools: Tools
) -> Made:
    def lookup(path: str) -> bytes | None:
        node = files.find(path)
        return None if node is None or node.content is None else tools.contents.read(node.content, REQUIREMENTS_LIMIT)

    def look() -> Installation:
        world = World(files, tools.contents, step.command.user, step.command.environment)
        return prepare(actions, state.platform, state.foundation, lookup, world)

    wanted = await asyncio.to_thread(look)
    key = wanted.key(tools.settings)
    scratch = tools.scratch / f"install-{key}"

    async def give() -> list[Entry]:
        scratch.mkdir()
        tools.log(f"{state.platform}: line {step.line}: {step.text}")
        entries = await install(wanted, tools.store, tools.settings, tools.contents, scratch, tools.log)
        if wanted.compiles:
            folder = wanted.python.site_packages
            entries += await asyncio.to_thread(lambda: list(tools.compiler.entries(entries, folder)))
        else:
            tools.log(f"{state.platform}: this machine's Python is not the image's, so modules are not compiled")
        return owned_by(entries, wanted.owner)

    return await tools.layers.get(key, give)
