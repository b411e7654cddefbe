"""Pages of the tags in a folder, one file for each: whoever reads 100 000 of them by the hundred has the folder listed
once, and not for each page.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from pathlib import Path

from tidegate.base.frozen import frozen

LONGEST_KEPT = 4 * 1024 * 1024
"""Bytes of names that are kept between two pages; a larger folder is listed for each."""
SETTLED = 3.0
"""Seconds after its last change from which a folder's time tells of the next one: file systems count coarsely."""


@frozen
class _Listing:
    folder: Path
    changed: int
    names: str


def names_in(folder: Path) -> list[str]:
    """What a folder holds, sorted, without files that are being written, whose names begin with a dot.
    FileNotFoundError where there is no such folder.
    """
    names = sorted(os.listdir(folder))  # noqa: PTH208 - 100 000
    del names[bisect_left(names, ".") : bisect_left(names, "/")]  # "/" comes next after "."
    return names


class TagFolders:
    """Lists folders, and keeps the list of the last one for as long as the folder stays as it is."""

    def __init__(self) -> None:
        self._kept: _Listing | None = None

    def page(self, folder: Path, after: str | None, most: int) -> tuple[list[str], bool]:
        """The first `most` names after `after`, sorted, and whether more follow; none where there is no such folder."""
        names = self._names(folder)
        place = 0 if after is None else _place_after(names, after)
        found: list[str] = []
        while len(found) < most and place < len(names):
            end = names.index("\n", place)
            found.append(names[place:end])
            place = end + 1
        return found, place < len(names)

    def _names(self, folder: Path) -> str:
        """A line for each name, sorted."""
        now = time.time_ns()
        try:
            changed = folder.stat().st_mtime_ns
            kept = self._kept
            if kept is not None and (kept.folder, kept.changed) == (folder, changed):
                return kept.names
            listed = names_in(folder)
        except FileNotFoundError:
            return ""
        names = "\n".join([*listed, ""])
        settled = 0 <= changed <= now - SETTLED * 1e9
        self._kept = _Listing(folder, changed, names) if settled and len(names) <= LONGEST_KEPT else None
        return names


def _place_after(names: str, after: str) -> int:
    """Where the lines begin that come after `after`, which need not be one of them."""
    low, high = 0, len(names)
    while low < high:
        start = names.rfind("\n", 0, (low + high) // 2) + 1
        end = names.index("\n", start)
        if names[start:end] <= after:
            low = end + 1
        else:
            high = start
    return low
