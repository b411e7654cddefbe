"""The times are what robfig/cron 3.0.1 answered."""

from __future__ import annotations

import itertools
from datetime import datetime

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.base.zones import rfc3339, zone_named
from tidegate.workflow.cron import parse_cron

JANUARY, EVE = "2024-01-15T10:20:30Z", "2023-12-31T23:59:59Z"


def due(spec: str, after: str, zone: str = "UTC", count: int = 3) -> list[str]:
    times = parse_cron(spec).times(datetime.fromisoformat(after), zone_named(zone))
    return [rfc3339(time) for time in itertools.islice(times, count)]


@pytest.mark.parametrize(
    ("spec", "after", "expected"),
    [
        ("0 0 31 * *", JANUARY, ["2024-01-31T00:00:00Z", "2024-03-31T00:00:00Z", "2024-05-31T00:00:00Z"]),
        ("0 0 13 * 5", EVE, ["2024-01-05T00:00:00Z", "2024-01-12T00:00:00Z", "2024-01-13T00:00:00Z"]),
        ("0 0 13 * *", EVE, ["2024-01-13T00:00:00Z", "2024-02-13T00:00:00Z", "2024-03-13T00:00:00Z"]),
        ("5/15 * * * *", JANUARY, ["2024-01-15T10:35:00Z", "2024-01-15T10:50:00Z", "2024-01-15T11:05:00Z"]),
        ("0  0  *  *  *", EVE, ["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z"]),
        ("1, * * * *", JANUARY, ["2024-01-15T11:01:00Z", "2024-01-15T12:01:00Z", "2024-01-15T13:01:00Z"]),
        ("0 12 * JAN-Feb mon-FRI", JANUARY, ["2024-01-15T12:00:00Z", "2024-01-16T12:00:00Z", "2024-01-17T12:00:00Z"]),
        ("0 0 29 2 *", JANUARY, ["2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]),
        ("+5 ? * * ?", JANUARY, ["2024-01-15T11:05:00Z", "2024-01-15T12:05:00Z", "2024-01-15T13:05:00Z"]),
        ("0 0 */2 * 1", EVE, ["2024-01-01T00:00:00Z", "2024-01-03T00:00:00Z", "2024-01-05T00:00:00Z"]),
        ("0 0 */1 * 1", EVE, ["2024-01-01T00:00:00Z", "2024-01-08T00:00:00Z", "2024-01-15T00:00:00Z"]),
    ],
)
def test_the_next_three_times(spec: str, after: str, expected: list[str]) -> None:
    assert due(spec, after) == expected


@pytest.mark.parametrize(
    ("spec", "after", "zone", "expected"),
    [
        ("0 * * * *", "2024-11-03T04:30:00Z", "America/New_York",
         ["2024-11-03T01:00:00-04:00", "2024-11-03T01:00:00-05:00", "2024-11-03T02:00:00-05:00"]),
        ("30 2 * * *", "2024-03-09T20:00:00Z", "America/New_York",
         ["2024-03-11T02:30:00-04:00", "2024-03-12T02:30:00-04:00", "2024-03-13T02:30:00-04:00"]),
        ("0 * * * *", "2024-06-01T00:00:00Z", "Asia/Kolkata",
         ["2024-06-01T06:00:00+05:30", "2024-06-01T07:00:00+05:30", "2024-06-01T08:00:00+05:30"]),
        ("0 2 10 3 *", JANUARY, "America/Havana",
         ["2024-03-10T02:00:00-04:00", "2025-03-10T02:00:00-04:00", "2026-03-10T02:00:00-04:00"]),
        ("0 12 * * *", "2024-03-30T20:00:00Z", "Europe/London",
         ["2024-03-31T12:00:00+01:00", "2024-04-01T12:00:00+01:00", "2024-04-02T12:00:00+01:00"]),
        ("0 12 * * *", JANUARY, "Europe/London",
         ["2024-01-15T12:00:00Z", "2024-01-16T12:00:00Z", "2024-01-17T12:00:00Z"]),
    ],
)  # fmt: skip
def test_clock_changes(spec: str, after: str, zone: str, expected: list[str]) -> None:
    assert due(spec, after, zone) == expected


def test_a_day_that_a_zone_left_out_is_passed_over() -> None:
    assert due("0 0 31 * *", "2011-12-29T05:00:00Z", "Pacific/Apia", 1) == ["2011-12-31T00:00:00+14:00"]


@pytest.mark.parametrize("spec", ["0 0 30 2 *", ", * * * *", "* , * * *"])
def test_a_schedule_that_is_never_due_has_no_times(spec: str) -> None:
    assert due(spec, JANUARY) == []


@pytest.mark.parametrize(
    "spec",
    ["", "* * * *", "* * * * * *", "@daily", "TZ=UTC * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *",
     "* * * * 7", "5-1 * * * *", "1-2-3 * * * *", "*/0 * * * *", "*/2/3 * * * *", "*/-1 * * * *", "1.5 * * * *",
     "a * * * *", "* * * mo *", "1_0 * * * *", "99999999999999999999 * * * *", "- * * * *", "/2 * * * *"],
)  # fmt: skip
def test_what_the_library_refuses_is_refused(spec: str) -> None:
    with pytest.raises(InvalidInput):
        parse_cron(spec)


@pytest.mark.parametrize("zone", ["Mars/Phobos", "../../etc/passwd", "/etc/passwd", "Europe/\0"])
def test_a_zone_that_does_not_exist_is_refused(zone: str) -> None:
    with pytest.raises(InvalidInput):
        zone_named(zone)
