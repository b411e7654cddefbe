"""What is expected of which image, from one scan to the next. In memory: it is found again from what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tidegate.base.frozen import frozen
from tidegate.engine.clock import rfc3339
from tidegate.kinds.conditions import Condition
from tidegate.kinds.image_repository import ImageRepository
from tidegate.kinds.reference import parse_repository
from tidegate.scan.expecting import Signal, Watch, latest, pace, until, watched
from tidegate.scan.signals import Signals

EXPECTING = "Expecting"


@frozen
class Next:
    """When to scan again, in seconds, and what to say of it."""

    delay: float
    conditions: Sequence[Condition] = ()


class Expectations:
    """Decides after each good scan when the next one is due."""

    def __init__(self, signals: Signals):
        self._signals = signals
        self._watches: dict[tuple[str, str], Watch] = {}
        self._hosts: dict[tuple[str, str], str] = {}

    def next_scan(self, spec: ImageRepository, old: str | None, new: str, now: datetime) -> Next:
        """After a scan that found tags of the checksum `new` where the last good one had `old`."""
        name = (spec.key.namespace, spec.key.name)
        signal = latest(self._signals.of(spec.key, spec.image), now)
        if signal is not None:
            self._watches[name] = watch = watched(self._watches.get(name), signal, old, new, now)
            self._hosts[name] = parse_repository(spec.image).registry
            if now < until(signal, watch):
                return self._expecting(spec, signal, until(signal, watch), now)
        else:
            self._watches.pop(name, None)
        self._hosts.pop(name, None)
        return Next(spec.interval_seconds)

    def _expecting(self, spec: ImageRepository, signal: Signal, end: datetime, now: datetime) -> Next:
        host = parse_repository(spec.image).registry
        expected = sum(other == host for other in self._hosts.values())
        delay = pace((now - signal.since).total_seconds(), spec.interval_seconds, expected)
        message = (
            f"a tag is expected until {rfc3339(end)}, and looked for more often than each interval: {signal.words}"
        )
        return Next(delay, [Condition(EXPECTING, "True", signal.reason, message)])
