"""What `tidegate reconcile` says besides the condition Ready."""

from tidegate.cli.reconcile import left_undone

READY = {"type": "Ready", "status": "True", "message": "successful scan: found 2 tags"}


def test_a_ready_object_that_was_not_scanned_says_so():
    held = {"type": "RateLimited", "status": "True", "message": "no scan before 2026-01-15T12:15:00Z: 429\nlog in"}
    assert left_undone([READY, held]) == ["! RateLimited: no scan before 2026-01-15T12:15:00Z: 429\nlog in"]


def test_a_policy_that_passed_over_a_tag_says_so():
    rejected = {"type": "NewerRejected", "status": "True", "message": "1.0.8: not signed"}
    assert left_undone([rejected, READY]) == ["! NewerRejected: 1.0.8: not signed"]


def test_nothing_is_added_where_all_was_done():
    assert left_undone([READY, {"type": "Expecting", "status": "True", "message": "a tag is expected"}]) == []
