"""When a new tag is expected, and how often to look for it. Pure.

Where no event can reach us, a commit that was seen or a run that was started tells that a tag is about to come: the
image is scanned every 5 s at first, then ever more slowly, and never more slowly than at its interval.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from tidegate.base.frozen import frozen

LONGEST = timedelta(minutes=15)
"""As long after its signal is a tag expected."""
SETTLING = timedelta(seconds=30)
"""As long is looked on after a tag has come: a build often sets several, one after the other."""
FIRST_DELAY = 5.0
BACKING_OFF = 12.0
"""After a minute the delay is a twelfth of the time since the signal, so that it doubles as that does."""
EACH = 1.0
"""Seconds for each image of a host that is expected: so many requests reach a registry, however many images wait."""


@frozen
class Signal:
    """Why a tag is expected: `cause` stays the same while what it is about goes on, `since` is its last moment."""

    cause: str
    reason: str
    words: str
    since: datetime


@frozen
class Watch:
    """What was seen since a cause was first met: the tags' checksum then, and when they changed."""

    cause: str
    revision: str
    arrived: datetime | None = None


def latest(signals: Iterable[Signal], now: datetime) -> Signal | None:
    """The signal that counts; None where none is young enough."""
    young = [signal for signal in signals if now - signal.since < LONGEST]
    return max(young, key=lambda signal: (signal.since, signal.cause), default=None)


def watched(before: Watch | None, signal: Signal, old: str | None, new: str, now: datetime) -> Watch:
    """What to remember after a scan that found tags of the checksum `new` where the last one had `old`; the first scan
    of all has none, and brings what was there before the signal.
    """
    watch = before if before is not None and before.cause == signal.cause else Watch(signal.cause, old or new)
    if watch.arrived is None and new != watch.revision:
        return Watch(watch.cause, watch.revision, now)
    return watch


def until(signal: Signal, watch: Watch) -> datetime:
    """Until when the tag is expected."""
    end = signal.since + LONGEST
    return end if watch.arrived is None else min(end, max(watch.arrived, signal.since) + SETTLING)


def pace(elapsed: float, interval: float, expected: int) -> float:
    """Seconds until the next scan, `elapsed` seconds after the signal, with `expected` images of the same host."""
    return min(interval, max(FIRST_DELAY, elapsed / BACKING_OFF, expected * EACH))
