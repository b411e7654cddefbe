"""An object whose status another program writes: how that is told, and how the object is taken over. Pure."""

from __future__ import annotations

from tidegate.base.errors import OwnedByAnother
from tidegate.kinds.objects import ObjectKey

ADOPT = "tidegate.dev/adopt"
"""An annotation with a moment (RFC 3339): status written by others up to then is taken over."""


def owned_by(key: ObjectKey, manager: str) -> OwnedByAnother:
    """The error for an object whose status `manager` writes, with the command that takes it over."""
    taken_over = (
        f'kubectl annotate --overwrite {key.kind.lower()} {key.name} -n {key.namespace} {ADOPT}="$(date -u +%FT%TZ)"'
    )
    remedy = f"stop {manager}, or Tidegate, for this object; where {manager} is gone for good: {taken_over}"
    return OwnedByAnother(f"the status of {key} is written by {manager}", manager=manager, remedy=remedy)
