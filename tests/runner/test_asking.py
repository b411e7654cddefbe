from datetime import UTC, datetime

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.runner.asking import cancel_patch, is_asked_again, keeps_what_succeeded, rerun_patch
from tidegate.runner.names import CANCEL, RERUN

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def run(status="completed", annotations=None, **more):
    metadata = {"name": "shop-ci-1", "annotations": annotations or {}}
    return {"metadata": metadata, "spec": {}, "status": {"status": status, "conclusion": "failure"} | more}


def test_a_run_that_is_over_can_run_again_and_is_no_longer_cancelled():
    patch = rerun_patch(run(), NOW)
    assert patch == {"metadata": {"annotations": {RERUN: NOW.isoformat(), CANCEL: None}}, "spec": {"cancel": None}}


def test_what_failed_can_run_again_by_itself():
    patch = rerun_patch(run(), NOW, failed=True)
    assert patch["metadata"]["annotations"] == {RERUN: f"failed {NOW.isoformat()}", CANCEL: None}
    with pytest.raises(InvalidInput, match="no job of the run shop-ci-1 failed"):
        rerun_patch(run(conclusion="success"), NOW, failed=True)


@pytest.mark.parametrize("given", [run("in_progress"), run("queued"), {"metadata": {"name": "x"}}])
def test_one_that_is_not_over_can_be_cancelled_only(given):
    assert cancel_patch(given) == {"metadata": {"annotations": {CANCEL: "true"}}}
    with pytest.raises(InvalidInput, match="not over yet"):
        rerun_patch(given, NOW)


def test_one_that_is_over_can_not_be_cancelled():
    with pytest.raises(InvalidInput, match="is over: failure"):
        cancel_patch(run())


def test_a_wish_counts_until_it_is_handled():
    assert not is_asked_again(run())
    asked = run(annotations={RERUN: "2"}, lastHandledRerun="1")
    assert is_asked_again(asked)
    assert not is_asked_again(run(annotations={RERUN: "2"}, lastHandledRerun="2"))
    assert not is_asked_again(run("in_progress", annotations={RERUN: "2"}))
    assert not keeps_what_succeeded(asked)
    assert cancel_patch(asked)
    with pytest.raises(InvalidInput):
        rerun_patch(asked, NOW)


def test_a_wish_for_what_failed_is_told_by_its_first_word():
    assert keeps_what_succeeded(run(annotations={RERUN: "failed 2"}, lastHandledRerun="failed 1"))
    assert not keeps_what_succeeded(run(annotations={RERUN: "failed 2"}, lastHandledRerun="failed 2"))
    assert not keeps_what_succeeded(run(annotations={RERUN: "2"}, lastHandledRerun="failed 1"))
