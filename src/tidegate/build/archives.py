"""Unpacks the archive that an ADD names: tar, plain or compressed by gzip, bzip2 or xz. Blocks.

Nothing is written to this machine but the archive itself; one that reaches out of its place, holds a device, or is
larger than a layer may be is refused.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import tarfile
import zlib
from functools import partial
from pathlib import Path

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.build.contents import Contents
from tidegate.build.filesystem import Content, InLayer, Inode
from tidegate.oci.layers import EntryKind
from tidegate.oci.unpack import BoundedHeader

ENTRY_LIMIT = 200_000
SIZE_LIMIT = 4 * 1024**3
_HEAD = 512
_DEPTH = 200
_PIECE = 1024 * 1024
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")
_ZSTD = b"\x28\xb5\x2f\xfd"
_BROKEN = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, UnicodeError, ValueError)


def unpack_archive(content: Content, contents: Contents, name: str) -> list[tuple[str, Inode]] | None:
    """What an archive holds, in its order; None where `content` is no archive, which ADD then copies as it is.

    Raises InvalidInput or LimitExceeded on an archive that is broken or hostile.
    """
    head = contents.head(content, _HEAD)
    if head.startswith(_ZSTD):
        raise InvalidInput(f"the archive {name} is compressed with zstd, which is not read here; compress it with xz")
    if not head.startswith(_COMPRESSED) and head[257:262] != b"ustar":
        return None
    archive = contents.as_file(content)
    if not _begins_as_tar(archive):
        return None
    try:
        with tarfile.open(archive, mode="r|*", tarinfo=BoundedHeader) as tar:
            return _Reader(archive, name).read(tar)
    except _BROKEN as error:
        raise InvalidInput(f"the archive {name} is broken: {error}") from error


def _begins_as_tar(archive: Path) -> bool:
    """Whether there is a tar inside; a single compressed file is none."""
    try:
        with tarfile.open(archive, mode="r|*", tarinfo=BoundedHeader) as tar:
            return tar.next() is not None
    except _BROKEN:
        return False


class _Reader:
    """Reads one archive's members."""

    def __init__(self, archive: Path, name: str):
        self._archive, self._name = archive, name
        self._found: list[tuple[str, Inode]] = []
        self._files: dict[str, Inode] = {}
        self._size = 0

    def read(self, tar: tarfile.TarFile) -> list[tuple[str, Inode]]:
        while (member := tar.next()) is not None:
            tar.members = []  # type: ignore[attr-defined]  # a stream is never rewound
            self._size += max(0, member.size)
            if len(self._found) >= ENTRY_LIMIT or self._size > SIZE_LIMIT:
                raise LimitExceeded(f"the archive {self._name} has more than {ENTRY_LIMIT} files or {SIZE_LIMIT} bytes")
            path = self._path(member.name)
            if path:
                inode = self._inode(tar, member)
                self._found.append((path, inode))
                self._files[path] = inode
        return self._found

    def _path(self, text: str) -> str:
        parts = [part for part in text.split("/") if part not in ("", ".")]
        if ".." in parts or "\0" in text or len(parts) > _DEPTH or len(text) > 4096:
            raise InvalidInput(f"the archive {self._name} has an entry {text[:200]!r} that leads out of it")
        return "/".join(parts)

    def _inode(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Inode:
        mode, uid, gid, mtime = member.mode & 0o7777, member.uid, member.gid, max(0, int(member.mtime))
        if member.isdir():
            return Inode(EntryKind.DIRECTORY, mode, uid, gid, mtime=mtime)
        if member.issym():
            return Inode(EntryKind.SYMLINK, 0o777, uid, gid, target=member.linkname, mtime=mtime)
        if member.islnk():
            linked = self._files.get(self._path(member.linkname))
            if linked is None or linked.is_directory:
                raise InvalidInput(f"the archive {self._name}: {member.name[:200]!r} is a link to nothing in it")
            return linked
        if not member.isreg() or member.issparse():
            raise InvalidInput(f"the archive {self._name}: {member.name[:200]!r} is a device, a pipe or a sparse file")
        return Inode(EntryKind.FILE, mode, uid, gid, self._content(tar, member), mtime=mtime)

    def _content(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Content:
        total, size = hashlib.sha256(), 0
        source = tar.extractfile(member) or io.BytesIO()
        for piece in iter(partial(source.read, _PIECE), b""):
            total.update(piece)
            size += len(piece)
        if size != member.size:
            raise InvalidInput(f"the archive {self._name} ends inside of {member.name[:200]!r}")
        return Content(total.hexdigest(), size, InLayer(self._archive, member.name))
