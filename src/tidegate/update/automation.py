"""What an ImageUpdateAutomation is to change in a tree of files: those below its path, read only where they matter.

A commit's files come with blob ids; what was found in a blob is kept, so that only changed blobs are read again.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound
from tidegate.base.files import Files
from tidegate.update.edit import Edited, conclude, decide, parse_references
from tidegate.update.marker import FileMarkers, Problem
from tidegate.update.markers import NOTHING, find_markers

INDEX_LIMIT = 200_000
_TOO_LARGE = FileMarkers(problems=(Problem(None, "it is too large, so it is not edited"),))


@runtime_checkable
class IdentifiedFiles(Files, Protocol):
    """Files whose contents have ids: the files of a commit."""

    def blobs(self) -> Mapping[str, str]:
        """Every file's path, sorted, with the id of its content."""
        ...

    def read_blobs(self, blobs: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
        """The contents of ids; None for one that is too large."""
        ...


class MarkerIndex:
    """What was found in which blob. It is kept in memory alone and may be dropped at any time."""

    def __init__(self) -> None:
        self._marked: dict[str, FileMarkers] = {}
        self._plain: set[str] = set()

    def known(self, blob: str) -> FileMarkers | None:
        """What was found in a blob, or None where it was not read."""
        return NOTHING if blob in self._plain else self._marked.get(blob)

    def put(self, blob: str, found: FileMarkers) -> None:
        """Keep what was found."""
        if len(self) >= INDEX_LIMIT:
            self._plain.clear()
            self._marked.clear()
        if found == NOTHING:
            self._plain.add(blob)
        else:
            self._marked[blob] = found

    def __len__(self) -> int:
        return len(self._plain) + len(self._marked)


def plan_update(
    files: Files, update_path: str, references: Mapping[str, str], *, index: MarkerIndex | None = None
) -> Edited:
    """The files below `update_path` with every marked value at its policy's reference (`NS:NAME` → reference).

    Looks at `*.yaml`, `*.yml` and `Kustomization`, in hidden folders too. Raises InvalidInput for a path that leaves
    the repository or a reference that is none, NotFound where the path is not there. Reads block: call it in a thread.
    """
    selected = parse_references(references)
    root = tree_path(update_path)
    if isinstance(files, IdentifiedFiles):
        found = _find_by_id(files, chosen(files.blobs(), root), MarkerIndex() if index is None else index)
    else:
        found = {path: _find_by_reading(files, path) for path in chosen(files.paths(), root)}
    if not found and root and not files.is_dir(root) and not files.is_file(root):
        raise NotFound(f"spec.update.path {update_path!r} is not in the repository")
    decisions = {path: decide(path, markers, selected) for path, markers in found.items() if markers != NOTHING}
    return conclude(decisions, files.read, selected)


def tree_path(update_path: str) -> str:
    """`./apps/web/` → `apps/web`; the root is empty. InvalidInput where it leaves the repository."""
    path = posixpath.normpath(f"./{update_path}")
    if path.startswith("../") or path == ".." or "\0" in path:
        raise InvalidInput(f"spec.update.path {update_path!r} leaves the repository")
    return "" if path == "." else path


def chosen(paths: Iterable[str], root: str) -> list[str]:
    """The paths of the YAML files at or below `root`."""
    prefix = f"{root}/" if root else ""
    return [path for path in paths if (path.startswith(prefix) or path == root) and is_yaml(path)]


def is_yaml(path: str) -> bool:
    """Whether a file is looked at, by its name: as Flux does."""
    return path.endswith((".yaml", ".yml")) or path.rpartition("/")[2] == "Kustomization"


def _find_by_id(files: IdentifiedFiles, paths: Sequence[str], index: MarkerIndex) -> dict[str, FileMarkers]:
    blobs = files.blobs()
    here: dict[str, FileMarkers] = {}
    unread = []
    for blob in dict.fromkeys(blobs[path] for path in paths):
        known = index.known(blob)
        if known is None:
            unread.append(blob)
        else:
            here[blob] = known
    for blob, data in files.read_blobs(unread):
        here[blob] = _TOO_LARGE if data is None else find_markers(data)
        index.put(blob, here[blob])
    return {path: here[blobs[path]] for path in paths}


def _find_by_reading(files: Files, path: str) -> FileMarkers:
    try:
        return find_markers(files.read(path))
    except LimitExceeded:
        return _TOO_LARGE
