"""How long to wait: after failures exponentially, at intervals with a little jitter. Pure."""

from __future__ import annotations

import random

FIRST_DELAY = 0.75
LONGEST_DELAY = 15 * 60.0
JITTER = 0.05


def retry_delay(failures: int) -> float:
    """Seconds to wait after the `failures`-th failure in a row (from 1): 750 ms, doubling, at most 15 minutes."""
    return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(failures - 1, 32))


def jittered(seconds: float, source: random.Random) -> float:
    """`seconds` ±5 %, so that objects with one interval don't all come at once."""
    return seconds * source.uniform(1 - JITTER, 1 + JITTER)
