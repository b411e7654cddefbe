"""Whether a registry's answer is believed: a wrong or empty one must never lead to an update or a downgrade. Pure.

What looks like a fault (no tags any more, more than half of them gone, a selected tag gone and nothing new) keeps the
last good result until three scans in a row agree on it, or until somebody says that it is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.engine.clock import rfc3339
from tidegate.kinds.accepting import moment
from tidegate.kinds.common import mapping

AGREEING = 3
"""As many scans in a row must say the same."""
_TOLD = 5
SPACING = 30.0
"""Seconds, at most half the interval: scans that follow each other faster count as one."""


@frozen
class Change:
    """From the last good result to an answer: how many tags there were, how many of them are gone, how many are new."""

    before: int
    lost: int
    added: int

    @property
    def after(self) -> int:
        """How many tags there are now."""
        return self.before - self.lost + self.added

    @classmethod
    def counted(cls, before: int, after: int) -> Change:
        """The least that has changed where only the numbers are known."""
        return cls(before, max(0, before - after), max(0, after - before))

    @classmethod
    def between(cls, before: Iterable[str], after: Iterable[str]) -> Change:
        """The change between two sorted lists without duplicates; neither is held in memory."""
        count = lost = added = 0
        following = iter(after)
        new = next(following, None)
        for old in before:
            count += 1
            while new is not None and new < old:
                added, new = added + 1, next(following, None)
            if new == old:
                new = next(following, None)
            else:
                lost += 1
        if new is not None:
            added += 1 + sum(1 for _ in following)
        return cls(count, lost, added)


@frozen
class Doubt:
    """An answer that is not believed yet, and how many scans have given it: `status.distrustedScanResult`.

    `first` and `last` are when it was counted for the first and the last time.
    """

    revision: str
    count: int
    scans: int
    first: datetime
    last: datetime

    @classmethod
    def of(cls, status: Mapping[str, Any]) -> Doubt | None:
        """What a status remembers; None where it is nothing that can be used."""
        kept = mapping(status.get("distrustedScanResult"))
        first, last = moment(kept.get("firstScanTime")), moment(kept.get("scanTime"))
        count, scans = kept.get("tagCount"), kept.get("scans")
        if first is None or last is None or not isinstance(count, int) or not isinstance(scans, int):
            return None
        return cls(str(kept.get("revision")), count, scans, first, last)

    def as_json(self) -> dict[str, Any]:
        """As the object's status holds it."""
        return {
            "revision": self.revision,
            "tagCount": self.count,
            "scans": self.scans,
            "firstScanTime": rfc3339(self.first),
            "scanTime": rfc3339(self.last),
        }


@frozen
class Scan:
    """An answer: its checksum and number of tags, when it came, whether somebody asked for this very scan, and the
    interval in seconds.
    """

    revision: str
    count: int
    at: datetime
    asked: bool
    interval: float


def suspicion(change: Change, selected_gone: Sequence[str]) -> str | None:
    """Why an answer looks like a registry's fault, to follow the image's name; None where it does not.

    `selected_gone` are the tags which a policy has selected and which the answer lacks. One that is gone while others
    have come is what a registry that keeps only the newest tags does; alone it would only lead back to an older one.
    """
    fewer = change.after < change.before
    if change.after == 0 and fewer:
        return f"has no tags any more, though it had {change.before}"
    if fewer and change.lost * 2 > change.before:
        tags = "1 tag" if change.after == 1 else f"{change.after} tags"
        return f"has only {tags}, though it had {change.before}: more than half of them are gone"
    if selected_gone and change.added == 0:
        each = list(dict.fromkeys(selected_gone))  # several policies may have selected the same
        rest = f" and {len(each) - _TOLD} more" if len(each) > _TOLD else ""
        return f"has no longer {', '.join(each[:_TOLD])}{rest}, which is selected, and nothing new"
    return None


def doubted(before: Doubt | None, scan: Scan) -> Doubt:
    """What to remember of an answer that is suspicious: the same as before counts once more, another begins anew."""
    if before is None or (before.revision, before.count) != (scan.revision, scan.count):
        return Doubt(scan.revision, scan.count, 1, scan.at, scan.at)
    soon = scan.at - before.last < timedelta(seconds=min(SPACING, scan.interval / 2))
    if soon and not scan.asked:
        return before
    return Doubt(scan.revision, scan.count, before.scans + 1, before.first, scan.at)
