"""From the API's answers to our errors: metav1.Status, its reasons and causes. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.base.errors import (
    AlreadyExists,
    Conflict,
    Denied,
    InvalidInput,
    LimitExceeded,
    NotFound,
    RateLimited,
    TidegateError,
    Unavailable,
    Where,
)
from tidegate.engine.merge_apply import ApplyConflict, FieldConflict

EXPIRED = "Expired"
IMMUTABLE = "Immutable"
TERMINATING = "NamespaceTerminating"
NO_RESOURCE = "NoSuchResource"
DEFAULT_WAIT = 1.0
MESSAGE_LIMIT = 4096
_ERRORS: dict[int, type[TidegateError]] = {
    400: InvalidInput,
    401: Denied,
    403: Denied,
    404: NotFound,
    405: InvalidInput,
    406: InvalidInput,
    409: Conflict,
    410: Conflict,
    413: LimitExceeded,
    415: InvalidInput,
    422: InvalidInput,
}
_MANAGER = re.compile(r'conflict with ("[^"]*".*)')
# The API has no reason of its own for it: these are the words of its validations.
_FIXED = re.compile(
    r"is immutable|immutable field|may not change once set|cannot change roleRef"
    r"|updates may not change fields other than"
    r"|updates to .{1,80} spec for fields other than|updates to \w{1,40} are forbidden"
)
"""How Kubernetes' kinds, and the rules of others' definitions, say that a field can't change."""


def failure(code: int, body: bytes, retry_after: str | None = None) -> TidegateError:
    """The error that an answer with a status of 400 or more tells, in the server's own words."""
    return error_of(_status(code, body), seconds_of(retry_after))


def error_of(status: Mapping[str, Any], retry_after: float | None = None) -> TidegateError:
    """The error that a metav1.Status tells."""
    code = status["code"] if isinstance(status.get("code"), int) else 500
    message, reason = str(status.get("message") or f"status {code}")[:MESSAGE_LIMIT], str(status.get("reason") or "")
    causes = _causes(status)
    if reason == "AlreadyExists":
        return AlreadyExists(message)
    if code == 410:
        return Conflict(message, code=EXPIRED, remedy="list again")
    if code == 409 and (conflicts := _field_conflicts(causes)):
        return ApplyConflict(conflicts)
    if code == 429:
        return RateLimited(message, retry_after=_wait(status, retry_after))
    if code == 403 and any(cause.get("reason") == TERMINATING for cause in causes):
        return Conflict(message, code=TERMINATING, remedy="wait until the namespace is gone, then try again")
    where = _where(causes)
    if code == 422:
        return InvalidInput(message, where=where, code=IMMUTABLE if _FIXED.search(message) else None)
    if code == 404:
        named = isinstance(status.get("details"), Mapping) and status["details"].get("name")
        return NotFound(message, code=None if named else NO_RESOURCE)
    return _ERRORS.get(code, Unavailable)(message)


def seconds_of(header: str | None) -> float | None:
    """A Retry-After header in seconds; None where there is none. The API writes seconds, never a date."""
    text = (header or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _status(code: int, body: bytes) -> dict[str, Any]:
    try:
        status = json.loads(body)
    except (ValueError, RecursionError):
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return status | {"code": code}
    text = body[:200].decode("utf-8", "replace").strip()
    return {"code": code, "message": f"the server answered with {code}{': ' if text else ''}{text}"}


def _causes(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    details = status.get("details")
    listed = details.get("causes") if isinstance(details, Mapping) else None
    return [cause for cause in listed or [] if isinstance(cause, Mapping)]


def _field_conflicts(causes: Sequence[Mapping[str, Any]]) -> list[FieldConflict]:
    found = []
    for cause in causes:
        match = _MANAGER.match(str(cause.get("message") or ""))
        if cause.get("reason") == "FieldManagerConflict" and match:
            operation = "Update" if " using " in match[1] else "Apply"
            found.append(FieldConflict(match[1], str(cause.get("field") or ""), operation))
    return found


def manager_named(described: str) -> str:
    """The plain name of a manager as the API spells it in a conflict: `"flux" with subresource "status" using v1`."""
    return described.split('"')[1] if described.count('"') > 1 else described


def _where(causes: Sequence[Mapping[str, Any]]) -> Where | None:
    field = next((str(cause["field"]) for cause in causes if cause.get("field")), None)
    return Where(field=field) if field and field != "<nil>" else None


def _wait(status: Mapping[str, Any], retry_after: float | None) -> float:
    if retry_after is not None:
        return retry_after
    details = status.get("details")
    told = details.get("retryAfterSeconds") if isinstance(details, Mapping) else None
    return float(told) if isinstance(told, int) and told > 0 else DEFAULT_WAIT
