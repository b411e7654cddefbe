"""The order of `tidegate.dev/newest-build`: of the tags that a policy admits, the image that was made last. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from tidegate.select.decision import BY_CREATION, Decision, Ranking, Reason


def by_creation(decision: Decision, created: Mapping[str, datetime | str]) -> Decision:
    """The decision with the tag whose image was made last. `created` has a time for each candidate, or why there is
    none, in words; of images made at the same time the policy's order decides.
    """
    ranking = decision.ranking()
    reasons, rejections = bytearray(decision.reasons), dict(decision.rejections)
    times: dict[int, datetime] = {}
    for index in ranking.indexes:
        found = created[decision.tags[index]]
        if isinstance(found, datetime):
            times[index] = found
            reasons[index] = Reason.LOWER
        else:
            rejections[index] = found
            reasons[index] = Reason.REJECTED
    order = sorted(times, key=times.__getitem__, reverse=True)  # stable: the policy's order is kept among equals
    if order:
        reasons[order[0]] = Reason.SELECTED
    return replace(
        decision,
        tag=decision.tags[order[0]] if order else None,
        reasons=bytes(reasons),
        policy=f"{BY_CREATION}{decision.policy}",
        rejections=rejections,
        ranking=lambda: Ranking(order, range(len(order))),
    )
