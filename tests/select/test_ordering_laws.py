"""The laws of the orders, for any tags. Quotations are from semver.org 2.0.0, Go's documentation, and Flux's API."""

import math
from functools import cmp_to_key

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.select.filters import TagFilter
from tidegate.select.numbers import parse_number
from tidegate.select.policy import Policy, select

calm = settings(max_examples=40, deadline=None)
NUMBER = st.one_of(st.integers(0, 3).map(str), st.sampled_from(["00", "01", "10", "18446744073709551615"]))
IDENTIFIER = st.one_of(st.integers(0, 12).map(str), st.sampled_from(["a", "alpha", "alpha1", "beta", "rc", "-", "0a"]))
VERSION = st.builds(
    lambda prefix, numbers, prerelease, build: (
        prefix + ".".join(numbers) + ("-" + ".".join(prerelease) if prerelease else "") + build
    ),
    st.sampled_from(["", "v"]),
    st.lists(NUMBER, min_size=3, max_size=3),
    st.lists(IDENTIFIER, max_size=3),
    st.sampled_from(["", "+b", "+7"]),
)
TAG = st.one_of(VERSION, st.text("aB1-_.", min_size=1, max_size=5))
DECIMAL = st.builds(
    "{}{}".format, st.sampled_from(["0", "1", "01", "7", "07", "12", "120"]), st.sampled_from(["", ".0", ".5", "."])
)
BY_VERSION = Policy.by_semver("*-0")


def tags_of(tag, least=1):
    return st.lists(tag, min_size=least, max_size=12, unique=True)


def precedence(one, other):
    """Rule 11, step by step: below zero where `one` has the lower precedence."""
    first, second = (_taken_apart(version) for version in (one, other))
    # "Precedence is determined by the first difference when comparing each of these identifiers from left to right as
    # follows: Major, minor, and patch versions are always compared numerically."
    if first[0] != second[0]:
        return -1 if first[0] < second[0] else 1
    # "When major, minor, and patch are equal, a pre-release version has lower precedence than a normal version"
    if not first[1] or not second[1]:
        return bool(second[1]) - bool(first[1])
    for mine, yours in zip(first[1], second[1], strict=False):
        if mine == yours:
            continue
        # "Numeric identifiers always have lower precedence than non-numeric identifiers."
        if mine.isdigit() != yours.isdigit():
            return -1 if mine.isdigit() else 1
        # "Identifiers consisting of only digits are compared numerically. Identifiers with letters or hyphens are
        # compared lexically in ASCII sort order."
        lower = int(mine) < int(yours) if mine.isdigit() else mine.encode() < yours.encode()
        return -1 if lower else 1
    # "A larger set of pre-release fields has a higher precedence than a smaller set, if all of the preceding
    # identifiers are equal."
    return len(first[1]) - len(second[1])


def _taken_apart(version):
    # "Build metadata MUST be ignored when determining version precedence."
    numbers, _, prerelease = version.removeprefix("v").partition("+")[0].partition("-")
    return [int(number) for number in numbers.split(".")], prerelease.split(".") if prerelease else []


@calm
@given(tags_of(VERSION))
def test_the_highest_precedence_wins_and_the_order_is_that_of_the_specification(tags):
    ranking = select(BY_VERSION, tags).candidates()
    assert ranking == sorted(tags, key=cmp_to_key(precedence), reverse=True)
    assert select(BY_VERSION, tags).tag == ranking[0]


@calm
@given(tags_of(TAG))
def test_alphabetical_order_is_gos_order_of_bytes(tags):
    # "ascending order would select Z, and descending order would select A"
    assert select(Policy.by_alphabet("asc"), tags).tag == max(tags, key=str.encode)
    assert select(Policy.by_alphabet("desc"), tags).tag == min(tags, key=str.encode)


@calm
@given(tags_of(DECIMAL))
def test_numerical_order_is_that_of_the_nearest_float(tags):
    # "ascending order would select 9, and descending order would select 0"; ParseFloat "returns the nearest
    # floating-point number"
    for order, best in (("asc", max), ("desc", min)):
        equal = [tag for tag in tags if float(tag) == float(best(tags, key=float))]
        assert select(Policy.by_number(order), tags).tag == equal[-1]


POLICIES = [
    BY_VERSION, Policy.by_semver(">=1.0.0 <3"), Policy.by_alphabet("asc"), Policy.by_alphabet("desc"),
    Policy.by_number("asc"), Policy.by_number("desc"),
]  # fmt: skip
each_policy = pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.words())


def draw_tags(data, policy, least=1):
    return data.draw(tags_of(DECIMAL if policy.numerical else TAG, least))


def as_the_controller(policy, tags):
    """The winner as an ImagePolicy has it: of the tags in descending order."""
    return select(policy, sorted(tags, reverse=True)).tag


@each_policy
@calm
@given(data=st.data())
def test_the_registrys_order_does_not_matter(policy, data):
    tags = draw_tags(data, policy)
    assert as_the_controller(policy, data.draw(st.permutations(tags))) == as_the_controller(policy, tags)


@each_policy
@calm
@given(data=st.data())
def test_a_loser_that_goes_changes_nothing(policy, data):
    tags = draw_tags(data, policy, 2)
    winner = as_the_controller(policy, tags)
    loser = data.draw(st.sampled_from([tag for tag in tags if tag != winner]))
    assert as_the_controller(policy, [tag for tag in tags if tag != loser]) == winner


@each_policy
@calm
@given(data=st.data())
def test_a_tag_that_comes_wins_or_changes_nothing(policy, data):
    *tags, new = draw_tags(data, policy, 2)
    before, after = as_the_controller(policy, tags), as_the_controller(policy, [*tags, new])
    assert after in (before, new)


@each_policy
@calm
@given(data=st.data())
def test_the_winner_of_all_is_the_winner_of_the_winners(policy, data):
    tags = draw_tags(data, policy, 2)
    cut = data.draw(st.integers(1, len(tags) - 1))
    halves = [as_the_controller(policy, half) for half in (tags[:cut], tags[cut:])]
    winners = [tag for tag in halves if tag is not None]
    assert as_the_controller(policy, tags) == (as_the_controller(policy, winners) if winners else None)


@each_policy
@calm
@given(data=st.data())
def test_a_filter_is_the_same_as_leaving_out(policy, data):
    tags = draw_tags(data, policy)
    kept = [tag for tag in tags if "1" in tag]
    for tag_filter in (TagFilter("1"), TagFilter(exclude=["^[^1]*$"])):
        assert select(policy, tags, tag_filter).tag == (select(policy, kept).tag if kept else None)


# Equal ones, of which Flux takes whichever its map or its list has first: here it is always the same one.
TIES = [
    (BY_VERSION, ["1.0.0", "v1.0.0", "01.0.0", "1.0.0+b"], "v1.0.0"),
    (BY_VERSION, ["1.0.0", "1.0.0+a", "1.0.0+b"], "1.0.0+b"),
    (Policy.by_number("asc"), ["7", "07", "7.0"], "07"),
    (Policy.by_number("desc"), ["7", "07", "7.0"], "07"),
    (Policy.by_number("asc"), ["-0", "0"], "-0"),
]


@pytest.mark.parametrize(("policy", "tags", "winner"), TIES)
def test_ties_have_one_winner(policy, tags, winner):
    for start in range(len(tags)):
        assert as_the_controller(policy, [*tags[start:], *tags[:start]]) == winner


@pytest.mark.parametrize(
    ("policy", "template", "tags", "winner"),
    [
        (Policy.by_number("asc"), "$1", ["a-7", "b-7", "c-07"], "a-7"),
        (Policy.by_number("asc"), "$1", ["b-7", "a-07", "c-7.0"], "a-07"),
        (Policy.by_alphabet("asc"), "x", ["a-1", "b-2", "c-3"], "a-1"),
    ],
)
def test_ties_of_what_is_extracted_have_one_winner(policy, template, tags, winner):
    for start in range(len(tags)):
        turned = sorted([*tags[start:], *tags[:start]], reverse=True)
        assert select(policy, turned, TagFilter("-(.*)$", template)).tag == winner


@calm
@given(st.floats(allow_nan=True), st.sampled_from(["", "0", "+"]))
def test_what_go_would_print_is_read_back(number, prefix):
    text = repr(number)
    if text[0] in "-in" or prefix == "":
        prefix = ""
    read = parse_number(prefix + text)
    assert (read is not None and math.isnan(read)) if math.isnan(number) else read == number
