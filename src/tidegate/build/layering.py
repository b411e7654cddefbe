"""Layers by what they are made from: found in the store, or made once even where several platforms want the same."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.base.steps import Step, reach
from tidegate.build.contents import Contents
from tidegate.build.facts import inodes_from_json, inodes_json
from tidegate.build.filesystem import Changes, Content, InLayer, Inode
from tidegate.build.store import BuildStore, Record, key_of
from tidegate.oci.layers import WHITEOUT_PREFIX, Entry, EntryKind, write_layer
from tidegate.oci.values import Descriptor

MTIME = 315_619_200
"""The time of every file in a built layer: 2 January 1980, which zip files can hold in every time zone.

A constant, and not the commit's time: so a layer whose files did not change stays the same, byte for byte.
"""

LEVEL = 4
"""zlib's: half the time of its default 6, for three percent more bytes."""

FORMAT = 2
"""Raise it where the same changes would give another layer, or the record of one reads otherwise."""

Entries = Callable[[], Awaitable[list[Entry]]]
Others = Callable[[str], Awaitable[Record | None]]
"""Looks a key's layer up in the caches of other machines; what is found is in the store then."""


@frozen
class Made:
    """A layer in the store, and what it changes; `descriptor` is None where there was nothing to change."""

    descriptor: Descriptor | None
    diff_id: str
    changes: Changes
    reused: bool


class Layers:
    """Makes layers."""

    def __init__(self, store: BuildStore, scratch: Path, others: Others | None = None):
        self._store = store
        self._others = others
        self.used: set[str] = set()
        """The keys of all layers that were asked for."""
        self._scratch = scratch
        self._making: dict[str, asyncio.Lock] = {}

    async def get(self, key: str, entries: Entries) -> Made:
        """The layer of that key; `entries` is asked for its content only where it must be made."""
        async with self._making.setdefault(key, asyncio.Lock()):
            self.used.add(key)
            found = self._kept(key)
            if found is None and self._others is not None and await self._others(key) is not None:
                found = self._kept(key)
            return found or await self._make(key, await entries())

    async def of_changes(self, changes: Changes, contents: Contents) -> Made:
        """The layer that brings `changes`; its key is these, and nothing else."""
        rows = [[path, None if inode is None else inode.row()] for path, inode in sorted(changes.items())]

        async def entries() -> list[Entry]:
            return await asyncio.to_thread(contents.entries, changes)

        return await self.get(key_of({"format": FORMAT, "mtime": MTIME, "changes": rows}), entries)

    def _kept(self, key: str) -> Made | None:
        record = self._store.record("layers", key)
        if record is None or record.get("format") != FORMAT:
            return None
        try:
            descriptor = None if record["layer"] is None else Descriptor.from_json(record["layer"])
            blobs = [] if descriptor is None else [self._store.blob_path(descriptor.digest)]
            made = Made(descriptor, record["diff_id"], inodes_from_json(record["files"], blobs), True)
        except (KeyError, IndexError, TypeError, ValueError, InvalidInput):
            return None
        return made if descriptor is None or self._store.has_blob(descriptor) else None

    async def _make(self, key: str, entries: list[Entry]) -> Made:
        descriptor, diff_id = None, ""
        changes: dict[str, Inode | None] = {}
        blobs: list[Path] = []
        if entries:
            target = self._scratch / f"layer-{key}"
            layer = await asyncio.to_thread(write_layer, entries, target, mtime=MTIME, level=LEVEL)
            blob = self._store.blob_path(layer.descriptor.digest)
            changes = await asyncio.to_thread(changes_of, entries, blob)
            self._store.adopt_blob(layer.path, layer.descriptor.digest)
            descriptor, diff_id = layer.descriptor, layer.diff_id
            blobs = [blob]
        record: dict[str, Any] = {
            "format": FORMAT,
            "layer": None if descriptor is None else descriptor.as_json(),
            "diff_id": diff_id,
            "files": inodes_json(changes, blobs),
        }
        self._store.remember("layers", key, record)
        reach(Step.LAYER_WRITTEN)
        return Made(descriptor, diff_id, changes, False)


def changes_of(entries: Iterable[Entry], blob: Path) -> dict[str, Inode | None]:
    """What a layer with `entries`, which lies or will lie at `blob`, changes. Blocks: it reads every file."""
    changes: dict[str, Inode | None] = {}
    ordered = sorted(entries, key=lambda entry: entry.kind is EntryKind.HARDLINK)
    for entry in ordered:
        path = "/".join(part for part in entry.path.split("/") if part not in ("", "."))
        folder, _, name = path.rpartition("/")
        if name.startswith(WHITEOUT_PREFIX):
            changes[f"{folder}/{name.removeprefix(WHITEOUT_PREFIX)}".lstrip("/")] = None
        elif entry.kind is EntryKind.HARDLINK:
            changes[path] = changes["/".join(part for part in entry.target.split("/") if part not in ("", "."))]
        else:
            content = _content(entry, InLayer(blob, path)) if entry.kind is EntryKind.FILE else None
            changes[path] = Inode(entry.kind, entry.mode, entry.uid, entry.gid, content, entry.target, entry.mtime)
    return changes


def _content(entry: Entry, place: InLayer) -> Content:
    if isinstance(entry.content, bytes):
        return Content(hashlib.sha256(entry.content).hexdigest(), len(entry.content), place)
    with entry.content.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Content(digest, entry.content.stat().st_size, place)
