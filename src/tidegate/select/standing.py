"""Whether what was selected before stays, whatever the tags say now: pinned, held, or no downgrade. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.kinds.common import mapping
from tidegate.kinds.objects import Object, ObjectKey
from tidegate.kinds.rolled_back import ROLLED_BACK, RolledBack
from tidegate.select.annotations import HOLD, NO_DOWNGRADE, PIN, Wishes
from tidegate.select.decision import KEPT, Decision, Reason
from tidegate.select.filters import TagFilter
from tidegate.select.policy import Policy, select

SELECTED_UNDER = "selectedUnder"
"""The field of the status that keeps under which policy (`annotations.mark_of`) the present tag was selected."""


@frozen
class Fixed:
    """A tag that is selected whatever the policy says, and because of what, in words."""

    tag: str
    because: str


def fixed_by(wishes: Wishes, present: str | None) -> Fixed | None:
    """What `pin` or `hold` names; the pin counts where both are there. Nothing can be held before the first choice."""
    if wishes.pin is not None:
        return Fixed(wishes.pin, f"pinned by {PIN}")
    if wishes.hold and present is not None:
        return Fixed(present, f"held by {HOLD}")
    return None


def what_else(decision: Decision, fixed: Fixed) -> str:
    """Who wins and why, for the condition's message: `decision` is the policy's own."""
    if decision.tag == fixed.tag:
        return f"{fixed.because}; the policy itself selects the same"
    other = decision.tag or "none"
    return f"{fixed.because}; the policy itself selects {other}"


def unchanged(obj: Object, mark: str) -> bool:
    """Whether the present choice was made under the policy as it is now. Where the status could not keep the mark, as
    with definitions of another program, the generation says it.
    """
    status = mapping(obj.get("status"))
    before = status.get(SELECTED_UNDER)
    if before is not None:
        return bool(before == mark)
    return bool(status.get("observedGeneration") == mapping(obj.get("metadata")).get("generation"))


KEPT_FROM_LOWER = f"{KEPT}{NO_DOWNGRADE}"


def lower_words(winner: str, policy: ObjectKey) -> str:
    """Why the present tag stays although the policy selects `winner` now, and each way out."""
    return (
        f"{KEPT_FROM_LOWER}: {winner}, which is selected now, is lower, and the policy itself has not changed; "
        f"to take it: tidegate reconcile imagepolicy {policy.name} -n {policy.namespace} --accept; "
        f'{NO_DOWNGRADE}: "false" always lets it go down, {PIN} names another'
    )


def kept_from_failed(back: RolledBack) -> str:
    """What keeps the tag before one that an automation took back, in words."""
    return f"{KEPT}{ROLLED_BACK}: {back.words()}"


def failed_words(back: RolledBack, policy: ObjectKey) -> str:
    """Why a tag that was taken back is not selected again, and the way out."""
    release = f"kubectl annotate imagepolicy {policy.name} -n {policy.namespace} {ROLLED_BACK}-"
    return f"{kept_from_failed(back)}; a newer tag ends it; to select it again: {release}"


def is_lower(
    policy: Policy,
    tag_filter: TagFilter | None,
    winner: str,
    present: str,
    created: Mapping[str, datetime] | None = None,
) -> bool:
    """Whether `winner` comes after `present` in the policy's order, which may not be among the tags any more; with
    `created`, whether its image is the older one. Two tags that the policy does not compare are not lower.
    """
    if created is not None and winner in created and present in created:
        return created[winner] < created[present]
    try:
        decision = select(policy, [winner, present], tag_filter)
    except InvalidInput:
        return False
    return decision.tag == present and decision.reasons[0] == Reason.LOWER
