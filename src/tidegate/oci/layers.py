"""Writes layers that are the same byte for byte wherever and whenever they are written.

Nothing of the host gets in: no user names, no times but the one given, no order of a folder's listing. The compressed
bytes are those of this machine's zlib; the diff_id, over the bytes before compression, depends on the entries alone.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import IO, BinaryIO, Self

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.oci.file_capabilities import CAPABILITY_RECORD
from tidegate.oci.values import OCI_LAYER_GZIP, Descriptor

WHITEOUT_PREFIX = ".wh."
OPAQUE_MARKER = ".wh..wh..opq"
_CHUNK = 256 * 1024
_MODE_BITS = 0o7777
# No flags, no time, no file name, "unknown" system: what RFC 1952 leaves free is the same everywhere.
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class EntryKind(StrEnum):
    """What an entry of a layer is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"


@frozen
class Entry:
    """One file, directory or link of a layer.

    `path` is relative to the image's root. `content` is a file's bytes or the file to read them from; `target` is a
    symlink's text as it is to read, or the path in the image of what a hard link shares. `mtime` is in seconds since
    the epoch and None for the layer's own. `capability` is a file's `security.capability`, as a layer holds it.
    """

    path: str
    kind: EntryKind = EntryKind.FILE
    mode: int = 0o644
    content: bytes | Path = b""
    target: str = ""
    uid: int = 0
    gid: int = 0
    mtime: int | None = None
    capability: bytes = b""


@frozen
class Layer:
    """A layer on disk: the blob's descriptor, its digest before compression, and where it lies."""

    descriptor: Descriptor
    diff_id: str
    path: Path


def directory(path: str, mode: int = 0o755) -> Entry:
    """A directory's entry."""
    return Entry(path, EntryKind.DIRECTORY, mode)


def symlink(path: str, target: str) -> Entry:
    """A symbolic link's entry; `target` is its text."""
    return Entry(path, EntryKind.SYMLINK, 0o777, target=target)


def whiteout(path: str) -> Entry:
    """The entry that deletes `path` of the layers below."""
    folder, slash, name = _clean(path).rpartition("/")
    return Entry(f"{folder}{slash}{WHITEOUT_PREFIX}{name}", mode=0o644)


def folder_entries(folder: Path, prefix: str = "", *, uid: int = 0, gid: int = 0) -> Iterator[Entry]:
    """The entries of what lies in `folder`, each under `prefix`; the folder itself gives none.

    Modes are kept, owners and times are not. Symlinks stay as they are written and are never followed; two names of one
    file become two files. Raises InvalidInput on a device, a socket or a pipe.
    """
    with os.scandir(folder) as listing:
        found = sorted(listing, key=lambda item: item.name)
    for item in found:
        path = f"{prefix}/{item.name}" if prefix else item.name
        mode = item.stat(follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            yield Entry(path, EntryKind.SYMLINK, 0o777, target=str(Path(item.path).readlink()), uid=uid, gid=gid)
        elif stat.S_ISDIR(mode):
            yield Entry(path, EntryKind.DIRECTORY, stat.S_IMODE(mode), uid=uid, gid=gid)
            yield from folder_entries(Path(item.path), path, uid=uid, gid=gid)
        elif stat.S_ISREG(mode):
            yield Entry(path, EntryKind.FILE, stat.S_IMODE(mode), content=Path(item.path), uid=uid, gid=gid)
        else:
            raise InvalidInput(f"{item.path} is neither a file, a directory nor a symlink; a layer can't hold it")


def write_layer(entries: Iterable[Entry], target: Path, *, mtime: int, level: int = 6) -> Layer:
    """Write `entries` as a gzip-compressed layer to the file `target`, which appears whole or not at all.

    Entries are sorted by path, hard links last, so their order does not matter; `mtime` is in seconds since the epoch;
    `level` is zlib's. Blocks: call it in a thread or a child. Raises InvalidInput on a path that is twice there, empty,
    or leaves the root.
    """
    ordered = _ordered(entries)
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            sink = _LayerSink(file, level)
            _write_tar(ordered, sink, mtime)
            layer = sink.finish(target)
            os.fchmod(file.fileno(), 0o644)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return layer


def _ordered(entries: Iterable[Entry]) -> list[tuple[str, Entry]]:
    named = sorted(
        ((_clean(entry.path), entry) for entry in entries),
        key=lambda item: (item[1].kind is EntryKind.HARDLINK, item[0].split("/")),
    )
    seen: set[str] = set()
    for path, _ in named:
        if path in seen:
            raise InvalidInput(f"the layer's entry {path!r} is there twice")
        seen.add(path)
    return named


def _clean(path: str) -> str:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or "\0" in path:
        raise InvalidInput(f"{path[:200]!r} is no path inside a layer")
    return "/".join(parts)


def _write_tar(ordered: Iterable[tuple[str, Entry]], sink: _LayerSink, mtime: int) -> None:
    for path, entry in ordered:
        info = _header(path, entry, mtime)
        if entry.kind is not EntryKind.FILE:
            sink.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        elif isinstance(entry.content, bytes):
            _write_file(info, io.BytesIO(entry.content), len(entry.content), sink)
        else:
            with _open_regular(entry.content) as file:
                _write_file(info, file, os.fstat(file.fileno()).st_size, sink)
    sink.write(b"\0" * tarfile.RECORDSIZE)


def _open_regular(path: Path) -> BinaryIO:
    """Open a file for reading, but no symlink that was put in its place, nor a pipe on which the open would wait."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise InvalidInput(f"{path} is no regular file")
    return file


def _header(path: str, entry: Entry, mtime: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.mode = entry.mode & _MODE_BITS
    info.uid, info.gid = entry.uid, entry.gid
    info.mtime = mtime if entry.mtime is None else entry.mtime
    if entry.kind is EntryKind.DIRECTORY:
        info.type = tarfile.DIRTYPE
    elif entry.kind is EntryKind.SYMLINK:
        info.type, info.linkname = tarfile.SYMTYPE, entry.target
    elif entry.kind is EntryKind.HARDLINK:
        info.type, info.linkname = tarfile.LNKTYPE, _clean(entry.target)
    if entry.capability:
        info.pax_headers = {CAPABILITY_RECORD: entry.capability.decode("utf-8", "surrogateescape")}
    return info


def _write_file(info: tarfile.TarInfo, content: IO[bytes], size: int, sink: _LayerSink) -> None:
    info.size = size
    sink.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
    left = size
    while left:
        chunk = content.read(min(left, _CHUNK))
        if not chunk:
            raise InvalidInput(f"{info.name} became shorter while it was read")
        sink.write(chunk)
        left -= len(chunk)
    sink.write(b"\0" * (-size % tarfile.BLOCKSIZE))


class LayerWriter:
    """Writes one layer entry by entry, in the order given, to a file that appears whole or not at all.

    with LayerWriter(target, level) as writer:
        writer.add(header, content)
        layer = writer.finish()
    """

    def __init__(self, target: Path, level: int = 6):
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        self._target, self._temporary = target, Path(name)
        self._file = os.fdopen(descriptor, "wb")
        self._sink = _LayerSink(self._file, level)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def add(self, header: tarfile.TarInfo, content: IO[bytes] | None) -> None:
        """One entry; `content` has as many bytes as the header says."""
        if content is None:
            self._sink.write(header.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        else:
            _write_file(header, content, header.size, self._sink)

    def finish(self) -> Layer:
        """End the layer, and give it its name."""
        self._sink.write(b"\0" * tarfile.RECORDSIZE)
        layer = self._sink.finish(self._target)
        os.fchmod(self._file.fileno(), 0o644)
        self._file.close()
        self._temporary.replace(self._target)
        return layer


class _LayerSink:
    """Compresses what is written to a file and digests both sides of it."""

    def __init__(self, file: BinaryIO, level: int):
        self._file = file
        self._deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._plain, self._packed = hashlib.sha256(), hashlib.sha256()
        self._crc = self._plain_size = self._packed_size = 0
        self._emit(_GZIP_HEADER)

    def write(self, data: bytes) -> None:
        self._plain.update(data)
        self._crc = zlib.crc32(data, self._crc)
        self._plain_size += len(data)
        self._emit(self._deflate.compress(data))

    def finish(self, path: Path) -> Layer:
        self._emit(self._deflate.flush() + struct.pack("<LL", self._crc, self._plain_size & 0xFFFFFFFF))
        self._file.flush()
        digest = f"sha256:{self._packed.hexdigest()}"
        return Layer(Descriptor(OCI_LAYER_GZIP, digest, self._packed_size), f"sha256:{self._plain.hexdigest()}", path)

    def _emit(self, data: bytes) -> None:
        self._packed.update(data)
        self._packed_size += len(data)
        self._file.write(data)
