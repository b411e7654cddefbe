"""Layers by what they are made from: found in the store, or made once even where several platforms want the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.base.steps import Step, reach
from tidegate.build.store import BuildStore
from tidegate.build.tree import Tree
from tidegate.oci.layers import Entry, EntryKind, write_layer
from tidegate.oci.values import Descriptor

MTIME = 315_619_200
"""The time of every file in a built layer: 2 January 1980, which zip files can hold in every time zone.

A constant, and not the commit's time: so a layer whose files did not change stays the same, byte for byte.
"""

LEVEL = 4
"""zlib's: half the time of its default 6, for three percent more bytes."""

Entries = Callable[[], Awaitable[list[Entry]]]


@frozen
class Made:
    """A layer in the store, and what it adds to the tree; `descriptor` is None where there was nothing to add."""

    descriptor: Descriptor | None
    diff_id: str
    directories: tuple[str, ...]
    links: dict[str, str]
    reused: bool

    def tell(self, tree: Tree) -> None:
        """Have `tree` know what the layer brings."""
        tree.directories.update(self.directories)
        tree.links.update(self.links)


class Layers:
    """Makes layers."""

    def __init__(self, store: BuildStore, scratch: Path):
        self._store = store
        self._scratch = scratch
        self._making: dict[str, asyncio.Lock] = {}

    async def get(self, key: str, entries: Entries) -> Made:
        """The layer of that key; `entries` is asked for its content only where it must be made."""
        async with self._making.setdefault(key, asyncio.Lock()):
            found = self._kept(key)
            return found or await self._make(key, await entries())

    def _kept(self, key: str) -> Made | None:
        record = self._store.record("layers", key)
        if record is None:
            return None
        try:
            descriptor = None if record["layer"] is None else Descriptor.from_json(record["layer"])
            made = Made(descriptor, record["diff_id"], tuple(record["directories"]), record["links"], True)
        except (KeyError, InvalidInput):
            return None
        return made if descriptor is None or self._store.has_blob(descriptor) else None

    async def _make(self, key: str, entries: list[Entry]) -> Made:
        directories = tuple(entry.path for entry in entries if entry.kind is EntryKind.DIRECTORY)
        links = {entry.path: entry.target for entry in entries if entry.kind is EntryKind.SYMLINK}
        record: dict[str, Any] = {"layer": None, "diff_id": "", "directories": list(directories), "links": links}
        descriptor = None
        if entries:
            target = self._scratch / f"layer-{key}"
            layer = await asyncio.to_thread(write_layer, entries, target, mtime=MTIME, level=LEVEL)
            self._store.adopt_blob(layer.path, layer.descriptor.digest)
            descriptor = layer.descriptor
            record |= {"layer": descriptor.as_json(), "diff_id": layer.diff_id}
        self._store.remember("layers", key, record)
        reach(Step.LAYER_WRITTEN)
        return Made(descriptor, record["diff_id"], directories, links, False)
