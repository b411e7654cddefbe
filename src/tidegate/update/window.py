"""When an automation may push: `Mon-Fri 08:00-18:00 Europe/Sarajevo`. Pure.

What counts is what a clock on a wall of that zone shows. So where clocks are put forward, a time that is skipped opens
nothing, and where they are put back, a time that comes twice is open twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.base.zones import zone_named

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(7))
MIDNIGHT = 24 * 60
LONGEST = 500
AHEAD = timedelta(days=15)
"""A window that is open at all is open within a week, or, where daylight saving skips its only time, within two."""
_TIMES = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])-(?:([01]?[0-9]|2[0-3]):([0-5][0-9])|(24):00)")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]*(?:/[A-Za-z0-9_+\-]+)*", re.ASCII)
EXAMPLE = (
    'write days, times and a time zone, as "Mon-Fri 08:00-18:00 Europe/Sarajevo", several with commas between them'
)


@frozen
class Range:
    """Days of the week (Monday is 0), and from when up to when on each, in minutes after midnight. Where `end` is not
    after `start`, it is on the day after.
    """

    days: frozenset[int]
    start: int = 0
    end: int = MIDNIGHT

    def has(self, day: int, minute: int) -> bool:
        """Whether a moment of the week is in it."""
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        return (day in self.days and minute >= self.start) or ((day - 1) % 7 in self.days and minute < self.end)


@frozen
class Window:
    """Ranges of one zone."""

    ranges: tuple[Range, ...]
    zone: tzinfo

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read `[DAYS] [HH:MM-HH:MM], … [ZONE]`; InvalidInput says which part is wrong.

        A part without days has those of the part before it, or is of every day. A part without times has those of the
        part after it, or the whole day. The zone is an IANA name, UTC where there is none.
        """
        if len(text) > LONGEST:
            raise InvalidInput(f"it is longer than {LONGEST} characters", remedy=EXAMPLE)
        parts = [part.split() for part in text.split(",")]
        zone = parts[-1].pop() if parts[-1] and _is_zone(parts[-1][-1]) else "UTC"
        if not all(parts):
            raise InvalidInput("between two commas stands nothing" if any(parts) else "it has no range", remedy=EXAMPLE)
        return cls(tuple(_ranges(parts)), zone_named(zone))

    def is_open(self, moment: datetime) -> bool:
        """Whether one may push at a moment, which has a zone of its own."""
        there = moment.astimezone(self.zone)
        return any(one.has(there.weekday(), there.hour * 60 + there.minute) for one in self.ranges)

    def opens(self, moment: datetime) -> datetime | None:
        """The first moment from this one on at which it is open, in its zone; None where daylight saving skips it."""
        if self.is_open(moment):
            return moment.astimezone(self.zone)
        found = sorted(one for one in self._starts(moment) if one > moment and self.is_open(one))
        return found[0].astimezone(self.zone) if found else None

    def _starts(self, moment: datetime) -> Iterator[datetime]:
        """Every moment within AHEAD at which it may open: where a range starts, and where the clocks are changed."""
        midnight = moment.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        for days in range(AHEAD.days + 1):
            day = midnight + timedelta(days=days)
            for minute in {one.start for one in self.ranges} | {0}:
                for fold in (0, 1):  # a time that comes twice
                    there = (day + timedelta(minutes=minute)).replace(tzinfo=self.zone, fold=fold)
                    yield there.astimezone(UTC)
        yield from self._changes(moment.astimezone(UTC))

    def _changes(self, moment: datetime) -> Iterator[datetime]:
        """The moments within AHEAD at which the zone's clocks are put forward or back, to the second."""
        for days in range(AHEAD.days):
            before, after = moment + timedelta(days=days), moment + timedelta(days=days + 1)
            if self._offset(before) == (changed := self._offset(after)):
                continue
            while after - before > timedelta(seconds=1):
                middle = before + (after - before) / 2
                if self._offset(middle) == changed:
                    after = middle
                else:
                    before = middle
            yield after.replace(microsecond=0)

    def _offset(self, moment: datetime) -> timedelta | None:
        return moment.astimezone(self.zone).utcoffset()


def _is_zone(word: str) -> bool:
    """Whether a word stands where a zone may, and is not itself a day, or days."""
    return _ZONE.fullmatch(word) is not None and not any(_day(part) is not None for part in word.split("-"))


def _ranges(parts: list[list[str]]) -> Iterator[Range]:
    days, waiting = EVERY_DAY, frozenset[int]()
    for words in parts:
        *before, last = words
        times = _TIMES.fullmatch(last)
        named = before if times else words
        if len(named) > 1:
            raise InvalidInput(f"{' '.join(words)[:100]!r} is not days, then times", remedy=EXAMPLE)
        if named:
            days = waiting | _days(named[0])
        if times is None:
            waiting = days
            continue
        waiting = frozenset()
        start, end = int(times[1]) * 60 + int(times[2]), int(times[3] or times[5]) * 60 + int(times[4] or 0)
        if start == end:
            raise InvalidInput(f"{last!r} has no length", remedy="write 00:00-24:00 for the whole day")
        yield Range(days, start, end)
    if waiting:
        yield Range(waiting)


def _days(word: str) -> frozenset[int]:
    first, dash, last = word.partition("-")
    start, end = _day(first), _day(last) if dash else _day(first)
    if start is None or end is None:
        raise InvalidInput(f"{word[:100]!r} is neither days nor times", remedy=EXAMPLE)
    return frozenset((start + step) % 7 for step in range((end - start) % 7 + 1))


def _day(word: str) -> int | None:
    """`Mon`, `monday` → 0; None where it is no day."""
    short = word[:3].lower()
    if short not in DAYS:
        return None
    whole = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")[DAYS.index(short)]
    return DAYS.index(short) if word.lower() in (short, whole) else None
