"""What a Kustomization's conditions and events say after a pass. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.engine.outcome import Ready
from tidegate.kinds.conditions import READY, Condition, find
from tidegate.kinds.kept_fields import KEEP
from tidegate.kinds.kustomization import Kustomization
from tidegate.kinds.objects import Object


def held(kept: list[str]) -> Condition | None:
    """The condition of fields that live objects keep; None where there are none."""
    if not kept:
        return None
    way_out = f"remove its annotation {KEEP} to let Git say it"
    message = f"{'; '.join(kept)}, which Git has otherwise: Tidegate was told these ({way_out})"
    return Condition("FieldsKept", "True", "NotAsInGit", message)


def is_told(obj: Object, condition: Condition) -> bool:
    """Whether an object's status says a condition already."""
    present = find((obj.get("status") or {}).get("conditions") or [], condition.type) or {}
    return present.get("message") == condition.message


def conclude(
    obj: Object, spec: Kustomization, revision: str, inventory: dict[str, Any], conditions: Sequence[Condition]
) -> Ready:
    """The outcome of a revision that was applied, and is healthy where that was asked for."""
    before = (obj.get("status") or {}).get("lastAppliedRevision")
    message = f"Applied revision: {revision}"
    return Ready(
        message,
        reason="ReconciliationSucceeded",
        status={"lastAppliedRevision": revision, "inventory": inventory},
        requeue_after=spec.interval_seconds,
        event=message if revision != before else None,
        conditions=conditions,
    )


def incomplete(limits: Sequence[str]) -> list[Condition]:
    """The condition of objects that this home can't run, and why."""
    if not limits:
        return []
    return [Condition("Complete", "False", "NotRunHere", f"kept, but not run here: {'; '.join(limits)}")]


def has_failed(obj: Object, revision: str) -> bool:
    """Whether this revision was tried before and failed."""
    status = obj.get("status") or {}
    ready = find(status.get("conditions") or [], READY) or {}
    return status.get("lastAttemptedRevision") == revision and ready.get("status") == "False"
