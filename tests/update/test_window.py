"""Windows: how they are written, when they are open, and when they open next, daylight saving included."""

import zoneinfo
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tidegate.base.errors import InvalidInput
from tidegate.base.zones import rfc3339
from tidegate.update.window import Range, Window

WEEKDAYS = frozenset(range(5))
OFFICE = "Mon-Fri 08:00-18:00 Europe/Sarajevo"


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        (OFFICE, [Range(WEEKDAYS, 480, 1080)]),
        ("mon-FRI 8:00-18:00", [Range(WEEKDAYS, 480, 1080)]),
        ("Monday-Friday 08:00-18:00 UTC", [Range(WEEKDAYS, 480, 1080)]),
        ("08:00-18:00 Europe/Sarajevo", [Range(frozenset(range(7)), 480, 1080)]),
        ("Sat-Mon 00:00-24:00", [Range(frozenset({5, 6, 0}))]),
        ("Sat, Sun Asia/Kathmandu", [Range(frozenset({5, 6}))]),
        ("Sun", [Range(frozenset({6}))]),
        ("Sun-Sat", [Range(frozenset(range(7)))]),
        ("Mon-Fri 08:00-12:00, 13:00-18:00", [Range(WEEKDAYS, 480, 720), Range(WEEKDAYS, 780, 1080)]),
        ("Mon,Wed 08:00-09:00,Fri 10:00-11:00", [Range(frozenset({0, 2}), 480, 540), Range(frozenset({4}), 600, 660)]),
        ("Fri 22:00-06:00 America/Port-au-Prince", [Range(frozenset({4}), 1320, 360)]),
        ("Mon-Thu 08:00-18:00, Fri 08:00-14:00, Sat",
         [Range(frozenset(range(4)), 480, 1080), Range(frozenset({4}), 480, 840), Range(frozenset({5}))]),
    ],
)  # fmt: skip
def test_a_window_is_read(text, ranges):
    assert list(Window.parse(text).ranges) == ranges


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it has no range"),
        ("Europe/Sarajevo", "it has no range"),
        ("Mon-Fri 08:00-18:00,", "between two commas stands nothing"),
        ("Mon-Fri 08:00-18:00,,Sat", "between two commas stands nothing"),
        ("Mon-Fry 08:00-18:00 UTC", "'Mon-Fry' is neither days nor times"),
        ("Mon-Fri 08:00-24:30 UTC", "'Mon-Fri 08:00-24:30' is not days, then times"),
        ("Mon-Fri 25:00-26:00", "'Mon-Fri 25:00-26:00' is not days, then times"),
        ("08:00-18:00 Mon UTC", "'08:00-18:00 Mon' is not days, then times"),
        ("Mon-Fri 08:00", "'Mon-Fri 08:00' is not days, then times"),
        ("Mon 08:00-08:00", "'08:00-08:00' has no length"),
        ("Mon 08:00-18:00 Europe/Sarajewo", "the time zone 'Europe/Sarajewo' is not known on this machine"),
        ("Mon 08:00-18:00 Europe", "the time zone 'Europe' is not known on this machine"),
        ("Mon 08:00-18:00 ../etc/passwd", "'Mon 08:00-18:00 ../etc/passwd' is not days, then times"),
        ("Mon " * 200, "it is longer than 500 characters"),
    ],
)
def test_a_wrong_one_is_one_clear_error(text, said):
    with pytest.raises(InvalidInput) as caught:
        Window.parse(text)
    assert caught.value.message == said
    assert caught.value.remedy


def test_a_machine_without_zones_says_so_and_has_utc(tmp_path):
    zoneinfo.reset_tzpath([str(tmp_path)])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        with pytest.raises(InvalidInput) as caught:
            Window.parse(OFFICE)
        assert "this machine has no data of time zones\ninstall it: apt-get install tzdata" in caught.value.explain()
        assert Window.parse("Mon 08:00-18:00 UTC").zone is UTC
    finally:
        zoneinfo.reset_tzpath()
        zoneinfo.ZoneInfo.clear_cache()


@pytest.mark.parametrize(
    ("text", "moment", "opens"),
    [
        # Thursday, in the middle: it is open. The end is no part of it.
        (OFFICE, "2026-01-15T12:00:07Z", "2026-01-15T13:00:07+01:00"),
        (OFFICE, "2026-01-15T07:00:00Z", "2026-01-15T08:00:00+01:00"),
        (OFFICE, "2026-01-15T06:59:59Z", "2026-01-15T08:00:00+01:00"),
        (OFFICE, "2026-01-15T17:00:00Z", "2026-01-16T08:00:00+01:00"),
        (OFFICE, "2026-01-16T17:00:00Z", "2026-01-19T08:00:00+01:00"),
        # In summer an hour earlier for the rest of the world.
        (OFFICE, "2026-07-17T16:00:00Z", "2026-07-20T08:00:00+02:00"),
        # Over midnight: the morning belongs to the evening before.
        ("Fri 22:00-06:00 UTC", "2026-01-17T05:59:00Z", "2026-01-17T05:59:00Z"),
        ("Fri 22:00-06:00 UTC", "2026-01-17T06:00:00Z", "2026-01-23T22:00:00Z"),
        ("Fri 22:00-06:00 UTC", "2026-01-16T05:00:00Z", "2026-01-16T22:00:00Z"),
        ("Sun 23:00-01:00 UTC", "2026-01-19T00:30:00Z", "2026-01-19T00:30:00Z"),
        # A day that is over elsewhere.
        ("Mon Pacific/Auckland", "2026-01-18T11:00:00Z", "2026-01-19T00:00:00+13:00"),
        ("Mon Asia/Kathmandu", "2026-01-18T18:14:59Z", "2026-01-19T00:00:00+05:45"),
        # 2026-03-29: 02:00 becomes 03:00. What lies in the hour that is skipped is never.
        ("02:15-04:00 Europe/Sarajevo", "2026-03-29T00:30:00Z", "2026-03-29T03:00:00+02:00"),
        ("02:15-02:45 Europe/Sarajevo", "2026-03-29T00:30:00Z", "2026-03-30T02:15:00+02:00"),
        ("Sun 02:15-02:45 Europe/Sarajevo", "2026-03-28T12:00:00Z", "2026-04-05T02:15:00+02:00"),
        ("01:00-02:30 Europe/Sarajevo", "2026-03-29T01:00:00Z", "2026-03-30T01:00:00+02:00"),
        # 2026-10-25: 03:00 becomes 02:00. What lies in the hour that comes twice is twice.
        ("02:15-02:45 Europe/Sarajevo", "2026-10-25T00:00:00Z", "2026-10-25T02:15:00+02:00"),
        ("02:15-02:45 Europe/Sarajevo", "2026-10-25T00:45:00Z", "2026-10-25T02:15:00+01:00"),
        ("01:00-02:30 Europe/Sarajevo", "2026-10-25T00:40:00Z", "2026-10-25T02:00:00+01:00"),
        # Half an hour, and a day that Samoa left out.
        ("Sun 02:00-02:15 Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-11T02:00:00+11:00"),
        ("Fri Pacific/Apia", "2011-12-29T12:00:00Z", "2012-01-06T00:00:00+14:00"),
    ],
)
def test_it_opens(text, moment, opens):
    found = Window.parse(text).opens(datetime.fromisoformat(moment))
    assert found is not None
    assert rfc3339(found) == opens


ZONES = ("UTC", "Europe/Sarajevo", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago")
MINUTES = st.integers(0, 24 * 12 - 1).map(lambda number: number * 5)
RANGES = st.builds(Range, st.frozensets(st.integers(0, 6), min_size=1, max_size=2), MINUTES, MINUTES)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - it wants so
CHANGES = st.sampled_from([datetime(2026, month, day, tzinfo=UTC) for month, day in
                           ((3, 8), (3, 28), (4, 4), (9, 5), (10, 3), (10, 24), (10, 31))])  # fmt: skip
NEAR = st.builds(lambda day, minutes: day + timedelta(minutes=minutes), CHANGES, st.integers(0, 48 * 60))


@given(st.lists(RANGES, min_size=1, max_size=3), st.sampled_from(ZONES), MOMENTS | NEAR)
def test_it_is_open_when_it_opens_and_not_before(ranges, zone, moment):
    assume(all(one.start != one.end for one in ranges))
    window = Window(tuple(ranges), zoneinfo.ZoneInfo(zone))
    found = window.opens(moment)
    assert found is not None
    assert window.is_open(found)
    # Every change of it lies on five minutes of UTC, as do the zones' and the ranges' own.
    step = moment.replace(minute=moment.minute // 5 * 5, second=0, microsecond=0) + timedelta(minutes=5)
    seen = moment
    while seen < found.astimezone(UTC):
        assert not window.is_open(seen)
        seen, step = step, step + timedelta(minutes=5)
    if found.astimezone(UTC) > moment:
        assert not window.is_open(found.astimezone(UTC) - timedelta(seconds=1))
