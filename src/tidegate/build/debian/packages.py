"""A package index as a value: found by name without reading every stanza of its 50 MB. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.build.debian.versions import compare, satisfies

_NAMES_LINE = re.compile(rb"^(Package|Provides): (.+)$", re.MULTILINE)
_FIELD = re.compile(r"^([A-Za-z0-9-]+):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_RELATION = re.compile(
    r"(?P<name>[a-z0-9.+-]+)(?::(?P<arch>[a-z0-9-]+))?(?:\s*\((?P<op><<|<=|=|>=|>>)\s*(?P<version>[^)\s]+)\s*\))?"
    r"(?:\s*\[[^\]]*\])?(?:\s*<[^>]*>)*"
)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PATH = re.compile(r"pool/[A-Za-z0-9+._~/:%-]+\.deb", re.ASCII)


@frozen
class Relation:
    """A name, and the versions of it that will do; `operator` is empty where any will."""

    name: str
    operator: str = ""
    version: str = ""

    def accepts(self, version: str) -> bool:
        """Whether `version` will do."""
        return not self.operator or satisfies(version, self.operator, self.version)

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name


@frozen
class Package:
    """One binary package: what it is, what it needs, and where its file is. `depends` holds groups of alternatives."""

    name: str
    version: str
    architecture: str
    priority: str
    depends: tuple[tuple[Relation, ...], ...]
    provides: tuple[Relation, ...]
    path: str
    sha256: str
    size: int
    origin: str = ""
    control: str = ""
    recommends: tuple[tuple[Relation, ...], ...] = ()


def parse_relations(text: str) -> tuple[tuple[Relation, ...], ...]:
    """Read a Depends field: groups by comma, alternatives by bar (Debian policy 7.1). Raises InvalidInput."""
    groups = [[_relation(part) for part in group.split("|")] for group in text.split(",") if group.strip()]
    return tuple(tuple(group) for group in groups)


def _relation(text: str) -> Relation:
    match = _RELATION.fullmatch(" ".join(text.split()))
    if match is None:
        raise InvalidInput(f"{text.strip()[:100]!r} is no package relation")
    return Relation(match["name"], match["op"] or "", match["version"] or "")


class PackageIndex:
    """The packages of one `Packages` file, each stanza read when it is asked for.

    `origin` is the base URL that the packages' paths are relative to.
    """

    def __init__(self, data: bytes, origin: str):
        self._data = data
        self._origin = origin
        self._stanzas: dict[str, list[int]] = {}
        self._provided: dict[str, list[int]] = {}
        start = 0
        for match in _NAMES_LINE.finditer(data):
            text = match[2].decode("utf-8", "replace")
            if match[1] == b"Package":
                start = match.start()
                self._stanzas.setdefault(text.strip(), []).append(start)
            else:
                for relation in text.split(","):
                    self._provided.setdefault(relation.strip().partition(" ")[0], []).append(start)

    def named(self, name: str) -> list[Package]:
        """The packages of that name, in the index's order."""
        return [self._read(start) for start in self._stanzas.get(name, [])]

    def providing(self, name: str) -> list[Package]:
        """The packages that say they provide `name`."""
        return [self._read(start) for start in self._provided.get(name, [])]

    def _read(self, start: int) -> Package:
        end = self._data.find(b"\n\n", start)
        text = self._data[start : end if end >= 0 else len(self._data)].decode("utf-8", "replace").strip("\n")
        return parse_package(text, self._origin)


def parse_package(text: str, origin: str = "") -> Package:
    """Read one stanza of an index. Raises InvalidInput where a field that counts is missing or reaches elsewhere."""
    fields = {match[1]: match[2] for match in _FIELD.finditer(text)}
    path, sha256 = fields.get("Filename", ""), fields.get("SHA256", "")
    if not _PATH.fullmatch(path) or ".." in path or not _SHA256.fullmatch(sha256) or not fields["Size"].isdigit():
        raise InvalidInput(f"the package index has an unusable entry for {fields.get('Package', '?')!r}")
    return _package(fields, text, path, sha256, int(fields["Size"]), origin)


def parse_installed(status: str) -> list[Package]:
    """The packages that dpkg's list of an image says are installed. Raises InvalidInput."""
    found = []
    for stanza in status.split("\n\n"):
        fields = {match[1]: match[2] for match in _FIELD.finditer(stanza.strip("\n"))}
        state = fields.get("Status", "").split()
        if state[2:] in (["installed"], ["unpacked"]) and "Version" in fields:
            found.append(_package(fields, "", "", "", 0, ""))
    return found


def _package(fields: Mapping[str, str], text: str, path: str, sha256: str, size: int, origin: str) -> Package:
    relations = [parse_relations(fields[name]) for name in ("Pre-Depends", "Depends") if name in fields]
    return Package(
        fields["Package"],
        fields["Version"],
        fields.get("Architecture", ""),
        fields.get("Priority", "optional"),
        tuple(group for groups in relations for group in groups),
        tuple(alternative for group in parse_relations(fields.get("Provides", "")) for alternative in group),
        path,
        sha256,
        size,
        origin,
        text,
        parse_relations(fields.get("Recommends", "")),
    )


def newest(packages: Iterable[Package]) -> Package | None:
    """The one with the highest version; the first of equal ones."""
    best: Package | None = None
    for package in packages:
        if best is None or compare(package.version, best.version) > 0:
            best = package
    return best
