"""From the tags that a registry lists to what a scan keeps, and how that differs from the last good result. Pure.

What was kept before by the same rule is not tested again: of 100 000 tags mostly none or one is new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.engine.file_tags import checksum_in_order, is_in_order
from tidegate.kinds.common import mapping
from tidegate.scan.exclusion import excluding, kept
from tidegate.scan.trust import Change

LATEST_TAGS = 10
BLOCK = 500


@frozen
class Good:
    """The last good result of an image, as the object's status tells of it: `excluded` is the rule that it kept by."""

    revision: str
    count: int
    latest: tuple[str, ...]
    excluded: tuple[str, ...]

    @classmethod
    def of(cls, status: Mapping[str, Any], repository: str) -> Good | None:
        """None where no scan of this very image (canonical) has been good."""
        last = mapping(status.get("lastScanResult"))
        revision, count = last.get("revision"), last.get("tagCount")
        if status.get("canonicalImageName") != repository or not isinstance(count, int) or revision is None:
            return None
        latest, excluded = last.get("latestTags") or (), status.get("observedExclusionList") or ()
        return cls(str(revision), count, tuple(map(str, latest)), tuple(map(str, excluded)))


@frozen
class Answer:
    """What is kept of an answer: how many tags, the last ten by the alphabet, their checksum and, sorted, the tags
    themselves; None where they are those that are stored. `change` is from the last good result; None where there is
    none to compare with.
    """

    count: int
    latest: tuple[str, ...]
    revision: str
    tags: Sequence[str] | None
    change: Change | None


def answer_of(found: Sequence[str], exclusions: tuple[str, ...], good: Good | None, stored: str | None) -> Answer:
    """Decide from the tags `found`, each of them once. `stored` are the tags of the last good result, sorted and a line
    for each, if they are still there. It takes a while with 100 000 tags: call it in a thread.
    """
    if good is None:
        return _listed(kept(found, exclusions), None)
    if stored is None:
        same_rule = good.excluded == exclusions
        tags = kept(found, exclusions)
        return _listed(tags, Change.counted(good.count, len(tags)) if same_rule or not found else None)
    if good.excluded != exclusions:
        excluded = excluding(exclusions).test()
        tags = kept(found, exclusions)
        missed = [tag for tag in stored.split("\n")[:-1] if not excluded(tag)]
        return _listed(tags, Change.between(missed, tags))
    found, others, lost = differing(found, stored)
    added = kept(others, exclusions)
    change = Change(good.count, lost, len(added))
    if not lost and not added:
        return Answer(good.count, good.latest, good.revision, None, change)
    left_out = set(others).difference(added)
    return _listed([tag for tag in found if tag not in left_out] if left_out else found, change)


def differing(found: Sequence[str], stored: str) -> tuple[Sequence[str], list[str], int]:
    """The tags `found`, sorted; which of them are not among the sorted lines `stored`, and how many of those are not
    found.

    What is the same goes by in blocks, so that neither a list nor a set of 100 000 stored tags is made; and is sorted
    as that is.
    """
    others: list[str] = []
    lost = place = 0
    last = ""
    for start in range(0, len(found), BLOCK):
        block = found[start : start + BLOCK]
        text = "\n".join([*block, ""])
        same = stored.startswith(text, place)
        if last > block[0] or not (same or is_in_order(block)):
            return differing(sorted(found), stored)
        last = block[-1]
        if same:
            place += len(text)
            continue
        for tag in block:
            end = stored.find("\n", place)
            while end >= 0 and stored[place:end] < tag:
                lost, place = lost + 1, end + 1
                end = stored.find("\n", place)
            if end >= 0 and stored[place:end] == tag:
                place = end + 1
            else:
                others.append(tag)
    return found, others, lost + stored.count("\n", place)


def _listed(tags: Sequence[str], change: Change | None) -> Answer:
    return Answer(len(tags), tuple(tags[: -LATEST_TAGS - 1 : -1]), checksum_in_order(tags), tags, change)
