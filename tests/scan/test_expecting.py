"""When a tag is expected, until when, and how often it is looked for."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.scan.expecting import Signal, Watch, latest, pace, until, watched

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def after(seconds):
    return NOW + timedelta(seconds=seconds)


def signal(cause="a", since=0.0):
    return Signal(cause, "NewCommit", "words", after(since))


def test_the_newest_signal_counts_for_15_minutes():
    assert latest([signal("a", 0), signal("b", 60)], after(61)) == signal("b", 60)
    assert latest([signal("a", 0)], after(899)) == signal("a", 0)
    assert latest([signal("a", 0)], after(900)) is None
    assert latest([], NOW) is None


def test_a_tag_that_has_come_ends_it_half_a_minute_later():
    watch = watched(None, signal(), "1", "1", after(5))
    assert watch == Watch("a", "1")
    assert until(signal(), watch) == after(900)
    watch = watched(watch, signal(), "1", "2", after(60))
    assert until(signal(), watch) == after(90)
    assert watched(watch, signal(), "2", "3", after(70)) == watch


def test_a_tag_that_came_before_its_run_ended_is_not_the_last_one_perhaps():
    watch = watched(None, signal("run"), "1", "2", after(60))
    assert until(signal("run", 300), watched(watch, signal("run", 300), "2", "2", after(301))) == after(330)


def test_the_tags_of_the_very_first_scan_are_none_that_were_expected():
    assert watched(None, signal(), None, "1", after(5)) == Watch("a", "1")


def test_another_cause_begins_anew():
    watch = watched(None, signal("a"), "1", "2", after(60))
    assert watched(watch, signal("b", 100), "2", "2", after(101)) == Watch("b", "2")


@pytest.mark.parametrize(
    ("elapsed", "interval", "expected", "delay"),
    [
        (0, 60, 1, 5),
        (60, 60, 1, 5),
        (120, 600, 1, 10),
        (840, 600, 1, 70),
        (840, 60, 1, 60),
        (0, 2, 1, 2),
        (0, 600, 40, 40),
    ],
)
def test_it_is_looked_for_every_5_seconds_then_more_slowly(elapsed, interval, expected, delay):
    assert pace(elapsed, interval, expected) == delay


@given(st.floats(0, 900), st.floats(1, 86_400), st.integers(1, 5_000))
def test_it_is_never_slower_than_the_interval(elapsed, interval, expected):
    assert 0 < pace(elapsed, interval, expected) <= interval


def test_15_minutes_of_it_cost_fewer_than_50_scans():
    elapsed, scans = 0.0, 0
    while elapsed < 900:
        elapsed, scans = elapsed + pace(elapsed, 3600, 1), scans + 1
    assert 40 < scans < 50
