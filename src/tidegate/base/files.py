"""A tree of files as a value to read from, wherever it lies: a folder, a Git commit, or a mapping in a test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound

FILE_LIMIT = 10 * 1024 * 1024


class Files(Protocol):
    """Paths are relative, with `/` between parts, without `.` and `..`; the root is the empty string."""

    def paths(self) -> Iterable[str]:
        """Every regular file's path, sorted. Symlinks are left out: nothing outside the tree can be reached."""
        ...

    def read(self, path: str) -> bytes:
        """A file's content. Raises NotFound, or LimitExceeded past FILE_LIMIT."""
        ...

    def is_file(self, path: str) -> bool: ...

    def is_dir(self, path: str) -> bool: ...


@runtime_checkable
class SearchableFiles(Files, Protocol):
    """Files that can list one folder without the others."""

    def below(self, folder: str) -> Iterable[str]:
        """The regular files at any depth below a folder, in no order; none where there is no such folder."""
        ...


def paths_below(files: Files, folder: str) -> list[str]:
    """The files at any depth below a folder, sorted; no others are looked at, where the tree can do without."""
    if isinstance(files, SearchableFiles):
        return sorted(files.below(folder))
    return [path for path in files.paths() if path.startswith(f"{folder}/")]


def folders_of(paths: Iterable[str]) -> set[str]:
    """The folders above some paths, the root among them."""
    folders = {""}
    for path in paths:
        name = path
        while "/" in name:
            name = name.rpartition("/")[0]
            if name in folders:
                break
            folders.add(name)
    return folders


class MemoryFiles:
    """Files from a mapping of path to content."""

    def __init__(self, files: Mapping[str, bytes]):
        self._files = {path: files[path] for path in sorted(files)}

    def paths(self) -> Iterable[str]:
        return self._files.keys()

    def read(self, path: str) -> bytes:
        if path not in self._files:
            raise NotFound(f"no file {path!r}")
        return self._files[path]

    def is_file(self, path: str) -> bool:
        return path in self._files

    def is_dir(self, path: str) -> bool:
        prefix = f"{path}/" if path else ""
        return any(name.startswith(prefix) for name in self._files)


class FolderFiles:
    """Files of a folder on disk; symlinks and `.git` are left out."""

    def __init__(self, root: Path):
        self._root = root

    def paths(self) -> Iterable[str]:
        found = []
        for folder, directories, names in self._root.walk() if hasattr(self._root, "walk") else _walk(self._root):
            directories[:] = sorted(name for name in directories if name != ".git" and not (folder / name).is_symlink())
            found += [folder / name for name in names if (folder / name).is_file() and not (folder / name).is_symlink()]
        return sorted(path.relative_to(self._root).as_posix() for path in found)

    def read(self, path: str) -> bytes:
        target = self._root / path
        if not self.is_file(path):
            raise NotFound(f"no file {path!r}")
        if target.stat().st_size > FILE_LIMIT:
            raise LimitExceeded(f"{path} is larger than {FILE_LIMIT} bytes")
        return target.read_bytes()

    def is_file(self, path: str) -> bool:
        return self._plain(path).is_file()

    def is_dir(self, path: str) -> bool:
        return self._plain(path).is_dir()

    def _plain(self, path: str) -> Path:
        target = self._root / path
        if path and target.resolve() != self._root.resolve() / path:
            raise InvalidInput(f"{path!r} leads through a symlink or out of the folder")
        return target


def _walk(root: Path) -> Iterable[tuple[Path, list[str], list[str]]]:
    import os  # noqa: PLC0415 - only Python 3.11 lacks Path.walk

    return ((Path(folder), directories, names) for folder, directories, names in os.walk(root))
