"""`pip install` in a RUN: the layer that holds its wheels, from the cache where nothing that it reads has changed."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.build.actions import InstallWheels
from tidegate.build.bases import Foundation
from tidegate.build.bytecode import can_compile
from tidegate.build.contents import Contents
from tidegate.build.environments import bundled_wheels
from tidegate.build.facts import Python
from tidegate.build.filesystem import Changes, Content, Filesystem
from tidegate.build.index_settings import IndexSettings
from tidegate.build.interpreter import describe, write_stand_in
from tidegate.build.native import NotNative
from tidegate.build.pip import PipInstall
from tidegate.build.requirements import Include, Lookup, RequirementsFile, collect
from tidegate.build.store import BuildStore, key_of
from tidegate.build.wheels import Requirement, changes, forget_cache_notes, install_wheels, seed, state_of
from tidegate.build.world import World
from tidegate.kinds.platform import Platform
from tidegate.oci.layers import Entry, EntryKind

FORMAT = 4
"""Raise it where the same lines would give another layer."""
_CONFIG_LIMIT = 64 * 1024

Log = Callable[[str], None]


@frozen
class Installation:
    """Installations into one place, with all that they read, so that their key is known before anything is done."""

    actions: tuple[InstallWheels, ...]
    platform: Platform
    python: Python
    owner: tuple[int, int]
    description: dict[str, Any]
    files: dict[str, RequirementsFile]
    below: Changes
    folders: frozenset[str]
    wheels: dict[str, Content]

    @property
    def compiles(self) -> bool:
        """Whether the layer gets the modules' bytecode."""
        return can_compile(self.python.minor)

    def key(self, settings: IndexSettings) -> str:
        """The key of the layer."""
        files = {path: [_shown(line) for line in file.lines] for path, file in self.files.items()}
        below = [[path, inode.row()] for path, inode in sorted(self.below.items()) if inode is not None]
        return key_of(
            {
                "install": FORMAT,
                "interpreter": self.description,
                "owner": self.owner,
                "installs": [_install_key(one, settings) for one in self.actions],
                "files": files,
                "settings": settings.identity(),
                "bytecode": self.compiles,
                "below": below,
                "wheels": {name: wheel.digest for name, wheel in self.wheels.items()},
            }
        )


def _install_key(action: InstallWheels, settings: IndexSettings) -> dict[str, Any]:
    one = action.install
    indexes = replace(settings, index_url=one.index_url, extra_index_urls=one.extra_index_urls)
    return {
        "folder": action.folder,
        "names": list(one.names),
        "requirements": list(one.requirements),
        "constraints": list(one.constraints),
        "indexes": indexes.identity(),
        "switches": [one.upgrade, one.pre, one.no_deps, one.require_hashes],
        "target": one.target,
    }


def _shown(line: str | Include) -> str:
    return f"{line.option} {line.path}" if isinstance(line, Include) else line


def prepare(
    actions: Sequence[InstallWheels], platform: Platform, foundation: Foundation, lookup: Lookup, world: World
) -> Installation:
    """Find out what installations into one place read.

    Raises InvalidInput where a file can't be had; NotNative where the base has no Python (an earlier line may have
    brought one), or the place is not known.
    """
    base = foundation.facts.python
    if base is None:
        raise NotNative(f"the base {foundation.name} has no Python for {platform}")
    image = world.files
    wheels = _bundled(world, base) if actions[0].install.bundled else {}
    if wheels:
        names = tuple(f"{name.split('-')[0]}=={name.split('-')[1]}" for name in wheels)
        actions = [replace(actions[0], install=replace(actions[0].install, names=names))]
    python = place_of(actions[0], base, world)
    _check_may_install(python, world)
    paths = [absolute(one.folder, path) for one in actions for path in _paths(one.install)]
    return Installation(
        tuple(actions),
        platform,
        python,
        (world.uid, world.gid),
        describe(python, foundation.facts, platform),
        collect(paths, lookup),
        _below(image, python),
        frozenset(path for path, inode in image.nodes.items() if inode.is_directory),
        wheels,
    )


def _bundled(world: World, python: Python) -> dict[str, Content]:
    found = ((path, world.existing(path).content) for path in bundled_wheels(world, python))
    return {path.rpartition("/")[2]: content for path, content in found if content is not None}


def _check_may_install(python: Python, world: World) -> None:
    """Raise NotNative where the user may not write to what is there of the place."""
    folder = world.files.resolve(python.site_packages)
    while folder and world.at(folder) is None:
        folder = folder.rpartition("/")[0]
    world.check_may_write(folder)


def place_of(action: InstallWheels, python: Python, world: World) -> Python:
    """The interpreter that installs for, and into where: the image's own, a virtual environment, the user's, a folder.

    Raises NotNative where that can't be known without running it.
    """
    install = action.install
    packages = f"lib/python{python.minor}/site-packages"
    if install.target:
        return replace(python, prefix=absolute(action.folder, install.target)[1:], packages="", scripts="bin")
    for folder in install.environments:
        place = world.followed(absolute(action.folder, folder)[1:])
        if world.at(f"{place}/pyvenv.cfg") is not None:
            _check_environment(place, python, world)
            return replace(python, executable=f"/{place}/bin/python", prefix=place, packages=packages)
    if install.strict:
        raise NotNative(f"{install.environments[0]} is no virtual environment, as far as is known without running it")
    if install.user or world.uid:
        home = world.home()
        return replace(python, prefix=f"{home.strip('/')}/.local".lstrip("/"), packages=packages)
    return python


def _check_environment(place: str, python: Python, world: World) -> None:
    text = world.read(f"{place}/pyvenv.cfg", _CONFIG_LIMIT).decode("utf-8", "replace")
    version = re.search(r"^version(?:_info)?\s*=\s*([0-9]+\.[0-9]+)", text, re.MULTILINE)
    if version is None or version[1] != python.minor:
        raise NotNative(f"the virtual environment /{place} is of another Python than the base's {python.minor}")


def same_place(one: InstallWheels, other: InstallWheels) -> bool:
    """Whether two installations go to one place."""

    def where(action: InstallWheels) -> tuple[object, ...]:
        install = action.install
        target = absolute(action.folder, install.target) if install.target else ""
        return install.environments, install.strict, install.user, target, install.bundled

    return where(one) == where(other)


def _below(image: Filesystem, python: Python) -> Changes:
    """What is installed already; the commands only where there are packages that they may belong to."""
    site = image.under(python.site_packages)
    if not any(path.endswith("/METADATA") for path in site):
        return {}
    scripts = image.under(f"{python.prefix}/{python.scripts}")
    return {path: image.nodes[path] for path in (*site, *scripts)}


def _paths(install: PipInstall) -> tuple[str, ...]:
    return (*install.requirements, *install.constraints)


def absolute(folder: str, path: str) -> str:
    """A path of the image, seen from `folder`."""
    parts: list[str] = []
    for part in (*([] if path.startswith("/") else folder.split("/")), *path.split("/")):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


async def install(
    wanted: Installation, store: BuildStore, settings: IndexSettings, contents: Contents, scratch: Path, log: Log
) -> list[Entry]:
    """Carry an installation out; gives the layer's entries, whose contents are in `scratch`.

    Raises InvalidInput where no wheel fits, Unavailable, or MissingTool.
    """
    root = scratch / "root"
    root.mkdir()
    await asyncio.to_thread(seed, root, wanted.below, contents)
    before = await asyncio.to_thread(state_of, root)
    interpreter = write_stand_in(store.folder("interpreters"), wanted.description)
    written = _write_files(wanted.files, scratch / "requirements")
    if wanted.wheels:
        settings = IndexSettings(find_links=(str(_write_wheels(wanted.wheels, contents, scratch)),), no_index=True)
    for number, one in enumerate(wanted.actions):
        lines = await install_wheels(
            one.install,
            _requirements(one, written, scratch / f"names-{number}.txt"),
            interpreter=interpreter,
            prefix=root / wanted.python.prefix,
            cache=store.folder("uv"),
            settings=settings,
            platform=wanted.platform,
        )
        log(f"{wanted.platform}: {len(lines)} packages: {' '.join(line.lstrip('+~ ') for line in lines)}")
    await asyncio.to_thread(forget_cache_notes, root)
    entries = await asyncio.to_thread(lambda: list(changes(root, before)))
    return [entry for entry in entries if entry.kind is not EntryKind.DIRECTORY or entry.path not in wanted.folders]


def _write_wheels(wheels: dict[str, Content], contents: Contents, scratch: Path) -> Path:
    folder = scratch / "wheels"
    folder.mkdir()
    for name, wheel in wheels.items():
        shutil.copyfile(contents.as_file(wheel), folder / name)
    return folder


def owned_by(entries: Iterable[Entry], owner: tuple[int, int]) -> list[Entry]:
    """The entries for the user who installs."""
    return [replace(entry, uid=owner[0], gid=owner[1]) for entry in entries]


def _requirements(one: InstallWheels, written: dict[str, Path], names: Path) -> tuple[Requirement, ...]:
    found = [Requirement(written[absolute(one.folder, path)]) for path in one.install.requirements]
    if one.install.names:
        names.write_text("".join(f"{name}\n" for name in one.install.names))
        found.append(Requirement(names))
    constraints = [Requirement(written[absolute(one.folder, path)], True) for path in one.install.constraints]
    return (*found, *constraints)


def _write_files(files: dict[str, RequirementsFile], folder: Path) -> dict[str, Path]:
    """Each file under a number, its includes pointing to each other's new places."""
    folder.mkdir()
    places = {path: folder / f"{number}.txt" for number, path in enumerate(files)}
    for path, file in files.items():
        lines = [f"{line.option} {places[line.path]}" if isinstance(line, Include) else line for line in file.lines]
        places[path].write_text("".join(f"{line}\n" for line in lines))
    return places
