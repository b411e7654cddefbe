"""Which packages are in an image: Debian's, Alpine's, Python's and Node's, by their own lists, read from its layers.

Nothing is run. A layer is read once, and remembered by its digest.
"""

from __future__ import annotations

import email.parser
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.oci.layers import OPAQUE_MARKER, WHITEOUT_PREFIX
from tidegate.oci.unpack import BoundedHeader

FILE_LIMIT = 16 * 1024 * 1024
PACKAGE_LIMIT = 50_000
FORMAT = 1
_PYTHON = re.compile(r".+\.dist-info/METADATA|.+\.egg-info/PKG-INFO|.+\.egg-info")
_NODE = re.compile(r"(?:.*/)?node_modules/(?:@[^/]+/)?[^/]+/package\.json")
_DEBIAN = re.compile(r"var/lib/dpkg/status(?:\.d/[^/]+)?")
_ALPINE = "lib/apk/db/installed"


@frozen(order=True)
class Found:
    """A package: its package URL (purl), name, version and, where it says so, its license."""

    purl: str
    name: str
    version: str
    license: str = ""


@frozen
class Lists:
    """What one layer says: packages by the file that names them, and the paths that it takes away."""

    files: dict[str, list[Found]]
    gone: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """For a record."""
        rows = {path: [[p.purl, p.name, p.version, p.license] for p in found] for path, found in self.files.items()}
        return {"format": FORMAT, "files": rows, "gone": list(self.gone)}

    @classmethod
    def from_json(cls, value: dict[str, object]) -> Lists | None:
        """None for a record of another form."""
        files, gone = value.get("files"), value.get("gone")
        if value.get("format") != FORMAT or not isinstance(files, dict) or not isinstance(gone, list):
            return None
        return cls({path: [Found(*row) for row in rows] for path, rows in files.items()}, tuple(gone))


def packages_in(layers: Iterable[Lists]) -> list[Found]:
    """The packages of an image whose layers say that, the lowest first."""
    files: dict[str, list[Found]] = {}
    for layer in layers:
        for path in layer.gone:
            inside = f"{path}/"
            files = {one: found for one, found in files.items() if one != path and not one.startswith(inside)}
        files |= layer.files
    return sorted({package for found in files.values() for package in found})[:PACKAGE_LIMIT]


def read_layer(path: Path) -> Lists:
    """What a layer's own lists say. Blocks. Raises InvalidInput on a broken one."""
    files: dict[str, list[Found]] = {}
    gone: list[str] = []
    try:
        with tarfile.open(path, mode="r|*", tarinfo=BoundedHeader) as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # a stream is never rewound
                place = "/".join(part for part in member.name.split("/") if part not in ("", "."))
                folder, _, name = place.rpartition("/")
                if name == OPAQUE_MARKER:
                    gone.append(folder)
                elif name.startswith(WHITEOUT_PREFIX):
                    gone.append(f"{folder}/{name.removeprefix(WHITEOUT_PREFIX)}".lstrip("/"))
                elif member.isreg() and member.size <= FILE_LIMIT and (read := _reader(place)):
                    content = tar.extractfile(member)
                    files[place] = list(read((content.read() if content else b"").decode("utf-8", "replace")))
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InvalidInput(f"the layer {path.name} is broken: {error}") from error
    return Lists({place: found for place, found in files.items() if found}, tuple(gone))


def _reader(path: str) -> Callable[[str], Iterator[Found]] | None:
    if _DEBIAN.fullmatch(path):
        return _debian
    if path == _ALPINE:
        return _alpine
    if _PYTHON.fullmatch(path):
        return _python
    return _node if _NODE.fullmatch(path) else None


def _debian(text: str) -> Iterator[Found]:
    for stanza in text.split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in stanza.splitlines() if line[:1] not in ("", " "))
        name, version = fields.get("Package"), fields.get("Version")
        if name and version and not fields.get("Status", "").startswith(("deinstall", "purge")):
            arch = fields.get("Architecture", "all")
            yield Found(f"pkg:deb/debian/{_part(name)}@{_part(version)}?arch={_part(arch)}", name, version)


def _alpine(text: str) -> Iterator[Found]:
    for stanza in text.split("\n\n"):
        fields = dict(line.partition(":")[::2] for line in stanza.splitlines())
        name, version = fields.get("P"), fields.get("V")
        if name and version:
            arch = _part(fields.get("A", ""))
            purl = f"pkg:apk/alpine/{_part(name)}@{_part(version)}?arch={arch}"
            yield Found(purl, name, version, fields.get("L", ""))


def _python(text: str) -> Iterator[Found]:
    fields = email.parser.HeaderParser().parsestr(text)
    name, version = str(fields.get("Name", "")), str(fields.get("Version", ""))
    if name and version:
        normal = re.sub(r"[-_.]+", "-", name).lower()
        license_ = str(fields.get("License-Expression", ""))
        yield Found(f"pkg:pypi/{_part(normal)}@{_part(version)}", name, version, license_)


def _node(text: str) -> Iterator[Found]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return
    name, version = (value.get("name"), value.get("version")) if isinstance(value, dict) else (None, None)
    if isinstance(name, str) and isinstance(version, str) and name and version:
        told = value.get("license")
        yield Found(
            f"pkg:npm/{quote(name, safe='/')}@{_part(version)}", name, version, told if isinstance(told, str) else ""
        )


def _part(text: str) -> str:
    return quote(text, safe=".-_~+:")
