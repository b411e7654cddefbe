"""Errors as GitHub tells them: an HTTP status, and JSON with `message` and `documentation_url`. Pure."""

from __future__ import annotations

from typing import Any

from tidegate.base.errors import (
    Conflict,
    Denied,
    InvalidInput,
    LimitExceeded,
    NotFound,
    RateLimited,
    TidegateError,
    Unavailable,
)

DOCUMENTATION = "https://docs.github.com/rest/actions"


class BadCredentials(Denied):
    """A credential is missing, or is not valid: 401."""


class Unprocessable(InvalidInput):
    """The request can be read, but not be done as it stands: 422."""


_STATUSES: tuple[tuple[type[TidegateError], int], ...] = (
    (BadCredentials, 401),
    (Denied, 403),
    (Unprocessable, 422),
    (InvalidInput, 400),
    (NotFound, 404),
    (Conflict, 409),
    (LimitExceeded, 413),
    (RateLimited, 429),
    (Unavailable, 503),
)


def failure(error: TidegateError) -> tuple[int, dict[str, Any]]:
    """The status and the body of an error. What to do next stands in the message: clients show nothing else."""
    status = next((code for kind, code in _STATUSES if isinstance(error, kind)), 500)
    message = f"{error} ({error.remedy})" if error.remedy else str(error)
    return status, {"message": message, "documentation_url": DOCUMENTATION, "status": str(status)}
