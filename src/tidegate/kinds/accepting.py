"""The annotation by which somebody says that what a registry answers is right though it looks like a fault, or that a
policy may go down to a lower tag. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tidegate.kinds.objects import Object, annotation

ACCEPT = "tidegate.dev/accept"
"""Its value is the moment at which that was said (RFC 3339): a moment and not a switch, so that it counts once."""
AHEAD = timedelta(minutes=5)
"""As much may the clock of whoever said it be ahead of ours."""
LIFETIME = timedelta(minutes=15)
"""As long it counts where nothing is there to tell whether it has counted already."""


def accepting(obj: Object, now: datetime) -> str | None:
    """The annotation's value where the answer of this scan, or a lower tag, is to be believed, else None.

    It counts once: its value is then in `status.lastHandledAcceptAt`. Where that field is not kept, as with Flux's own
    definitions, the time of the last good scan tells the same: it is later than the moment. A policy has no such time.
    """
    value = annotation(obj, ACCEPT)
    said, status = moment(value), obj.get("status") or {}
    if said is None or value == status.get("lastHandledAcceptAt"):
        return None
    scanned = moment((status.get("lastScanResult") or {}).get("scanTime"))
    fresh = said.replace(microsecond=0) >= scanned if scanned is not None else now - said < LIFETIME
    return value if fresh and said <= now + AHEAD else None


def misread(obj: Object) -> str:
    """What to add to a message that names the annotation's command, where the annotation is there and is no moment."""
    value = annotation(obj, ACCEPT)
    if value is None or moment(value) is not None:
        return ""
    return f". {ACCEPT} accepts nothing: {str(value)[:40]!r} is no moment, as 2026-01-15T12:00:00Z is"


def acceptance(obj: Object, now: datetime) -> str:
    """The annotation's value that accepts the next answer for `obj`: now, and not before its last good scan, should
    this clock be behind.
    """
    scanned = moment(((obj.get("status") or {}).get("lastScanResult") or {}).get("scanTime"))
    return max(now, scanned or now).astimezone(UTC).isoformat()


def moment(value: object) -> datetime | None:
    """A time as RFC 3339 writes it, with its zone; None where it is none."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
