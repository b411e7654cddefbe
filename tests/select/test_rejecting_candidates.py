"""Candidates that something else than the policy rejects: who is asked, who is next, and what is said of each."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.base.errors import Unavailable
from tidegate.select.decision import Reason
from tidegate.select.filters import TagFilter
from tidegate.select.policy import Policy, select
from tidegate.select.rejecting import accepted

TAGS = ["1.0.0", "latest", "1.2.0", "1.1.0", "v1.2.0", "3.0.0"]


class Gate:
    """Rejects the tags that it is told, and remembers whom it was asked about."""

    def __init__(self, **reasons):
        self.reasons = reasons
        self.asked = []

    async def __call__(self, tag):
        self.asked.append(tag)
        return self.reasons.get(tag)


def gate(*tags, reason="too young"):
    return Gate(**dict.fromkeys(tags, reason))


async def test_only_the_winner_is_asked_where_it_passes():
    asking = gate()
    decision = select(Policy.by_semver("^1"), TAGS)
    assert await accepted(decision, asking) is decision
    assert asking.asked == ["1.2.0"]


async def test_the_next_one_wins_where_the_best_is_rejected():
    asking = gate("1.2.0", "v1.2.0", reason="lacks linux/arm/v7")
    decision = await accepted(select(Policy.by_semver("^1"), TAGS), asking)
    assert decision.tag == "1.1.0"
    assert asking.asked == ["1.2.0", "v1.2.0", "1.1.0"]
    assert list(decision.rejected()) == [
        ("1.0.0", "lower than 1.1.0"),
        ("latest", "not a semantic version: three numbers are needed, as 1.2.3"),
        ("1.2.0", "lacks linux/arm/v7"),
        ("v1.2.0", "lacks linux/arm/v7"),
        ("3.0.0", "outside the range ^1"),
    ]
    assert decision.summary() == "1 is no version, 1 is outside the range, 2 are rejected, 1 comes before it"


async def test_an_equal_one_is_equal_to_the_new_winner():
    decision = await accepted(select(Policy.by_semver("*"), ["1.0.0", "v1.0.0", "1.0.0+b"]), gate("1.0.0"))
    assert decision.tag == "v1.0.0"
    assert decision.why_not("1.0.0+b") == "equal to v1.0.0"


async def test_where_all_are_rejected_none_wins():
    decision = await accepted(select(Policy.by_alphabet("asc"), ["a", "b"]), gate("a", "b", reason="unsigned"))
    assert decision.tag is None
    assert list(decision.rejected()) == [("a", "unsigned"), ("b", "unsigned")]
    assert decision.candidates() == []


async def test_the_asking_ends_at_its_limit_and_selects_nothing():
    tags = [f"{number}" for number in range(9)]
    asking = gate(*tags)
    decision = await accepted(select(Policy.by_number("asc"), tags), asking, most=3)
    assert asking.asked == ["8", "7", "6"]
    assert decision.tag is None
    assert decision.count(Reason.UNASKED) == 6
    assert decision.why_not("5") == "not looked at: too many before it were rejected"


async def test_what_the_asking_raises_is_no_rejection():
    async def unreachable(tag):
        raise Unavailable("the registry is down")

    with pytest.raises(Unavailable, match="is down"):
        await accepted(select(Policy.by_semver("*"), TAGS), unreachable)


async def test_a_decision_may_be_asked_twice():
    once = await accepted(select(Policy.by_number("asc"), ["1", "2", "3", "4"]), gate("4", reason="too young"))
    twice = await accepted(once, gate("3", reason="unsigned"))
    assert twice.tag == "2"
    assert [twice.why_not(tag) for tag in ("4", "3", "1")] == ["too young", "unsigned", "smaller than 2"]


async def test_with_a_filter_the_order_is_that_of_what_is_extracted():
    tags = ["a-9", "b-10", "c", "d-8"]
    decision = await accepted(select(Policy.by_number("asc"), tags, TagFilter("-(.*)", "$1")), gate("b-10"))
    assert decision.tag == "a-9"
    assert decision.why_not("d-8") == "smaller than a-9"
    assert decision.candidates() == ["a-9", "d-8"]


def test_an_overruled_policy_says_by_what():
    decision = select(Policy.by_semver("^1"), TAGS).overruled("1.1.0", "pinned")
    assert decision.tag == "1.1.0"
    assert decision.why_not("1.2.0") == "passed over: pinned"
    assert decision.why_not("3.0.0") == "outside the range ^1"
    away = select(Policy.by_semver("^1"), TAGS).overruled("0.0.7", "held")
    assert (away.tag, away.why_not("1.2.0")) == ("0.0.7", "passed over: held")


POLICIES = [
    Policy.by_semver("*-0"),
    *(by(order) for by in (Policy.by_alphabet, Policy.by_number) for order in ("asc", "desc")),
]
VALUES = st.sampled_from(
    ["1.0.0", "1.0.0-rc.1", "v1.0.0", "2.0.0", "1", "01", "2", "-0", "0", "nan", "inf", "-inf", "1e1"]
)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.words())
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_the_ranking_is_the_rule_applied_again_and_again(policy, data):
    numbers = st.sampled_from(["1", "01", "2", "-0", "0", "nan", "NaN", "inf", "-inf", "1e1"])
    tags = data.draw(st.lists(numbers if policy.numerical else VALUES, unique=True, min_size=1))
    ranking = select(policy, tags).candidates()
    left = list(tags)
    for expected in ranking:
        assert select(policy, left).tag == expected
        left.remove(expected)
    assert not left or select(policy, left).tag is None
