"""Where an application's source is: in the repository, or elsewhere, to be copied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound
from tidegate.base.files import FolderFiles

MOST_FILES = 2_000
MOST_BYTES = 20 * 1024 * 1024
LEFT_OUT = ("venv", "node_modules", "__pycache__")


def source_of(repository: Path, source: Path | None) -> tuple[str | None, Mapping[str, bytes], frozenset[str]]:
    """The folder of the repository that is built (None for the application's own), the files to copy into it, and
    which of these may be run. Hidden files are not copied (they may hold secrets), but for `.dockerignore`.

    Raises NotFound where there is no such folder, InvalidInput and LimitExceeded where it can't be copied.
    """
    if source is None:
        return None, {}, frozenset()
    found = source if source.is_absolute() or source.is_dir() else repository / source
    if not found.is_dir():
        raise NotFound(f"--from {source} is no folder", remedy="name the folder of the application's source")
    root, place = repository.resolve(), found.resolve()
    if place == root or root in place.parents:
        inside = place.relative_to(root).as_posix()
        return ("" if inside == "." else inside), {}, frozenset()
    if place in root.parents:
        raise InvalidInput(f"--from {source} holds the repository itself", remedy="name a folder in it, or beside it")
    brought = _copied(place)
    return None, brought, frozenset(path for path in brought if (place / path).stat().st_mode & 0o100)


def _copied(folder: Path) -> Mapping[str, bytes]:
    files = FolderFiles(folder)
    paths = [path for path in files.paths() if _is_copied(path.split("/"))]
    if not paths:
        raise NotFound(f"no file is in {folder}")
    if len(paths) > MOST_FILES:
        raise LimitExceeded(f"{folder} holds {len(paths)} files, more than {MOST_FILES}", remedy="copy it yourself")
    found: dict[str, bytes] = {}
    size = 0
    for path in paths:
        found[path] = files.read(path)
        size += len(found[path])
        if size > MOST_BYTES:
            raise LimitExceeded(f"{folder} holds more than {MOST_BYTES} bytes", remedy="copy it yourself")
    return found


def _is_copied(parts: Sequence[str]) -> bool:
    return not any(part in LEFT_OUT or (part.startswith(".") and part != ".dockerignore") for part in parts)
