"""From a policy and an image's tags to a Decision, as Flux's image-reflector-controller decides. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen
from tidegate.kinds.image_policy import ImagePolicy
from tidegate.kinds.semver import RELEASE, Version, parse_tag
from tidegate.kinds.semver_ranges import Range, parse_range
from tidegate.select.decision import Decision, Ranking, Reason
from tidegate.select.filters import TagFilter
from tidegate.select.numbers import parse_number
from tidegate.select.ranking import ranked

ORDERS = ("asc", "desc")


@frozen
class Policy:
    """How to order tags. Exactly one of the three is set; an order is `asc` (the last one wins) or `desc`."""

    semver: Range | None = None
    alphabetical: str | None = None
    numerical: str | None = None

    @classmethod
    def by_semver(cls, text: str) -> Policy:
        """The highest version in a range; InvalidInput where the range is none."""
        return cls(semver=parse_range(text))

    @classmethod
    def by_alphabet(cls, order: str) -> Policy:
        """The last (`asc`) or first (`desc`) in the order of code points."""
        return cls(alphabetical=_order(order))

    @classmethod
    def by_number(cls, order: str) -> Policy:
        """The largest (`asc`) or smallest (`desc`) number."""
        return cls(numerical=_order(order))

    @property
    def kind(self) -> str:
        """`semver`, or the order: `alphabetical asc`, `numerical desc`."""
        if self.semver is not None:
            return "semver"
        return f"alphabetical {self.alphabetical}" if self.alphabetical else f"numerical {self.numerical}"

    def words(self) -> str:
        """The policy for people: `semver >=1.0.0`."""
        return f"semver {self.semver.text}" if self.semver is not None else self.kind

    @classmethod
    def of(cls, spec: ImagePolicy) -> Policy:
        """The policy of an ImagePolicy; InvalidInput names the field."""
        try:
            if spec.semver is not None:
                return cls.by_semver(spec.semver)
        except InvalidInput as error:
            where = Where(field="spec.policy.semver.range")
            raise InvalidInput(error.message, where=where, remedy=error.remedy) from None
        if spec.alphabetical is not None:
            return cls.by_alphabet(spec.alphabetical)
        return cls.by_number(spec.numerical or "asc")


def select(policy: Policy, tags: Sequence[str], tag_filter: TagFilter | None = None) -> Decision:
    """Which of `tags` the policy names, and why not the others. With a filter, the policy orders what that makes of the
    tags, and the winner is the tag which the best value came from.

    A semver policy passes over what is no version, and may select nothing; of equal versions the first wins. The other
    two need at least one tag, and a numerical one needs every tag to be a number: InvalidInput otherwise.
    """
    if tag_filter is None or not tags:
        winner, reasons = _ordered(policy, tags)
        return _decision(policy, tags, winner, reasons, partial(ranked, policy.kind, tags, range(len(tags)), reasons))
    filtered = tag_filter.apply(tags)
    reasons, winner = filtered.reasons, -1
    if filtered.values:
        best, ordered = _ordered(policy, filtered.values)
        winner = filtered.indexes[best] if best >= 0 else -1
        for index, reason in zip(filtered.indexes, ordered, strict=True):
            reasons[index] = reason
    ranking = partial(ranked, policy.kind, filtered.values, filtered.indexes, reasons)
    return replace(_decision(policy, tags, winner, reasons, ranking), pattern=tag_filter.pattern)


def _decision(
    policy: Policy, tags: Sequence[str], winner: int, reasons: bytearray, ranking: Callable[[], Ranking]
) -> Decision:
    if winner >= 0:
        reasons[winner] = Reason.SELECTED
    tag = tags[winner] if winner >= 0 else None
    return Decision(tag, tags, bytes(reasons), policy.words(), ranking=ranking)


def _ordered(policy: Policy, tags: Sequence[str]) -> tuple[int, bytearray]:
    """The index of the winner, below zero for none, and each tag's reason should it not be the winner."""
    if policy.semver is not None:
        return _by_semver(policy.semver, tags)
    if not tags:
        raise InvalidInput("there are no tags to select from")
    if policy.alphabetical is not None:
        return _by_alphabet(policy.alphabetical, tags)
    return _by_number(policy.numerical or "asc", tags)


def _by_semver(wanted: Range, tags: Sequence[str]) -> tuple[int, bytearray]:
    best: Version | None = None
    winner = -1
    takes_prereleases, admits = wanted.takes_prereleases, wanted.test()
    reasons = bytearray([Reason.LOWER]) * len(tags)
    same: list[tuple[int, Version]] = []
    for index, tag in enumerate(tags):
        version = parse_tag(tag)
        if version is None:
            reasons[index] = Reason.NO_VERSION
        elif version[3] is not RELEASE and not takes_prereleases:
            reasons[index] = Reason.PRERELEASE
        elif not admits(version):
            reasons[index] = Reason.OUTSIDE
        elif best is None or version > best:
            best, winner = version, index
        elif version == best:
            same.append((index, version))
    for index, version in same:
        if version == best:
            reasons[index] = Reason.SAME
    return winner, reasons


def _by_alphabet(order: str, tags: Sequence[str]) -> tuple[int, bytearray]:
    tag = max(tags) if order == "asc" else min(tags)
    reasons = bytearray(Reason.SAME if other == tag else Reason.LOWER for other in tags)
    return tags.index(tag), reasons


def _by_number(order: str, tags: Sequence[str]) -> tuple[int, bytearray]:
    """Of equal numbers the last one wins; after a NaN whatever comes next does."""
    numbers = []
    for tag in tags:
        number = parse_number(tag)
        if number is None:
            raise InvalidInput(
                f"the tag {tag!r} is no number",
                remedy="let filterTags leave out such tags, or extract the number from them",
            )
        numbers.append(number)
    winner, best = 0, numbers[0]
    for index, number in enumerate(numbers):
        if not (number < best if order == "asc" else number > best):
            winner, best = index, number
    equal = [number == best or (math.isnan(number) and math.isnan(best)) for number in numbers]
    reasons = bytearray(Reason.SAME if same else Reason.LOWER for same in equal)
    return winner, reasons


def _order(order: str) -> str:
    """Flux takes an order in any case, and none for `asc`."""
    lowered = order.lower() or "asc"
    if lowered not in ORDERS:
        raise InvalidInput(f"{order!r} is no order", remedy="write asc or desc")
    return lowered
