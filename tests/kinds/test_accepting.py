"""The annotation that accepts an answer counts once, whoever's clock is ahead or behind."""

from datetime import UTC, datetime, timedelta

import pytest

from tidegate.kinds.accepting import ACCEPT, acceptance, accepting

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def repository(accept=None, scanned=None, handled=None):
    status = {"lastScanResult": {"scanTime": scanned}} if scanned else {}
    if handled:
        status["lastHandledAcceptAt"] = handled
    return {"metadata": {"annotations": {ACCEPT: accept} if accept else {}}, "status": status}


@pytest.mark.parametrize("said", ["2026-01-15T11:59:00Z", "2026-01-15T11:59:00.5+00:00", "2026-01-15T13:59:00+02:00"])
def test_a_moment_after_the_last_good_scan_counts_until_it_is_handled(said):
    assert accepting(repository(said, "2026-01-15T11:59:00Z"), NOW) == said
    assert accepting(repository(said), NOW) == said
    assert accepting(repository(said, "2026-01-15T11:59:00Z", handled=said), NOW) is None


@pytest.mark.parametrize("said", [None, "true", "", "2026-01-15", "2026-01-15T11:59:00", "2026-01-15T11:58:59Z"])
def test_what_is_no_moment_or_before_the_last_good_scan_accepts_nothing(said):
    assert accepting(repository(said, "2026-01-15T11:59:00Z"), NOW) is None


def test_a_moment_far_ahead_is_not_accepted_for_ever_after():
    assert accepting(repository("2026-01-15T12:04:00Z"), NOW) is not None
    assert accepting(repository("2126-01-15T12:00:00Z"), NOW) is None


@pytest.mark.parametrize("behind", [0, 3600])
def test_the_command_s_moment_counts_even_where_its_clock_is_behind(behind):
    obj = repository(scanned="2026-01-15T11:59:30Z")
    said = acceptance(obj, NOW - timedelta(seconds=behind))
    assert accepting(repository(said, "2026-01-15T11:59:30Z"), NOW) == said
