"""Conditions as Kubernetes and kstatus define them: Ready, Reconciling, Stalled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.base.showing import showable

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"
MESSAGE_LIMIT = 32_768
"""As many characters a message may have by the definitions; with a longer one a cluster takes no status at all."""


@frozen
class Condition:
    """One condition; `status` is True, False or Unknown as the API spells them."""

    type: str
    status: str
    reason: str
    message: str


def merge(
    present: Sequence[dict[str, Any]], wanted: Sequence[Condition], *, generation: int, now: str
) -> list[dict[str, Any]]:
    """The list of conditions after `wanted`: a transition time changes only with the status; others are dropped.
    Messages are made such as can be stored and shown.
    """
    before = {condition.get("type"): condition for condition in present}
    merged = []
    for condition in wanted:
        old = before.get(condition.type, {})
        same = old.get("status") == condition.status
        merged.append(
            {
                "type": condition.type,
                "status": condition.status,
                "reason": condition.reason,
                "message": showable(condition.message, MESSAGE_LIMIT),
                "observedGeneration": generation,
                "lastTransitionTime": old.get("lastTransitionTime", now) if same else now,
            }
        )
    return merged


def find(conditions: Sequence[dict[str, Any]], kind: str) -> dict[str, Any] | None:
    """The condition of a type, or None."""
    return next((condition for condition in conditions if condition.get("type") == kind), None)


def is_true(conditions: Sequence[dict[str, Any]], kind: str) -> bool:
    """Whether the condition of a type is there and True."""
    found = find(conditions, kind)
    return found is not None and found.get("status") == "True"
