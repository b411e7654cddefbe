"""Which objects a Kustomization has applied, by its status: `status.inventory` in Flux's format. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.kinds.objects import ObjectKey


def keys_of(inventory: Mapping[str, Any] | None) -> list[ObjectKey]:
    """The keys that an inventory names, in its order; entries that are not of the format are left out."""
    found = (_key(str(entry.get("id", ""))) for entry in (inventory or {}).get("entries") or [])
    return [key for key in found if key is not None]


def _key(identity: str) -> ObjectKey | None:
    namespace, _, rest = identity.partition("_")
    name, _, tail = rest.rpartition("_")
    name, separator, group = name.rpartition("_")
    return ObjectKey(group, tail, namespace, name.replace("__", ":")) if separator and name and tail else None
