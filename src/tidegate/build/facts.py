"""What a base image is, found out by reading its layers and running nothing: its files, its C library, its Python."""

from __future__ import annotations

import gzip
import hashlib
import re
import tarfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.base.frozen import frozen
from tidegate.build.filesystem import Changes, Content, Filesystem, InLayer, Inode
from tidegate.oci.layers import OPAQUE_MARKER, WHITEOUT_PREFIX, EntryKind

FORMAT = 2
ENTRY_LIMIT = 1_000_000
SIZE_LIMIT = 16 * 1024**3
_FILE_LIMIT = 64 * 1024 * 1024
_TEXT_LIMIT = 1024 * 1024
_PIECE = 1024 * 1024
# What steps ask for again and again, and which is small: kept beside the names, so that no layer is opened for it.
_TEXTS = frozenset({"etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/subuid", "etc/subgid",
                    "var/lib/dpkg/status"})  # fmt: skip
_PYTHON = re.compile(r"(usr/(?:local/)?bin)/python(3\.[0-9]+)", re.ASCII)
_LIBPYTHON = re.compile(r"usr/(?:local/)?lib/(?:[^/]+/)?libpython(3\.[0-9]+)\.so\.1\.0", re.ASCII)
_LIBC = re.compile(r"(?:usr/)?lib(?:64)?/(?:[^/]+/)?libc\.so\.6", re.ASCII)
_MUSL = re.compile(r"(?:usr/)?lib/ld-musl-[^/]+\.so\.1", re.ASCII)
_GLIBC_VERSION = re.compile(rb"GNU C Library [^\n]*release version ([0-9]+)\.([0-9]+)")
_MUSL_VERSION = re.compile(rb"(?<![0-9.])(1\.[0-9]+\.[0-9]+)(?=\x00)")


@frozen
class Python:
    """The interpreter of an image: where it is, its version, and where pip would put what it installs.

    `prefix` has no leading slash; `packages` and `scripts` are relative to it.
    """

    executable: str
    version: str
    prefix: str
    packages: str
    scripts: str = "bin"

    @property
    def minor(self) -> str:
        """`3.11`."""
        return ".".join(self.version.split(".")[:2])

    @property
    def site_packages(self) -> str:
        """The folder of installed packages, without a leading slash."""
        return f"{self.prefix}/{self.packages}".strip("/")


@frozen
class Facts:
    """What the builder knows of a base. `libc` is `glibc` or `musl` with its version, or empty.

    `files` are all that the layers come to; their contents are in the blobs that were read.
    """

    files: Mapping[str, Inode] = field(default_factory=dict)
    python: Python | None = None
    libc: str = ""
    libc_version: tuple[int, int] = (0, 0)
    has_packages: bool = False

    def filesystem(self) -> Filesystem:
        """The files, for one build to change."""
        return Filesystem(dict(self.files))

    def as_json(self, layers: Sequence[Path]) -> dict[str, Any]:
        """The facts as a record holds them; `layers` are the blobs that were read."""
        python = self.python
        return {
            "format": FORMAT,
            "files": inodes_json(self.files, layers),
            "python": None
            if python is None
            else [python.executable, python.version, python.prefix, python.packages, python.scripts],
            "libc": self.libc,
            "libc_version": list(self.libc_version),
            "has_packages": self.has_packages,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any], layers: Sequence[Path]) -> Facts | None:
        """Read what `as_json` wrote; None where an older Tidegate did."""
        if value.get("format") != FORMAT:
            return None
        return cls(
            {path: inode for path, inode in inodes_from_json(value["files"], layers).items() if inode is not None},
            None if value["python"] is None else Python(*value["python"]),
            value["libc"],
            (value["libc_version"][0], value["libc_version"][1]),
            value["has_packages"],
        )


def inodes_json(changes: Changes, layers: Sequence[Path]) -> list[list[Any]]:
    """Inodes as rows of JSON; contents by the number of the layer that has them."""
    numbers = {path: number for number, path in enumerate(layers)}
    rows: list[list[Any]] = []
    for path, inode in changes.items():
        if inode is None:
            rows.append([path])
            continue
        row = [path, str(inode.kind), inode.mode, inode.uid, inode.gid, inode.mtime, inode.target]
        content = inode.content
        if content is not None:
            place = content.place
            if isinstance(place, InLayer):
                row += [content.digest, content.size, numbers[place.blob], place.member]
            elif isinstance(place, bytes):
                row += [content.digest, content.size, -1, place.decode("latin-1")]
        rows.append(row)
    return rows


def inodes_from_json(rows: Iterable[Sequence[Any]], layers: Sequence[Path]) -> dict[str, Inode | None]:
    """Read what `inodes_json` wrote."""
    return {row[0]: _inode(row, layers) for row in rows}


def _inode(row: Sequence[Any], layers: Sequence[Path]) -> Inode | None:
    if len(row) == 1:
        return None
    content = None
    if len(row) > 7:
        digest, size, number, text = row[7:]
        content = Content(digest, size, text.encode("latin-1") if number < 0 else InLayer(layers[number], text))
    return Inode(EntryKind(row[1]), row[2], row[3], row[4], content, row[6], row[5])


def inspect(layers: Iterable[Path]) -> Facts:
    """Read an image's layers, the lowest first. Blocks for about a second per 100 MB.

    Raises InvalidInput on a broken layer, LimitExceeded past a million entries or 16 GiB.
    """
    survey = _Survey()
    for layer in layers:
        survey.read(layer)
    return survey.facts()


class _Survey:
    """What has been seen of the layers so far."""

    def __init__(self) -> None:
        self._files = Filesystem()
        self._kept: dict[str, bytes] = {}
        self._size = 0
        self._count = 0
        self._here: set[str] = set()

    def read(self, layer: Path) -> None:
        self._here = set()
        try:
            with tarfile.open(layer, mode="r|*") as tar:
                while (member := tar.next()) is not None:
                    self._take(tar, member, layer)
                    tar.members = []  # type: ignore[attr-defined]  # a stream is never rewound
        except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, UnicodeError) as error:
            raise InvalidInput(f"the layer {layer.name} is broken: {error}") from error

    def _take(self, tar: tarfile.TarFile, member: tarfile.TarInfo, layer: Path) -> None:
        written = "/".join(part for part in member.name.split("/") if part not in ("", "."))
        self._size += member.size
        self._count += 1
        if self._count > ENTRY_LIMIT or self._size > SIZE_LIMIT:
            raise LimitExceeded("the base image is larger than what is read here")
        if ".." in written.split("/"):
            raise InvalidInput(f"the layer's entry {member.name[:200]!r} leads out of the image")
        folder = self._files.resolve(written.rpartition("/")[0])
        name = written.rpartition("/")[2]
        path = f"{folder}/{name}".lstrip("/")
        if name == OPAQUE_MARKER:
            self._forget(self._files.under(folder))
        elif name.startswith(WHITEOUT_PREFIX):
            hidden = f"{folder}/{name.removeprefix(WHITEOUT_PREFIX)}".lstrip("/")
            node = self._files.nodes.get(hidden)
            self._forget([hidden, *(self._files.under(hidden) if node is not None and node.is_directory else ())])
        elif path:
            inode = self._inode(tar, member, layer, path)
            if inode is None:
                return
            if folder and not self._files.is_directory(folder):
                self._files.nodes.pop(folder, None)
                self._files.make_directories(folder)
            self._files.put(path, inode)
            self._here.add(path)

    def _inode(self, tar: tarfile.TarFile, member: tarfile.TarInfo, layer: Path, path: str) -> Inode | None:
        """None for what no step here can carry: devices, pipes."""
        about = (member.mode & 0o7777, member.uid, member.gid)
        if member.isdir():
            return Inode(EntryKind.DIRECTORY, *about, mtime=int(member.mtime))
        if member.issym():
            return Inode(EntryKind.SYMLINK, 0o777, *about[1:], target=member.linkname, mtime=int(member.mtime))
        if member.islnk():
            return self._files.nodes.get("/".join(part for part in member.linkname.split("/") if part not in ("", ".")))
        if not member.isreg():
            return None
        telling = _is_telling(path) and member.size <= _FILE_LIMIT
        inline = path in _TEXTS and member.size <= _TEXT_LIMIT
        digest, kept = _digest(tar, member, keep=telling or inline)
        if telling:
            self._kept[path] = _telling(path, kept)
        content = Content(digest, member.size, kept if inline else InLayer(layer, member.name))
        return Inode(EntryKind.FILE, *about, content, mtime=int(member.mtime))

    def _forget(self, paths: Iterable[str]) -> None:
        """What layers below left; what this one brought stays."""
        for path in [path for path in paths if path not in self._here]:
            self._files.nodes.pop(path, None)
            self._kept.pop(path, None)

    def facts(self) -> Facts:
        python = self._python()
        libc, version = self._libc()
        site = "" if python is None else f"{python.site_packages}/"
        has_packages = bool(site) and any(p.startswith(site) and p.endswith("/METADATA") for p in self._files.nodes)
        return Facts(self._files.nodes, python, libc, version, has_packages)

    def _python(self) -> Python | None:
        """The first on PATH: /usr/local/bin before /usr/bin; where both have several, the one that `python3` is."""
        found = {match.group(0): match for path in self._files.nodes if (match := _PYTHON.fullmatch(path))}
        for folder in ("usr/local/bin", "usr/bin"):
            here = sorted(path for path in found if path.startswith(f"{folder}/"))
            if here:
                link = self._files.nodes.get(f"{folder}/python3")
                meant = f"{folder}/{link.target.rpartition('/')[2] if link else ''}"
                path = meant if meant in here else here[-1]
                return self._describe(path, folder, found[path][2])
        return None

    def _describe(self, path: str, folder: str, minor: str) -> Python:
        versions = [
            text.decode()
            for kept, text in self._kept.items()
            if kept == path or ((match := _LIBPYTHON.fullmatch(kept)) and match[1] == minor)
        ]
        version = next((text for text in versions if text.startswith(f"{minor}.")), f"{minor}.0")
        is_debian = folder == "usr/bin" and "etc/debian_version" in self._files.nodes
        prefix = "usr" if folder == "usr/bin" and not is_debian else "usr/local"
        packages = f"lib/python{minor}/{'dist' if is_debian else 'site'}-packages"
        return Python(f"/{path}", version, prefix, packages)

    def _libc(self) -> tuple[str, tuple[int, int]]:
        for path, text in self._kept.items():
            if (_LIBC.fullmatch(path) or _MUSL.fullmatch(path)) and text:
                major, minor, *_ = text.decode().split(".")
                return ("glibc" if _LIBC.fullmatch(path) else "musl"), (int(major), int(minor))
        return "", (0, 0)


def _is_telling(path: str) -> bool:
    patterns = (_PYTHON, _LIBPYTHON, _LIBC, _MUSL)
    return any(pattern.fullmatch(path) for pattern in patterns)


def _digest(tar: tarfile.TarFile, member: tarfile.TarInfo, *, keep: bool) -> tuple[str, bytes]:
    """A file's sha256, and its bytes where they are wanted."""
    total, kept = hashlib.sha256(), bytearray()
    source = tar.extractfile(member)
    while source is not None and (piece := source.read(_PIECE)):
        total.update(piece)
        if keep:
            kept += piece
    return total.hexdigest(), bytes(kept)


def _telling(path: str, data: bytes) -> bytes:
    """The version that a library says it has."""
    if match := _PYTHON.fullmatch(path) or _LIBPYTHON.fullmatch(path):
        minor = match.group(match.lastindex or 1)
        # The version stands alone between zeros, as Py_GetVersion's pieces do.
        found = re.search(rb"(?<![0-9.])(" + re.escape(minor).encode() + rb"\.[0-9]+)(?:\+|rc[0-9]+)?(?=\x00)", data)
        return found[1] if found else b""
    if _LIBC.fullmatch(path):
        found = _GLIBC_VERSION.search(data)
        return b".".join(found.groups()) if found else b""
    if _MUSL.fullmatch(path):
        found = _MUSL_VERSION.search(data)
        return found[1] if found else b""
    return b""
