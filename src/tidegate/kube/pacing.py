"""How fast requests go out, and when one goes out again. Time is the Clock's."""

from __future__ import annotations

import random

from tidegate.base.frozen import frozen
from tidegate.engine.clock import Clock

FIRST_WAIT = 0.1
"""Seconds before the first repetition; doubled each time, and halved at random so that clients don't come together."""
OWN_LONGEST_WAIT = 10.0
REPEATABLE = frozenset({"GET", "PUT", "PATCH"})
"""Methods whose request may have been carried out already and does no harm when it is again. A POST could make a thing
twice, a DELETE could delete what has taken the name since.
"""
_PASSING = frozenset({500, 502, 503, 504})


@frozen
class Limits:
    """Bounds on what is asked of one API server.

    `qps` requests a second, `burst` of them without a pause, `at_once` unanswered: a small server works through more no
    sooner, and what must not wait, the renewal of a Lease, would wait behind them there. Its own priority and fairness
    is heeded (429). At most `attempts` for one request, waiting at most `longest_wait` seconds
    where the server asks for it; `timeout` seconds for an answer, `answer` bytes of it.
    """

    qps: float = 300.0
    burst: int = 600
    at_once: int = 16
    attempts: int = 8
    longest_wait: float = 30.0
    timeout: float = 60.0
    answer: int = 64 * 1024 * 1024


QUICK = Limits(attempts=3)
"""For a command: a server that is not there is told of at once."""


class TokenBucket:
    """Lets `burst` requests through at once and `qps` a second on the whole, first come, first served."""

    def __init__(self, clock: Clock, qps: float, burst: int):
        self._clock = clock
        self._interval = 1.0 / qps
        self._burst = burst
        self._full_at = clock.monotonic()

    async def take(self) -> None:
        """Return when the next request may go."""
        now = self._clock.monotonic()
        self._full_at = max(self._full_at, now) + self._interval
        if (wait := self._full_at - now - self._burst * self._interval) > 0:
            await self._clock.sleep(wait)


@frozen
class Failed:
    """How an attempt went wrong. `status` is 0 where no answer came; `sent` says whether the request can have arrived;
    `retry_after` is what the server asked for, in seconds.
    """

    status: int = 0
    sent: bool = True
    retry_after: float | None = None


def wait_before(attempt: int, failed: Failed, method: str, limits: Limits, chance: random.Random) -> float | None:
    """Seconds to wait before the attempt after `attempt` (from 1); None where there must be none."""
    if attempt >= limits.attempts:
        return None
    refused = failed.status == 429 or (failed.status in _PASSING and failed.retry_after is not None)
    passing = failed.status == 0 or failed.status in _PASSING
    if not refused and failed.sent and not (passing and method in REPEATABLE):
        return None
    asked = failed.retry_after or 0.0
    own = min(OWN_LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(attempt - 1, 16)) * chance.uniform(0.5, 1.0)
    return max(own, asked) if asked <= limits.longest_wait else None
