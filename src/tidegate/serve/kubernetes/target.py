"""What a request means: the resource and object its path names, and its query, read into plain values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from tidegate.base.frozen import frozen
from tidegate.kinds.objects import ObjectKey
from tidegate.kinds.resources import Resource
from tidegate.serve.kubernetes.status import BadRequest


@frozen
class Path:
    """A resource path's parts; `namespace`, `name` and `subresource` are empty where the path has none."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def parse_path(path: str) -> Path | None:
    """Read `/api/v1/…` or `/apis/GROUP/VERSION/…`; None where it is no resource's path."""
    parts = path.strip("/").split("/")
    if parts[:2] == ["api", "v1"]:
        group, version, rest = "", "v1", parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    if not rest or not all(rest):
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and not (not group and rest[2] in ("status", "finalize")):
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3:
        return None
    plural, name, subresource = (*rest, "", "")[:3]
    return Path(group, version, plural, namespace, name, subresource)


@frozen
class Target:
    """A resource that is served, the version that was asked for, and where in it."""

    resource: Resource
    version: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def api_version(self) -> str:
        return self.resource.api_version_of(self.version)

    @property
    def key(self) -> ObjectKey:
        """The named object's key."""
        return ObjectKey(self.resource.group, self.resource.kind, self.namespace, self.name)


@frozen
class Options:
    """The query parameters that the API knows. Raises BadRequest where one can't be read."""

    query: Mapping[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A parameter; empty where it is absent."""
        return self.query.get(name, "")

    def flag(self, name: str) -> bool:
        """A boolean as Go reads it; a parameter without a value is true."""
        value = self.query.get(name)
        if value is None or value in ("0", "f", "F", "false", "FALSE", "False"):
            return False
        if value in ("", "1", "t", "T", "true", "TRUE", "True"):
            return True
        raise BadRequest(f"{name}: {value!r} is neither true nor false")

    def number(self, name: str) -> int | None:
        """A whole number from 0; None where it is absent."""
        value = self.query.get(name)
        if not value:
            return None
        if not (value.isascii() and value.isdigit() and len(value) < 19):
            raise BadRequest(f"{name}: {value!r} is no whole number")
        return int(value)

    @property
    def dry_run(self) -> bool:
        """Whether nothing may be stored."""
        value = self.query.get("dryRun", "")
        if value not in ("", "All"):
            raise BadRequest(f"dryRun: {value!r} is not All")
        return value == "All"
