"""Selecting a tag: the winner, ties, and the reason why each other tag lost."""

import sys

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.kinds.image_policy import ImagePolicy
from tidegate.select.numbers import parse_number
from tidegate.select.policy import Policy, select


def test_every_loser_has_a_reason():
    decision = select(Policy.by_semver(">=1.0.0"), ["latest", "0.9.0", "1.0.0", "1.1.0-rc.1", "1.1.0", "v1.1.0"])
    assert decision.tag == "1.1.0"
    assert list(decision.rejected()) == [
        ("latest", "not a semantic version: three numbers are needed, as 1.2.3"),
        ("0.9.0", "outside the range >=1.0.0"),
        ("1.0.0", "lower than 1.1.0"),
        ("1.1.0-rc.1", "a prerelease, and the range >=1.0.0 names none"),
        ("v1.1.0", "equal to 1.1.0"),
    ]
    assert decision.why_not("0.9.0") == "outside the range >=1.0.0"
    assert decision.why_not("1.1.0") is None


def test_where_nothing_qualifies_the_summary_says_why():
    decision = select(Policy.by_semver("^2"), ["latest", "1.0.0", "1.1.0", "2.0.0-rc.1"])
    assert decision.tag is None
    assert decision.summary() == "1 is no version, 2 are outside the range, 1 is a prerelease"
    assert select(Policy.by_semver("*"), []).summary() == "there are no tags"


def test_of_equal_versions_the_first_wins():
    assert select(Policy.by_semver("*"), ["1.0.0", "1.0.0+b", "v1.0.0"]).tag == "1.0.0"
    assert select(Policy.by_semver("*"), ["1.0.0+b", "1.0.0"]).tag == "1.0.0+b"


def test_a_tie_with_a_version_that_was_beaten_later_is_no_tie():
    decision = select(Policy.by_semver("*"), ["1.0.0", "v1.0.0", "2.0.0"])
    assert [reason for _, reason in decision.rejected()] == ["lower than 2.0.0"] * 2


@pytest.mark.parametrize(
    ("order", "tags", "wanted"),
    [
        ("asc", ["a", "b", "B"], "b"),
        ("desc", ["a", "b", "B"], "B"),
        ("desc", ["z", "é"], "z"),
        ("asc", ["a-b", "a_b", "a.b"], "a_b"),
        ("asc", ["\ue000", "😀"], "😀"),
        ("", ["x1", "x10", "x9"], "x9"),
        ("DESC", ["x1", "x10", "x9"], "x1"),
    ],
)
def test_alphabetical_order_is_by_bytes(order, tags, wanted):
    assert select(Policy.by_alphabet(order), tags).tag == wanted


@pytest.mark.parametrize(
    ("order", "tags", "wanted"),
    [
        ("asc", ["1", "10", "9"], "10"),
        ("desc", ["20240131", "20231231"], "20231231"),
        ("asc", ["7", "7.0", "07"], "07"),
        ("asc", ["Infinity", "1"], "Infinity"),
        ("desc", ["iNf", "-Inf", "0"], "-Inf"),
        ("asc", ["nan", "1"], "1"),
        ("asc", ["1", "nan"], "nan"),
        ("asc", ["3", "nan", "1", "2"], "2"),
        ("asc", ["0", "-0"], "-0"),
        ("asc", ["123456789012345678901234567890", "1e29"], "123456789012345678901234567890"),
    ],
)
def test_numerical_order_and_its_ties(order, tags, wanted):
    assert select(Policy.by_number(order), tags).tag == wanted


def test_numerical_losers_have_reasons_too():
    decision = select(Policy.by_number("asc"), ["1", "2", "2.0", "3"])
    assert [reason for _, reason in decision.rejected()] == ["smaller than 3"] * 3
    assert [tag for tag, _ in select(Policy.by_number("asc"), ["2", "2.0"]).rejected()] == ["2"]


@pytest.mark.parametrize("policy", [Policy.by_alphabet("asc"), Policy.by_number("asc")])
def test_without_a_tag_there_is_nothing_to_order(policy):
    with pytest.raises(InvalidInput, match="no tags"):
        select(policy, [])


def test_one_tag_that_is_no_number_spoils_a_numerical_policy():
    with pytest.raises(InvalidInput, match="'v2' is no number"):
        select(Policy.by_number("asc"), ["1", "v2"])


@pytest.mark.parametrize("make", [Policy.by_alphabet, Policy.by_number])
def test_an_order_is_asc_or_desc(make):
    with pytest.raises(InvalidInput, match="is no order"):
        make("up")


# as Go's strconv.ParseFloat(text, 64) answered
NUMBERS = {
    "1_000": 1000.0, "0x1p4": 16.0, "0X1.8P1": 3.0, "0x_1_0p-1": 8.0, "+.5": 0.5, "1.": 1.0, "4.9e-324": 5e-324,
    "1e-400": 0.0, "0x1p-1080": 0.0, "0x0p99999999999": 0.0, "1.7976931348623158e308": 1.7976931348623157e308,
    "-INFINITY": float("-inf"), "0x1p+0000000000000000003": 8.0, "007": 7.0,
}  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_as_go_reads_them(text):
    assert parse_number(text) == NUMBERS[text]


@pytest.mark.parametrize(
    "text",
    ["", ".", "+", "e1", "1e", "1e+", "0x1", "0xp1", "1__0", "_1", "1_", "1_.5", "+nan", "infinit", "1e400", "0x1p1024",
     "0x1p99999999999", "1f", "0b1", " 1", "1 ", "١", "1,5"],
)  # fmt: skip
def test_other_text_is_no_number(text):
    assert parse_number(text) is None


def calls_for(count):
    """How many calls of Python's and C's functions selecting among so many tags takes; its decision."""
    tags = [f"{n % 40}.{n % 977}.{n}{'-rc.1' if n % 3 == 0 else ''}" for n in range(count)]
    policy, calls = Policy.by_semver(">=1.0.0 <30 || ^33.1-0"), 0

    def seen(_frame, event, _argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        decision = select(policy, tags)
    finally:
        sys.setprofile(None)
    assert decision.tag is not None
    return calls


def test_twice_the_tags_are_twice_the_work_and_a_tag_is_little():
    small, large = calls_for(4_000), calls_for(8_000)
    assert large < 2.2 * small
    assert large < 15 * 8_000


def image_policy(**spec):
    return ImagePolicy.from_object(
        {
            "apiVersion": "image.toolkit.fluxcd.io/v1",
            "kind": "ImagePolicy",
            "metadata": {"name": "web", "namespace": "flux-system"},
            "spec": {"imageRepositoryRef": {"name": "web"}, **spec},
        }
    )


def test_the_policy_of_an_image_policy():
    tags = ["1.0.0", "1.1.0"]
    assert select(Policy.of(image_policy(policy={"semver": {"range": "1.0.x"}})), tags).tag == "1.0.0"
    assert select(Policy.of(image_policy(policy={"alphabetical": {}})), tags).tag == "1.1.0"
    assert select(Policy.of(image_policy(policy={"numerical": {"order": "desc"}})), ["2", "1"]).tag == "1"


def test_a_bad_range_is_told_with_its_field():
    with pytest.raises(InvalidInput) as caught:
        Policy.of(image_policy(policy={"semver": {"range": ">=a"}}))
    assert caught.value.where.field == "spec.policy.semver.range"
