"""Which tags of a registry are kept: `spec.exclusionList`. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.base.regexp.matcher import AnyOf, any_of


def excluding(patterns: tuple[str, ...]) -> AnyOf:
    """What matches the tags to leave out; InvalidInput names a pattern that is no regular expression."""
    return any_of(patterns, field="spec.exclusionList")


def kept(tags: Iterable[str], patterns: tuple[str, ...]) -> list[str]:
    """The tags that match none of the patterns, sorted."""
    excluded = excluding(patterns).test()
    return sorted(tag for tag in tags if not excluded(tag))
