"""What an ImageRepository says where the registry gave no list: Flux's words, or until when it is held back. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from tidegate.base.errors import RateLimited, TidegateError
from tidegate.engine.clock import rfc3339
from tidegate.engine.outcome import Outcome, Ready, Waiting
from tidegate.kinds.conditions import READY, Condition, find
from tidegate.kinds.objects import Object

RATE_LIMITED = "RateLimited"
_LEAST_WAIT = 1.0


def scan_failed(error: TidegateError) -> TidegateError:
    """`error` as Flux reports what a registry did: `scan failed: …`, for the reason ReadOperationFailed. One that has a
    reason of its own keeps it.
    """
    if error.code != type(error).code:
        return error
    error.message, error.code = f"scan failed: {error.message}", "ReadOperationFailed"
    return error


def held_back(obj: Object, image: str, error: RateLimited, now: datetime) -> Outcome:
    """The outcome where the registry wants no request yet: no failure, and no event. An object whose result for `image`
    (its canonical name) still holds stays Ready, and the condition RateLimited says until when nothing newer comes.
    """
    wait = max(error.retry_after, _LEAST_WAIT)
    until = rfc3339(now + timedelta(seconds=wait))
    message = f"no scan before {until}: {error.explain()}"
    status = obj.get("status") or {}
    ready = find(status.get("conditions") or [], READY) or {}
    current = status.get("observedGeneration") == obj["metadata"].get("generation")
    if ready.get("status") == "True" and current and status.get("canonicalImageName") == image:
        held = Condition(RATE_LIMITED, "True", RATE_LIMITED, message)
        return Ready(str(ready.get("message", "")), str(ready.get("reason", "")), conditions=[held], requeue_after=wait)
    return Waiting(message, RATE_LIMITED, requeue_after=wait)
