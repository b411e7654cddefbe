"""Time zones by their IANA names, and times as people of a zone write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from tidegate.base.errors import InvalidInput


def zone_named(name: str) -> tzinfo:
    """The time zone of an IANA name; empty is UTC, which needs no data of the machine. Raises InvalidInput, which says
    whether it is the name or the machine's data that is wrong.
    """
    if name in ("", "UTC"):
        return UTC
    import zoneinfo  # noqa: PLC0415 - few need it

    unknown = (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError)
    try:
        return zoneinfo.ZoneInfo(name)
    except unknown:
        pass
    try:
        zoneinfo.ZoneInfo("Etc/UTC")
    except unknown:
        raise InvalidInput(
            f"the time zone {name!r} can't be read: this machine has no data of time zones",
            remedy="install it: apt-get install tzdata (or pip install tzdata), or use UTC",
        ) from None
    raise InvalidInput(
        f"the time zone {name!r} is not known on this machine",
        remedy="write a name such as Europe/Berlin; the package tzdata brings them",
    )


def rfc3339(time: datetime) -> str:
    """A time as Go writes RFC 3339: `Z` for an offset of zero, else hours and minutes; whole seconds."""
    offset = time.utcoffset() or timedelta(0)
    minutes = abs(offset) // timedelta(minutes=1)
    zone = f"{'-' if offset < timedelta(0) else '+'}{minutes // 60:02}:{minutes % 60:02}" if minutes else "Z"
    return time.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0") + zone
