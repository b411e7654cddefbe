"""What is believed of a registry's answers: decided from numbers and times alone."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.scan.trust import Change, Doubt, Scan, doubted, suspicion

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def scan(revision="2", count=1, after=0.0, asked=False, interval=60.0):
    return Scan(revision, count, NOW + timedelta(seconds=after), asked, interval)


@given(st.sets(st.text("abc", max_size=3)), st.sets(st.text("abc", max_size=3)))
def test_a_change_counts_what_is_gone_and_what_is_new(before, after):
    change = Change.between(iter(sorted(before)), iter(sorted(after)))
    assert change == Change(len(before), len(before - after), len(after - before))
    assert change.after == len(after)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (Change(12, 12, 0), "has no tags any more, though it had 12"),
        (Change(1, 1, 0), "has no tags any more, though it had 1"),
        (Change(12, 7, 0), "has only 5 tags, though it had 12: more than half of them are gone"),
        (Change(12, 12, 3), "has only 3 tags, though it had 12: more than half of them are gone"),
        (Change(12, 6, 0), None),
        (Change(12, 1, 0), None),
        (Change(12, 0, 5), None),
        (Change(0, 0, 5), None),
        (Change(12, 12, 12), None),  # a registry that keeps only the newest tags
        (Change.counted(12, 5), "has only 5 tags, though it had 12: more than half of them are gone"),
        (Change.counted(12, 6), None),
        (Change.counted(5, 12), None),
    ],
)
def test_none_or_less_than_half_of_the_tags_look_like_a_fault(change, says):
    assert suspicion(change, []) == says


def test_a_selected_tag_that_is_gone_alone_looks_like_a_fault_and_with_newer_ones_like_a_clean_up():
    assert suspicion(Change(12, 1, 0), ["1.0.9"]) == "has no longer 1.0.9, which is selected, and nothing new"
    assert suspicion(Change(12, 1, 1), ["1.0.9"]) is None


def test_the_same_answer_is_counted_and_another_begins_anew():
    first = doubted(None, scan())
    assert first == Doubt("2", 1, 1, NOW, NOW)
    second = doubted(first, scan(after=60))
    assert second == Doubt("2", 1, 2, NOW, NOW + timedelta(seconds=60))
    assert doubted(second, scan(revision="3", after=120)).scans == 1
    assert doubted(second, scan(count=2, after=120)).scans == 1
    assert doubted(second, scan(after=120)).scans == 3


@pytest.mark.parametrize(
    ("interval", "after", "scans"), [(60, 29, 1), (60, 30, 2), (3600, 30, 2), (10, 4, 1), (10, 5, 2)]
)
def test_scans_that_follow_each_other_at_once_count_as_one(interval, after, scans):
    assert doubted(doubted(None, scan()), scan(after=after, interval=interval)).scans == scans


def test_a_scan_that_somebody_asked_for_counts_at_once():
    assert doubted(doubted(None, scan()), scan(after=1, asked=True)).scans == 2


def test_what_a_status_remembers_comes_back():
    doubt = Doubt("2", 1, 2, NOW, NOW + timedelta(seconds=60))
    assert Doubt.of({"distrustedScanResult": doubt.as_json()}) == doubt


@pytest.mark.parametrize(
    "kept", [None, 1, {}, {"firstScanTime": "yesterday"}, Doubt("2", 1, 2, NOW, NOW).as_json() | {"scans": "2"}]
)
def test_a_status_of_another_shape_remembers_nothing(kept):
    assert Doubt.of({"distrustedScanResult": kept}) is None


def test_a_tag_that_many_policies_have_selected_is_told_once_and_of_many_tags_the_first():
    change = Change(100, 1, 0)
    assert suspicion(change, ["1.0"] * 500) == "has no longer 1.0, which is selected, and nothing new"
    words = suspicion(change, [f"1.{number}" for number in range(500)])
    assert words == "has no longer 1.0, 1.1, 1.2, 1.3, 1.4 and 495 more, which is selected, and nothing new"
