"""Reads a Debian package's files (deb(5)) without dpkg, root, or running anything of it."""

from __future__ import annotations

import asyncio
import gzip
import io
import lzma
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.base.frozen import frozen
from tidegate.base.process import run
from tidegate.oci.layers import Entry, EntryKind

UNPACKED_LIMIT = 1024 * 1024 * 1024
_MAGIC = b"!<arch>\n"
_ZSTD_TIMEOUT = 120.0
# What Debian's own slim images leave out (debuerreotype's "slim" excludes); licences stay.
_EXCLUDED = ("usr/share/doc/", "usr/share/man/", "usr/share/info/", "usr/share/groff/", "usr/share/lintian/",
             "usr/share/linda/", "usr/share/locale/", "usr/share/bug/")  # fmt: skip
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32")


@frozen
class Member:
    """A part of the outer archive."""

    name: str
    data: bytes


def members(deb: Path) -> Iterator[Member]:
    """The parts of a .deb, an `ar` archive. Raises InvalidInput where it is none."""
    with deb.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise InvalidInput(f"{deb.name} is no Debian package")
        while header := file.read(60):
            size = header[48:58].strip()
            if len(header) != 60 or header[58:] != b"`\n" or not size.isdigit():
                raise InvalidInput(f"{deb.name} is damaged")
            data = file.read(int(size))
            if len(data) != int(size):
                raise InvalidInput(f"{deb.name} is cut short")
            file.read(int(size) % 2)
            yield Member(header[:16].decode("ascii", "replace").strip().rstrip("/"), data)


def control_files(deb: Path) -> dict[str, bytes]:
    """What a package says of itself: `control`, its lists, and the scripts that it wants to be run. Blocks."""
    data = next((member for member in members(deb) if member.name.startswith("control.tar")), None)
    if data is None:
        raise InvalidInput(f"{deb.name} says nothing of itself")
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(_decompress(data, deb.name)), mode="r:") as archive:
        for info in archive:
            content = archive.extractfile(info) if info.isreg() else None
            if content is not None:
                found[_path_of(info.name, deb.name)] = content.read()
    return found


def is_documentation(path: str) -> bool:
    """Whether Debian's own slim images leave a path out."""
    if path.startswith("usr/share/doc/"):
        return not path.endswith("/copyright")
    return path.startswith(_EXCLUDED)


def unpack(deb: Path, folder: Path, excluded: Callable[[str], bool] = is_documentation) -> list[Entry]:
    """The package's files as a layer's entries, the content of each in `folder` under a number.

    Paths are those of a merged /usr (`bin/sh` → `usr/bin/sh`). What is `excluded` is left out: manuals, translations
    and documentation but licences. Blocks: call it in a thread.
    """
    data = next((member for member in members(deb) if member.name.startswith("data.tar")), None)
    if data is None:
        raise InvalidInput(f"{deb.name} holds no files")
    folder.mkdir(parents=True)
    entries: list[Entry] = []
    with tarfile.open(fileobj=io.BytesIO(_decompress(data, deb.name)), mode="r:") as archive:
        for info in archive:
            path = _path_of(info.name, deb.name)
            if info.issym() and path.removeprefix("usr/") == info.name.strip("./") and path == info.linkname:
                continue  # the link of a merged /usr itself, which newer base-files ship
            if path and not excluded(path):
                entries.append(_entry(archive, info, path, folder / str(len(entries))))
    return entries


def _decompress(member: Member, name: str) -> bytes:
    suffix = PurePosixPath(member.name).suffix
    if suffix == ".xz":
        decompressor = lzma.LZMADecompressor()
        data = decompressor.decompress(member.data, UNPACKED_LIMIT)
        if not decompressor.eof:
            raise LimitExceeded(f"{name} unpacks to more than {UNPACKED_LIMIT} bytes, or is cut short")
        return data
    if suffix == ".gz":
        with gzip.open(io.BytesIO(member.data)) as file:
            return file.read(UNPACKED_LIMIT)
    if suffix == ".zst":
        return _unzstd(member.data)
    if suffix == ".tar":
        return member.data
    raise InvalidInput(f"{name} is compressed in a way that is not read here: {member.name}")


def _unzstd(data: bytes) -> bytes:
    """Ubuntu compresses so, and Debian has begun to; Python reads it only from 3.14 on."""
    argv = ["zstd", "-d", "-c", "-q"]
    ended = asyncio.run(run(argv, stdin=data, timeout=_ZSTD_TIMEOUT, output_limit=UNPACKED_LIMIT, package="zstd"))
    return ended.stdout


def _path_of(name: str, package: str) -> str:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise InvalidInput(f"{package} holds a path that leaves the root: {name[:200]!r}")
    if parts and parts[0] in _MERGED:
        parts.insert(0, "usr")
    return "/".join(parts)


def _entry(archive: tarfile.TarFile, info: tarfile.TarInfo, path: str, target: Path) -> Entry:
    mtime = int(info.mtime)
    if info.isdir():
        return Entry(path, EntryKind.DIRECTORY, info.mode, uid=info.uid, gid=info.gid, mtime=mtime)
    if info.issym():
        return Entry(path, EntryKind.SYMLINK, 0o777, target=info.linkname, mtime=mtime)
    if info.islnk():
        shared = _path_of(info.linkname, path)
        return Entry(path, EntryKind.HARDLINK, info.mode, target=shared, mtime=mtime)
    content = archive.extractfile(info) if info.isfile() else None
    if content is None:
        raise InvalidInput(f"{path} is neither a file, a directory nor a link; a base image can't hold it")
    with target.open("wb") as file:
        shutil.copyfileobj(content, file)
    return Entry(path, EntryKind.FILE, info.mode, content=target, uid=info.uid, gid=info.gid, mtime=mtime)
