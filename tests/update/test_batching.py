"""When changes wait, until when, and since when."""

from datetime import UTC, datetime, timedelta

import pytest

from tidegate.update.batching import PENDING, SHOWN, is_asked_for, pending_since, wait_for
from tidegate.update.edit import Change
from tidegate.update.objects import ObjectIdentity
from tidegate.update.window import Window

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)  # a Thursday, 13:00 in Sarajevo
OFFICE = Window.parse("Mon-Fri 08:00-18:00 Europe/Sarajevo")
NIGHT = Window.parse("22:00-06:00 Europe/Sarajevo")


def change(number=1):
    place = ("apps/web.yaml", number, "1.0.0", "1.1.0", "ns:web", "ns:web:tag", "registry.test/web:1.1.0")
    return Change(*place, ObjectIdentity())


def automation(since=None, condition=None, asked=None, handled=None):
    conditions = [{"type": PENDING, "status": "True", "lastTransitionTime": condition}] if condition else []
    annotations = {"reconcile.fluxcd.io/requestedAt": asked} if asked else {}
    status = {"pendingSince": since, "lastHandledReconcileAt": handled, "conditions": conditions}
    return {"metadata": {"annotations": annotations}, "status": {key: one for key, one in status.items() if one}}


def wait(obj=None, *, batch=0.0, window=None):
    return wait_for([change()], obj or automation(), NOW, batch=batch, window=window)


@pytest.mark.parametrize(
    ("obj", "batch", "window", "until"),
    [
        (automation(), 0.0, None, None),
        (automation(), 300.0, None, "2026-01-15T12:05:00Z"),
        (automation(since="2026-01-15T11:57:00Z"), 300.0, None, "2026-01-15T12:02:00Z"),
        (automation(since="2026-01-15T11:55:00Z"), 300.0, None, None),
        (automation(condition="2026-01-15T11:57:00Z"), 300.0, None, "2026-01-15T12:02:00Z"),
        # A clock that was put back makes no wait longer than it is to be.
        (automation(since="2026-01-15T18:00:00Z"), 300.0, None, "2026-01-15T12:05:00Z"),
        (automation(since="yesterday"), 300.0, None, "2026-01-15T12:05:00Z"),
        (automation(asked="now"), 300.0, None, None),
        (automation(asked="now", handled="now"), 300.0, None, "2026-01-15T12:05:00Z"),
        (automation(), 0.0, OFFICE, None),
        (automation(), 0.0, NIGHT, "2026-01-15T22:00:00+01:00"),
        (automation(asked="now"), 0.0, NIGHT, "2026-01-15T22:00:00+01:00"),
        (automation(), 300.0, OFFICE, "2026-01-15T13:05:00+01:00"),
        # A batch that ends when the window is closed goes when it opens again.
        (automation(), 6 * 3600.0, OFFICE, "2026-01-16T08:00:00+01:00"),
        (automation(asked="now"), 6 * 3600.0, OFFICE, None),
    ],
)
def test_changes_wait_until(obj, batch, window, until):
    found = wait(obj, batch=batch, window=window)
    assert (found and f"until {until} (" in found.headline()) == (True if until else None)


def test_the_condition_names_what_waits_and_because_of_what():
    found = wait(batch=300.0)
    assert found.condition().message == (
        "1 change waits until 2026-01-15T12:05:00Z "
        "(tidegate.dev/batch or policyChangeDelay: 5m0s from the first change on)\n"
        "apps/web.yaml:1: 1.0.0 -> 1.1.0, of ns:web"
    )
    assert found.condition().reason == "Batching"
    assert wait(window=NIGHT).condition().reason == "OutsideWindow"
    many = wait_for([change(number) for number in range(SHOWN + 2)], automation(), NOW, batch=60.0, window=None)
    lines = many.condition().message.splitlines()
    assert (len(lines), lines[-1]) == (SHOWN + 2, "and 2 more")
    assert lines[0].startswith("12 changes wait until ")


def test_a_wait_begins_with_its_first_change():
    assert pending_since(automation(), NOW) == NOW
    since = wait(automation(since="2026-01-15T11:57:00Z"), batch=300.0).since
    assert since == NOW - timedelta(minutes=3)


def test_a_request_counts_until_it_is_handled():
    assert [is_asked_for(automation(**one)) for one in ({}, {"asked": "a"}, {"asked": "a", "handled": "a"})] == [
        False,
        True,
        False,
    ]
