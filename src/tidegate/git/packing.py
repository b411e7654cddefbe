"""A pack of what a few commits bring, made in this process: for a commit of an update that is a handful of objects,
which a `git pack-objects` takes longer to start than to pack. The format is gitformat-pack(5)'s, without deltas.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence

from tidegate.git.batch import WINDOW, Batch, Found
from tidegate.git.names import check_object_id
from tidegate.git.tree import folders, root_of
from tidegate.git.values import TreeEntry, parse_commit

COMMITS_LIMIT = 64
OBJECTS_LIMIT = 4_000
BYTES_LIMIT = 4 * 1024 * 1024
_TYPES = {"commit": 1, "tree": 2, "blob": 3}
_SUBMODULE = "commit"


def pack_between(batch: Batch, old: str, new: str) -> bytes | None:
    """A pack of what `new` has and `old` lacks; None where that is not a short line of commits on top of `old`, or is
    large: then git is to make it. Blocks; raises what the batch raises.
    """
    commits = _line_of_commits(batch, old, new)
    if commits is None:
        return None
    base, wanted = root_of(batch, old), dict.fromkeys(found.id for found in commits)
    for found in reversed(commits):
        root = parse_commit(found.id, found.data or b"").tree
        for one in _new_objects(batch, base, root):
            wanted[one] = None
            if len(wanted) > OBJECTS_LIMIT:
                return None
        base = root
    return _packed(batch, list(wanted))


def _line_of_commits(batch: Batch, old: str, new: str) -> list[Found] | None:
    """From `new` to the one on top of `old`."""
    commits: list[Found] = []
    commit = check_object_id(new)
    while commit != old:
        found = batch.ask([commit])[0]
        if found is None or found.type != "commit" or found.data is None or len(commits) == COMMITS_LIMIT:
            return None
        parents = parse_commit(commit, found.data).parents
        if len(parents) != 1:
            return None
        commits.append(found)
        commit = parents[0]
    return commits


def _new_objects(batch: Batch, old: str, new: str) -> Iterator[str]:
    """Trees and blobs of a tree that the old one has not at the same place, folders before what is in them."""
    level: list[tuple[str | None, str]] = [(old, new)] if old != new else []
    while level:
        trees = folders(batch, list(dict.fromkeys(tree for pair in level for tree in pair if tree)))
        below: list[tuple[str | None, str]] = []
        for before, tree in level:
            yield tree
            present = {entry.path: entry for entry in trees[before]} if before else {}
            for entry in trees[tree]:
                was = present.get(entry.path)
                if (was is not None and was.id == entry.id) or entry.type == _SUBMODULE:
                    continue
                if entry.type == "tree":
                    below.append((_tree_id(was), entry.id))
                else:
                    yield entry.id
        level = below


def _tree_id(entry: TreeEntry | None) -> str | None:
    return entry.id if entry is not None and entry.type == "tree" else None


def _packed(batch: Batch, wanted: Sequence[str]) -> bytes | None:
    objects, size = [], 0
    for start in range(0, len(wanted), WINDOW):
        for found in batch.ask(wanted[start : start + WINDOW]):
            if found is None or found.data is None or (size := size + len(found.data)) > BYTES_LIMIT:
                return None
            objects.append((found.type, found.data))
    return pack(objects)


def pack(objects: Iterable[tuple[str, bytes]]) -> bytes:
    """A pack of objects, each with its type. Pure."""
    parts = [_entry(kind, data) for kind, data in objects]
    body = b"".join([b"PACK", (2).to_bytes(4, "big"), len(parts).to_bytes(4, "big"), *parts])
    return body + hashlib.sha1(body, usedforsecurity=False).digest()


def _entry(kind: str, data: bytes) -> bytes:
    """A type of three bits and a size in pieces of seven bits, of which the first has four; then the data."""
    head, size = (_TYPES[kind] << 4) | (len(data) & 0x0F), len(data) >> 4
    pieces = bytearray()
    while size:
        pieces.append(head | 0x80)
        head, size = size & 0x7F, size >> 7
    pieces.append(head)
    return bytes(pieces) + zlib.compress(data)
