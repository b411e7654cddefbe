"""Which conflicts pass by reading again, and the repetition of what reads, decides and writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tidegate.base.errors import AlreadyExists, Conflict
from tidegate.engine.clock import Clock
from tidegate.engine.merge_apply import ApplyConflict
from tidegate.kube.answers import EXPIRED, TERMINATING

ATTEMPTS = 5
PAUSE = 0.05
T = TypeVar("T")


class StaleUid(Conflict):
    """The object was deleted, and another one has its name."""


async def again(clock: Clock, write: Callable[[], Awaitable[T]]) -> T:
    """Do it again while somebody else is always first; bounded."""
    for attempt in range(1, ATTEMPTS):
        try:
            return await write()
        except Conflict as error:
            if not _passes(error):
                raise
            await clock.sleep(PAUSE * attempt)
    return await write()


def _passes(error: Conflict) -> bool:
    """Whether a conflict is one of versions."""
    return not isinstance(error, (AlreadyExists, ApplyConflict, StaleUid)) and error.code not in (EXPIRED, TERMINATING)
