"""What the engine keeps of every object that it has seen, for triggers to ask whom a change concerns."""

from __future__ import annotations

import sys
from typing import Any

from tidegate.kinds.objects import Object

IDENTIFYING = frozenset({"name", "namespace", "labels", "annotations", "deletionTimestamp"})
"""The metadata that a trigger may ask for; the rest changes often, and is large."""


def kept_of(obj: Object) -> Object:
    """An object without its status and with IDENTIFYING metadata only. A thousand of them, each with names of its own
    for the same fields, would be half strings.
    """
    metadata = {name: value for name, value in obj["metadata"].items() if name in IDENTIFYING}
    kept = {name: value for name, value in obj.items() if name != "status"} | {"metadata": metadata}
    return {sys.intern(name): _sharing_names(value) for name, value in kept.items()}


def _sharing_names(value: Any) -> Any:
    if isinstance(value, dict):
        return {sys.intern(name): _sharing_names(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_sharing_names(one) for one in value]
    return value
