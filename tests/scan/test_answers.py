"""What a scan keeps of an answer, and how that differs from the last good result."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.scan import answer
from tidegate.scan.answer import Good, answer_of, differing
from tidegate.scan.exclusion import kept
from tidegate.scan.trust import Change

RULE = (r"\.sig$",)
MANY = sorted(f"1.{number}" for number in range(5_000))
tags = st.sets(st.text("ab.", min_size=1, max_size=4))


def lines(tags):
    return "".join(f"{tag}\n" for tag in sorted(tags))


def good(tags, rule=RULE):
    return Good("7", len(tags), ("x",), rule)


@given(tags, tags, st.integers(1, 4))
def test_the_difference_is_that_of_sets(found, stored, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answer, "BLOCK", block)
        check_difference(found, stored)


def check_difference(found, stored):
    listed, others, lost = differing(list(found), lines(stored))
    assert list(listed) == sorted(found)
    assert others == sorted(found - stored)
    assert lost == len(stored - found)


@given(tags, tags)
def test_what_is_kept_does_not_depend_on_what_was_kept_before(found, before):
    found |= {f"{tag}.sig" for tag in found}
    before = {tag for tag in before if not tag.endswith(".sig")}
    made = answer_of(list(found), RULE, good(before), lines(before))
    expected = kept(found, RULE)
    assert made.change == Change(len(before), len(before - set(expected)), len(set(expected) - before))
    assert made.tags == (None if before == set(expected) else expected)


def test_the_same_answer_again_has_nothing_to_store():
    made = answer_of(MANY[::-1], RULE, good(MANY), lines(MANY))
    assert (made.tags, made.count, made.revision, made.latest) == (None, len(MANY), "7", ("x",))


def test_of_many_tags_only_new_ones_are_tested(monkeypatch):
    tested = []

    def counting(tags, rule):
        tested.extend(tags)
        return kept(tags, rule)

    monkeypatch.setattr(answer, "kept", counting)
    made = answer_of([*MANY, "9.9", "9.9.sig"], RULE, good(MANY), lines(MANY))
    assert tested == ["9.9", "9.9.sig"]
    assert made.tags == [*MANY, "9.9"]
    assert made.latest == tuple([*MANY, "9.9"][:-11:-1])


def test_without_what_was_stored_the_numbers_are_compared_where_the_rule_is_the_same():
    assert answer_of(["1"], RULE, good(MANY), None).change == Change.counted(len(MANY), 1)
    assert answer_of(["1"], RULE, good(MANY, ("^x",)), None).change is None
    assert answer_of([], RULE, good(MANY, ("^x",)), None).change == Change.counted(len(MANY), 0)
