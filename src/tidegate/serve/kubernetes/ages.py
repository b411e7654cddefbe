"""How long ago, as kubectl prints it: `45s`, `3m20s`, `2d4h`. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

UNKNOWN = "<unknown>"
_DAY = 24


def age(moment: Any, now: datetime) -> str:
    """The time since an RFC 3339 time; `<unknown>` where there is none."""
    if not isinstance(moment, str):
        return UNKNOWN
    try:
        then = datetime.fromisoformat(moment)
        return human((now - then).total_seconds())
    except (ValueError, TypeError):
        return UNKNOWN


def human(seconds: float) -> str:
    """A duration with the precision that Kubernetes' HumanDuration gives it."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    whole = max(whole, 0)
    minutes, hours = whole // 60, whole // 3600
    for limit, unit, parts in (
        (whole < 120, "s", (whole, 0, "")),
        (minutes < 10, "m", (minutes, whole % 60, "s")),
        (minutes < 180, "m", (minutes, 0, "")),
        (hours < 8, "h", (hours, minutes % 60, "m")),
        (hours < 2 * _DAY, "h", (hours, 0, "")),
        (hours < 8 * _DAY, "d", (hours // _DAY, hours % _DAY, "h")),
        (hours < 730 * _DAY, "d", (hours // _DAY, 0, "")),
        (hours < 2920 * _DAY, "y", (hours // _DAY // 365, hours // _DAY % 365, "d")),
    ):
        if limit:
            large, small, small_unit = parts
            return f"{large}{unit}{small}{small_unit}" if small else f"{large}{unit}"
    return f"{hours // _DAY // 365}y"
