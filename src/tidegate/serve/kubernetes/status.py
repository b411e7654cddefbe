"""Errors as the Kubernetes API tells them: metav1.Status with the code and reason that its clients act on. Pure."""

from __future__ import annotations

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
)
from tidegate.base.frozen import frozen
from tidegate.engine.merge_apply import ApplyConflict
from tidegate.kinds.fields import InvalidObject
from tidegate.kinds.resources import Resource


class BadRequest(InvalidInput):
    """The request itself can't be read, whatever object it is about."""

    code = "BadRequest"


class Unauthorized(Denied):
    """No credential, or none that is valid."""

    code = "Unauthorized"


class Forbidden(Denied):
    """The credential doesn't reach so far, or nobody's does."""

    code = "Forbidden"


class MethodNotAllowed(InvalidInput):
    """The resource doesn't know that verb."""

    code = "MethodNotAllowed"


class UnsupportedMediaType(InvalidInput):
    """The body is in a form that this door doesn't read."""

    code = "UnsupportedMediaType"


@frozen
class About:
    """What a request was about, as a Status names it."""

    resource: Resource | None = None
    name: str = ""

    @property
    def qualified(self) -> str:
        """`imagepolicies.image.toolkit.fluxcd.io`, or `pods`."""
        if self.resource is None:
            return "the resource"
        return f"{self.resource.plural}.{self.resource.group}" if self.resource.group else self.resource.plural

    def details(self, *, kind: bool = False) -> dict[str, Any]:
        """The details; `kind` for those errors in which clients expect the kind's name, not the plural."""
        if self.resource is None:
            return {}
        name = self.resource.kind if kind else self.resource.plural
        found = {"name": self.name, "group": self.resource.group, "kind": name}
        return {field: value for field, value in found.items() if value}


NOBODY = About()


def failure(error: TidegateError, about: About = NOBODY) -> tuple[int, dict[str, Any]]:
    """The HTTP status and the metav1.Status of an error."""
    for kind, describe in _KINDS:
        if isinstance(error, kind):
            return describe(error, about)
    return _status(500, "InternalError", error.explain(), about.details())


def success(about: About, *, uid: str = "") -> dict[str, Any]:
    """The Status of something that went well and left no object."""
    details = about.details() | ({"uid": uid} if uid else {})
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _status(code: int, reason: str, message: str, details: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": details,
        "code": code,
    }
    return code, {name: value for name, value in status.items() if name != "details" or value}


def _apply_conflict(error: TidegateError, about: About) -> tuple[int, dict[str, Any]]:
    assert isinstance(error, ApplyConflict)
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {conflict.manager}", "field": conflict.field}
        for conflict in error.conflicts
    ]
    return _status(409, "Conflict", error.message, about.details() | {"causes": causes})


def _conflict(error: TidegateError, about: About) -> tuple[int, dict[str, Any]]:
    if error.code == "Expired":
        return _status(410, "Expired", error.message, {})
    if error.code == "NamespaceTerminating":
        details = about.details() | {"causes": [{"reason": "NamespaceTerminating", "message": error.message}]}
        return _status(403, "Forbidden", f'{about.qualified} "{about.name}" is forbidden: {error.message}', details)
    message = f'Operation cannot be fulfilled on {about.qualified} "{about.name}": {error.message}'
    if error.remedy:
        message += f"; {error.remedy}"
    return _status(409, "Conflict", message, about.details())


def _not_found(error: TidegateError, about: About) -> tuple[int, dict[str, Any]]:
    message = f'{about.qualified} "{about.name}" not found' if about.name else error.explain()
    return _status(404, "NotFound", message, about.details())


def _already_exists(_error: TidegateError, about: About) -> tuple[int, dict[str, Any]]:
    return _status(409, "AlreadyExists", f'{about.qualified} "{about.name}" already exists', about.details())


def _invalid(error: TidegateError, about: About) -> tuple[int, dict[str, Any]]:
    causes = _causes(error)
    kind = about.resource.kind if about.resource else "object"
    group = f".{about.resource.group}" if about.resource and about.resource.group else ""
    told = "; ".join(
        f"{cause['field']}: {cause['message']}" if "field" in cause else cause["message"] for cause in causes
    )
    message = f'{kind}{group} "{about.name}" is invalid: {told}'
    return _status(422, "Invalid", message, about.details(kind=True) | {"causes": causes})


def _causes(error: TidegateError) -> list[dict[str, str]]:
    if isinstance(error, InvalidObject):
        return [{"reason": "FieldValueInvalid", "message": why, "field": _dotted(path)} for path, why in error.problems]
    message = f"{error.message} ({error.remedy})" if error.remedy else error.message
    cause = {"reason": "FieldValueInvalid", "message": message}
    return [cause | {"field": error.where.field}] if error.where and error.where.field else [cause]


def _dotted(path: tuple[str | int, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _forbidden(error: TidegateError, about: About) -> tuple[int, dict[str, Any]]:
    subject = f'{about.qualified} "{about.name}"' if about.name else about.qualified
    return _status(403, "Forbidden", f"{subject} is forbidden: {error.explain()}", about.details())


def _plain(code: int, reason: str) -> Any:
    def describe(error: TidegateError, about: About) -> tuple[int, dict[str, Any]]:
        return _status(code, reason, error.explain(), about.details())

    return describe


def _rate_limited(error: TidegateError, about: About) -> tuple[int, dict[str, Any]]:
    assert isinstance(error, RateLimited)
    details = about.details() | {"retryAfterSeconds": max(1, round(error.retry_after))}
    return _status(429, "TooManyRequests", error.explain(), details)


_KINDS = (
    (BadRequest, _plain(400, "BadRequest")),
    (Unauthorized, _plain(401, "Unauthorized")),
    (MethodNotAllowed, _plain(405, "MethodNotAllowed")),
    (UnsupportedMediaType, _plain(415, "UnsupportedMediaType")),
    (Denied, _forbidden),
    (ApplyConflict, _apply_conflict),
    (AlreadyExists, _already_exists),
    (Conflict, _conflict),
    (NotFound, _not_found),
    (InvalidInput, _invalid),
    (LimitExceeded, _plain(413, "RequestEntityTooLarge")),
    (RateLimited, _rate_limited),
    (Unavailable, _plain(503, "ServiceUnavailable")),
)
