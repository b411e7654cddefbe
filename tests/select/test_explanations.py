"""A decision told to people: the counts, the nearest losers, what would change the answer."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.select.advice import Rule
from tidegate.select.explanation import Listed, explained
from tidegate.select.filters import TagFilter
from tidegate.select.nearest import MOST
from tidegate.select.newest import by_creation
from tidegate.select.policy import Policy, select
from tidegate.select.rejecting import accepted


def explain(rule, tags, listed=Listed(), asked=()):  # noqa: B008 - a frozen value
    return explained(select(rule.policy, tags, rule.tag_filter), rule, listed, asked)


def semver(text, **filters):
    return Rule(Policy.by_semver(text), TagFilter(**filters) if filters else None)


def many(count, form):
    return [form.format(number) for number in range(count)]


def test_the_counts_are_one_line():
    tags = [*many(41, "build-{}"), *many(260, "0.{}.0"), *many(6, "1.0.{}")]
    made = explain(semver(">=1.0.0 <2"), tags, Listed(excluded=many(5, "1.0.{}.sig")))
    assert made.summary() == "312 tags: 5 excluded, 41 not versions, 260 outside >=1.0.0 <2, 6 candidates"
    assert made.selected == "1.0.5"


def test_one_of_each_is_told_in_the_singular():
    rule = semver("^1", pattern="^[^x]")
    made = explain(rule, ["1.0.0", "1.1.0-rc.1", "2.0.0", "v1", "x"], Listed(["1.0.0.sig"], ["1.0.1"]))
    assert made.summary() == (
        "7 tags: 1 excluded, 1 not matched by the filter, 1 not a version, 1 outside ^1, 1 prerelease, "
        "1 not scanned yet, 1 candidate"
    )
    assert explain(semver("*"), []).summary() == "0 tags"


def test_the_nearest_are_those_that_look_better_then_those_that_come_next():
    tags = ["0.9.0", "1.0.0", "1.0.1", "1.1.0-rc.1", "1.1.0-rc.2", "2.0.0", "2.1.0", "2.2.0", "3.0.0", "latest"]
    assert explain(semver("^1"), tags).losers == [
        ("3.0.0", "outside the range ^1"),
        ("2.2.0", "outside the range ^1"),
        ("2.1.0", "outside the range ^1"),
        ("1.1.0-rc.2", "a prerelease, and the range ^1 names none"),
        ("1.1.0-rc.1", "a prerelease, and the range ^1 names none"),
        ("1.0.0", "lower than 1.0.1"),
        ("latest", "not a semantic version: three numbers are needed, as 1.2.3"),
    ]


def test_versions_are_looked_for_in_what_is_extracted():
    made = explain(semver("^1", pattern="^v(.*)$", extract="$1"), ["v1.0.0", "v2.0.0", "v0.1.0", "2.5.0"])
    assert made.losers == [("v2.0.0", "outside the range ^1"), ("2.5.0", "does not match ^v(.*)$")]
    assert (made.filter, made.extract) == ("^v(.*)$", "$1")


async def test_what_was_rejected_comes_first():
    async def old(tag):
        return None if tag == "1.0.0" else "too young"

    rule, tags = semver("^1"), ["1.0.0", "1.0.1", "1.0.2", "2.0.0"]
    decision = await accepted(select(rule.policy, tags), old)
    made = explained(decision, rule, Listed())
    assert made.losers == [
        ("1.0.2", "too young"),
        ("1.0.1", "too young"),
        ("2.0.0", "outside the range ^1"),
    ]
    assert made.summary() == "4 tags: 1 outside ^1, 2 rejected, 1 candidate"
    assert made.advice[:2] == [
        "1.0.2 would be selected if it were not rejected: too young",
        "the range * would select 2.0.0, unless it is rejected too",
    ]


@pytest.mark.parametrize(
    ("text", "tags", "wanted"),
    [
        ("^1", ["1.0.0", "2.0.0"], "the range * would select 2.0.0"),
        (">=1.0.0 <2", ["1.0.0", "1.1.0-rc.1"],
         "the range >=1.0.0-0 <2-0, which takes prereleases, would select 1.1.0-rc.1"),
        ("*", ["1.0.0", "1.1.0-rc.1"], "the range *-0, which takes prereleases, would select 1.1.0-rc.1"),
        ("^2", ["1.0.0"], "the range * would select 1.0.0"),
    ],
)  # fmt: skip
def test_another_range_is_told_with_what_it_selects(text, tags, wanted):
    assert explain(semver(text), tags).advice[0] == wanted


def test_only_what_changes_the_answer_is_told():
    (only,) = explain(semver("^1"), ["1.0.0", "0.9.0", "1.0.0-rc.1", "latest"]).advice
    assert only == "a new tag with a higher version that the range ^1 admits would be selected"


def test_the_filter_the_exclusions_and_the_next_scan_are_told():
    rule = Rule(Policy.by_number("asc"), TagFilter("^[0-9]$"))
    listed = Listed(excluded=["9"], unscanned=["8"], where="spec.exclusionList of ImageRepository a/b")
    assert explain(rule, ["7", "70"], listed).advice == [
        "the next scan brings 8, which would be selected",
        "without spec.exclusionList of ImageRepository a/b, 9 would be selected",
        "without the filter ^[0-9]$, 70 would be selected",
        "a new tag with a larger number, if the filter lets it pass, would be selected",
    ]


def test_a_pin_is_what_would_change_it():
    rule, tags = semver("^1"), ["1.0.0", "1.0.1", "2.0.0"]
    made = explained(select(rule.policy, tags).overruled("1.0.0", "pinned by tidegate.dev/pin"), rule, Listed())
    assert (made.selected, made.because) == ("1.0.0", "pinned by tidegate.dev/pin")
    assert made.losers[0] == ("1.0.1", "passed over: pinned by tidegate.dev/pin")
    assert made.advice[0] == "without that (pinned by tidegate.dev/pin), 1.0.1 would be selected"
    assert len(made.advice) == 1  # no new tag changes it


def test_where_the_newest_image_is_wanted_the_order_of_the_versions_is_no_advice():
    rule = Rule(Policy.by_semver("^1"), newest=True)
    times = {"1.0.0": datetime(2026, 1, 2, tzinfo=UTC), "1.0.1": datetime(2026, 1, 1, tzinfo=UTC), "1.0.2": "no time"}
    made = explained(by_creation(select(rule.policy, [*times, "2.0.0"]), times), rule, Listed())
    assert made.selected == "1.0.0"
    assert made.summary() == "4 tags: 1 outside ^1, 1 rejected, 2 candidates"
    assert made.losers == [
        ("1.0.2", "no time"),
        ("2.0.0", "outside the range ^1"),
        ("1.0.1", "built before 1.0.0"),
    ]
    assert made.advice == ["a new tag that the policy admits, of an image that is made later, would be selected"]


def test_tags_may_be_asked_about():
    listed = Listed(excluded=["1.0.0.sig"], unscanned=["1.0.9"], where="spec.exclusionList")
    made = explain(semver("^1"), ["1.0.0", "2.0.0"], listed, ["1.0.0", "2.0.0", "1.0.0.sig", "1.0.9", "7"])
    assert made.asked == [
        ("1.0.0", "selected"),
        ("2.0.0", "outside the range ^1"),
        ("1.0.0.sig", "excluded by spec.exclusionList"),
        ("1.0.9", "in the registry, but not scanned yet"),
        ("7", "there is no such tag"),
    ]


def test_json_says_everything():
    value = explain(semver("^1"), ["1.0.0", "x"], asked=["x"]).as_json()
    assert value["summary"] == "2 tags: 1 not a version, 1 candidate"
    assert value["counts"] == [{"words": "not a version", "tags": 1}, {"words": "candidate", "tags": 1}]
    assert value["losers"] == value["asked"]
    assert (value["rule"], value["selected"], value["problem"]) == ("semver ^1", "1.0.0", None)


VERSIONS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "v"]),
    st.sampled_from(["1", "1.0", "1.0.0", "1.0.1", "1.2.0", "2.0.0", "0.1.0"]),
    st.sampled_from(["", "", "-rc.1", "-rc.2"]),
)
RULES = [
    semver("^1"), semver("*-0"), semver("^1", pattern="^v(.*)", extract="$1"), semver("^1", exclude=["0$"]),
    Rule(Policy.by_alphabet("asc")), Rule(Policy.by_alphabet("desc"), TagFilter("1(.)", "$1")),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=40, deadline=None)
@given(tags=st.lists(VERSIONS, unique=True, min_size=1))
def test_every_tag_is_counted_once_and_every_loser_told_is_one(rule, tags):
    made = explain(rule, tags)
    assert sum(number for _, number in made.counts) == len(tags) == made.total
    told = [tag for tag, _ in made.losers]
    assert len(told) == len(set(told)) <= MOST
    assert made.selected not in told
