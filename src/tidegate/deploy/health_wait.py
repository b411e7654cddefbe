"""Waiting until what was applied is healthy, as Flux does it: told while it lasts, and ended early by what is new."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence

from tidegate.base.errors import NotFound, TidegateError
from tidegate.base.frozen import frozen
from tidegate.engine.outcome import Context
from tidegate.engine.ports import Workloads
from tidegate.kinds import duration
from tidegate.kinds.conditions import READY, RECONCILING, Condition
from tidegate.kinds.health import Health, State, health
from tidegate.kinds.objects import Object, ObjectKey
from tidegate.kinds.pods import troubles

HEALTHY = "Healthy"
POLL = 0.2
POLL_EACH = 0.02
"""Seconds between polls: at least POLL, and longer where many objects are asked for each time."""
LOOK_ROUND = 1.0
"""Seconds between looks at what a wait depends on besides the objects themselves: their pods, and what is new."""


_Missing = dict[ObjectKey, tuple[Object, Health]]


class HealthCheckFailed(TidegateError):
    """Something that was applied has failed, or did not become healthy in time."""

    code = "HealthCheckFailed"


@frozen
class Checks:
    """What is to become healthy: of which revision, and within how many seconds."""

    keys: Sequence[ObjectKey]
    revision: str
    timeout: float


class HealthWait:
    """One wait. `tell` gets the conditions to show while it lasts; `superseded` says whether something newer is there,
    for which it ends without a word.
    """

    def __init__(
        self,
        checks: Checks,
        workloads: Workloads,
        ctx: Context,
        *,
        tell: Callable[[Sequence[Condition]], Awaitable[None]],
        superseded: Callable[[], Awaitable[bool]],
    ):
        self._checks = checks
        self._workloads = workloads
        self._ctx = ctx
        self._tell = tell
        self._superseded = superseded
        self._left = list(checks.keys)
        self._pods: list[Object] = []
        self._told: Sequence[Condition] = ()

    async def run(self) -> bool:
        """Wait until all are healthy: True. False where something newer is there; HealthCheckFailed names what failed
        and why, and the revision that it belongs to.
        """
        clock = self._ctx.clock
        began = next_look = clock.monotonic()
        while True:
            missing = await self._missing()
            if not missing:
                return True
            failed = {key: found for key, found in missing.items() if found[1].state is State.FAILED}
            late = clock.monotonic() - began >= self._checks.timeout
            if failed or late or clock.monotonic() >= next_look:
                next_look = clock.monotonic() + LOOK_ROUND
                if await self._superseded():
                    return False
                await self._look_at_pods(missing)
                if failed or late:
                    raise self._failure(failed or missing, in_time=not late)
                await self._show(missing)
            await clock.sleep(max(POLL, POLL_EACH * len(missing)))

    async def _missing(self) -> _Missing:
        """What is not healthy yet; what once was is not asked for again."""
        found: _Missing = {}
        for key in self._left:
            try:
                obj = await self._workloads.get(key)
            except NotFound:
                found[key] = ({}, Health(State.IN_PROGRESS, "it is not there"))
                continue
            if (one := health(obj)).state is not State.CURRENT:
                found[key] = (obj, one)
        self._left = list(found)
        return found

    async def _look_at_pods(self, missing: _Missing) -> None:
        namespaces = sorted({key.namespace for key, (obj, _) in missing.items() if obj and key.kind == "Deployment"})
        self._pods = []
        for name in namespaces:
            with contextlib.suppress(TidegateError):  # they only explain: a wait does not fail for want of a right
                self._pods += await self._workloads.pods(name)

    def _words(self, missing: _Missing) -> str:
        return "; ".join(self._of(key, obj, found) for key, (obj, found) in missing.items())

    def _of(self, key: ObjectKey, obj: Object, found: Health) -> str:
        why = troubles(obj, self._pods) if obj and key.kind == "Deployment" else ""
        parts = [str(key), str(found.state), found.message, why if why not in found.message else ""]
        return ": ".join(part for part in parts if part)

    def _failure(self, missing: _Missing, *, in_time: bool) -> HealthCheckFailed:
        late = "" if in_time else f" within {self._timeout()}"
        message = f"health check of revision {self._checks.revision} failed{late}: {self._words(missing)}"
        key, (obj, _) = next(iter(missing.items()))
        remedy = None
        if obj and key.kind == "Deployment":
            where = f"-n {key.namespace} deployment/{key.name}"
            remedy = f"look at its log: kubectl logs {where}; push what mends it, and it is applied at once"
        return HealthCheckFailed(message, remedy=remedy)

    def _timeout(self) -> str:
        return duration.render(round(self._checks.timeout * 1e9))

    async def _show(self, missing: _Missing) -> None:
        """Flux's sentence, and in the condition Healthy what is waited for."""
        message = f"Running health checks for revision {self._checks.revision} with a timeout of {self._timeout()}"
        conditions = [
            Condition(RECONCILING, "True", "Progressing", message),
            Condition(READY, "Unknown", "Progressing", message),
            Condition(HEALTHY, "Unknown", "Progressing", f"waits for {self._words(missing)}"),
        ]
        if conditions != self._told:
            self._told = conditions
            await self._tell(conditions)
