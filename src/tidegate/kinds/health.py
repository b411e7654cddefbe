"""Is a live object as its spec says? kstatus's rules for kinds with their own, else conditions. Pure."""

from __future__ import annotations

from typing import Any

from tidegate.kinds.conditions import find, is_true
from tidegate.kinds.health_rules import RULES
from tidegate.kinds.health_state import Health, State, words
from tidegate.kinds.objects import Object, group_of

__all__ = ["Health", "State", "health"]


def health(obj: Object) -> Health:
    """The state of a live object."""
    metadata, status = obj.get("metadata", {}), obj.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return Health(State.TERMINATING, "it is being deleted")
    conditions = status.get("conditions") or []
    observed = status.get("observedGeneration")
    if observed is not None and observed != metadata.get("generation"):
        return Health(State.IN_PROGRESS, f"generation {metadata.get('generation')} is not yet observed")
    for kind, state in (("Reconciling", State.IN_PROGRESS), ("Stalled", State.FAILED)):
        if is_true(conditions, kind):
            return Health(state, words(conditions, kind))
    own = RULES.get((group_of(str(obj.get("apiVersion", ""))), str(obj.get("kind"))))
    return own(obj.get("spec") or {}, status) if own else _by_ready(conditions)


def _by_ready(conditions: list[dict[str, Any]]) -> Health:
    ready = find(conditions, "Ready")
    if ready is None or ready.get("status") == "True":
        return Health(State.CURRENT, "ready")
    return Health(State.IN_PROGRESS, words(conditions, "Ready"))
