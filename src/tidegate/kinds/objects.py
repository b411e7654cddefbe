"""Kubernetes objects as plain JSON, and the key by which every room names one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen

KEYS_SHARED = 8_192
Object = dict[str, Any]
"""An object as the Kubernetes API writes it: apiVersion, kind, metadata, spec, status."""


@frozen(order=True)
class ObjectKey:
    """An object's identity. The version is no part of it; `namespace` is empty for cluster-scoped objects."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Flux's spelling in messages: `Kind/namespace/name`, or `Kind/name`."""
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


def group_of(api_version: str) -> str:
    """`apps/v1` → `apps`; `v1` → the empty core group."""
    return api_version.partition("/")[0] if "/" in api_version else ""


def version_of(api_version: str) -> str:
    """`apps/v1` → `v1`; `v1` → `v1`."""
    return api_version.rpartition("/")[2]


def key_of(obj: Mapping[str, Any]) -> ObjectKey:
    """The key of an object; InvalidInput where apiVersion, kind or metadata.name is missing."""
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    metadata = obj.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    for field, value in (("apiVersion", api_version), ("kind", kind), ("metadata.name", name)):
        if not isinstance(value, str) or not value:
            raise InvalidInput(f"an object needs a {field}", where=Where(field=field))
    assert isinstance(metadata, Mapping)
    parts = group_of(str(api_version)), str(kind), str(metadata.get("namespace") or ""), str(name)
    return ObjectKey(*parts) if kind == "Event" else _shared_key(*parts)


@lru_cache(maxsize=KEYS_SHARED)
def _shared_key(group: str, kind: str, namespace: str, name: str) -> ObjectKey:
    """One key for all who keep it: of each object a dozen tables do. (Of an event nobody does.)"""
    return ObjectKey(group, kind, namespace, name)


def annotation(obj: Mapping[str, Any], name: str) -> str | None:
    """The value of an annotation, or None."""
    return ((obj.get("metadata") or {}).get("annotations") or {}).get(name)
