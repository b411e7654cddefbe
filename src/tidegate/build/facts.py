"""What a base image is, found out by reading its layers and running nothing: its directories, users and Python."""

from __future__ import annotations

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterable
from dataclasses import field
from pathlib import Path
from typing import Any

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.base.frozen import frozen
from tidegate.build.tree import Tree, parse_group, parse_passwd
from tidegate.oci.layers import OPAQUE_MARKER, WHITEOUT_PREFIX

FORMAT = 1
ENTRY_LIMIT = 1_000_000
SIZE_LIMIT = 16 * 1024**3
_FILE_LIMIT = 64 * 1024 * 1024
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
        return f"{self.prefix}/{self.packages}"


@frozen
class Facts:
    """What the builder knows of a base. `libc` is `glibc` or `musl` with its version, or empty."""

    directories: tuple[str, ...] = ()
    links: dict[str, str] = field(default_factory=dict)
    users: dict[str, tuple[int, int]] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    python: Python | None = None
    libc: str = ""
    libc_version: tuple[int, int] = (0, 0)
    has_packages: bool = False

    def tree(self) -> Tree:
        """A tree of its own, for one build to change."""
        return Tree(set(self.directories), dict(self.links), self.users, self.groups)

    def as_json(self) -> dict[str, Any]:
        """The facts as a record holds them."""
        python = self.python
        return {
            "format": FORMAT,
            "directories": list(self.directories),
            "links": self.links,
            "users": {name: list(ids) for name, ids in self.users.items()},
            "groups": self.groups,
            "python": None
            if python is None
            else [python.executable, python.version, python.prefix, python.packages, python.scripts],
            "libc": self.libc,
            "libc_version": list(self.libc_version),
            "has_packages": self.has_packages,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Facts | None:
        """Read what `as_json` wrote; None where an older Tidegate did."""
        if value.get("format") != FORMAT:
            return None
        return cls(
            tuple(value["directories"]),
            value["links"],
            {name: (ids[0], ids[1]) for name, ids in value["users"].items()},
            value["groups"],
            None if value["python"] is None else Python(*value["python"]),
            value["libc"],
            (value["libc_version"][0], value["libc_version"][1]),
            value["has_packages"],
        )


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
        self._paths: dict[str, str | None] = {}  # a link's target, "" for a directory, None for a file
        self._kept: dict[str, bytes] = {}
        self._size = 0

    def read(self, layer: Path) -> None:
        try:
            with tarfile.open(layer, mode="r|*") as tar:
                while (member := tar.next()) is not None:
                    self._take(tar, member)
                    tar.members = []  # type: ignore[attr-defined]  # a stream is never rewound
        except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, UnicodeError) as error:
            raise InvalidInput(f"the layer {layer.name} is broken: {error}") from error

    def _take(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = "/".join(part for part in member.name.split("/") if part not in ("", "."))
        self._size += member.size
        if len(self._paths) > ENTRY_LIMIT or self._size > SIZE_LIMIT:
            raise LimitExceeded("the base image is larger than what is read here")
        folder, _, name = path.rpartition("/")
        if name == OPAQUE_MARKER:
            self._forget(folder, keep=True)
        elif name.startswith(WHITEOUT_PREFIX):
            self._forget(f"{folder}/{name.removeprefix(WHITEOUT_PREFIX)}".lstrip("/"), keep=False)
        elif path:
            self._paths[path] = member.linkname if member.issym() else "" if member.isdir() else None
            if member.isreg() and _is_telling(path) and member.size <= _FILE_LIMIT:
                content = tar.extractfile(member)
                self._kept[path] = _telling(path, content.read() if content else b"")

    def _forget(self, path: str, *, keep: bool) -> None:
        for gone in [one for one in self._paths if one.startswith(f"{path}/") or (one == path and not keep)]:
            self._paths.pop(gone)
            self._kept.pop(gone, None)

    def facts(self) -> Facts:
        links = {path: target for path, target in self._paths.items() if target}
        directories = tuple(sorted(path for path, target in self._paths.items() if target == ""))
        python = self._python(links)
        libc, version = self._libc()
        site = "" if python is None else f"{python.site_packages}/"
        return Facts(
            directories,
            links,
            parse_passwd(self._text("etc/passwd")),
            parse_group(self._text("etc/group")),
            python,
            libc,
            version,
            bool(site) and any(path.startswith(site) and path.endswith("/METADATA") for path in self._paths),
        )

    def _text(self, path: str) -> str:
        return self._kept.get(path, b"").decode("utf-8", "replace")

    def _python(self, links: dict[str, str]) -> Python | None:
        """The first on PATH: /usr/local/bin before /usr/bin; where both have several, the one that `python3` is."""
        found = {match.group(0): match for path in self._paths if (match := _PYTHON.fullmatch(path))}
        for folder in ("usr/local/bin", "usr/bin"):
            here = sorted(path for path in found if path.startswith(f"{folder}/"))
            if here:
                meant = f"{folder}/{links.get(f'{folder}/python3', '').rpartition('/')[2]}"
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
        is_debian = folder == "usr/bin" and "etc/debian_version" in self._paths
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
    return path in ("etc/passwd", "etc/group") or any(pattern.fullmatch(path) for pattern in patterns)


def _telling(path: str, data: bytes) -> bytes:
    """Of a library the version that it says it has, of a list all of it."""
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
    return data
