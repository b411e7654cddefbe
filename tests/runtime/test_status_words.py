"""The statuses that kubectl, kstatus and Flux read."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tidegate.kinds.conditions import find
from tidegate.kinds.health import State, health
from tidegate.kinds.pods import is_ready, ready_since, trouble
from tidegate.runtime.deployment_status import stalled_patch, status_patch
from tidegate.runtime.rollout import Pod, Wanted
from tidegate.runtime.states import PodState, Running, Terminated, Waiting, pod_status

NOW = datetime(2026, 1, 15, 12, 0, 0, tzinfo=UTC)
STAMP = "2026-01-15T12:00:00Z"


def deployment(status: dict[str, Any] | None = None, replicas: int = 1) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "generation": 3},
        "spec": {"replicas": replicas},
        "status": status or {},
    }


def patched(
    obj: dict[str, Any], wanted: Wanted, pods: list[Pod], now: datetime = NOW, trouble: str = ""
) -> dict[str, Any]:
    patch = status_patch(obj, wanted, pods, deadline=600, trouble=trouble, extra=(), now=now)
    return {name: value for name, value in patch.items() if value is not None}


def state(status: dict[str, Any], replicas: int = 1) -> State:
    return health(deployment(status, replicas)).state


def test_a_complete_rollout_is_current() -> None:
    status = patched(deployment(), Wanted("n"), [Pod("a", "n", "", True, True)])
    assert {name: status[name] for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")} == {
        "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
    }  # fmt: skip
    assert "unavailableReplicas" not in status
    assert state(status) == State.CURRENT


def test_a_rollout_that_goes_on_is_in_progress() -> None:
    status = patched(deployment(), Wanted("n"), [Pod("a", "o", "", True, True), Pod("b", "n")])
    assert state(status) == State.IN_PROGRESS
    progressing = find(status["conditions"], "Progressing")
    assert progressing is not None
    assert (progressing["status"], progressing["reason"]) == ("True", "ReplicaSetUpdated")


def test_without_progress_the_deadline_passes_and_it_has_failed() -> None:
    wanted, pods = Wanted("n"), [Pod("b", "n")]
    first = patched(deployment(), wanted, pods)
    early = patched(deployment(first), wanted, pods, NOW + timedelta(seconds=599))
    assert state(early) == State.IN_PROGRESS
    late = patched(deployment(early), wanted, pods, NOW + timedelta(seconds=601), trouble="web-1: ErrImagePull: no")
    progressing = find(late["conditions"], "Progressing")
    assert progressing is not None
    assert progressing["reason"] == "ProgressDeadlineExceeded"
    assert "ErrImagePull" in progressing["message"]
    assert state(late) == State.FAILED


def test_progress_moves_the_deadline() -> None:
    wanted = Wanted("n", 2)
    first = patched(deployment(), wanted, [Pod("a", "n"), Pod("b", "n")])
    moved = patched(
        deployment(first), wanted, [Pod("a", "n", "", True, True), Pod("b", "n")], NOW + timedelta(seconds=500)
    )
    later = patched(
        deployment(moved), wanted, [Pod("a", "n", "", True, True), Pod("b", "n")], NOW + timedelta(seconds=900)
    )
    assert state(later, 2) == State.IN_PROGRESS


def test_ending_pods_do_not_count() -> None:
    pods = [Pod("a", "o", "", True, True, ending=True), Pod("b", "n", "", True, True)]
    assert state(patched(deployment(), Wanted("n"), pods)) == State.CURRENT


def test_what_is_missing_is_in_the_available_condition() -> None:
    status = patched(deployment(), Wanted("n"), [Pod("b", "n")], trouble="web-1: ErrImagePull: not there")
    available = find(status["conditions"], "Available")
    assert available is not None
    assert available["message"].endswith("web-1: ErrImagePull: not there")


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    first = patched(deployment(), Wanted("n"), [Pod("a", "n", "", True, True)])
    second = patched(deployment(first), Wanted("n"), [Pod("a", "n", "", True, True)], NOW + timedelta(hours=1))
    assert second == first


def test_stalled_is_failed() -> None:
    patch = stalled_patch(deployment(), "NoSandbox", "no user namespaces; sysctl -w x=1", NOW)
    assert health(deployment(patch)).state == State.FAILED
    assert "sysctl" in health(deployment(patch)).message


def pod(status: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "metadata": {"name": "web-1", "namespace": "shop", "uid": "u"},
        "spec": {"containers": [{"name": "web", "image": "acme/web:1"}]},
        "status": status or {},
    }


def test_a_running_pod() -> None:
    status = pod_status(pod(), PodState(Running(STAMP), ready=True, image_id="acme/web@sha256:1"), STAMP)
    assert status["phase"] == "Running"
    (container,) = status["containerStatuses"]
    assert container["state"] == {"running": {"startedAt": STAMP}}
    assert (container["ready"], container["started"], container["restartCount"]) == (True, True, 0)
    assert is_ready(pod(status))
    assert ready_since(pod(status)) == STAMP
    assert trouble(pod(status)) == ""


def test_a_pod_whose_image_is_missing() -> None:
    status = pod_status(pod(), PodState(Waiting("ErrImagePull", "no such tag")), STAMP)
    assert status["phase"] == "Pending"
    assert not is_ready(pod(status))
    assert trouble(pod(status)) == "web-1: ErrImagePull: no such tag"


def test_a_crashing_pod_says_what_it_said_last() -> None:
    last = Terminated(3, "Error", STAMP, STAMP, "no database")
    status = pod_status(pod(), PodState(Waiting("CrashLoopBackOff", "back-off 10s"), last, restarts=2), STAMP)
    assert status["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 3
    assert trouble(pod(status)) == "web-1: CrashLoopBackOff: back-off 10s; it ended with 3: no database"


def test_a_pods_conditions_keep_their_time() -> None:
    first = pod_status(pod(), PodState(Running(STAMP), ready=True), STAMP)
    second = pod_status(pod(first), PodState(Running(STAMP), ready=True), "2026-01-15T13:00:00Z")
    assert second["conditions"] == first["conditions"]
