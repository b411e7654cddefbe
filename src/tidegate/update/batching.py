"""Whether changes are pushed now or wait: for others to join them, or for a window. Pure.

When the first of them was seen stands in the status, so that a restart begins no wait anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from tidegate.base.frozen import frozen
from tidegate.base.showing import showable
from tidegate.base.zones import rfc3339
from tidegate.engine.status import REQUESTED_AT
from tidegate.kinds import duration
from tidegate.kinds.accepting import moment
from tidegate.kinds.common import mapping
from tidegate.kinds.conditions import Condition, find
from tidegate.kinds.objects import Object, annotation
from tidegate.update.annotations import BATCH, WINDOW
from tidegate.update.edit import Change
from tidegate.update.window import Window

PENDING = "Pending"
"""The type of the condition that says what waits."""
PENDING_SINCE = "pendingSince"
"""The field of the status that says since when something waits."""
SHOWN, VALUE_SHOWN = 10, 300
"""How many changes are named, and how many characters of what stands there now."""


@frozen
class Wait:
    """Changes that wait since a moment, until another one (None: nobody knows), and because of what."""

    changes: Sequence[Change]
    since: datetime
    until: datetime | None
    reason: str
    because: str

    def headline(self) -> str:
        """How many, until when, and why."""
        number = len(self.changes)
        many = f"{number} change{'' if number == 1 else 's'} wait{'s' if number == 1 else ''}"
        return f"{many} until {rfc3339(self.until) if self.until else 'the window opens'} ({self.because})"

    def condition(self) -> Condition:
        """The condition that says which. It turns True with the first change, and so remembers since when."""
        lines = [
            f"{one.path}:{one.line}: {showable(one.old, VALUE_SHOWN)} -> {one.new}, of {one.policy}"
            for one in self.changes[:SHOWN]
        ]
        more = [f"and {len(self.changes) - SHOWN} more"] if len(self.changes) > SHOWN else []
        return Condition(PENDING, "True", self.reason, "\n".join([self.headline(), *lines, *more]))


def wait_for(
    changes: Sequence[Change], obj: Object, now: datetime, *, batch: float, window: Window | None
) -> Wait | None:
    """The wait of an automation's changes; None where they are to be pushed now. `batch` is in seconds.

    Who asks for a reconciliation (`tidegate reconcile`) ends a batch, but opens no window: that one is a rule.
    """
    since = pending_since(obj, now)
    ends = now if is_asked_for(obj) else max(now, since + timedelta(seconds=batch))
    collects = f"{BATCH} or policyChangeDelay: {duration.render(round(batch * 1e9))} from the first change on"
    if window is None:
        return Wait(changes, since, ends, "Batching", collects) if ends > now else None
    opens = window.opens(ends)
    if opens is None or opens > ends:
        return Wait(changes, since, opens, "OutsideWindow", WINDOW)
    return Wait(changes, since, opens, "Batching", collects) if ends > now else None


def pending_since(obj: Object, now: datetime) -> datetime:
    """When the first change that still waits was seen: now, where none does. Where the status could not keep the field,
    as with definitions of another program, the condition's last transition says it.
    """
    status = mapping(obj.get("status"))
    condition = find(status.get("conditions") or [], PENDING) or {}
    since = moment(status.get(PENDING_SINCE)) or moment(condition.get("lastTransitionTime"))
    return min(since, now) if since is not None else now


def is_asked_for(obj: Object) -> bool:
    """Whether somebody asks for this reconciliation."""
    asked = annotation(obj, REQUESTED_AT)
    return bool(asked) and asked != mapping(obj.get("status")).get("lastHandledReconcileAt")
