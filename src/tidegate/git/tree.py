"""The trees of a commit, read as they are and kept by their ids: of a new commit only the changed folders are read."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tidegate.base.errors import LimitExceeded, NotFound
from tidegate.git.batch import WINDOW, Batch
from tidegate.git.names import check_object_id
from tidegate.git.values import TreeEntry, parse_commit, parse_tree

ENTRIES_LIMIT = 1_000_000
"""How many entries a commit may have: a few trees that hold each other many times over can name any number."""
KEPT_ENTRIES = 10_000
FOLDER_MODE = "40000"
Entries = tuple[TreeEntry, ...]


class TreeCache:
    """Trees by their ids, KEPT_ENTRIES in all; those that were used last stay. May be used by any thread."""

    def __init__(self) -> None:
        self._trees: OrderedDict[str, Entries] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, tree: str) -> Entries | None:
        """A tree's own entries, or None where they are not kept."""
        with self._lock:
            if (found := self._trees.get(tree)) is not None:
                self._trees.move_to_end(tree)
            return found

    def put(self, tree: str, entries: Entries) -> None:
        """Keep a tree."""
        with self._lock:
            if tree in self._trees:
                return
            self._trees[tree] = entries
            self._size += len(entries) + 1
            while self._size > KEPT_ENTRIES:
                self._size -= len(self._trees.popitem(last=False)[1]) + 1


CACHE = TreeCache()
"""That of this process: an id stands for the same content in every repository."""


def root_of(batch: Batch, commit: str) -> str:
    """The tree of a commit; NotFound."""
    found = batch.ask([check_object_id(commit)])[0]
    if found is None or found.type != "commit" or found.data is None:
        raise NotFound(f"no commit {commit} in this repository")
    return parse_commit(commit, found.data).tree


def files_below(batch: Batch, root: str, cache: TreeCache = CACHE) -> Iterator[TreeEntry]:
    """Every entry below a tree that is no folder, with its whole path. LimitExceeded past ENTRIES_LIMIT."""
    level = [("", root)]
    seen = 0
    while level:
        trees = folders(batch, list(dict.fromkeys(tree for _, tree in level)), cache)
        below: list[tuple[str, str]] = []
        for prefix, tree in level:
            seen += len(trees[tree])
            if seen > ENTRIES_LIMIT:
                raise LimitExceeded(f"a commit may have at most {ENTRIES_LIMIT} files and folders")
            for entry in trees[tree]:
                path = prefix + entry.path
                if entry.type == "tree":
                    below.append((f"{path}/", entry.id))
                else:
                    yield TreeEntry(entry.mode, entry.type, entry.id, path)
        level = below


class Paths:
    """Finds what a tree has at paths without listing the rest; each folder on the way is read once."""

    def __init__(self, root: str, cache: TreeCache = CACHE):
        self._root = root
        self._cache = cache
        self._read: dict[str, Mapping[str, TreeEntry]] = {}

    def entry(self, batch: Batch, path: str) -> TreeEntry | None:
        """The entry, under its name alone, or None; the empty path is the tree itself."""
        entry: TreeEntry | None = TreeEntry(FOLDER_MODE, "tree", self._root, "")
        for part in path.split("/") if path else ():
            if entry is None or entry.type != "tree":
                return None
            entry = self._names(batch, entry.id).get(part)
        return entry

    def _names(self, batch: Batch, tree: str) -> Mapping[str, TreeEntry]:
        if tree not in self._read:
            self._read[tree] = {entry.path: entry for entry in folders(batch, [tree], self._cache)[tree]}
        return self._read[tree]


def entries_at(batch: Batch, root: str, paths: Iterable[str], cache: TreeCache = CACHE) -> dict[str, tuple[str, str]]:
    """(mode, type) of what a tree has at some paths, and at the folders above them."""
    found: dict[str, tuple[str, str]] = {}
    trees: dict[str, Mapping[str, TreeEntry]] = {}
    for path in paths:
        above, tree = "", root
        for part in path.split("/"):
            if tree not in trees:
                trees[tree] = {entry.path: entry for entry in folders(batch, [tree], cache)[tree]}
            entry = trees[tree].get(part)
            if entry is None:
                break
            found[above + part] = (entry.mode, entry.type)
            if entry.type != "tree":
                break
            above, tree = f"{above}{part}/", entry.id
    return found


def folders(batch: Batch, trees: Sequence[str], cache: TreeCache = CACHE) -> dict[str, Entries]:
    """What trees hold themselves, by their ids. Raises NotFound, LimitExceeded."""
    known = {tree: entries for tree in trees if (entries := cache.get(tree)) is not None}
    unread = [tree for tree in trees if tree not in known]
    for start in range(0, len(unread), WINDOW):
        window = unread[start : start + WINDOW]
        for tree, found in zip(window, batch.ask(window), strict=True):
            if found is None or found.type != "tree":
                raise NotFound(f"no tree {tree} in this repository")
            if found.data is None:
                raise LimitExceeded(f"the folder {tree} has too many entries")
            known[tree] = tuple(parse_tree(found.data, len(tree) // 2))
            cache.put(tree, known[tree])
    return known
