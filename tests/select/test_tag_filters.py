"""filterTags: which tags count, as what, and what the decision says of the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.base.errors import InvalidInput
from tidegate.kinds.image_policy import ImagePolicy
from tidegate.select.filters import TagFilter
from tidegate.select.policy import Policy, select

BUILDS = ["main-a1-100", "latest", "main-b2-99", "dev-c3-500", "main-d4-1.0.0", "main-e5-101"]


def test_the_extracted_value_is_ordered_and_the_tag_it_came_from_wins():
    builds = TagFilter(r"^main-[a-f0-9]+-(?P<ts>[0-9]+)$", "$ts")
    decision = select(Policy.by_number("asc"), BUILDS, builds)
    assert decision.tag == "main-e5-101"
    assert list(decision.rejected()) == [
        ("main-a1-100", "smaller than main-e5-101"),
        ("latest", "does not match ^main-[a-f0-9]+-(?P<ts>[0-9]+)$"),
        ("main-b2-99", "smaller than main-e5-101"),
        ("dev-c3-500", "does not match ^main-[a-f0-9]+-(?P<ts>[0-9]+)$"),
        ("main-d4-1.0.0", "does not match ^main-[a-f0-9]+-(?P<ts>[0-9]+)$"),
    ]


def test_without_an_extract_the_tag_itself_is_ordered():
    decision = select(Policy.by_semver("*"), ["1.0.0", "1.1.0-alpine", "v1.2.0"], TagFilter("^[0-9.]+$"))
    assert decision.tag == "1.0.0"
    assert decision.summary() == "2 do not match the filter"


def test_of_tags_with_the_same_value_the_last_one_stands_for_it():
    tags = ["a-1", "b-2", "c-2", "d-1"]
    decision = select(Policy.by_number("asc"), tags, TagFilter("-(.*)", "$1"))
    assert decision.tag == "c-2"
    assert decision.why_not("b-2") == "what is extracted from it is extracted from a later tag too"
    assert select(Policy.by_number("desc"), tags, TagFilter("-(.*)", "$1")).tag == "d-1"


def test_an_excluded_tag_is_not_looked_at():
    decision = select(Policy.by_semver("*"), ["1.0.0", "2.0.0", "2.0.0.sig"], TagFilter(exclude=["^2", "sig$"]))
    assert decision.tag == "1.0.0"
    assert decision.summary() == "2 are excluded"
    assert decision.why_not("2.0.0") == "excluded"


@pytest.mark.parametrize("policy", [Policy.by_semver("*"), Policy.by_alphabet("asc"), Policy.by_number("desc")])
def test_where_no_tag_matches_none_is_selected(policy):
    decision = select(policy, ["latest", "main"], TagFilter("^v"))
    assert (decision.tag, decision.summary()) == (None, "2 do not match the filter")
    assert decision.policy == policy.words()


def test_a_value_that_is_no_number_is_told():
    with pytest.raises(InvalidInput, match=r"'1\.0\.0' is no number"):
        select(Policy.by_number("asc"), BUILDS, TagFilter("^main-[a-f0-9]+-(.*)$", "$1"))


def image_policy(**filter_tags):
    return ImagePolicy.from_object(
        {
            "apiVersion": "image.toolkit.fluxcd.io/v1beta2",
            "kind": "ImagePolicy",
            "metadata": {"name": "web", "namespace": "flux-system"},
            "spec": {
                "imageRepositoryRef": {"name": "web"},
                "policy": {"semver": {"range": "*"}},
                **({"filterTags": filter_tags} if filter_tags else {}),
            },
        }
    )


def test_the_filter_of_an_image_policy():
    assert TagFilter.of(image_policy()) is None
    pattern = TagFilter.of(image_policy(pattern="^v(.*)", extract="$1"))
    assert pattern is not None
    assert pattern.extracted(["v1", "2"]) == [("1", "v1")]
    alone = TagFilter.of(image_policy(extract="x$0"))
    assert alone is not None
    assert alone.extracted(["v1"]) == [("x", "v1")]


def test_a_pattern_that_go_refuses_is_told_with_its_field():
    with pytest.raises(InvalidInput) as caught:
        TagFilter.of(image_policy(pattern="^(?!dev)"))
    assert str(caught.value) == (
        "spec.filterTags.pattern: error parsing regexp: invalid or unsupported Perl syntax: `(?!`"
    )
    with pytest.raises(InvalidInput) as caught:
        TagFilter(exclude=["ok", "["])
    assert str(caught.value) == "exclude[1]: error parsing regexp: missing closing ]: `[`"


@given(st.lists(st.text("ab1-", max_size=4), unique=True))
def test_each_tag_is_kept_or_has_a_reason(tags):
    decision = select(Policy.by_alphabet("asc"), tags, TagFilter("a(.)", "$1", ["b$"])) if tags else None
    if decision is not None:
        assert len(list(decision.rejected())) == len(tags) - (decision.tag is not None)
        kept = {tag[tag.index("a") + 1] for tag in tags if "a" in tag[:-1] and not tag.endswith("b")}
        assert (decision.tag is not None) is bool(kept)


def test_a_hundred_thousand_tags_are_filtered_by_looking_at_their_characters_alone():
    tags = [f"main-{n * 2_654_435_761 % 2**28:07x}-{1_700_000_000 + n}" for n in range(100_000)]
    builds = TagFilter(r"^main-[a-f0-9]+-(?P<ts>[0-9]+)$", "$ts", [r"^.*\.sig$"])
    assert select(Policy.by_number("asc"), tags, builds).tag == tags[-1]
    assert builds.steps <= 2 * sum(map(len, tags)) + 5_000
