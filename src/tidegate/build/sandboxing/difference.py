"""What a command has changed: from overlayfs' upper folder to a layer's entries. Blocks.

The folder is made what the layer says first (marks of time, empty places of mounts and logs of the moment taken away),
so that it can be laid below the next command as if it had been unpacked from the layer.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import stat
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.base.errors import LimitExceeded
from tidegate.build.layering import MTIME
from tidegate.oci.file_capabilities import CAPABILITY, capability_in_layer
from tidegate.oci.layers import Entry, EntryKind, whiteout

ENTRY_LIMIT = 500_000
SIZE_LIMIT = 16 * 1024**3
MOMENTARY = frozenset({
    "var/cache/ldconfig/aux-cache", "var/log/alternatives.log", "var/log/apt/eipp.log.xz", "var/log/apt/history.log",
    "var/log/apt/term.log", "var/log/dpkg.log", "var/log/bootstrap.log",
})  # fmt: skip
"""What only says when something was done: it would make every build another one. mmdebstrap leaves the same out."""

Log = Callable[[str], None]


@dataclass(slots=True)
class Difference:
    """Reads one upper folder. `first_id` is the image's root on disk; `attributes` is overlayfs' namespace of marks.

    `stubs` are places of mounts: what was only made there to mount on is left out. `lower` are the folders below, the
    topmost first.
    """

    upper: Path
    lower: tuple[Path, ...]
    first_id: int
    attributes: str
    stubs: Collection[str]
    log: Log
    _links: dict[tuple[int, int], str] = field(default_factory=dict)
    _count: int = 0
    _size: int = 0

    def entries(self) -> list[Entry]:
        """The layer's entries, parents first. Raises LimitExceeded."""
        self._take_stubs_away()
        found = list(self._folder(""))
        os.utime(self.upper, (MTIME, MTIME))
        return found

    def _take_stubs_away(self) -> None:
        for stub in sorted(self.stubs, key=lambda path: path.count("/"), reverse=True):
            path = stub.strip("/")
            while path:
                place = self.upper / path
                if self._is_below(path) or place.is_symlink() or not _remove_empty(place):
                    break
                path = posixpath.dirname(path)
        for path in MOMENTARY:
            with contextlib.suppress(OSError):
                (self.upper / path).unlink()

    def _is_below(self, path: str) -> bool:
        return any(os.path.lexists(folder / path) for folder in self.lower)

    def _folder(self, folder: str, *, hides: bool = False) -> Iterator[Entry]:
        """What is in a folder; where it `hides` the ones below, what only they have is taken away one by one. An opaque
        marker would say the same, but not which files are gone.
        """
        with os.scandir(self.upper / folder) as listing:
            found = sorted(listing, key=lambda item: item.name)
        if hides:
            here = {item.name for item in found}
            yield from (whiteout(f"{folder}/{name}") for name in sorted(self._names_below(folder) - here))
        for item in found:
            path = f"{folder}/{item.name}" if folder else item.name
            status = item.stat(follow_symlinks=False)
            self._count += 1
            if self._count > ENTRY_LIMIT:
                raise LimitExceeded(f"a RUN changed more than {ENTRY_LIMIT} files")
            yield from self._entry(path, Path(item.path), status, hides=hides)

    def _entry(self, path: str, place: Path, status: os.stat_result, *, hides: bool) -> Iterator[Entry]:
        kind = stat.S_IFMT(status.st_mode)
        uid, gid = status.st_uid - self.first_id, status.st_gid - self.first_id
        if kind == stat.S_IFCHR and status.st_rdev == 0:
            yield whiteout(path)
            return
        if kind == stat.S_IFDIR:
            yield from self._directory(path, place, status, hides=hides)
            return
        if kind == stat.S_IFLNK:
            yield Entry(path, EntryKind.SYMLINK, 0o777, target=str(place.readlink()), uid=uid, gid=gid)
        elif kind == stat.S_IFREG:
            yield self._file(path, place, status)
        else:
            self.log(f"/{path} is a device, a socket or a pipe, which no layer holds: left out")
            place.unlink()
            return
        os.utime(place, (MTIME, MTIME), follow_symlinks=False)

    def _directory(self, path: str, place: Path, status: os.stat_result, *, hides: bool) -> Iterator[Entry]:
        """A directory and what is in it; none of it where it only was gone through."""
        hides = hides or self._is_opaque(place)
        inner = list(self._folder(path, hides=hides))
        if not inner and not hides and self._looks_as_below(path, status):
            place.rmdir()
            return
        uid, gid = status.st_uid - self.first_id, status.st_gid - self.first_id
        yield Entry(path, EntryKind.DIRECTORY, stat.S_IMODE(status.st_mode), uid=uid, gid=gid)
        yield from inner
        os.utime(place, (MTIME, MTIME))

    def _names_below(self, folder: str) -> set[str]:
        """What the folders below show at a path."""
        names: set[str] = set()
        gone: set[str] = set()
        for lower in self.lower:
            try:
                with os.scandir(lower / folder) as listing:
                    for item in listing:
                        status = item.stat(follow_symlinks=False)
                        is_mark = stat.S_ISCHR(status.st_mode) and status.st_rdev == 0
                        (gone if is_mark else names).update({item.name} - gone)
            except (FileNotFoundError, NotADirectoryError):
                if os.path.lexists(lower / folder):
                    break
                continue
            if self._is_opaque(lower / folder):
                break
        return names

    def _looks_as_below(self, path: str, status: os.stat_result) -> bool:
        for folder in self.lower:
            try:
                below = (folder / path).lstat()
            except (FileNotFoundError, NotADirectoryError):
                continue
            return (below.st_mode, below.st_uid, below.st_gid) == (status.st_mode, status.st_uid, status.st_gid)
        return False

    def _file(self, path: str, place: Path, status: os.stat_result) -> Entry:
        mode = stat.S_IMODE(status.st_mode)
        uid, gid = status.st_uid - self.first_id, status.st_gid - self.first_id
        first = self._links.setdefault((status.st_dev, status.st_ino), path) if status.st_nlink > 1 else path
        if first != path:
            return Entry(path, EntryKind.HARDLINK, mode, target=first, uid=uid, gid=gid)
        self._size += status.st_size
        if self._size > SIZE_LIMIT:
            raise LimitExceeded(f"a RUN wrote more than {SIZE_LIMIT} bytes")
        return Entry(path, EntryKind.FILE, mode, content=place, uid=uid, gid=gid, capability=_capability(place))

    def _is_opaque(self, place: Path) -> bool:
        try:
            return os.getxattr(place, f"{self.attributes}.overlay.opaque") == b"y"
        except OSError:
            return False


def _remove_empty(place: Path) -> bool:
    """Whether an empty file or folder was there, and is gone."""
    try:
        status = place.lstat()
        if stat.S_ISDIR(status.st_mode):
            place.rmdir()
        elif stat.S_ISREG(status.st_mode) and status.st_size == 0:
            place.unlink()
        else:
            return False
    except OSError:
        return False
    return True


def _capability(place: Path) -> bytes:
    try:
        return capability_in_layer(os.getxattr(place, CAPABILITY))
    except OSError:
        return b""
