"""A job's folder as the server touches it: the job owns what is inside and may put a symlink, a pipe or a swapped
folder anywhere, so every path is walked part by part without following one, and every read is bounded.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound

ENTRIES_LIMIT = 500_000
DEPTH_LIMIT = 100
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class JobFolder:
    """The folder `root`, whose entries belong to the user `owner`. Paths are relative to it. Close it."""

    def __init__(self, root: Path, owner: int):
        self.root = root
        self._owner = owner
        self._descriptor = os.open(root, _FOLDER)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it, where they are missing."""
        os.close(self._walk(_parts(path), make=True))

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Write a file that must not exist yet."""
        *folders, name = _parts(path)
        parent = self._walk(folders, make=True)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(name, flags, mode, dir_fd=parent)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                self._give(descriptor)
                file.write(data)
        finally:
            os.close(parent)

    def link(self, path: str, target: str) -> None:
        """Make a symlink that must not exist yet."""
        *folders, name = _parts(path)
        parent = self._walk(folders, make=True)
        try:
            os.symlink(target, name, dir_fd=parent)
        finally:
            os.close(parent)

    def open(self, path: str) -> BinaryIO:
        """A plain file, opened for reading. Raises NotFound, InvalidInput where it is anything else."""
        *folders, name = _parts(path)
        parent = self._walk(folders)
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        except FileNotFoundError:
            raise NotFound(f"no file {path!r} in the job's folder") from None
        except OSError as error:
            raise InvalidInput(f"{path!r} is no plain file: {error.strerror}") from None
        finally:
            os.close(parent)
        file = os.fdopen(descriptor, "rb")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            file.close()
            raise InvalidInput(f"{path!r} is no plain file")
        return file

    def read(self, path: str, limit: int) -> bytes:
        """A file's content. Raises as `open` does, and LimitExceeded past `limit` bytes."""
        with self.open(path) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise LimitExceeded(f"{Path(path).name} is longer than {limit} bytes")
        return data

    def delete(self, path: str) -> None:
        """Remove a file; nothing happens where there is none."""
        *folders, name = _parts(path)
        parent = self._walk(folders)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=parent)
        finally:
            os.close(parent)

    def is_file(self, path: str) -> bool:
        """Whether a plain file is there, reached through no symlink."""
        *folders, name = _parts(path)
        try:
            parent = self._walk(folders)
        except (NotFound, InvalidInput):
            return False
        try:
            return stat.S_ISREG(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return False
        finally:
            os.close(parent)

    def files(self, path: str, enters: Callable[[Sequence[str]], bool]) -> Iterator[tuple[str, ...]]:
        """The plain files below a folder, by the names of their way, in the order of these names; `enters` says of a
        folder's way whether to look into it. No symlink is followed; what goes away meanwhile is left out.

        Raises LimitExceeded past ENTRIES_LIMIT entries in all.
        """
        waiting: list[tuple[tuple[str, ...], bool]] = [((), True)]
        left = ENTRIES_LIMIT
        while waiting:
            way, is_folder = waiting.pop()
            if not is_folder:
                yield way
                continue
            if len(way) > DEPTH_LIMIT or not enters(way):
                continue
            entries = self._entries([*_parts(path), *way], left)
            left -= len(entries)
            waiting += [((*way, name), is_folder) for name, is_folder in sorted(entries, reverse=True)]

    def _entries(self, parts: list[str], most: int) -> list[tuple[str, bool]]:
        """The folders and plain files of a folder, and which of both they are."""
        try:
            descriptor = self._walk(parts)
        except (NotFound, InvalidInput):
            return []
        found: list[tuple[str, bool]] = []
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    if len(found) >= most:
                        raise LimitExceeded(f"there are more than {ENTRIES_LIMIT} files to look at")
                    with contextlib.suppress(OSError):
                        mode = entry.stat(follow_symlinks=False).st_mode
                        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
                            found.append((entry.name, stat.S_ISDIR(mode)))
        finally:
            os.close(descriptor)
        return found

    def take_in(self, staged: Path, folder: str, name: str = "") -> str:
        """Move what the server made out of the job's sight (on the same file system) into `folder`, under a fresh
        name, or `name` where nothing may be yet; the answer is its path. InvalidInput where something is.
        """
        name = name or f"in-{secrets.token_hex(8)}"
        parent = self._walk(_parts(folder), make=True)
        try:
            os.rename(staged, name, dst_dir_fd=parent)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise InvalidInput(f"{folder}/{name} is there already") from error
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            raise InvalidInput(f"{folder}/{name} is there already") from error
        finally:
            os.close(parent)
        return f"{folder}/{name}"

    def _walk(self, parts: list[str], *, make: bool = False) -> int:
        """A descriptor of the folder at the end of `parts`."""
        descriptor = os.dup(self._descriptor)
        for part in parts:
            try:
                child = self._enter(descriptor, part, make=make)
            except FileNotFoundError:
                raise NotFound(f"no folder {'/'.join(parts)!r} in the job's folder") from None
            except OSError as error:
                raise InvalidInput(f"{'/'.join(parts)!r} can't be entered: {error.strerror}") from None
            finally:
                os.close(descriptor)
            descriptor = child
        return descriptor

    def _enter(self, parent: int, name: str, *, make: bool) -> int:
        try:
            return os.open(name, _FOLDER, dir_fd=parent)
        except FileNotFoundError:
            if not make:
                raise
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=parent)
        child = os.open(name, _FOLDER, dir_fd=parent)
        self._give(child)
        return child

    def _give(self, descriptor: int) -> None:
        if os.geteuid() == 0:
            os.fchown(descriptor, self._owner, self._owner)


def _parts(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise InvalidInput(f"{path!r} leads out of the job's folder")
    return parts


def give_away(root: Path, owner: int) -> None:
    """Make `owner` the owner of a tree that the server made; symlinks themselves, not what they name."""
    if os.geteuid() != 0:
        return
    os.chown(root, owner, owner, follow_symlinks=False)
    for _, folders, files, descriptor in os.fwalk(root):
        for name in (*folders, *files):
            os.chown(name, owner, owner, dir_fd=descriptor, follow_symlinks=False)


def remove(root: Path) -> None:
    """Delete a tree that a job may have made hard to delete; symlinks are not followed. Nothing happens without it."""
    for _ in range(3):
        if not root.exists():
            return
        shutil.rmtree(root, onerror=_open_up)
    shutil.rmtree(root, ignore_errors=True)


def _open_up(function: object, path: str, error: object) -> None:
    """A folder that denies its owner is opened, so that the next round can empty it. Nothing runs there any more."""
    for place in (Path(path).parent, Path(path)):
        with contextlib.suppress(OSError):
            if stat.S_ISDIR(place.lstat().st_mode):
                place.chmod(0o700)
