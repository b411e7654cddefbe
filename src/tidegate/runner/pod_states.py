"""What the status of a job's Pod says: has it begun, what does it wait for, why has it ended? Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.kinds.objects import Object
from tidegate.runner.job_manifest import CONTAINER, FETCHER

PULL_PATIENCE = 120.0
"""Seconds in which an image must be pulled after that has failed: a registry that is away may come back, and a kubelet
has tried four or five times by then.
"""
_IN_VAIN = frozenset(
    {"InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "ErrImageNeverPull", "RunContainerError"}
)
_UNPULLED = frozenset({"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"})
_OVER = ("Failed", "Succeeded")


def begun(pod: Object) -> str | None:
    """The container whose log tells of the job: that of its steps once it has begun, the fetch where that failed; None
    before.
    """
    state = _state(pod, CONTAINER)
    if "running" in state or "terminated" in state:
        return CONTAINER
    fetched = _state(pod, FETCHER).get("terminated")
    if fetched is not None and fetched.get("exitCode"):
        return FETCHER
    # A Pod that was evicted may tell of no container.
    return CONTAINER if _phase(pod) in _OVER else None


@frozen
class Wait:
    """What a Pod that has not begun waits for. `patience` is how many seconds that may go on; None: as long as any
    beginning.
    """

    text: str
    patience: float | None = None


def waits_for(pod: Object) -> Wait:
    """What a Pod that has not begun waits for."""
    for container in (FETCHER, CONTAINER):
        if waiting := _state(pod, container).get("waiting"):
            reason = str(waiting.get("reason") or "")
            if reason == "PodInitializing":
                continue
            patience = 0.0 if reason in _IN_VAIN else PULL_PATIENCE if reason in _UNPULLED else None
            return Wait(f"{reason}: {waiting.get('message') or ''}".strip(": "), patience)
        if "running" in _state(pod, container):
            return Wait("the repository is being fetched")
    conditions = (pod.get("status") or {}).get("conditions") or []
    held = next((found for found in conditions if found.get("status") == "False" and found.get("message")), None)
    return Wait(str(held["message"]) if held else "its Pod is pending")


class Beginning:
    """What a job's Pod waits for until it begins, and whether that is too long. Moments are seconds of one clock."""

    def __init__(self, now: float, timeout: float):
        self._deadline = now + timeout
        self._timeout = timeout
        self._failing_since: float | None = None
        self.wait = Wait("no Pod was made for it")

    def look(self, pod: Object, now: float) -> None:
        """Take in how the Pod stands at a moment. Of an image that can't be pulled the first reason is kept: the next
        one only says that it is tried again.
        """
        found = waits_for(pod)
        if found.patience is None:
            self._failing_since = None
        elif self._failing_since is None:
            self._failing_since = now
        elif found.patience == self.wait.patience:
            return
        self.wait = found

    def over(self, now: float) -> str | None:
        """Why it is not waited for any longer; None as long as it is."""
        if self._failing_since is not None and self.wait.patience is not None:
            if self.wait.patience == 0:
                return f"can't begin: {self.wait.text}"
            if now - self._failing_since >= self.wait.patience:
                return f"can't begin, tried for {self.wait.patience:g} s: {self.wait.text}"
        return f"did not begin in {self._timeout:g} s: {self.wait.text}" if now > self._deadline else None


def why_ended(pod: Object, container: str) -> str | None:
    """Why a container ended that told no result; None where it runs."""
    ended = _state(pod, container).get("terminated")
    if ended is None and _phase(pod) not in _OVER:
        return None
    status = pod.get("status") or {}
    words = [f"{name}: {found}" for name, found in _reasons(ended or {}, status).items()]
    return f"the job's Pod ended without telling how the job ended: {', '.join(words)}. {describe(pod)}"


def describe(pod: Object) -> str:
    """The command that shows more."""
    return f"kubectl describe pod {pod['metadata']['name']} -n {pod['metadata']['namespace']}"


def _reasons(ended: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "Pod": " ".join(str(status[name]) for name in ("reason", "message") if status.get(name)),
        "container": ended.get("reason") or ("unknown" if not status.get("reason") else ""),
        "exit code": ended.get("exitCode"),
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def _phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase") or "")


def _state(pod: Object, container: str) -> Mapping[str, Any]:
    status = pod.get("status") or {}
    found = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return next((dict(one.get("state") or {}) for one in found if one.get("name") == container), {})
