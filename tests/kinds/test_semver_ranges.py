"""Semver ranges as Masterminds/semver v3 documents and implements them; quotations are from its README and godoc."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.base.errors import InvalidInput
from tidegate.kinds.semver import RELEASE, parse, parse_tag
from tidegate.kinds.semver_ranges import parse_range
from tidegate.select.policy import Policy, select


def admitted(text, *versions):
    wanted = parse_range(text)
    found = [version for version in versions if wanted.admits(parse(version))]
    test, all_taken = wanted.test(), wanted.takes_prereleases
    asked = [version for version in versions if all_taken or parse(version)[3] is RELEASE]
    assert [version for version in asked if test(parse(version))] == [one for one in asked if one in found]
    return found


# "The basic comparisons are" =, !=, >, <, >=, <=; "=>" and "=<" are accepted too
BASIC = {
    "=1.2.3": "1.2.3",
    "1.2.3": "1.2.3",
    "!=1.2.3": "0.9.0 1.2.2 1.2.4 1.3.0 2.0.0",
    ">1.2.3": "1.2.4 1.3.0 2.0.0",
    ">=1.2.3": "1.2.3 1.2.4 1.3.0 2.0.0",
    "=>1.2.3": "1.2.3 1.2.4 1.3.0 2.0.0",
    "<1.2.3": "0.9.0 1.2.2",
    "<=1.2.3": "0.9.0 1.2.2 1.2.3",
    "=<1.2.3": "0.9.0 1.2.2 1.2.3",
    ">= 1.2.3 < 1.3.0": "1.2.3 1.2.4",
    ">=1.2.3, <1.3.0": "1.2.3 1.2.4",
    ">=1.2.3,<1.3.0": "1.2.3 1.2.4",
    "<1 || >=2": "0.9.0 2.0.0",
    "<1||>=2": "0.9.0 2.0.0",
    "v1.2.3": "1.2.3",
}


@pytest.mark.parametrize("text", BASIC)
def test_basic_comparisons(text):
    versions = ["0.9.0", "1.2.2", "1.2.3", "1.2.4", "1.3.0", "2.0.0"]
    assert admitted(text, *versions) == BASIC[text].split()


# "~1.2.3 is equivalent to >= 1.2.3, < 1.3.0; ~1 to >= 1, < 2; ~2.3 to >= 2.3, < 2.4; ~1.2.x to >= 1.2.0, < 1.3.0;
#  ~1.x to >= 1, < 2"
TILDES = {
    "~1.2.3": (["1.2.3", "1.2.9"], ["1.2.2", "1.3.0"]),
    "~1": (["1.0.0", "1.9.9"], ["0.9.9", "2.0.0"]),
    "~2.3": (["2.3.0", "2.3.9"], ["2.2.9", "2.4.0"]),
    "~1.2.x": (["1.2.0", "1.2.9"], ["1.1.9", "1.3.0"]),
    "~1.x": (["1.0.0", "1.9.9"], ["2.0.0"]),
    "~>1.2": (["1.2.0", "1.2.9"], ["1.3.0"]),
    "~0.0.0": (["0.0.0", "7.0.0"], []),
    "~0.0": (["0.0.0", "0.0.9"], ["0.1.0"]),
    "~*": (["0.0.0", "7.0.0"], []),
}
# "^1.2.3 is equivalent to >= 1.2.3, < 2.0.0; ^1.2.x to >= 1.2.0, < 2.0.0; ^2.3 to >= 2.3, < 3; ^2.x to >= 2.0.0, < 3;
#  ^0.2.3 to >=0.2.3 <0.3.0; ^0.2 to >=0.2.0 <0.3.0; ^0.0.3 to >=0.0.3 <0.0.4; ^0.0 to >=0.0.0 <0.1.0;
#  ^0 to >=0.0.0 <1.0.0"
CARETS = {
    "^1.2.3": (["1.2.3", "1.9.0"], ["1.2.2", "2.0.0"]),
    "^1.2.x": (["1.2.0", "1.9.0"], ["1.1.9", "2.0.0"]),
    "^2.3": (["2.3.0", "2.9.0"], ["2.2.9", "3.0.0"]),
    "^2.x": (["2.0.0", "2.9.0"], ["1.9.9", "3.0.0"]),
    "^0.2.3": (["0.2.3", "0.2.9"], ["0.2.2", "0.3.0"]),
    "^0.2": (["0.2.0", "0.2.9"], ["0.1.9", "0.3.0"]),
    "^0.0.3": (["0.0.3"], ["0.0.2", "0.0.4"]),
    "^0.0": (["0.0.0", "0.0.9"], ["0.1.0"]),
    "^0": (["0.0.0", "0.9.9"], ["1.0.0"]),
}
# "1.2.x is equivalent to >= 1.2.0, < 1.3.0; >= 1.2.x to >= 1.2.0; <= 2.x to < 3; * to >= 0.0.0", and "1.2 - 1.4.5 which
#  is equivalent to >= 1.2 <= 1.4.5"; the rest as the library answered
OTHERS = {
    "1.2.x": (["1.2.0", "1.2.9"], ["1.3.0", "1.1.9"]),
    "1.2": (["1.2.0", "1.2.9"], ["1.3.0"]),
    "1": (["1.0.0", "1.9.9"], ["2.0.0"]),
    ">=1.2.x": (["1.2.0", "9.0.0"], ["1.1.9"]),
    "<=2.x": (["2.9.9", "0.0.1"], ["3.0.0"]),
    "<=2.1": (["2.1.9"], ["2.2.0"]),
    "<=*": (["0.0.9"], ["0.1.0"]),
    "*": (["0.0.0", "9.9.9"], []),
    "=X": (["3.0.0"], []),
    ">11": (["12.0.0"], ["11.1.0"]),
    ">11.1": (["11.2.0"], ["11.1.1"]),
    ">*": (["0.0.1"], ["0.0.0"]),
    "<1.2": (["1.1.9"], ["1.2.0"]),
    "!=1": (["2.0.0", "0.9.0"], ["1.0.0", "1.5.3"]),
    "!=1.2": (["1.3.0"], ["1.2.0", "1.2.9"]),
    "!=x": (["0.0.1"], ["0.0.0"]),
    "1.2 - 1.4.5": (["1.2.0", "1.4.5"], ["1.1.9", "1.4.6"]),
    "1.2 - 1.4": (["1.4.9"], ["1.5.0"]),
    "1 - 2 || 4 - 5": (["1.0.0", "2.9.0", "4.0.0"], ["3.0.0", "6.0.0"]),
    "x.1.2": (["9.9.9"], []),
    "1.*.3": (["1.0.0", "1.9.0"], ["2.0.0"]),
}


@pytest.mark.parametrize("text", [*TILDES, *CARETS, *OTHERS])
def test_short_forms(text):
    inside, outside = (TILDES | CARETS | OTHERS)[text]
    assert admitted(text, *inside, *outside) == inside


def test_a_prerelease_needs_a_prerelease_in_the_range():
    versions = ["1.2.3-rc.1", "1.2.4", "2.0.0-alpha"]
    assert admitted(">=1.0.0", *versions) == ["1.2.4"]
    assert admitted(">=1.0.0-0", *versions) == versions
    assert admitted(">=1.0.0 <2.0.0-0", *versions) == ["1.2.3-rc.1", "1.2.4"]
    assert admitted("*-0", *versions) == versions


def test_the_prerelease_rule_holds_for_each_group_of_its_own():
    assert admitted(">=2.0.0-0 || <1.2.4", "1.2.3-rc.1", "1.2.3", "2.0.0-alpha") == ["1.2.3", "2.0.0-alpha"]


def test_excluding_a_line_leaves_prereleases_of_other_names():
    assert admitted("!=1.2.x-rc.1", "1.2.3-rc.1", "1.2.3-rc.2", "1.2.3", "1.3.0") == ["1.2.3-rc.2", "1.2.3", "1.3.0"]


REFUSED = [
    "", " ", "||", "1||", "||1", "a", ">", ">=a", "!1.2.3", "==1", "<>1", "1,,2", "1,", ",1", "1.2.3.4", "1..2", ".1",
    "1 -2", "1 - ", "- 1", "1|2", "xx", "1.xx", "1.2.3-01", "1.2.3+a_b", "1.2.3-", ">=1.0.0<2.0.0", ">=1.0.0\x0b<2",
    "18446744073709551616.0.0", "1" * 257, "1 " * 300, "||".join(["1"] * 33),
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_other_text_is_refused(text):
    with pytest.raises(InvalidInput):
        parse_range(text)


def test_thirty_two_groups_are_allowed():
    assert admitted("||".join(["1"] * 32), "1.0.0") == ["1.0.0"]


def test_a_range_made_to_be_slow_is_refused_at_once():
    with pytest.raises(InvalidInput):
        parse_range("1   " * 100 + "!")


# "1.0.0-alpha < 1.0.0-alpha.1 < 1.0.0-alpha.beta < 1.0.0-beta < 1.0.0-beta.2 < 1.0.0-beta.11 < 1.0.0-rc.1 < 1.0.0"
# (Semantic Versioning 2.0.0, section 11)
PRECEDENCE = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
]


def test_precedence_is_the_specifications():
    shuffled = random.Random(1).sample(PRECEDENCE, len(PRECEDENCE))
    assert sorted(shuffled, key=parse) == PRECEDENCE


def test_numbers_too_long_for_64_bits_are_compared_as_text():
    assert parse("1.0.0-18446744073709551616") > parse("1.0.0-18446744073709551615")
    assert parse("1.0.0-99999999999999999999") > parse("1.0.0-100000000000000000000")


# Flux's ParseVersion: three parts at least, then Masterminds' NewVersion, which takes a `v` and leading zeros
@pytest.mark.parametrize(
    "tag", ["1.2.3", "v1.2.3", "1.2.03", "v2025.02.03", "1.2.3-rc.1+b", "1.2-rc.1", "1-a.b.c", "2.1.0+001", "1.2.3--"]
)
def test_tags_that_are_versions(tag):
    assert parse_tag(tag) is not None


@pytest.mark.parametrize(
    "tag",
    ["1", "1.2", "latest", "V1.2.3", "1.2.3\n", " 1.2.3", "1.2.3-007", "1.2.3-rc.01", "1.2.3.4", "1.2.3+", "1.2.3-",
     "1.2.3_1", "18446744073709551616.0.0", "1.2.3+" + "a" * 251, "١.2.3"],
)  # fmt: skip
def test_tags_that_are_no_versions(tag):
    assert parse_tag(tag) is None


@given(st.from_regex(r"v{0,2}[019]{0,4}(\.[019]{0,4}){1,3}(-[0a.]{0,3})?", fullmatch=True))
def test_a_tag_is_the_version_that_its_text_is(tag):
    assert parse_tag(tag) == (parse(tag) if tag.count(".") >= 2 else None)


NUMBER = st.integers(0, 3)
RELEASES = st.tuples(NUMBER, NUMBER, NUMBER).map(lambda parts: "{}.{}.{}".format(*parts))


@given(st.lists(RELEASES, min_size=1, max_size=8), RELEASES)
def test_the_winner_is_the_highest_inside(tags, least):
    decision = select(Policy.by_semver(f">={least}"), tags)
    inside = [tag for tag in tags if parse(tag) >= parse(least)]
    assert decision.tag == (max(inside, key=parse) if inside else None)


@given(RELEASES, RELEASES)
def test_a_hyphen_range_holds_both_ends(first, second):
    low, high = sorted((first, second), key=parse)
    assert admitted(f"{low} - {high}", low, high) == [low, high]
