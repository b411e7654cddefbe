"""The losers that people ask about: those that came close, and those that look better than the winner. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from tidegate.kinds.semver import Version, parse_tag
from tidegate.select.advice import Rule
from tidegate.select.decision import QUALIFIED, Decision, Reason

EACH = 3
MOST = 12
_OF_ANY_ORDER = (Reason.NO_VERSION, Reason.FILTERED, Reason.EXCLUDED, Reason.REPEATED, Reason.UNASKED)


def nearest_losers(decision: Decision, rule: Rule) -> list[tuple[str, str]]:
    """At most MOST losers with their reasons: those that were rejected or passed over, from the best down; versions
    that are higher than the winner but not admitted, from the highest down; the candidates that come next; and some of
    those that have no place in the order.
    """
    ranking = decision.ranking().indexes
    indexes: list[int] = []
    for reason in (Reason.REJECTED, Reason.OVERRULED):
        known = dict.fromkeys([*ranking, *decision.rejections])
        indexes += _first(index for index in known if decision.reasons[index] == reason)
    if rule.policy.semver is not None:
        indexes += _higher(decision, rule)
    indexes += _first(
        index for index in ranking if decision.reasons[index] in QUALIFIED and decision.tags[index] != decision.tag
    )
    for reason in _OF_ANY_ORDER:
        indexes += _first(index for index, found in enumerate(decision.reasons) if found == reason)
    return [(decision.tags[index], decision.words(index)) for index in indexes[:MOST]]


def versions_of(decision: Decision, rule: Rule, reason: Reason) -> list[tuple[Version, int]]:
    """The tags with a reason that are versions (or out of which one is extracted), with their indexes."""
    indexes = [index for index, found in enumerate(decision.reasons) if found == reason]
    values: Sequence[str] = [decision.tags[index] for index in indexes]
    if rule.tag_filter is not None:
        values = [value for value, _ in rule.tag_filter.extracted(values)]
    versions = [(parse_tag(value), index) for value, index in zip(values, indexes, strict=True)]
    return [(version, index) for version, index in versions if version is not None]


def _higher(decision: Decision, rule: Rule) -> list[int]:
    """Up to EACH that the range leaves out though they are higher than the winner, from the highest down."""
    winner = _version(decision, rule)
    found = []
    for reason in (Reason.OUTSIDE, Reason.PRERELEASE):
        better = [
            (version, -index) for version, index in versions_of(decision, rule, reason) if _above(version, winner)
        ]
        found += [-index for _, index in sorted(better, reverse=True)[:EACH]]
    return found


def _version(decision: Decision, rule: Rule) -> Version | None:
    if decision.tag is None:
        return None
    values = rule.tag_filter.extracted([decision.tag]) if rule.tag_filter else [(decision.tag, decision.tag)]
    return parse_tag(values[0][0]) if values else None


def _above(version: Version, winner: Version | None) -> bool:
    return winner is None or version > winner


def _first(indexes: Iterable[int]) -> list[int]:
    return list(islice(indexes, EACH))
