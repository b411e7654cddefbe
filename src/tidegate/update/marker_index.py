"""Which markers a tree of files holds, remembered by the ids of its folders and contents: a new commit costs what it
changes, not what is there.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from tidegate.base.errors import LimitExceeded
from tidegate.base.files import Files
from tidegate.base.frozen import frozen
from tidegate.git.values import TreeEntry
from tidegate.update.marker import FileMarkers, Problem
from tidegate.update.markers import NOTHING, find_markers

INDEX_LIMIT = 200_000
KEPT_ENTRIES = 20_000
AT_ONCE = 64
ENTRIES_LIMIT = 1_000_000
"""How many folders and files a tree may have: a few that hold each other many times over can name any number."""
TOO_LARGE = FileMarkers(problems=(Problem(None, "it is too large, so it is not edited"),))


@runtime_checkable
class IdentifiedFiles(Files, Protocol):
    """Files whose folders and contents have ids: the files of a commit."""

    def entry(self, path: str) -> TreeEntry | None:
        """What is at a path (the root: the empty string), or None."""
        ...

    def folders(self, ids: Sequence[str]) -> Mapping[str, Sequence[TreeEntry]]:
        """What folders hold themselves, by their ids."""
        ...

    def read_blobs(self, blobs: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
        """The contents of ids; None for one that is too large."""
        ...


@frozen
class _Folder:
    """What matters of a folder: its files with markers (or with a problem), and the folders in it, each by its name.
    `size` is how many entries it has.
    """

    files: tuple[tuple[str, FileMarkers], ...]
    folders: tuple[tuple[str, str], ...]
    size: int


class MarkerIndex:
    """What was found in which content and folder. It is in memory alone and may be dropped at any time; any thread may
    use it.
    """

    def __init__(self) -> None:
        self._marked: dict[str, FileMarkers] = {}
        self._plain: set[str] = set()
        self._folders: OrderedDict[str, _Folder] = OrderedDict()
        self._kept = 0
        self._lock = threading.Lock()

    def below(self, files: IdentifiedFiles, root: str) -> dict[str, FileMarkers] | None:
        """The YAML files at or below a path that hold markers or have a problem, sorted; None where nothing is there.
        Only what was never seen is read. Raises LimitExceeded.
        """
        entry = files.entry(root)
        if entry is None:
            return None
        if entry.type == "tree":
            here = self._learned(files, entry.id)
            return dict(sorted(_walked(here, entry.id, f"{root}/" if root else "")))
        if not entry.is_file:
            return None
        found = self._contents(files, [entry.id])[entry.id] if is_yaml(root) else NOTHING
        return {} if found == NOTHING else {root: found}

    def _learned(self, files: IdentifiedFiles, tree: str) -> dict[str, _Folder]:
        """Every folder at or below one, by its id; those that are not known are read now, a few at once."""
        here: dict[str, _Folder] = {}
        level, entries = [tree], 0
        while level:
            known = self._known(level)
            here |= known
            unknown = [one for one in level if one not in known]
            for start in range(0, len(unknown), AT_ONCE):
                read = self._read(files, unknown[start : start + AT_ONCE])
                here |= read
                entries += sum(folder.size for folder in read.values())
                if entries > ENTRIES_LIMIT:
                    raise _too_many()
            below = (one for folder in level for _, one in here[folder].folders)
            level = [one for one in dict.fromkeys(below) if one not in here]
        return here

    def _read(self, files: IdentifiedFiles, trees: Sequence[str]) -> dict[str, _Folder]:
        made = {}
        for tree, entries in files.folders(trees).items():
            looked_at = [entry for entry in entries if entry.is_file and is_yaml(entry.path)]
            contents = self._contents(files, [entry.id for entry in looked_at])
            found = ((entry.path, contents[entry.id]) for entry in looked_at)
            made[tree] = _Folder(
                tuple(pair for pair in found if pair[1] != NOTHING),
                tuple((entry.path, entry.id) for entry in entries if entry.type == "tree"),
                len(entries),
            )
        self._keep(made)
        return made

    def _known(self, trees: Iterable[str]) -> dict[str, _Folder]:
        found = {}
        with self._lock:
            for tree in trees:
                if (folder := self._folders.get(tree)) is not None:
                    self._folders.move_to_end(tree)
                    found[tree] = folder
        return found

    def _keep(self, folders: Mapping[str, _Folder]) -> None:
        with self._lock:
            for tree, folder in folders.items():
                if tree not in self._folders:
                    self._folders[tree] = folder
                    self._kept += _weight(folder)
            while self._kept > KEPT_ENTRIES:
                self._kept -= _weight(self._folders.popitem(last=False)[1])

    def _contents(self, files: IdentifiedFiles, blobs: Iterable[str]) -> dict[str, FileMarkers]:
        """What is in contents, by their ids; those that are not known are read now."""
        here: dict[str, FileMarkers] = {}
        unread = []
        for blob in dict.fromkeys(blobs):
            known = NOTHING if blob in self._plain else self._marked.get(blob)
            if known is None:
                unread.append(blob)
            else:
                here[blob] = known
        for blob, data in files.read_blobs(unread):
            here[blob] = TOO_LARGE if data is None else find_markers(data)
            self._put(blob, here[blob])
        return here

    def _put(self, blob: str, found: FileMarkers) -> None:
        if len(self._plain) + len(self._marked) >= INDEX_LIMIT:
            self._plain.clear()
            self._marked.clear()
        if found == NOTHING:
            self._plain.add(blob)
        else:
            self._marked[blob] = found


def is_yaml(path: str) -> bool:
    """Whether a file is looked at, by its name: as Flux does."""
    return path.endswith((".yaml", ".yml")) or path.rpartition("/")[2] == "Kustomization"


def _weight(folder: _Folder) -> int:
    return 1 + len(folder.files) + len(folder.folders)


def _walked(here: Mapping[str, _Folder], tree: str, prefix: str) -> Iterator[tuple[str, FileMarkers]]:
    pending, seen = [(prefix, tree)], 0
    while pending:
        above, one = pending.pop()
        folder = here[one]
        seen += folder.size
        if seen > ENTRIES_LIMIT:
            raise _too_many()
        for name, found in folder.files:
            yield above + name, found
        pending += [(f"{above}{name}/", below) for name, below in folder.folders]


def _too_many() -> LimitExceeded:
    return LimitExceeded(f"a commit may have at most {ENTRIES_LIMIT} files and folders")
