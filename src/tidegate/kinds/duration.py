"""Durations as Go's time.ParseDuration reads them and Duration.String writes them: the form of every Flux interval."""

from __future__ import annotations

import re

from tidegate.base.errors import InvalidInput

_UNITS = {
    "ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": 1_000_000_000,
    "m": 60_000_000_000, "h": 3_600_000_000_000,
}  # fmt: skip
_TERM = re.compile(r"([0-9]*)(?:(\.)([0-9]*))?([^0-9.]*)", re.ASCII)
_LARGEST = 2**63
LENGTH_LIMIT = 1000
"""Characters; Go has no limit, and no number that it takes needs as many."""


def parse(text: str) -> int:
    """Nanoseconds of a Go duration such as `1h30m` or `-1.5s`. Raises InvalidInput as Go would refuse.

    Follows time.ParseDuration: an optional sign, then decimal numbers each with a unit; `0` alone needs none. The
    fraction is truncated as Go truncates it (float64 scaling of the digits that fit in 63 bits).
    """
    if len(text) > LENGTH_LIMIT:
        raise _invalid(f"{text[:40]}…")
    rest = text[1:] if text[:1] in ("+", "-") else text
    negative = text[:1] == "-"
    if rest == "0":
        return 0
    if not rest:
        raise _invalid(text)
    total = 0
    while rest:
        term = _TERM.match(rest)
        assert term is not None
        whole, point, fraction, unit = term.group(1), term.group(2), term.group(3) or "", term.group(4)
        if not whole and not (point and fraction):
            raise _invalid(text)
        total += _term(text, whole, fraction, unit)
        if total > _LARGEST:
            raise _invalid(text)
        rest = rest[term.end() :]
    if total == _LARGEST and not negative:
        raise _invalid(text)
    return -total if negative else total


def _term(text: str, whole: str, fraction: str, unit: str) -> int:
    if not unit:
        raise InvalidInput(f"duration {text!r} has a number without a unit", remedy="write a unit: 30s, 5m, 1h30m")
    if unit not in _UNITS:
        raise InvalidInput(f"duration {text!r} has an unknown unit {unit!r}", remedy="use ns, us, ms, s, m or h")
    scale = _UNITS[unit]
    value = int(whole or "0")
    if value > _LARGEST // scale:
        raise _invalid(text)
    return value * scale + _fraction(fraction, scale)


def _fraction(digits: str, scale: int) -> int:
    """Go keeps as many digits as fit in 63 bits, and scales by a float."""
    value, power, overflow = 0, 1.0, False
    for digit in digits:
        if overflow:
            continue
        if value > (_LARGEST - 1) // 10 or value * 10 + int(digit) > _LARGEST:
            overflow = True
            continue
        value = value * 10 + int(digit)
        power *= 10
    return int(float(value) * (float(scale) / power)) if value else 0


def _invalid(text: str) -> InvalidInput:
    return InvalidInput(f"{text!r} is no duration", remedy="write a number with a unit: 30s, 5m, 1h30m")


def seconds(text: str) -> float:
    """A duration in seconds."""
    return parse(text) / 1e9


def render(nanoseconds: int) -> str:
    """Go's Duration.String: `1h30m0s`, `1.5s`, `500ms`, `0s`."""
    if nanoseconds == 0:
        return "0s"
    sign, value = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if value < 1_000_000_000:
        unit, scale = next((u, s) for u, s in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)) if value < s * 1000)
        return f"{sign}{_decimal(value, scale)}{unit}"
    minutes, rest = divmod(value, _UNITS["m"])
    hours, minutes = divmod(minutes, 60)
    prefix = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{prefix}{_decimal(rest, 1_000_000_000)}s"


def _decimal(value: int, scale: int) -> str:
    whole, rest = divmod(value, scale)
    if not rest:
        return str(whole)
    return f"{whole}.{str(rest).zfill(len(str(scale)) - 1).rstrip('0')}"
