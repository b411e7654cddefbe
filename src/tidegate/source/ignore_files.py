"""Where the `.sourceignore` files of a commit lie. Kept by the ids of folders: of a new commit only the changed folders
are looked at, and a commit of thousands of files that has none costs next to nothing.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from tidegate.base.errors import LimitExceeded, NotFound
from tidegate.git.files import CommitFiles
from tidegate.git.tree import ENTRIES_LIMIT
from tidegate.source.ignoring import IGNORE_FILE

KEPT_FOLDERS = 5000
FILES_LIMIT = 1000
"""How many such files a commit may have: a few trees that hold each other many times over can name any number."""


class IgnoreFiles:
    """The folders that have such a file, by the id of the folder that all of them lie in. May be used by any thread."""

    def __init__(self, kept: int = KEPT_FOLDERS):
        self._limit = kept
        self._kept: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, files: CommitFiles) -> tuple[str, ...]:
        """The folders of a commit that have one ("" for the root); LimitExceeded past FILES_LIMIT."""
        root = files.entry("")
        if root is None:
            raise NotFound("a commit without a tree")
        with self._lock:
            kept = self._kept.get(root.id)
        if kept is not None:
            return kept
        found = self._found(files, root.id)
        self._keep(found)
        return found[root.id]

    def _found(self, files: CommitFiles, root: str) -> dict[str, tuple[str, ...]]:
        """The answers for a tree and for those below it."""
        known: dict[str, tuple[str, ...]] = {}
        below = self._walk(files, root, known)
        waiting = [root]
        while waiting:
            tree = waiting[-1]
            if tree in known:
                waiting.pop()
                continue
            own, folders = below[tree]
            if missing := [child for _, child in folders if child not in known]:
                waiting += missing
                continue
            known[tree] = (*own, *(f"{name}/{path}".rstrip("/") for name, child in folders for path in known[child]))
            if len(known[tree]) > FILES_LIMIT:
                raise LimitExceeded(f"a source may have at most {FILES_LIMIT} {IGNORE_FILE} files")
        return known

    def _walk(
        self, files: CommitFiles, root: str, known: dict[str, tuple[str, ...]]
    ) -> dict[str, tuple[tuple[str, ...], list[tuple[str, str]]]]:
        """What unknown folders hold: whether such a file, and which folders; `known` gets what is kept."""
        below: dict[str, tuple[tuple[str, ...], list[tuple[str, str]]]] = {}
        level, seen = [root], 0
        while level:
            following: dict[str, None] = {}
            for tree, entries in files.folders(level).items():
                seen += len(entries)
                own = ("",) if any(entry.path == IGNORE_FILE and entry.is_file for entry in entries) else ()
                below[tree] = own, [(entry.path, entry.id) for entry in entries if entry.type == "tree"]
                following |= dict.fromkeys(child for _, child in below[tree][1])
            if seen > ENTRIES_LIMIT:
                raise LimitExceeded(f"a commit may have at most {ENTRIES_LIMIT} files and folders")
            with self._lock:
                known |= {tree: found for tree in following if (found := self._kept.get(tree)) is not None}
            level = [tree for tree in following if tree not in known and tree not in below]
        return below

    def _keep(self, found: dict[str, tuple[str, ...]]) -> None:
        with self._lock:
            for tree, folders in found.items():
                self._kept[tree] = folders
                self._kept.move_to_end(tree)
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)


IGNORE_FILES = IgnoreFiles()
"""Those of this process: an id stands for the same content in every repository."""
