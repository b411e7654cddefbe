"""From what a policy orders to what may be run: the candidates are asked from the best down, until one is accepted.

What is asked costs requests to a registry (which platforms has it, how old is it, who signed it?), so as a rule one tag
is asked, and never more than a bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from tidegate.select.decision import QUALIFIED, Decision, Reason

Rejecting = Callable[[str], Awaitable[str | None]]
"""Why a tag may not be selected, in words (`lacks linux/arm/v7`); None where it may."""

MOST_ASKED = 100
"""How many candidates are asked at most; those after them are UNASKED, and none is selected."""


async def accepted(decision: Decision, rejecting: Rejecting, *, most: int = MOST_ASKED) -> Decision:
    """The decision with the best candidate that `rejecting` lets pass; with none where it rejects them all. What
    `rejecting` raises goes through: an unanswered question is no answer. May be asked again with another `rejecting`.
    """
    if decision.tag is None:
        return decision
    refusal = await rejecting(decision.tag)
    if refusal is None:
        return decision
    indexes, groups = await asyncio.to_thread(_qualified, decision)
    rejections = {indexes[0]: refusal}
    for place in range(1, len(indexes)):
        if place == most:
            break
        refusal = await rejecting(decision.tags[indexes[place]])
        if refusal is None:
            return _with_winner(decision, rejections, indexes[place:], groups[place:])
        rejections[indexes[place]] = refusal
    return _without_winner(decision, rejections, indexes[len(rejections) :])


def _qualified(decision: Decision) -> tuple[list[int], list[int]]:
    """The indexes of those that are still in, from the best down, and their groups."""
    ranking = decision.ranking()
    pairs = zip(ranking.indexes, ranking.groups, strict=True)
    still = [(index, group) for index, group in pairs if decision.reasons[index] in QUALIFIED]
    return [index for index, _ in still], [group for _, group in still]


def _with_winner(
    decision: Decision, rejections: dict[int, str], rest: Sequence[int], groups: Sequence[int]
) -> Decision:
    reasons = _rejecting_these(decision, rejections)
    for index, group in zip(rest, groups, strict=True):
        reasons[index] = Reason.SAME if group == groups[0] else Reason.LOWER
    reasons[rest[0]] = Reason.SELECTED
    everyone = {**decision.rejections, **rejections}
    return replace(decision, tag=decision.tags[rest[0]], reasons=bytes(reasons), rejections=everyone)


def _without_winner(decision: Decision, rejections: dict[int, str], unasked: Sequence[int]) -> Decision:
    reasons = _rejecting_these(decision, rejections)
    for index in unasked:
        reasons[index] = Reason.UNASKED
    return replace(decision, tag=None, reasons=bytes(reasons), rejections={**decision.rejections, **rejections})


def _rejecting_these(decision: Decision, rejections: dict[int, str]) -> bytearray:
    reasons = bytearray(decision.reasons)
    for index in rejections:
        reasons[index] = Reason.REJECTED
    return reasons
