"""What was found to be right as it is: whoever looks again learns that without looking at each marker anew."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256

from tidegate.git.values import TreeEntry
from tidegate.update.automation import plan_update, tree_path
from tidegate.update.edit import Edited
from tidegate.update.marker_index import IdentifiedFiles, MarkerIndex

KEPT_WORDS = 10_000
"""How many policies, markers without a reference and problems are kept in all, of those that were asked for last."""
_Key = tuple[str, TreeEntry, bytes]


class Outcomes:
    """Plans updates, and keeps those by which nothing changes. All that such a plan depends on is what it is found by:
    the path, the id of what is there, and every reference. It is in memory alone; any thread may use it.
    """

    def __init__(self, index: MarkerIndex):
        self._index = index
        self._kept: OrderedDict[_Key, Edited] = OrderedDict()
        self._words = 0
        self._lock = threading.Lock()

    def plan(self, files: IdentifiedFiles, update_path: str, references: Mapping[str, str]) -> Edited:
        """As `plan_update` does, with its errors. Reads block: call it in a thread."""
        root = tree_path(update_path)
        entry = files.entry(root)
        key = None if entry is None else (root, entry, _digest(references))
        if key is not None and (kept := self._found(key)) is not None:
            return kept
        edited = plan_update(files, update_path, references, index=self._index)
        if key is not None and not edited.changes:
            self._keep(key, edited)
        return edited

    def _found(self, key: _Key) -> Edited | None:
        with self._lock:
            if (kept := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
            return kept

    def _keep(self, key: _Key, edited: Edited) -> None:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = edited
                self._words += _weight(edited)
            while self._words > KEPT_WORDS:
                self._words -= _weight(self._kept.popitem(last=False)[1])


def _weight(edited: Edited) -> int:
    return 1 + len(edited.policies) + len(edited.missing) + len(edited.problems)


def _digest(references: Mapping[str, str]) -> bytes:
    """Of all of them, so that one which is none is refused wherever it was not before."""
    return sha256(repr(sorted(references.items())).encode("utf-8", "surrogatepass")).digest()
