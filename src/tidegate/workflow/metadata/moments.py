"""Formats times as moment.js 2 does in English: the tokens of its `format`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, timezone

_TOKEN = re.compile(
    r"\[[^\[]*?\]|\\.|[Hh]mm(?:ss)?|Mo|MM?M?M?|Do|DDDo|DD?D?D?|ddd?d?|do?|w[ow]?|W[oW]?|Qo?|N{1,5}|YYYYYY|YYYYY|YYYY|YY|Y"
    r"|gg(?:ggg?)?|GG(?:GGG?)?|e|E|a|A|hh?|HH?|kk?|mm?|ss?|S{1,9}|x|X|zz?|ZZ?|.",
    re.DOTALL,
)
_LONG_TOKEN = re.compile(r"\[[^\[]*?\]|\\.|LTS|LT|LL?L?L?|l{1,4}")
_LONG = {
    "LTS": "h:mm:ss A", "LT": "h:mm A", "L": "MM/DD/YYYY", "LL": "MMMM D, YYYY", "LLL": "MMMM D, YYYY h:mm A",
    "LLLL": "dddd, MMMM D, YYYY h:mm A", "l": "M/D/YYYY", "ll": "MMM D, YYYY", "lll": "MMM D, YYYY h:mm A",
    "llll": "ddd, MMM D, YYYY h:mm A",
}  # fmt: skip
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def moment_format(time: datetime, pattern: str) -> str:
    """The time (which has a zone) in a pattern such as `YYYYMMDD-HHmmss`; unknown letters stay as they are."""
    spelt_out = _LONG_TOKEN.sub(lambda found: _LONG.get(found[0], found[0]), pattern)
    return _TOKEN.sub(lambda found: _token(time, found[0]), spelt_out)


def _token(time: datetime, token: str) -> str:
    if token.startswith("[") and len(token) > 1:
        return token[1:-1]
    if token.startswith("\\") and len(token) > 1:
        return token[1:]
    if token[0] == "S" and set(token) == {"S"}:
        return f"{time.microsecond // 1000:03}000000"[: len(token)]
    if token.endswith("o") and token[:-1] in _FORMATS:
        return _ordinal(int(_FORMATS[token[:-1]](time)))
    return _FORMATS[token](time) if token in _FORMATS else token


def _ordinal(number: int) -> str:
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _weekday(time: datetime) -> int:
    return time.isoweekday() % 7


def _week(time: datetime) -> tuple[int, int]:
    """Year and week in English: weeks begin on Sunday, and the first one holds the first of January."""
    day = time.date()
    year = (day + timedelta(days=6 - _weekday(time))).year
    first = date(year, 1, 1)
    start = first - timedelta(days=first.isoweekday() % 7)
    return year, (day - start).days // 7 + 1


def _offset(time: datetime, separator: str) -> str:
    minutes = (time.utcoffset() or timedelta(0)) // timedelta(minutes=1)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{separator}{abs(minutes) % 60:02}"


def _abbreviation(time: datetime) -> str:
    return "UTC" if time.tzinfo is None or time.tzinfo == timezone.utc else time.tzname() or ""  # noqa: UP017


def _hour12(time: datetime) -> int:
    return time.hour % 12 or 12


_FORMATS: Mapping[str, Callable[[datetime], str]] = {
    "M": lambda t: str(t.month),
    "MM": lambda t: f"{t.month:02}",
    "MMM": lambda t: _MONTHS[t.month - 1][:3],
    "MMMM": lambda t: _MONTHS[t.month - 1],
    "Q": lambda t: str((t.month + 2) // 3),
    "D": lambda t: str(t.day),
    "DD": lambda t: f"{t.day:02}",
    "DDD": lambda t: str(t.timetuple().tm_yday),
    "DDDD": lambda t: f"{t.timetuple().tm_yday:03}",
    "d": lambda t: str(_weekday(t)),
    "dd": lambda t: _DAYS[_weekday(t)][:2],
    "ddd": lambda t: _DAYS[_weekday(t)][:3],
    "dddd": lambda t: _DAYS[_weekday(t)],
    "e": lambda t: str(_weekday(t)),
    "E": lambda t: str(t.isoweekday()),
    "w": lambda t: str(_week(t)[1]),
    "ww": lambda t: f"{_week(t)[1]:02}",
    "W": lambda t: str(t.isocalendar().week),
    "WW": lambda t: f"{t.isocalendar().week:02}",
    "Y": lambda t: str(t.year),
    "YY": lambda t: f"{t.year % 100:02}",
    "YYYY": lambda t: f"{t.year:04}",
    "YYYYY": lambda t: f"{t.year:05}",
    "YYYYYY": lambda t: f"+{t.year:06}",
    "N": lambda t: "AD",
    "NN": lambda t: "AD",
    "NNN": lambda t: "AD",
    "NNNN": lambda t: "Anno Domini",
    "NNNNN": lambda t: "AD",
    "gg": lambda t: f"{_week(t)[0] % 100:02}",
    "gggg": lambda t: f"{_week(t)[0]:04}",
    "ggggg": lambda t: f"{_week(t)[0]:05}",
    "GG": lambda t: f"{t.isocalendar().year % 100:02}",
    "GGGG": lambda t: f"{t.isocalendar().year:04}",
    "GGGGG": lambda t: f"{t.isocalendar().year:05}",
    "A": lambda t: "AM" if t.hour < 12 else "PM",
    "a": lambda t: "am" if t.hour < 12 else "pm",
    "H": lambda t: str(t.hour),
    "HH": lambda t: f"{t.hour:02}",
    "h": lambda t: str(_hour12(t)),
    "hh": lambda t: f"{_hour12(t):02}",
    "k": lambda t: str(t.hour or 24),
    "kk": lambda t: f"{t.hour or 24:02}",
    "hmm": lambda t: f"{_hour12(t)}{t.minute:02}",
    "hmmss": lambda t: f"{_hour12(t)}{t.minute:02}{t.second:02}",
    "Hmm": lambda t: f"{t.hour}{t.minute:02}",
    "Hmmss": lambda t: f"{t.hour}{t.minute:02}{t.second:02}",
    "m": lambda t: str(t.minute),
    "mm": lambda t: f"{t.minute:02}",
    "s": lambda t: str(t.second),
    "ss": lambda t: f"{t.second:02}",
    "Z": lambda t: _offset(t, ":"),
    "ZZ": lambda t: _offset(t, ""),
    "z": _abbreviation,
    "zz": _abbreviation,
    "X": lambda t: str(int(t.timestamp())),
    "x": lambda t: str(int(t.replace(microsecond=0).timestamp()) * 1000 + t.microsecond // 1000),
}
