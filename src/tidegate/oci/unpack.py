"""Unpacks layers, which strangers made, to a folder: nothing outside that folder is ever read, written or removed.

Follows the OCI image specification's layer rules (whiteouts, opaque directories). Links are resolved as in a chroot;
an entry that says `..`, is a device, or passes a limit stops it all. Works without root.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import math
import os
import shutil
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

from tidegate.base.errors import AlreadyExists, InvalidInput, LimitExceeded, Unavailable
from tidegate.base.frozen import frozen
from tidegate.oci.file_capabilities import CAPABILITY, CAPABILITY_RECORD, capability_on_disk
from tidegate.oci.layers import OPAQUE_MARKER, WHITEOUT_PREFIX

_CHUNK = 256 * 1024
_SYMLINKS_FOLLOWED = 40
_DEPTH = 200  # whatever walks the tree later may do it by recursion
_EXTENSION_HEADER_LIMIT = 16 * 1024
_EXTENSIONS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME,
               tarfile.GNUTYPE_LONGLINK)  # fmt: skip
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_GZIP_MAGIC = b"\x1f\x8b"
# A setuid file on the host's own disk would be a way up for any local user who reaches it, so those bits are dropped.
_MODE_KEPT = 0o1777
_LATEST_TIME = 2**33
_LARGEST_ID = 2**32 - 2

Chown = Callable[[int, int], tuple[int, int]]
"""From an entry's (uid, gid) to the owner on disk."""


@frozen
class Limits:
    """Bounds of one layer: entries, bytes after decompression, and bytes of a path."""

    entries: int = 200_000
    size: int = 8 * 1024**3
    path: int = 4096


@frozen
class LayerFile:
    """A layer's blob on disk and, where the image's configuration is at hand, the diff_id it must have."""

    path: Path
    diff_id: str | None = None


@frozen
class Faithful:
    """For a folder that only sandboxes ever see: setuid bits, directories' modes and file capabilities are kept.

    With `stacked`, it holds one layer for overlayfs to lay over `lower` (the topmost first): what is removed is a mark,
    kept in the attributes of that namespace (`trusted`, or `user` for a mount in a user namespace), and a directory
    that the layer only goes through looks as it does below. `first_id` is the id that the image's root has on disk.
    """

    stacked: str = ""
    lower: tuple[Path, ...] = ()
    first_id: int = 0


def unpack_image(
    layers: Iterable[LayerFile],
    target: Path,
    *,
    limits: Limits | None = None,
    chown: Chown | None = None,
    faithful: Faithful | None = None,
) -> None:
    """Unpack `layers`, the lowest first, to the new folder `target`, which appears whole or not at all.

    Blocks: call it in a thread or a child. Raises AlreadyExists where `target` is there, and what `unpack_layer` does.
    """
    if target.exists():
        raise AlreadyExists(f"{target} is there already")
    partial = target.with_name(f".{target.name}.partial")
    remove_tree(partial)
    try:
        partial.mkdir(parents=True)
        partial.chmod(0o755)
        if chown is not None:
            os.chown(partial, *chown(0, 0))
        for layer in layers:
            unpack_layer(layer, partial, limits=limits, chown=chown, faithful=faithful)
        partial.rename(target)
    except BaseException:
        remove_tree(partial)
        raise


def unpack_layer(
    layer: LayerFile,
    root: Path,
    *,
    limits: Limits | None = None,
    chown: Chown | None = None,
    faithful: Faithful | None = None,
) -> None:
    """Unpack one layer, gzip-compressed or plain, over what lies in the folder `root`.

    Without `chown` every file is the caller's own. Without `faithful` extended attributes and setuid bits are not kept,
    and directories stay open to their owner, for the next layer. Nobody else may change `root` meanwhile. Raises
    InvalidInput on a hostile or broken layer or another diff_id, and LimitExceeded past a limit; `root` is then not to
    be used.
    """
    limits = limits or Limits()
    with layer.path.open("rb") as file, _decompressed(file) as plain:
        source = _Bounded(plain, limits.size)
        try:
            with tarfile.open(fileobj=source, mode="r|", tarinfo=BoundedHeader, bufsize=_CHUNK) as tar:
                _Unpacker(root, limits, chown, faithful).unpack(tar)
            source.drain()
        except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, UnicodeError) as error:
            raise InvalidInput(f"the layer {layer.path.name} is broken: {error}") from error
        except OSError as error:
            raise Unavailable(f"the layer {layer.path.name} can't be unpacked to {root}: {error.strerror}") from error
    if layer.diff_id is not None and source.digest != layer.diff_id:
        raise InvalidInput(f"the layer {layer.path.name} unpacks to {source.digest}, not to {layer.diff_id}")


def remove_tree(folder: Path) -> None:
    """Remove a folder that was unpacked here, also where its directories forbid it; nothing happens if it is gone."""
    if not folder.exists() and not folder.is_symlink():
        return
    for path, names, _ in os.walk(folder):
        for name in names:
            inner = Path(path, name)
            if not inner.is_symlink():
                inner.chmod(0o700)
    shutil.rmtree(folder)


@contextlib.contextmanager
def _decompressed(file: BinaryIO) -> Iterator[BinaryIO]:
    magic = file.read(4)
    file.seek(0)
    if magic == _ZSTD_MAGIC:
        remedy = "push the image with gzip-compressed layers"
        raise InvalidInput("the layer is compressed with zstd, which is not read here", remedy=remedy)
    if not magic.startswith(_GZIP_MAGIC):
        yield file
        return
    with gzip.GzipFile(fileobj=file, mode="rb") as plain:
        yield plain  # type: ignore[misc]  # it has the one method that is used, read


class BoundedHeader(tarfile.TarInfo):
    """A header that is looked at before tarfile loads the extension that it announces into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type in _EXTENSIONS and header.size > _EXTENSION_HEADER_LIMIT:
            raise LimitExceeded(f"a header of the layer is larger than {_EXTENSION_HEADER_LIMIT} bytes")
        return header


class _Bounded(io.RawIOBase):
    """Reads, digests and counts; refuses more than `limit` bytes."""

    def __init__(self, source: BinaryIO, limit: int):
        self._source, self._limit = source, limit
        self._size = 0
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> str:
        return f"sha256:{self._digest.hexdigest()}"

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._source.read(size if size is not None and 0 <= size <= _CHUNK else _CHUNK)
        self._size += len(data)
        if self._size > self._limit:
            raise LimitExceeded(f"the layer unpacks to more than {self._limit} bytes")
        self._digest.update(data)
        return data

    def drain(self) -> None:
        while self.read(_CHUNK):
            pass


@dataclass(slots=True)
class _Unpacker:
    """The state of one layer's unpacking: what it has written, and what directories are to get at the end."""

    root: Path
    limits: Limits
    chown: Chown | None
    faithful: Faithful | None = None
    _written: set[str] = field(default_factory=set)
    _directories: dict[str, tarfile.TarInfo] = field(default_factory=dict)
    _hidden: set[str] = field(default_factory=set)

    def unpack(self, tar: tarfile.TarFile) -> None:
        count = 0
        while (member := tar.next()) is not None:
            count += 1
            if count > self.limits.entries:
                raise LimitExceeded(f"the layer has more than {self.limits.entries} entries")
            self._entry(tar, member)
            # tarfile remembers every header for random access, which a stream never makes.
            tar.members = []  # type: ignore[attr-defined]
        for path, header in reversed(self._directories.items()):
            if self._is_still_directory(Path(path)):
                self._finish(Path(path), header)

    def _entry(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        parts = self._parts(member.name)
        if not parts:
            if not member.isdir():
                raise InvalidInput("the layer replaces the root by something that is no directory")
            return
        parent, name = self._inside(parts[:-1]), parts[-1]
        if name.startswith(WHITEOUT_PREFIX):
            self._whiteout(parent, name)
            return
        target = parent / name
        if member.isdir():
            self._make_directory(target, member)
        elif member.isreg():
            self._make_file(target, tar, member)
        elif member.issym():
            self._make_symlink(target, member)
        elif member.islnk():
            self._make_hardlink(target, member)
        else:
            raise InvalidInput(f"the layer's entry {member.name!r} is a device or a pipe, which is refused")
        self._written.add(str(target))

    def _parts(self, name: str) -> list[str]:
        if len(os.fsencode(name)) > self.limits.path:
            raise LimitExceeded(f"a path of the layer is longer than {self.limits.path} bytes")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts or "\0" in name:
            raise InvalidInput(f"the layer's entry {name[:200]!r} leads out of the image")
        if any(len(os.fsencode(part)) > 255 for part in parts):
            raise InvalidInput(f"the layer's entry {name[:200]!r} has a name longer than 255 bytes")
        return parts

    def _is_still_directory(self, path: Path) -> bool:
        """Whether no later entry put a link or a file at `path` or above it."""
        steps = path.relative_to(self.root).parts
        modes = (_mode(self.root.joinpath(*steps[: depth + 1])) for depth in range(len(steps)))
        return all(mode is not None and stat.S_ISDIR(mode) for mode in modes)

    def _inside(self, parts: list[str], *, create: bool = True) -> Path:
        """The directory that `parts` name in the image, links resolved as the image's own root would resolve them."""
        here: list[str] = []
        ahead = list(reversed(parts))
        links = 0
        while ahead:
            part = ahead.pop()
            if part == "..":
                here = here[:-1]
                continue
            path = self.root.joinpath(*here, part)
            mode = _mode(path)
            if mode is not None and stat.S_ISLNK(mode):
                links += 1
                if links > _SYMLINKS_FOLLOWED:
                    raise InvalidInput(f"the layer's path {'/'.join(parts)[:200]!r} goes through too many links")
                text = str(path.readlink())
                here = [] if text.startswith("/") else here
                ahead += [step for step in reversed(text.split("/")) if step not in ("", ".")]
                continue
            self._step(path, mode, create=create)
            here.append(part)
            if len(here) > _DEPTH:
                raise LimitExceeded(f"the layer has directories more than {_DEPTH} deep")
        return self.root.joinpath(*here)

    def _step(self, path: Path, mode: int | None, *, create: bool) -> None:
        if mode is None and create:
            path.mkdir()
            path.chmod(0o755)
            if self.chown is not None:
                os.chown(path, *self.chown(0, 0))
            self._look_as_below(path)
            self._written.add(str(path))
        elif mode is None or not stat.S_ISDIR(mode):
            raise InvalidInput(f"the layer goes through {self._shown(path)!r}, which is no directory")

    def _look_as_below(self, path: Path) -> None:
        for lower in self.faithful.lower if self.faithful else ():
            below = lower / path.relative_to(self.root)
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                found = below.lstat()
                if stat.S_ISDIR(found.st_mode):
                    os.chown(path, found.st_uid, found.st_gid)
                    path.chmod(stat.S_IMODE(found.st_mode))
                return

    def _shown(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()[:200]

    def _whiteout(self, parent: Path, name: str) -> None:
        if str(parent / name) in self._hidden:
            return  # nothing of the layers below can have come back
        self._hidden.add(str(parent / name))
        if name == OPAQUE_MARKER and self.faithful and self.faithful.stacked:
            os.setxattr(parent, f"{self.faithful.stacked}.overlay.opaque", b"y")
            return
        if name == OPAQUE_MARKER:
            for child in sorted(parent.iterdir()):
                self._remove_lower(child)
            return
        if name.startswith(WHITEOUT_PREFIX * 2):
            return  # what AUFS wrote for itself; the specification's only such name is the opaque marker
        hidden = name.removeprefix(WHITEOUT_PREFIX)
        if hidden in ("", ".", ".."):
            raise InvalidInput(f"the layer has a whiteout {name!r} of nothing")
        if self.faithful and self.faithful.stacked:
            if _mode(parent / hidden) is None:
                os.mknod(parent / hidden, stat.S_IFCHR, os.makedev(0, 0))
            return
        if _mode(parent / hidden) is not None:
            self._remove_lower(parent / hidden)

    def _remove_lower(self, path: Path) -> bool:
        """Remove what layers below left at `path`, but nothing that this layer wrote; whether all of it is gone."""
        mode = _mode(path)
        kept = str(path) in self._written
        if mode is not None and stat.S_ISDIR(mode):
            gone = [self._remove_lower(child) for child in sorted(path.iterdir())]
            if all(gone) and not kept:
                path.rmdir()
                return True
            return False
        if not kept:
            path.unlink()
        return not kept

    def _clear(self, target: Path) -> None:
        mode = _mode(target)
        if mode is None:
            return
        if stat.S_ISDIR(mode):
            remove_tree(target)
        else:
            target.unlink()

    def _make_directory(self, target: Path, member: tarfile.TarInfo) -> None:
        mode = _mode(target)
        if mode is None or not stat.S_ISDIR(mode):
            self._clear(target)
            target.mkdir(mode=0o700)
        self._directories[str(target)] = member

    def _make_file(self, target: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        source = None if member.issparse() else tar.extractfile(member)
        if source is None:
            raise InvalidInput(f"the layer's entry {member.name!r} is a sparse file, which is refused")
        self._clear(target)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(target, flags, 0o600), "wb") as file:
            shutil.copyfileobj(source, file, _CHUNK)
            if file.tell() != member.size:
                raise InvalidInput(f"the layer ends inside of {member.name!r}")
        self._finish(target, member)

    def _make_symlink(self, target: Path, member: tarfile.TarInfo) -> None:
        if not member.linkname or "\0" in member.linkname or len(os.fsencode(member.linkname)) > self.limits.path:
            raise InvalidInput(f"the layer's link {member.name!r} has a bad target")
        self._clear(target)
        target.symlink_to(member.linkname)
        self._own(target, member)

    def _make_hardlink(self, target: Path, member: tarfile.TarInfo) -> None:
        parts = self._parts(member.linkname)
        source = self._inside(parts[:-1], create=False) / parts[-1] if parts else self.root
        mode = _mode(source)
        if mode is None or stat.S_ISDIR(mode):
            raise InvalidInput(f"the layer's hard link {member.name!r} leads to {member.linkname!r}, which is no file")
        if source == target:
            return
        self._clear(target)
        os.link(source, target, follow_symlinks=False)

    def _finish(self, target: Path, header: tarfile.TarInfo) -> None:
        """Owner, then mode (a change of owner clears bits), then time. Never called on a symlink."""
        self._own(target, header)
        if self.faithful is None:
            mode = header.mode & _MODE_KEPT
            target.chmod(mode | 0o700 if header.isdir() else mode)
        else:
            target.chmod(header.mode & 0o7777)
            if header.isreg() and (text := header.pax_headers.get(CAPABILITY_RECORD)):
                value = text.encode("utf-8", "surrogateescape")
                os.setxattr(target, CAPABILITY, capability_on_disk(value, self.faithful.first_id))
        moment = max(0, min(header.mtime, _LATEST_TIME)) if math.isfinite(header.mtime) else 0
        os.utime(target, (moment, moment))

    def _own(self, target: Path, header: tarfile.TarInfo) -> None:
        if self.chown is None:
            return
        if not (0 <= header.uid <= _LARGEST_ID and 0 <= header.gid <= _LARGEST_ID):
            raise InvalidInput(f"the layer's entry {header.name[:200]!r} has an impossible owner")
        os.chown(target, *self.chown(header.uid, header.gid), follow_symlinks=False)


def _mode(path: Path) -> int | None:
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return None
