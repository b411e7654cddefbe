"""What an ImageRepository says where the registry gave no list: Flux's words, or until when it is held back. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from tidegate.base.errors import Denied, NotFound, RateLimited, TidegateError
from tidegate.engine.clock import rfc3339
from tidegate.engine.outcome import Outcome, Ready, Waiting
from tidegate.kinds.conditions import READY, Condition, find
from tidegate.kinds.image_repository import ImageRepository
from tidegate.kinds.objects import Object
from tidegate.kinds.reference import Repository
from tidegate.oci.credentials import Credentials

RATE_LIMITED = "RateLimited"
_LEAST_WAIT = 10.0
"""Some say that the wait is over while they refuse (`Retry-After: 0`)."""


def scan_failed(error: TidegateError, unfit: str | None = None) -> TidegateError:
    """`error` as Flux reports what a registry did: `scan failed: …`, for the reason ReadOperationFailed. One that has a
    reason of its own keeps it. `unfit` is what is wrong with the logins, told where they may be the cause.
    """
    if error.code != type(error).code:
        return error
    if unfit is not None and isinstance(error, (Denied, NotFound)):
        error.remedy = f"{unfit}; {error.remedy}" if error.remedy else unfit
    error.message, error.code = f"scan failed: {error.message}", "ReadOperationFailed"
    return error


def unfit_logins(spec: ImageRepository, credentials: Credentials, repository: Repository) -> str | None:
    """Says where an object names logins and none of them is for its image: it is then asked for as by anybody."""
    named = {"spec.secretRef": spec.secret_ref, "spec.serviceAccountName": spec.service_account_name}
    fields = " and ".join(field for field, value in named.items() if value is not None)
    if not fields or credentials.for_repository(repository) is not None:
        return None
    return f"no login of {fields} is for {repository}, so none was used"


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
