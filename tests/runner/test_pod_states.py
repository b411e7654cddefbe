"""What a Pod's status says of its job: begun, waiting for what, ended why."""

import pytest

from tidegate.runner.pod_states import PULL_PATIENCE, Beginning, Wait, begun, waits_for, why_ended

RUNNING, DONE = {"running": {"startedAt": "now"}}, {"terminated": {"exitCode": 0, "reason": "Completed"}}
FAILED = {"terminated": {"exitCode": 1, "reason": "Error"}}
COMMAND = "kubectl describe pod p -n apps"


def waiting(reason, message=""):
    return {"waiting": {"reason": reason, "message": message}}


def pod(fetch=None, job=None, **status):
    def listed(name, state):
        return [{"name": name, "state": state}] if state else []

    return {
        "metadata": {"name": "p", "namespace": "apps"},
        "status": {
            "initContainerStatuses": listed("fetch", fetch),
            "containerStatuses": listed("job", job),
            **status,
        },
    }


@pytest.mark.parametrize(
    ("found", "container"),
    [
        ({"metadata": {}}, None),
        (pod(RUNNING, waiting("PodInitializing")), None),
        (pod(DONE, waiting("PodInitializing")), None),
        (pod(DONE, RUNNING), "job"),
        (pod(DONE, DONE), "job"),
        (pod(FAILED, waiting("PodInitializing")), "fetch"),
        (pod(phase="Failed", reason="Evicted"), "job"),
    ],
)
def test_a_job_has_begun_when_there_is_a_log_that_tells_of_it(found, container):
    assert begun(found) == container


@pytest.mark.parametrize(
    ("found", "words", "patience"),
    [
        (pod(), "its Pod is pending", None),
        (pod(conditions=[{"status": "False", "message": "0/1 nodes are available"}]), "0/1 nodes are available", None),
        (pod(waiting("ErrImagePull", "no such tag")), "ErrImagePull: no such tag", PULL_PATIENCE),
        (pod(waiting("ImagePullBackOff", "no such tag")), "ImagePullBackOff: no such tag", PULL_PATIENCE),
        (pod(waiting("InvalidImageName")), "InvalidImageName", 0),
        (pod(waiting("CreateContainerConfigError", "no root")), "CreateContainerConfigError: no root", 0),
        (pod(RUNNING, waiting("PodInitializing")), "the repository is being fetched", None),
        (pod(DONE, waiting("CreateContainerError", "x")), "CreateContainerError: x", 0),
    ],
)
def test_a_pod_that_has_not_begun_says_what_it_waits_for(found, words, patience):
    assert waits_for(found) == Wait(words, patience)


def test_an_image_that_cant_be_pulled_ends_the_wait_after_a_while_with_the_first_reason():
    beginning = Beginning(100, 600)
    beginning.look(pod(waiting("ErrImagePull", "manifest unknown")), 110)
    beginning.look(pod(waiting("ImagePullBackOff", "Back-off pulling image")), 115)
    assert beginning.wait.text == "ErrImagePull: manifest unknown"
    assert beginning.over(110 + PULL_PATIENCE - 1) is None
    assert beginning.over(110 + PULL_PATIENCE) == "can't begin, tried for 120 s: ErrImagePull: manifest unknown"


def test_an_image_that_is_pulled_at_last_is_waited_for_as_any_other():
    beginning = Beginning(0, 600)
    beginning.look(pod(waiting("ErrImagePull", "timeout")), 10)
    beginning.look(pod(RUNNING), 60)
    assert beginning.over(599) is None
    assert beginning.over(601) == "did not begin in 600 s: the repository is being fetched"


def test_what_is_in_vain_ends_the_wait_at_once():
    beginning = Beginning(0, 600)
    beginning.look(pod(waiting("ErrImagePull", "timeout")), 10)
    beginning.look(pod(waiting("CreateContainerConfigError", "runAsNonRoot")), 12)
    assert beginning.over(12) == "can't begin: CreateContainerConfigError: runAsNonRoot"


def test_a_job_for_which_no_pod_is_made_ends_in_time():
    assert Beginning(0, 600).over(601) == "did not begin in 600 s: no Pod was made for it"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            pod(DONE, {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, phase="Failed"),
            "container: OOMKilled, exit code: 137",
        ),
        (pod(phase="Failed", reason="Evicted", message="low on memory"), "Pod: Evicted low on memory"),
        (pod(phase="Failed"), "container: unknown"),
    ],
)
def test_an_end_without_a_result_says_why_and_where_to_look(found, words):
    told = why_ended(found, "job")
    assert told == f"the job's Pod ended without telling how the job ended: {words}. {COMMAND}"


def test_a_container_that_runs_has_not_ended():
    assert why_ended(pod(DONE, RUNNING, phase="Running"), "job") is None
