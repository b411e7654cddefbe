"""What selecting a tag came to: the winner, and for every other tag why it lost. Pure.

Reasons are one byte a tag, not an object: an image may have 100 000 of them. Words, and the order of those that
qualify, are made when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from enum import IntEnum

from tidegate.base.frozen import frozen


class Reason(IntEnum):
    """Why a tag is the winner or not. `REJECTED` is open: what it is, `Decision.rejections` says of each tag."""

    SELECTED = 0
    NO_VERSION = 1
    OUTSIDE = 2
    PRERELEASE = 3
    LOWER = 4
    SAME = 5
    EXCLUDED = 6
    FILTERED = 7
    REPEATED = 8
    REJECTED = 9
    UNASKED = 10
    OVERRULED = 11


QUALIFIED = frozenset({Reason.SELECTED, Reason.LOWER, Reason.SAME})
"""The tags that the policy itself admits, and that nothing else has rejected."""

_COUNTED = {
    Reason.EXCLUDED: ("is excluded", "are excluded"),
    Reason.FILTERED: ("does not match the filter", "do not match the filter"),
    Reason.REPEATED: ("stands for the same as a later one", "stand for the same as a later one"),
    Reason.NO_VERSION: ("is no version", "are no versions"),
    Reason.OUTSIDE: ("is outside the range", "are outside the range"),
    Reason.PRERELEASE: ("is a prerelease", "are prereleases"),
    Reason.REJECTED: ("is rejected", "are rejected"),
    Reason.UNASKED: ("was not looked at any more", "were not looked at any more"),
    Reason.OVERRULED: ("is passed over", "are passed over"),
    Reason.LOWER: ("comes before it", "come before it"),
    Reason.SAME: ("is equal to it", "are equal to it"),
}
_ORDERED = {
    "semver": "lower than {}",
    "numerical asc": "smaller than {}",
    "numerical desc": "larger than {}",
    "alphabetical asc": "before {} in the alphabet",
    "alphabetical desc": "after {} in the alphabet",
}
KEPT = "kept by "
"""Before what keeps the present tag only from a lower one, in `Decision.because`."""
BY_CREATION = "newest-build of "
"""Before the policy's own words where the time of creation orders what it admits."""


@frozen
class Ranking:
    """The tags that qualify by the policy alone, by their indexes, from the best down. `groups` has a number for each:
    the same one for those that the policy holds for equal.
    """

    indexes: Sequence[int]
    groups: Sequence[int]


def _unranked() -> Ranking:
    return Ranking((), ())


@frozen
class Decision:
    """`tag` is None where no tag qualifies. `reasons` holds one Reason for each of `tags`; `policy` is the policy in
    words, for people: `semver >=1.0.0`, and `pattern` the filter's regular expression.

    `rejections` has the words for each index whose reason is REJECTED: `lacks linux/arm/v7`. `because` says what has
    overruled the policy's own choice: `pinned by tidegate.dev/pin`. `ranking` orders those that qualified by the policy
    alone; it is made when called, in O(n log n).
    """

    tag: str | None
    tags: Sequence[str]
    reasons: bytes
    policy: str
    pattern: str = ""
    rejections: Mapping[int, str] = field(default_factory=dict)
    because: str = ""
    ranking: Callable[[], Ranking] = field(default=_unranked, repr=False, compare=False)

    @property
    def range_text(self) -> str:
        """What a semver policy admits, as it was written: `>=1.0.0`."""
        return self.policy.removeprefix(BY_CREATION).partition(" ")[2]

    def rejected(self) -> Iterator[tuple[str, str]]:
        """Every tag but the winner, in the given order, with the reason in words."""
        words = self._words()
        for index, reason in enumerate(self.reasons):
            if reason == Reason.REJECTED:
                yield self.tags[index], self.rejections[index]
            elif reason != Reason.SELECTED:
                yield self.tags[index], words[Reason(reason)]

    def why_not(self, tag: str) -> str | None:
        """The reason why a tag lost; None where it won or is not among the tags."""
        if tag == self.tag or tag not in self.tags:
            return None
        return self.words(self.tags.index(tag))

    def candidates(self) -> list[str]:
        """The tags that the policy admits and nothing has rejected, from the best down."""
        return [self.tags[index] for index in self.ranking().indexes if self.reasons[index] in QUALIFIED]

    def count(self, reason: Reason) -> int:
        """How many tags have this reason."""
        return self.reasons.count(reason)

    def summary(self) -> str:
        """How many tags lost for which reason: `2 are outside the range, 1 is no version`."""
        counts = [(self.count(reason), reason) for reason in _COUNTED]
        parts = [f"{count} {_COUNTED[reason][count > 1]}" for count, reason in counts if count]
        return ", ".join(parts) or "there are no tags"

    def overruled(self, tag: str, because: str) -> Decision:
        """The same tags, but `tag` (one of them or not) is selected, whatever the policy says of it."""
        reasons = bytearray(Reason.OVERRULED if reason in QUALIFIED else reason for reason in self.reasons)
        if tag in self.tags:
            reasons[self.tags.index(tag)] = Reason.SELECTED
        return replace(self, tag=tag, reasons=bytes(reasons), because=because)

    def words(self, index: int) -> str:
        """The reason of the tag at an index, in words."""
        reason = Reason(self.reasons[index])
        return self.rejections[index] if reason == Reason.REJECTED else self._words()[reason]

    def _words(self) -> dict[Reason, str]:
        name = self.range_text
        return {
            Reason.NO_VERSION: "not a semantic version: three numbers are needed, as 1.2.3",
            Reason.OUTSIDE: f"outside the range {name}",
            Reason.PRERELEASE: f"a prerelease, and the range {name} names none",
            Reason.LOWER: self._order().format(self.tag),
            Reason.SAME: f"equal to {self.tag}",
            Reason.EXCLUDED: "excluded",
            Reason.FILTERED: f"does not match {self.pattern}",
            Reason.REPEATED: "what is extracted from it is extracted from a later tag too",
            Reason.UNASKED: "not looked at: too many before it were rejected",
            Reason.OVERRULED: f"passed over: {self.because}",
            Reason.SELECTED: "selected",
        }

    def _order(self) -> str:
        if self.policy.startswith(BY_CREATION):
            return "built before {}"
        return _ORDERED.get(self.policy) or _ORDERED["semver"]
