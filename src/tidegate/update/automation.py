"""What an ImageUpdateAutomation is to change in a tree of files: those below its path, read only where they matter."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound
from tidegate.base.files import Files
from tidegate.update.edit import Edited, conclude, decide, parse_references
from tidegate.update.marker import FileMarkers
from tidegate.update.marker_index import TOO_LARGE, IdentifiedFiles, MarkerIndex, is_yaml
from tidegate.update.markers import NOTHING, find_markers

UPDATE_FAILED = "UpdateFailed"
"""Flux's reason for what lies in the repository, not in Git."""


def plan_update(
    files: Files,
    update_path: str,
    references: Mapping[str, str],
    *,
    index: MarkerIndex | None = None,
    instead_of: Mapping[str, str] | None = None,
) -> Edited:
    """The files below `update_path` with every marked value at its policy's reference (`NS:NAME` → reference); with
    `instead_of` only those that stand as that says.

    Looks at `*.yaml`, `*.yml` and `Kustomization`, in hidden folders too. Raises InvalidInput for a path that leaves
    the repository or a reference that is none, NotFound where the path is not there. Reads block: call it in a thread.
    """
    selected = parse_references(references)
    standing = None if instead_of is None else parse_references(instead_of)
    root = tree_path(update_path)
    if isinstance(files, IdentifiedFiles):
        found = (MarkerIndex() if index is None else index).below(files, root)
    else:
        found = {path: _find_by_reading(files, path) for path in chosen(files.paths(), root)}
    if not found and root and not files.is_dir(root) and not files.is_file(root):
        raise NotFound(f"spec.update.path {update_path!r} is not in the repository", code=UPDATE_FAILED)
    marked = {path: markers for path, markers in (found or {}).items() if markers != NOTHING}
    decisions = {path: decide(path, markers, selected, standing) for path, markers in marked.items()}
    return conclude(decisions, files.read, selected)


def tree_path(update_path: str) -> str:
    """`./apps/web/` → `apps/web`; the root is empty. InvalidInput where it leaves the repository."""
    path = posixpath.normpath(f"./{update_path}")
    if path.startswith("../") or path == ".." or "\0" in path:
        raise InvalidInput(f"spec.update.path {update_path!r} leaves the repository", code=UPDATE_FAILED)
    return "" if path == "." else path


def chosen(paths: Iterable[str], root: str) -> list[str]:
    """The paths of the YAML files at or below `root`."""
    prefix = f"{root}/" if root else ""
    return [path for path in paths if (path.startswith(prefix) or path == root) and is_yaml(path)]


def _find_by_reading(files: Files, path: str) -> FileMarkers:
    try:
        return find_markers(files.read(path))
    except LimitExceeded:
        return TOO_LARGE
