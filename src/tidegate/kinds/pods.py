"""What a stored Pod says of itself: is it ready, and if not, why does it not get on? Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tidegate.kinds.conditions import find
from tidegate.kinds.objects import Object

TOLD = 2
"""Pods of one Deployment whose trouble is told: the others' is nearly always the same."""
_STARTING = ("ContainerCreating", "PodInitializing")


def is_ready(pod: Object) -> bool:
    """Whether a Pod says that it is ready."""
    return bool(_ready(pod))


def ready_since(pod: Object) -> str:
    """When a Pod became ready, or the empty string."""
    return str(_ready(pod).get("lastTransitionTime", ""))


def _ready(pod: Object) -> Mapping[str, Any]:
    found = find((pod.get("status") or {}).get("conditions") or [], "Ready") or {}
    return found if found.get("status") == "True" else {}


def trouble(pod: Object) -> str:
    """Why a Pod does not get on, in one line: the reason, the message, and what its container said last. Empty where
    nothing is wrong.
    """
    status = pod.get("status") or {}
    words = [text for container in _containers(status) if (text := _container_trouble(container))]
    scheduled = find(status.get("conditions") or [], "PodScheduled") or {}
    if scheduled.get("status") == "False":
        words.append(_said(scheduled))
    return f"{pod['metadata']['name']}: {'; '.join(words)}" if words else ""


def pods_of(deployment: Object, pods: Iterable[Object]) -> list[Object]:
    """The pods that a Deployment selects, the newest first; those that are ending are left out."""
    selector = ((deployment.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    namespace = deployment["metadata"].get("namespace")
    own = [pod for pod in pods if selector and pod["metadata"].get("namespace") == namespace and _has(pod, selector)]
    staying = [pod for pod in own if not pod["metadata"].get("deletionTimestamp")]
    return sorted(staying, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True)


def troubles(deployment: Object, pods: Iterable[Object]) -> str:
    """Why the pods of a Deployment's present images do not get on, the newest first; empty where nothing is wrong."""
    wanted = _images(((deployment.get("spec") or {}).get("template") or {}).get("spec") or {})
    present = (pod for pod in pods_of(deployment, pods) if wanted <= _images(pod.get("spec") or {}))
    found = (trouble(pod) for pod in present if not is_ready(pod))
    return "; ".join([text for text in found if text][:TOLD])


def _images(pod_spec: Mapping[str, Any]) -> set[str]:
    return {str(container.get("image")) for container in pod_spec.get("containers") or []}


def _has(pod: Object, labels: Mapping[str, str]) -> bool:
    return labels.items() <= (pod["metadata"].get("labels") or {}).items()


def _containers(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from status.get("initContainerStatuses") or []
    yield from status.get("containerStatuses") or []


def _container_trouble(container: Mapping[str, Any]) -> str:
    state = container.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    if ended.get("exitCode"):
        return _ending(ended)
    if not waiting or waiting.get("reason") in _STARTING:
        return ""
    last = (container.get("lastState") or {}).get("terminated") or {}
    words = [_said(waiting)]
    if waiting.get("reason") == "CrashLoopBackOff" and last:
        words.append(_ending(last))
    return "; ".join(words)


def _ending(terminated: Mapping[str, Any]) -> str:
    return f"it ended with {terminated.get('exitCode')}: {_line(terminated.get('message'))}".rstrip(": ")


def _said(part: Mapping[str, Any]) -> str:
    return f"{part.get('reason')}: {_line(part.get('message'))}".rstrip(": ")


def _line(text: object) -> str:
    """Several lines, a log's last ones among them, as one."""
    return " | ".join(line.strip() for line in str(text or "").splitlines() if line.strip())
