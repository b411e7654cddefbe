"""A Deployment's status in Kubernetes' words: kubectl, kstatus and Flux read it as they do a cluster's. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.engine.clock import rfc3339
from tidegate.kinds.conditions import Condition, find
from tidegate.kinds.objects import Object
from tidegate.runtime.rollout import Pod, Wanted

EXCEEDED = "ProgressDeadlineExceeded"
COMPLETE = "NewReplicaSetAvailable"


@frozen
class Counts:
    """Pods that are not ending."""

    total: int
    updated: int
    ready: int
    available: int

    @classmethod
    def of(cls, pods: Sequence[Pod], revision: str) -> Counts:
        """Count them."""
        staying = [pod for pod in pods if not pod.ending]
        return cls(
            len(staying),
            sum(pod.revision == revision for pod in staying),
            sum(pod.ready for pod in staying),
            sum(pod.available for pod in staying),
        )


def status_patch(
    obj: Object,
    wanted: Wanted,
    pods: Sequence[Pod],
    *,
    deadline: int,
    trouble: str,
    extra: Sequence[Condition],
    now: datetime,
) -> dict[str, Any]:
    """The merge patch of the status. `trouble` says why a pod does not get on; `extra` are further conditions."""
    before = obj.get("status") or {}
    counts = Counts.of(pods, wanted.revision)
    numbers = {
        "replicas": counts.total,
        "updatedReplicas": counts.updated,
        "readyReplicas": counts.ready,
        "availableReplicas": counts.available,
        "unavailableReplicas": max(0, max(wanted.replicas, counts.total) - counts.available),
    }
    # The API leaves zeros out.
    patch: dict[str, Any] = {name: value or None for name, value in numbers.items()}
    moved = any((before.get(name) or 0) != value for name, value in numbers.items())
    generation = int(obj["metadata"].get("generation", 0))
    moved = moved or before.get("observedGeneration") != generation
    conditions = [
        _available(wanted, counts, trouble),
        _progressing(obj, wanted, counts, deadline=deadline, trouble=trouble, moved=moved, now=now),
        *extra,
    ]
    patch["observedGeneration"] = generation
    patch["conditions"] = merged(before.get("conditions") or [], conditions, touched=moved, now=now)
    return patch


def stalled_patch(obj: Object, reason: str, message: str, now: datetime) -> dict[str, Any]:
    """The status of a Deployment that can't run here as it is: kstatus reads Stalled as failed."""
    conditions = [
        Condition("Available", "False", "MinimumReplicasUnavailable", message),
        Condition("Progressing", "False", reason, message),
        Condition("Stalled", "True", reason, message),
    ]
    present = (obj.get("status") or {}).get("conditions") or []
    return {
        "observedGeneration": int(obj["metadata"].get("generation", 0)),
        "conditions": merged(present, conditions, touched=False, now=now),
    }


def is_complete(wanted: Wanted, counts: Counts) -> bool:
    """Whether everything is as wanted, and nothing old is left."""
    return counts.updated == counts.total == wanted.replicas and counts.available >= wanted.replicas


def _available(wanted: Wanted, counts: Counts, trouble: str) -> Condition:
    if counts.available >= max(0, wanted.replicas - wanted.unavailable):
        return Condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    message = "Deployment does not have minimum availability."
    return Condition("Available", "False", "MinimumReplicasUnavailable", f"{message} {trouble}".strip())


def _progressing(
    obj: Object, wanted: Wanted, counts: Counts, *, deadline: int, trouble: str, moved: bool, now: datetime
) -> Condition:
    name = f'ReplicaSet "{obj["metadata"]["name"]}-{wanted.revision}"'
    if wanted.paused:
        return Condition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
    if is_complete(wanted, counts):
        return Condition("Progressing", "True", COMPLETE, f"{name} has successfully progressed.")
    before = find((obj.get("status") or {}).get("conditions") or [], "Progressing") or {}
    since = _time(before.get("lastUpdateTime"))
    late = since is not None and (now - since).total_seconds() > deadline
    if not moved and late and before.get("reason") != COMPLETE:
        return Condition("Progressing", "False", EXCEEDED, f"{name} has timed out progressing. {trouble}".strip())
    return Condition("Progressing", "True", "ReplicaSetUpdated", f"{name} is progressing.")


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None


def merged(
    present: Sequence[dict[str, Any]], wanted: Sequence[Condition], *, touched: bool, now: datetime
) -> list[dict[str, Any]]:
    """Conditions with Kubernetes' two times: of the last change of the status, and of the last news."""
    stamp = rfc3339(now)
    result = []
    for condition in wanted:
        old = find(present, condition.type) or {}
        same = old.get("status") == condition.status
        news = not same or old.get("reason") != condition.reason or (touched and condition.type == "Progressing")
        result.append(
            {
                "type": condition.type,
                "status": condition.status,
                "reason": condition.reason,
                "message": condition.message,
                "lastUpdateTime": stamp if news else old.get("lastUpdateTime", stamp),
                "lastTransitionTime": old.get("lastTransitionTime", stamp) if same else stamp,
            }
        )
    return result
