"""When an update has had its time, and how an automation's status tells of that. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from tidegate.base.frozen import frozen
from tidegate.engine.clock import rfc3339
from tidegate.kinds import duration
from tidegate.kinds.common import mapping
from tidegate.kinds.conditions import Condition, find
from tidegate.kinds.objects import Object
from tidegate.kinds.rolled_back import RolledBack

ROLLED_OUT, ROLLED_BACK = "RolledOut", "RolledBack"
OWN_BRANCH = "OwnBranch"
"""The reason where nothing can be taken back, since commits go to a branch of the automation's own."""
LATE = timedelta(hours=1)
"""So long after its time an update is still taken back where nothing says that it was watched until then: a workload
that has run well for weeks is not given up for an update of long ago.
"""
GIVEN_UP = timedelta(days=1)
"""After so long an update that nothing has applied is no longer waited for."""
LEAST_LOOK, MOST_LOOK = 5.0, 60.0


@frozen
class Look:
    """What looking at the last updates came to: conditions to show, and in how many seconds to look again."""

    conditions: tuple[Condition, ...] = ()
    again: float | None = None

    def beside(self, other: Look) -> Look:
        """Both, and the sooner of their times."""
        times = [one for one in (self.again, other.again) if one is not None]
        return Look((*self.conditions, *other.conditions), min(times, default=None))

    def after_push(self, commit: str, after: float, now: datetime) -> Look:
        """The same with a new commit, which is watched from now on."""
        if any(one.reason == OWN_BRANCH for one in self.conditions):
            return self
        others = tuple(one for one in self.conditions if one.type != ROLLED_OUT)
        return Look((watching(commit, after, (), ()), *others), next_look(after, now, ()))


def is_settled(obj: Object, commit: str) -> bool:
    """Whether the status says that the automation's last commit has been looked at to the end."""
    told = _told(obj)
    return told.get("status") == "True" and commit in str(told.get("message"))


def was_watched(obj: Object) -> bool:
    """Whether the status says that an update was still being watched."""
    return _told(obj).get("status") == "Unknown"


def too_late(obj: Object, due: datetime, now: datetime) -> bool:
    """Whether nobody can say any more how the workload was at its time."""
    return now - due > LATE and not was_watched(obj)


def settled(commit: str) -> Condition:
    """The condition of an update that has had its time."""
    return Condition(ROLLED_OUT, "True", "Succeeded", f"commit {commit} has had its time, and stays")


def watching(commit: str, after: float, waits: Sequence[tuple[str, datetime]], notes: Sequence[str]) -> Condition:
    """The condition while workloads (what they are called, until when) have time to become ready."""
    if waits:
        named = ", ".join(f"{name} is ready by {rfc3339(due)}" for name, due in sorted(waits)[:3])
        more = f" and {len(waits) - 3} more are" if len(waits) > 3 else ""
        message = f"commit {commit}: what it set is taken back unless {named}{more}"
    else:
        given = duration.render(round(after * 1e9))
        message = f"commit {commit}: what it set has {given} to become ready, from when it is applied"
    return Condition(ROLLED_OUT, "Unknown", "Watching", "; ".join((message, *notes)))


def holds_condition(holds: Mapping[str, RolledBack]) -> tuple[Condition, ...]:
    """What was taken back and stays so, by policy."""
    words = [f"{policy}: {held.words()}" for policy, held in sorted(holds.items())]
    return (Condition(ROLLED_BACK, "True", "NotReadyInTime", "; ".join(words)),) if words else ()


def next_look(after: float, now: datetime, dues: Sequence[datetime]) -> float:
    """Seconds until the next look: when a time is over, and meanwhile now and then: nobody tells of everything."""
    regular = min(max(after / 10, LEAST_LOOK), MOST_LOOK)
    return max(1.0, min([regular, *((due - now).total_seconds() for due in dues)]))


def _told(obj: Object) -> Mapping[str, object]:
    return find(mapping(obj.get("status")).get("conditions") or [], ROLLED_OUT) or {}
