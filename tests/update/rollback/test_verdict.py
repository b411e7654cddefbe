"""When an update has had its time."""

from datetime import UTC, datetime, timedelta

from tidegate.update.rollback.verdict import is_settled, next_look, too_late, watching

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def automation(**condition):
    conditions = [{"type": "RolledOut", **condition}] if condition else []
    return {"metadata": {"name": "a"}, "status": {"conditions": conditions}}


def test_only_the_status_of_the_last_commit_settles_it():
    done = automation(status="True", message="commit abc has had its time, and stays")
    assert is_settled(done, "abc")
    assert not is_settled(done, "def")
    assert not is_settled(automation(status="Unknown", message="commit abc"), "abc")


def test_long_after_its_time_only_what_was_watched_until_then_is_taken_back():
    due = NOW - timedelta(hours=2)
    assert too_late(automation(), due, NOW)
    assert not too_late(automation(status="Unknown", message="commit abc"), due, NOW)
    assert not too_late(automation(), NOW - timedelta(minutes=59), NOW)


def test_it_is_looked_again_when_the_first_time_is_over_and_now_and_then_before():
    assert next_look(600.0, NOW, []) == 60.0
    assert next_look(600.0, NOW, [NOW + timedelta(seconds=30), NOW + timedelta(seconds=90)]) == 30.0
    assert next_look(20.0, NOW, []) == 5.0
    assert next_look(600.0, NOW, [NOW]) == 1.0


def test_a_few_that_are_waited_for_are_named():
    waits = [(f"Deployment/shop/{name}", NOW) for name in "abcd"]
    message = watching("abc", 600.0, waits, ["a note"]).message
    assert message.startswith(
        "commit abc: what it set is taken back unless Deployment/shop/a is ready by 2026-01-15T12:00"
    )
    assert message.endswith("Deployment/shop/c is ready by 2026-01-15T12:00:00Z and 1 more are; a note")
    assert "10m0s to become ready" in watching("abc", 600.0, [], []).message
