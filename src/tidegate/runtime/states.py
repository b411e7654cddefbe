"""What is known of a pod's container, and the Pod status that says it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.kinds.objects import Object
from tidegate.runtime.values import HOST_ADDRESS


@frozen
class Waiting:
    """Not started: why, and since nothing is forever, what would change that."""

    reason: str
    message: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"waiting": {"reason": self.reason} | ({"message": self.message} if self.message else {})}


@frozen
class Running:
    """Started, at a time as RFC 3339."""

    started: str

    def as_json(self) -> dict[str, Any]:
        return {"running": {"startedAt": self.started}}


@frozen
class Terminated:
    """Ended, with an exit code (128 + the signal's number where one ended it)."""

    exit_code: int
    reason: str
    started: str
    finished: str
    message: str = ""

    def as_json(self) -> dict[str, Any]:
        value: dict[str, Any] = {
            "exitCode": self.exit_code,
            "reason": self.reason,
            "startedAt": self.started,
            "finishedAt": self.finished,
        }
        if self.message:
            value["message"] = self.message
        return {"terminated": value}


@frozen
class PodState:
    """All that a pod's status tells of its container."""

    current: Waiting | Running | Terminated = Waiting("ContainerCreating")
    last: Terminated | None = None
    restarts: int = 0
    ready: bool = False
    image_id: str = ""
    began: str = ""


def pod_status(pod: Object, state: PodState, now: str) -> dict[str, Any]:
    """The status to write; conditions keep the time of their last change."""
    container = pod["spec"]["containers"][0]
    running = isinstance(state.current, Running)
    started = running or state.last is not None
    status: dict[str, Any] = {
        "phase": "Running" if started else "Pending",
        "hostIP": HOST_ADDRESS,
        "hostIPs": [{"ip": HOST_ADDRESS}],
        "podIP": HOST_ADDRESS,
        "podIPs": [{"ip": HOST_ADDRESS}],
        "qosClass": "BestEffort",
        "startTime": state.began or now,
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": state.image_id,
                "ready": state.ready,
                "started": running,
                "restartCount": state.restarts,
                "state": state.current.as_json(),
                "lastState": state.last.as_json() if state.last else {},
            }
        ],
    }
    if running and state.image_id:
        status["containerStatuses"][0]["containerID"] = f"tidegate://{pod['metadata']['uid']}-{state.restarts}"
    return status | {"conditions": _conditions(pod, container["name"], ready=state.ready, now=now)}


def _conditions(pod: Object, container: str, *, ready: bool, now: str) -> list[dict[str, Any]]:
    before: Mapping[str, Any] = {item.get("type"): item for item in (pod.get("status") or {}).get("conditions") or []}
    values = {"PodScheduled": True, "Initialized": True, "ContainersReady": ready, "Ready": ready}
    conditions = []
    for kind, value in values.items():
        old, word = before.get(kind, {}), str(value)
        condition = {
            "type": kind,
            "status": word,
            "lastProbeTime": None,
            "lastTransitionTime": old.get("lastTransitionTime", now) if old.get("status") == word else now,
        }
        if not value:
            condition |= {"reason": "ContainersNotReady", "message": f"containers with unready status: [{container}]"}
        conditions.append(condition)
    return conditions
