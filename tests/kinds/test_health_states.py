import pytest

from tidegate.kinds.health import State, health

DONE = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}


def a_deployment(generation=2, wanted=2, **status):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "generation": generation},
        "spec": {"replicas": wanted},
        "status": status,
    }


def test_a_deployment_with_all_replicas_is_current():
    assert health(a_deployment(**DONE)).state is State.CURRENT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"observedGeneration": 1}, "generation 2 is not yet observed"),
        ({"updatedReplicas": 1}, "updated: 1/2"),
        ({"readyReplicas": 0}, "ready: 0/2"),
        ({"availableReplicas": 1}, "available: 1/2"),
        ({"replicas": 3}, "1 old replicas are still there"),
    ],
)
def test_a_deployment_on_its_way_says_what_is_missing(change, message):
    found = health(a_deployment(**DONE | change))
    assert (found.state, found.message) == (State.IN_PROGRESS, message)


def test_a_deployment_that_nobody_has_looked_at_is_not_current():
    assert health(a_deployment(wanted=0)).state is State.IN_PROGRESS


def test_a_deployment_past_its_deadline_has_failed():
    condition = {
        "type": "Progressing",
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "message": "no pod came up",
    }
    found = health(a_deployment(**DONE | {"readyReplicas": 0, "conditions": [condition]}))
    assert (found.state, found.message) == (State.FAILED, "no pod came up")


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        ([], State.CURRENT),
        ([{"type": "Ready", "status": "True"}], State.CURRENT),
        ([{"type": "Ready", "status": "False", "message": "why"}], State.IN_PROGRESS),
        ([{"type": "Reconciling", "status": "True"}, {"type": "Ready", "status": "True"}], State.IN_PROGRESS),
        ([{"type": "Stalled", "status": "True", "message": "bad"}], State.FAILED),
    ],
)
def test_other_kinds_go_by_their_conditions(conditions, state):
    obj = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}}
    assert health(obj | {"status": {"conditions": conditions}}).state is state


def test_what_is_being_deleted_is_terminating():
    obj = a_deployment(**DONE)
    obj["metadata"]["deletionTimestamp"] = "2026-01-15T12:00:00Z"
    assert health(obj).state is State.TERMINATING


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({}, State.IN_PROGRESS),
        ({"startTime": "2026-01-15T12:00:00Z"}, State.IN_PROGRESS),
        ({"conditions": [{"type": "Complete", "status": "True"}]}, State.CURRENT),
        ({"conditions": [{"type": "Failed", "status": "True", "message": "x"}]}, State.FAILED),
    ],
)
def test_a_job(status, state):
    assert health({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "status": status}).state is state


def an_object(api_version, kind, spec=None, **status):
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"generation": 1},
        "spec": spec or {},
        "status": status,
    }


def waiting_in(reason):
    return [{"name": "web", "state": {"waiting": {"reason": reason}}}]


@pytest.mark.parametrize(
    ("status", "state", "message"),
    [
        ({}, State.IN_PROGRESS, "phase unknown"),
        ({"phase": "Pending"}, State.IN_PROGRESS, "phase Pending"),
        (
            {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "no node"}]},
            State.IN_PROGRESS,
            "no node",
        ),
        ({"phase": "Running"}, State.IN_PROGRESS, "it runs and is not ready"),
        ({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}, State.CURRENT, "ready"),
        (
            {"phase": "Running", "containerStatuses": waiting_in("CrashLoopBackOff")},
            State.FAILED,
            "it crashes again and again: web",
        ),
        ({"phase": "Succeeded"}, State.CURRENT, "it has succeeded"),
        ({"phase": "Failed", "reason": "Evicted"}, State.FAILED, "Evicted"),
    ],
)
def test_a_pod(status, state, message):
    found = health(an_object("v1", "Pod", **status))
    assert (found.state, found.message) == (state, message)


SET = {"replicas": 2, "readyReplicas": 2, "currentReplicas": 2, "updatedReplicas": 2}
SAME = {"currentRevision": "a", "updateRevision": "a"}


@pytest.mark.parametrize(
    ("spec", "status", "state", "message"),
    [
        ({}, {}, State.IN_PROGRESS, "replicas: 0/2"),
        ({}, SET | SAME | {"readyReplicas": 1}, State.IN_PROGRESS, "ready: 1/2"),
        ({}, SET | SAME | {"replicas": 3}, State.IN_PROGRESS, "1 replicas too many are still there"),
        ({}, SET | SAME | {"currentReplicas": 1}, State.IN_PROGRESS, "current: 1/2"),
        ({}, SET | SAME | {"updateRevision": "b"}, State.IN_PROGRESS, "its update revision is not its current one yet"),
        ({}, SET | SAME, State.CURRENT, "2 of 2 ready"),
        ({"partition": 0}, SET | {"updatedReplicas": 1}, State.IN_PROGRESS, "updated: 1/2"),
        ({"partition": 1}, SET | {"updatedReplicas": 1}, State.CURRENT, "updated: 1/1"),
        ({"partition": 5}, SET | {"updatedReplicas": 0}, State.CURRENT, "updated: 0/0"),
    ],
)
def test_a_stateful_set(spec, status, state, message):
    strategy = {"type": "RollingUpdate", "rollingUpdate": spec}
    found = health(an_object("apps/v1", "StatefulSet", {"replicas": 2, "updateStrategy": strategy}, **status))
    assert (found.state, found.message) == (state, message)


def test_a_stateful_set_whose_pods_are_replaced_by_hand_is_current():
    spec = {"replicas": 2, "updateStrategy": {"type": "OnDelete"}}
    assert health(an_object("apps/v1", "StatefulSet", spec)).state is State.CURRENT


EVERYWHERE = {
    "observedGeneration": 1, "desiredNumberScheduled": 3, "currentNumberScheduled": 3, "updatedNumberScheduled": 3,
    "numberAvailable": 3, "numberReady": 3,
}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "state", "message"),
    [
        ({}, State.IN_PROGRESS, "not yet observed"),
        (EVERYWHERE | {"currentNumberScheduled": 2}, State.IN_PROGRESS, "scheduled: 2/3"),
        (EVERYWHERE | {"updatedNumberScheduled": 1}, State.IN_PROGRESS, "updated: 1/3"),
        (EVERYWHERE | {"numberAvailable": 0}, State.IN_PROGRESS, "available: 0/3"),
        (EVERYWHERE | {"numberReady": 2}, State.IN_PROGRESS, "ready: 2/3"),
        (EVERYWHERE, State.CURRENT, "3 of 3 nodes have it"),
        (dict.fromkeys(EVERYWHERE, 0) | {"observedGeneration": 1}, State.CURRENT, "0 of 0 nodes have it"),
    ],
)
def test_a_daemon_set(status, state, message):
    found = health(an_object("apps/v1", "DaemonSet", **status))
    assert (found.state, found.message) == (state, message)


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        ([], State.IN_PROGRESS),
        ([("NamesAccepted", "False", "ListKindConflict")], State.FAILED),
        ([("NamesAccepted", "True", ""), ("Established", "False", "Installing")], State.IN_PROGRESS),
        ([("NamesAccepted", "True", ""), ("Established", "False", "NotAccepted")], State.FAILED),
        ([("NamesAccepted", "True", ""), ("Established", "True", "")], State.CURRENT),
    ],
)
def test_a_definition(conditions, state):
    listed = [{"type": kind, "status": status, "reason": reason} for kind, status, reason in conditions]
    obj = an_object("apiextensions.k8s.io/v1", "CustomResourceDefinition", conditions=listed)
    assert health(obj).state is state


@pytest.mark.parametrize(
    ("obj", "state"),
    [
        (an_object("v1", "PersistentVolumeClaim"), State.IN_PROGRESS),
        (an_object("v1", "PersistentVolumeClaim", phase="Bound"), State.CURRENT),
        (an_object("v1", "Service", {"type": "ClusterIP"}), State.CURRENT),
        (an_object("v1", "Service", {"type": "LoadBalancer"}), State.IN_PROGRESS),
        (an_object("v1", "Service", {"type": "LoadBalancer", "clusterIP": "10.0.0.1"}), State.CURRENT),
        (an_object("policy/v1", "PodDisruptionBudget"), State.IN_PROGRESS),
        (an_object("policy/v1", "PodDisruptionBudget", observedGeneration=1), State.CURRENT),
        (an_object("apps/v1", "ReplicaSet", {"replicas": 1}), State.IN_PROGRESS),
        (
            an_object(
                "apps/v1", "ReplicaSet", {"replicas": 1},
                replicas=1, fullyLabeledReplicas=1, availableReplicas=1, readyReplicas=1,
            ),
            State.CURRENT,
        ),
        (an_object("v1", "ConfigMap"), State.CURRENT),
        (an_object("example.com/v1", "Thing", observedGeneration=0), State.IN_PROGRESS),
        (an_object("example.com/v1", "Thing", conditions=[{"type": "Ready", "status": "Unknown"}]), State.IN_PROGRESS),
    ],
)  # fmt: skip
def test_other_kinds_of_kubernetes_and_custom_ones(obj, state):
    assert health(obj).state is state
