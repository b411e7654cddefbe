"""Cron schedules of five fields, as robfig/cron 3 reads them and walks to the next time, daylight saving included.

Nothing here knows the present: whoever asks says after when.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = {name: place for place, name in enumerate(_MONTH_NAMES, 1)}
_DAYS = {name: place for place, name in enumerate(_DAY_NAMES)}
_REMEDY = "write five fields: minute hour day-of-month month day-of-week, such as '30 5 * * 1-5'"
_YEARS_AHEAD = 5
_LARGEST_INTEGER = 2**63 - 1
_LAST_YEAR = 9900
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@frozen
class _Field:
    """A field's values, and whether it was written as `*`."""

    values: frozenset[int]
    star: bool


@frozen
class Cron:
    """A schedule. Days match by both day fields where one is `*`, else by either."""

    minute: _Field
    hour: _Field
    day: _Field
    month: _Field
    weekday: _Field

    def times(self, after: datetime, zone: tzinfo) -> Iterator[datetime]:
        """The times later than `after`, in `zone`; ends where none is found within five years."""
        moment = _Moment.of(after, zone)
        while (following := self._next(moment)) is not None:
            yield following.datetime()
            moment = following

    def _next(self, moment: _Moment) -> _Moment | None:
        """One field after the other, from the month down; a field that wraps around starts over with the month."""
        if not (self.minute.values and self.hour.values and self.month.values):
            return None
        moment = _Moment(moment.seconds + 1, moment.zone)
        limit = min(moment.year + _YEARS_AHEAD, _LAST_YEAR)
        fresh = True
        while moment.year <= limit:
            wrapped, moment, fresh = self._step(moment, fresh)
            if not wrapped:
                return moment
        return None

    def _step(self, moment: _Moment, fresh: bool) -> tuple[bool, _Moment, bool]:
        """Move to the first match of each field; whether one wrapped around. `fresh` until something has moved."""
        while moment.local.month not in self.month.values:
            moment = (moment.at(day=1) if fresh else moment).plus_month()
            fresh = False
            if moment.local.month == 1:
                return True, moment, fresh
        while not self._day_matches(moment.local):
            moment = (moment.at() if fresh else moment).plus_day()
            fresh = False
            if moment.local.day == 1:
                return True, moment, fresh
        while moment.local.hour not in self.hour.values:
            moment = _Moment((moment.at(moment.local.hour) if fresh else moment).seconds + 3600, moment.zone)
            fresh = False
            if moment.local.hour == 0:
                return True, moment, fresh
        while moment.local.minute not in self.minute.values:
            moment = _Moment((moment.whole_minute() if fresh else moment).seconds + 60, moment.zone)
            fresh = False
            if moment.local.minute == 0:
                return True, moment, fresh
        while moment.local.second:
            moment = _Moment(moment.seconds + 1, moment.zone)
            fresh = False
            if moment.local.second == 0:
                return True, moment, fresh
        return False, moment, fresh

    def _day_matches(self, local: datetime) -> bool:
        by_day = local.day in self.day.values
        by_weekday = local.isoweekday() % 7 in self.weekday.values
        return by_day and by_weekday if self.day.star or self.weekday.star else by_day or by_weekday


class _Moment:
    """Seconds since 1970 with their local time, and Go's arithmetic of local times that a clock change skips."""

    __slots__ = ("local", "seconds", "zone")

    def __init__(self, seconds: int, zone: tzinfo):
        self.seconds = seconds
        self.zone = zone
        self.local = (_EPOCH + timedelta(seconds=seconds)).astimezone(zone)

    @classmethod
    def of(cls, time: datetime, zone: tzinfo) -> _Moment:
        return cls((time.astimezone(UTC) - _EPOCH) // timedelta(seconds=1), zone)

    @property
    def year(self) -> int:
        return self.local.year

    def datetime(self) -> datetime:
        return self.local

    def at(self, hour: int = 0, day: int | None = None) -> _Moment:
        """The full hour of this day, or of another day of this month."""
        return self._on(self.local.year, self.local.month, day or self.local.day, hour)

    def whole_minute(self) -> _Moment:
        return _Moment(self.seconds - self.seconds % 60, self.zone)

    def plus_month(self) -> _Moment:
        """A month on, from the first of a month."""
        years, month = divmod(self.local.month, 12)
        return self._clock(self.local.year + years, month + 1, self.local.day, 0)

    def plus_day(self) -> _Moment:
        """A day on; where a clock change moved midnight, back to the day's first hour.

        A day that a zone left out (Apia, 30 December 2011) leads back to the day before, in which robfig/cron stays
        for ever; here it is passed over.
        """
        moment = self._clock(self.local.year, self.local.month, self.local.day, 1)
        if moment.seconds <= self.seconds:
            moment = self._clock(self.local.year, self.local.month, self.local.day, 2)
        hour = moment.local.hour
        if hour > 12:
            return _Moment(moment.seconds + (24 - hour) * 3600, self.zone)
        return _Moment(moment.seconds - hour * 3600, self.zone) if hour else moment

    def _clock(self, year: int, month: int, day: int, more_days: int) -> _Moment:
        clock = self.local
        return self._on(year, month, day, clock.hour, clock.minute, clock.second, more_days)

    def _on(
        self, year: int, month: int, day: int, hour: int, minute: int = 0, second: int = 0, more_days: int = 0
    ) -> _Moment:
        """A local time as Go's time.Date finds it: by the offset in force near it, corrected once."""
        naive = datetime(year, month, 1, hour, minute, second, tzinfo=UTC) + timedelta(days=day - 1 + more_days)
        seconds = (naive - _EPOCH) // timedelta(seconds=1)
        return _Moment(seconds - self._offset(seconds - self._offset(seconds)), self.zone)

    def _offset(self, seconds: int) -> int:
        offset = _Moment(seconds, self.zone).local.utcoffset()
        assert offset is not None
        return int(offset.total_seconds())


def parse_cron(text: str) -> Cron:
    """Read five fields of numbers, names, lists, ranges, steps, `*` and `?`. Raises InvalidInput.

    Neither descriptors (`@daily`) nor a `TZ=` prefix: a schedule names its zone in a field of its own.
    """
    fields = text.split()
    if len(fields) != 5:
        raise InvalidInput(f"the schedule {text!r} has {len(fields)} fields, not five", remedy=_REMEDY)
    minute, hour, day, month, weekday = fields
    return Cron(
        _field(minute, 0, 59, {}),
        _field(hour, 0, 23, {}),
        _field(day, 1, 31, {}),
        _field(month, 1, 12, _MONTHS),
        _field(weekday, 0, 6, _DAYS),
    )


def _field(text: str, low: int, high: int, names: dict[str, int]) -> _Field:
    values: set[int] = set()
    star = False
    for part in filter(None, text.split(",")):
        found, is_star = _range(part, low, high, names)
        values |= found
        star = star or is_star
    return _Field(frozenset(values), star)


def _range(part: str, low: int, high: int, names: dict[str, int]) -> tuple[set[int], bool]:
    span, *steps = part.split("/")
    first, *rest = span.split("-")
    if len(steps) > 1:
        raise _invalid(part, "it has more than one slash")
    if first in ("*", "?"):
        start, end, star = low, high, True
    else:
        if len(rest) > 1:
            raise _invalid(part, "it has more than one hyphen")
        start, star = _number(first, part, names), False
        end = _number(rest[0], part, names) if rest else start
    step = _number(steps[0], part, {}) if steps else 1
    if steps and not rest:
        end = high
    if step == 0:
        raise _invalid(part, "a step must be greater than 0")
    if not low <= start <= end <= high:
        raise _invalid(part, f"its values must go upwards and lie between {low} and {high}")
    return set(range(start, end + 1, step)), star and step == 1


def _number(text: str, part: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 100 or int(digits) > _LARGEST_INTEGER:
        raise _invalid(part, f"{text!r} is no number")
    return int(digits)


def _invalid(part: str, why: str) -> InvalidInput:
    return InvalidInput(f"the schedule's field {part!r} cannot be read: {why}", remedy=_REMEDY)
