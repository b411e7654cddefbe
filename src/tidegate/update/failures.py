"""What kept an automation from its work, by the reason that Flux's condition has for it. Pure."""

from __future__ import annotations

from tidegate.base.errors import Denied, InvalidInput, LimitExceeded, NotFound, RateLimited, TidegateError, Unavailable
from tidegate.engine.outcome import Stalled
from tidegate.update.automation import UPDATE_FAILED

SOURCE_FAILED = "SourceManagerFailed"
GIT_FAILED = "GitOperationFailed"
NEEDS_ANOTHER_SPEC = ("RemovedTemplateField",)
_GENERAL = (Denied, InvalidInput, LimitExceeded, NotFound, Unavailable)


def stalled_or_raised(error: TidegateError, reason: str) -> Stalled:
    """Stalled for what only a change of the spec mends. Raises everything else, since it is tried again: with `reason`
    where it had none but the general one of its class, as an error of the same class. A RateLimited keeps its time.
    """
    if error.code in NEEDS_ANOTHER_SPEC:
        return Stalled(error.code, error.explain())
    if isinstance(error, RateLimited) or not isinstance(error, _GENERAL):
        raise error
    raise error.under(UPDATE_FAILED if isinstance(error, LimitExceeded) else reason) from error
