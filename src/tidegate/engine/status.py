"""From an Outcome to the status that shows it: conditions by kstatus's rules, in Flux's words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.engine.outcome import Ready, Stalled, Waiting
from tidegate.kinds.columns import shows_suspension
from tidegate.kinds.conditions import READY, RECONCILING, STALLED, Condition, merge
from tidegate.kinds.objects import Object, annotation, group_of

REQUESTED_AT = "reconcile.fluxcd.io/requestedAt"
RETRYING = "ProgressingWithRetry"


def status_patch(obj: Object, outcome: Ready | Waiting | Stalled, now: str) -> dict[str, Any]:
    """The merge patch of `obj`'s status that says what the reconciliation came to."""
    if isinstance(outcome, Ready):
        ready = [Condition(READY, "True", outcome.reason, outcome.message), *outcome.conditions]
    elif isinstance(outcome, Waiting):
        ready = [
            Condition(RECONCILING, "True", "Progressing", outcome.on),
            Condition(READY, "False", outcome.reason, outcome.on),
        ]
    else:
        ready = [
            Condition(STALLED, "True", outcome.reason, outcome.message),
            Condition(READY, "False", outcome.reason, outcome.message),
            *outcome.conditions,
        ]
    return dict(outcome.status) | _common(obj, ready, now)


def failure_patch(
    obj: Object, reason: str, message: str, now: str, further: Sequence[Condition] = ()
) -> dict[str, Any]:
    """The merge patch after an error that is tried again, with further conditions besides Ready."""
    conditions = [
        Condition(RECONCILING, "True", RETRYING, message),
        Condition(READY, "False", reason, message),
        *further,
    ]
    return _common(obj, conditions, now)


def suspension_patch(obj: Object, suspended: bool = True) -> dict[str, Any]:
    """The merge patch that says whether an object is suspended, of kinds whose tables show it: a column of a
    CustomResourceDefinition can only show what stands in the object, and not its absence.
    """
    shown = shows_suspension(group_of(str(obj.get("apiVersion", ""))), str(obj.get("kind", "")))
    return {"suspended": str(suspended)} if shown else {}


def stalled_beside(obj: Object, outcome: Stalled, now: str) -> dict[str, Any]:
    """The merge patch that says Stalled and nothing else: the rest of the status is another's."""
    present = (obj.get("status") or {}).get("conditions") or []
    generation = int(obj.get("metadata", {}).get("generation", 0))
    stalled = Condition(STALLED, "True", outcome.reason, outcome.message)
    return {"conditions": merge(present, [stalled], generation=generation, now=now)}


def _common(obj: Object, conditions: list[Condition], now: str) -> dict[str, Any]:
    generation = int(obj.get("metadata", {}).get("generation", 0))
    present = (obj.get("status") or {}).get("conditions") or []
    patch: dict[str, Any] = {"conditions": merge(present, conditions, generation=generation, now=now)}
    patch["observedGeneration"] = generation
    if requested := annotation(obj, REQUESTED_AT):
        patch["lastHandledReconcileAt"] = requested
    return patch | suspension_patch(obj, suspended=False)


def changes(status: dict[str, Any], patch: dict[str, Any]) -> bool:
    """Whether merging `patch` into `status` (RFC 7396) would change it."""
    for name, value in patch.items():
        present = status.get(name)
        if isinstance(value, dict) and isinstance(present, dict):
            if changes(present, value):
                return True
        elif value is None:
            if name in status:
                return True
        elif value != present:
            return True
    return False
