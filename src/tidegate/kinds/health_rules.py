"""kstatus's rules for the kinds that have their own: which fields of a live object say that it is as its spec says.

Jobs are Flux's exception: one that runs is in progress until it is complete, where kstatus is content with its start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tidegate.kinds.conditions import find, is_true
from tidegate.kinds.health_state import Health, State, words

Fields = Mapping[str, Any]
Rule = Callable[[Fields, Fields], Health]
_SHOWN_AS_CRASH = frozenset({"CrashLoopBackOff"})


def _deployment(spec: Fields, status: Fields) -> Health:
    conditions = status.get("conditions") or []
    progressing = find(conditions, "Progressing") or {}
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Health(State.FAILED, words(conditions, "Progressing"))
    wanted = _number(spec, "replicas", 1)
    if "observedGeneration" not in status:
        return Health(State.IN_PROGRESS, "not yet observed")
    counts = {
        "replicas": _number(status, "replicas"),
        "updated": _number(status, "updatedReplicas"),
        "ready": _number(status, "readyReplicas"),
        "available": _number(status, "availableReplicas"),
    }
    if (short := _short(counts, wanted)) is not None:
        return short
    if counts["replicas"] > counts["updated"]:
        return Health(State.IN_PROGRESS, f"{counts['replicas'] - counts['updated']} old replicas are still there")
    available = find(conditions, "Available")
    if available is not None and available.get("status") != "True":
        return Health(State.IN_PROGRESS, words(conditions, "Available"))
    return Health(State.CURRENT, f"{wanted} of {wanted} available")


def _replica_set(spec: Fields, status: Fields) -> Health:
    conditions, wanted = status.get("conditions") or [], _number(spec, "replicas", 1)
    if is_true(conditions, "ReplicaFailure"):
        return Health(State.IN_PROGRESS, words(conditions, "ReplicaFailure"))
    counts = {
        "labelled": _number(status, "fullyLabeledReplicas"),
        "available": _number(status, "availableReplicas"),
        "ready": _number(status, "readyReplicas"),
    }
    return _short(counts, wanted) or _many(status, wanted) or Health(State.CURRENT, f"{wanted} of {wanted} available")


def _stateful_set(spec: Fields, status: Fields) -> Health:
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return Health(State.CURRENT, "its pods are replaced when somebody deletes them")
    wanted = _number(spec, "replicas", 1)
    counts = {"replicas": _number(status, "replicas"), "ready": _number(status, "readyReplicas")}
    if (found := _short(counts, wanted) or _many(status, wanted)) is not None:
        return found
    partition = _number(strategy.get("rollingUpdate") or {}, "partition", -1)
    if partition >= 0:
        due = wanted - partition
        updated = _number(status, "updatedReplicas")
        state = State.IN_PROGRESS if updated < due else State.CURRENT
        return Health(state, f"updated: {updated}/{max(due, 0)}")
    if (found := _short({"current": _number(status, "currentReplicas")}, wanted)) is not None:
        return found
    if status.get("currentRevision") != status.get("updateRevision"):
        return Health(State.IN_PROGRESS, "its update revision is not its current one yet")
    return Health(State.CURRENT, f"{wanted} of {wanted} ready")


def _daemon_set(_spec: Fields, status: Fields) -> Health:
    if "desiredNumberScheduled" not in status or "observedGeneration" not in status:
        return Health(State.IN_PROGRESS, "not yet observed")
    wanted = _number(status, "desiredNumberScheduled")
    counts = {
        "scheduled": _number(status, "currentNumberScheduled"),
        "updated": _number(status, "updatedNumberScheduled"),
        "available": _number(status, "numberAvailable"),
        "ready": _number(status, "numberReady"),
    }
    return _short(counts, wanted) or Health(State.CURRENT, f"{wanted} of {wanted} nodes have it")


def _job(_spec: Fields, status: Fields) -> Health:
    conditions = status.get("conditions") or []
    if is_true(conditions, "Failed"):
        return Health(State.FAILED, words(conditions, "Failed"))
    if is_true(conditions, "Complete"):
        return Health(State.CURRENT, "complete")
    return Health(State.IN_PROGRESS, "it runs" if status.get("startTime") else "not started")


def _pod(_spec: Fields, status: Fields) -> Health:
    phase, conditions = status.get("phase"), status.get("conditions") or []
    if phase == "Succeeded":
        return Health(State.CURRENT, "it has succeeded")
    if phase == "Failed":
        return Health(State.FAILED, str(status.get("message") or status.get("reason") or "it has failed"))
    if phase == "Running":
        if is_true(conditions, "Ready"):
            return Health(State.CURRENT, "ready")
        if crashing := _crashing(status):
            return Health(State.FAILED, f"it crashes again and again: {', '.join(crashing)}")
        return Health(State.IN_PROGRESS, "it runs and is not ready")
    scheduled = find(conditions, "PodScheduled") or {}
    told = words(conditions, "PodScheduled") if scheduled.get("status") == "False" else f"phase {phase or 'unknown'}"
    return Health(State.IN_PROGRESS, told)


def _crashing(status: Fields) -> list[str]:
    found: Sequence[Fields] = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return [
        str(one.get("name"))
        for one in found
        if ((one.get("state") or {}).get("waiting") or {}).get("reason") in _SHOWN_AS_CRASH
    ]


def _claim(_spec: Fields, status: Fields) -> Health:
    phase = status.get("phase", "unknown")
    return Health(State.CURRENT if phase == "Bound" else State.IN_PROGRESS, f"phase {phase}")


def _service(spec: Fields, _status: Fields) -> Health:
    if spec.get("type") == "LoadBalancer" and not spec.get("clusterIP"):
        return Health(State.IN_PROGRESS, "it has no clusterIP yet")
    return Health(State.CURRENT, "it is there")


def _definition(_spec: Fields, status: Fields) -> Health:
    conditions = status.get("conditions") or []
    names, established = find(conditions, "NamesAccepted") or {}, find(conditions, "Established") or {}
    if names.get("status") == "False":
        return Health(State.FAILED, words(conditions, "NamesAccepted"))
    if established.get("status") == "False" and established.get("reason") != "Installing":
        return Health(State.FAILED, words(conditions, "Established"))
    if established.get("status") == "True":
        return Health(State.CURRENT, "established")
    return Health(State.IN_PROGRESS, "it is being installed")


def _disruption_budget(_spec: Fields, status: Fields) -> Health:
    if "observedGeneration" not in status:
        return Health(State.IN_PROGRESS, "not yet observed")
    return Health(State.CURRENT, "observed")


def _number(fields: Fields, name: str, default: int = 0) -> int:
    value = fields.get(name, default)
    return int(value) if isinstance(value, (int, float)) else default


def _short(counts: Mapping[str, int], wanted: int) -> Health | None:
    for name, count in counts.items():
        if count < wanted:
            return Health(State.IN_PROGRESS, f"{name}: {count}/{wanted}")
    return None


def _many(status: Fields, wanted: int) -> Health | None:
    more = _number(status, "replicas") - wanted
    return Health(State.IN_PROGRESS, f"{more} replicas too many are still there") if more > 0 else None


RULES: Mapping[tuple[str, str], Rule] = {
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "Job"): _job,
    ("policy", "PodDisruptionBudget"): _disruption_budget,
}
