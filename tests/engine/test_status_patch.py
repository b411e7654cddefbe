from tidegate.engine.outcome import Ready, Stalled, Waiting
from tidegate.engine.status import changes, failure_patch, status_patch

NOW, LATER = "2026-01-15T12:00:00Z", "2026-01-15T12:05:00Z"


def an_object(**status):
    return {"metadata": {"name": "a", "generation": 3}, "status": status}


def summary(patch):
    return {c["type"]: (c["status"], c["reason"], c["message"]) for c in patch["conditions"]}


def test_ready_says_so_and_drops_reconciling_and_stalled():
    before = status_patch(an_object(), Stalled("InvalidURL", "bad"), NOW)
    patch = status_patch(an_object(**before), Ready("stored", status={"artifact": {"revision": "r"}}), LATER)
    assert summary(patch) == {"Ready": ("True", "Succeeded", "stored")}
    assert patch["observedGeneration"] == 3
    assert patch["artifact"] == {"revision": "r"}


def test_waiting_is_reconciling_and_not_ready():
    assert summary(status_patch(an_object(), Waiting("the first scan"), NOW)) == {
        "Reconciling": ("True", "Progressing", "the first scan"),
        "Ready": ("False", "DependencyNotReady", "the first scan"),
    }


def test_a_failure_is_retried():
    assert summary(failure_patch(an_object(), "Unavailable", "no answer", NOW)) == {
        "Reconciling": ("True", "ProgressingWithRetry", "no answer"),
        "Ready": ("False", "Unavailable", "no answer"),
    }


def test_the_transition_time_changes_only_with_the_status():
    first = status_patch(an_object(), Ready("one"), NOW)
    second = status_patch(an_object(**first), Ready("two"), LATER)
    assert second["conditions"][0]["lastTransitionTime"] == NOW
    third = failure_patch(an_object(**second), "Unavailable", "three", LATER)
    assert {c["lastTransitionTime"] for c in third["conditions"]} == {LATER}


def test_a_requested_reconciliation_is_acknowledged():
    obj = an_object()
    obj["metadata"]["annotations"] = {"reconcile.fluxcd.io/requestedAt": "token-1"}
    assert status_patch(obj, Ready("ok"), NOW)["lastHandledReconcileAt"] == "token-1"


def test_changes_sees_only_what_a_merge_would_change():
    status = {"a": 1, "b": {"c": 2}}
    assert not changes(status, {"a": 1, "b": {"c": 2}, "gone": None})
    assert changes(status, {"b": {"c": 3}})
    assert changes(status, {"a": None})
    assert changes(status, {"new": []})


def test_a_message_is_such_as_a_cluster_takes_and_a_terminal_may_show():
    patch = status_patch(an_object(), Ready("\x1b[31mred\x9b\udcff\u202e\n\ttext " + "x" * 40_000), NOW)
    message = patch["conditions"][0]["message"]
    assert message.startswith("\ufffd[31mred\ufffd\ufffd\ufffd\n\ttext xxx")
    assert (len(message), message[-2:]) == (32_768, "x…")
    assert message.encode()
