"""RUN pip install: the layer that holds its wheels, for one platform, from the cache where nothing it reads changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.build.bases import Foundation
from tidegate.build.bytecode import can_compile
from tidegate.build.contents import Contents
from tidegate.build.facts import Python
from tidegate.build.filesystem import Changes, Filesystem
from tidegate.build.index_settings import IndexSettings
from tidegate.build.interpreter import describe, write_stand_in
from tidegate.build.pip import PipInstall
from tidegate.build.requirements import Include, Lookup, RequirementsFile, collect
from tidegate.build.steps import Install
from tidegate.build.store import BuildStore, key_of
from tidegate.build.wheels import Requirement, changes, forget_cache_notes, install_wheels, seed, state_of
from tidegate.kinds.platform import Platform
from tidegate.oci.layers import Entry, EntryKind

FORMAT = 3
"""Raise it where the same lines would give another layer."""

Log = Callable[[str], None]


@frozen
class Installation:
    """An Install step with all that it reads, so that its key is known before anything is done."""

    step: Install
    platform: Platform
    python: Python
    description: dict[str, Any]
    files: dict[str, RequirementsFile]
    below: Changes
    folders: frozenset[str]

    @property
    def compiles(self) -> bool:
        """Whether the layer gets the modules' bytecode."""
        return can_compile(self.python.minor)

    def key(self, settings: IndexSettings) -> str:
        """The key of the layer."""
        installs = [
            {
                "names": list(install.names),
                "requirements": list(install.requirements),
                "constraints": list(install.constraints),
                "indexes": replace(
                    settings, index_url=install.index_url, extra_index_urls=install.extra_index_urls
                ).identity(),
                "switches": [install.upgrade, install.pre, install.no_deps, install.require_hashes],
            }
            for install in self.step.installs
        ]
        files = {path: [_shown(line) for line in file.lines] for path, file in self.files.items()}
        below = [[path, inode.row()] for path, inode in sorted(self.below.items()) if inode is not None]
        return key_of(
            {
                "install": FORMAT,
                "interpreter": self.description,
                "folder": self.step.folder,
                "installs": installs,
                "files": files,
                "settings": settings.identity(),
                "bytecode": self.compiles,
                "below": below,
            }
        )


def _shown(line: str | Include) -> str:
    return f"{line.option} {line.path}" if isinstance(line, Include) else line


def prepare(
    step: Install, platform: Platform, foundation: Foundation, lookup: Lookup, image: Filesystem
) -> Installation:
    """Find out what a step reads. Raises InvalidInput where the base has no Python, or a file can't be had."""
    python = foundation.facts.python
    if python is None:
        message = f"the base {foundation.name} has no Python for {platform}, so pip install can't be built"
        raise InvalidInput(message, remedy="use a base with Python in it")
    paths = [absolute(step.folder, path) for install in step.installs for path in _paths(install)]
    description = describe(python, foundation.facts, platform)
    return Installation(
        step, platform, python, description, collect(paths, lookup), _below(image, python), _folders(image)
    )


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


def _folders(image: Filesystem) -> frozenset[str]:
    return frozenset(path for path, inode in image.nodes.items() if inode.is_directory)


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
    for number, one in enumerate(wanted.step.installs):
        lines = await install_wheels(
            one,
            _requirements(wanted, one, written, scratch / f"names-{number}.txt"),
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


def _requirements(
    wanted: Installation, one: PipInstall, written: dict[str, Path], names: Path
) -> tuple[Requirement, ...]:
    found = [Requirement(written[absolute(wanted.step.folder, path)]) for path in one.requirements]
    if one.names:
        names.write_text("".join(f"{name}\n" for name in one.names))
        found.append(Requirement(names))
    constraints = [Requirement(written[absolute(wanted.step.folder, path)], True) for path in one.constraints]
    return (*found, *constraints)


def _write_files(files: dict[str, RequirementsFile], folder: Path) -> dict[str, Path]:
    """Each file under a number, its includes pointing to each other's new places."""
    folder.mkdir()
    places = {path: folder / f"{number}.txt" for number, path in enumerate(files)}
    for path, file in files.items():
        lines = [f"{line.option} {places[line.path]}" if isinstance(line, Include) else line for line in file.lines]
        places[path].write_text("".join(f"{line}\n" for line in lines))
    return places
