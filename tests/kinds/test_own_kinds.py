"""Runner and WorkflowRun."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.kinds.common import SourceReference
from tidegate.kinds.runner import JobLimits, Runner
from tidegate.kinds.workflow_run import JobStatus, RunStatus, StepStatus, WorkflowRun

COMMIT = "a" * 40


def obj(kind, spec, status=None):
    return {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "x", "namespace": "n"},
        "spec": spec,
        "status": status,
    }


def test_a_runners_defaults():
    model = Runner.from_object(obj("Runner", {"repository": "seadavdic/smartbiz"}))
    assert (model.isolation, model.max_jobs, model.suspend, model.secret_ref) == ("auto", 1, False, None)
    assert model.network == "auto"
    assert (model.variables, model.refs, model.source_ref) == ({}, {}, None)
    assert (model.limits, model.timeout_seconds) == (JobLimits(), 24 * 3600)


def test_a_runner_with_everything():
    spec = {
        "repository": "o/n",
        "sourceRef": {"name": "flux-system"},
        "isolation": "namespaces",
        "network": "none",
        "maxJobs": 3,
        "variables": {"A": "b"},
        "suspend": True,
        "timeout": "90m",
        "resources": {"limits": {"cpu": "1500m", "memory": "512Mi", "ephemeral-storage": "4G", "pids": 200}},
    }
    model = Runner.from_object(obj("Runner", spec, {"refs": {"refs/heads/main": COMMIT}}))
    assert model.source_ref == SourceReference("GitRepository", "flux-system")
    assert (model.max_jobs, model.refs, model.network) == (3, {"refs/heads/main": COMMIT}, "none")
    assert model.limits == JobLimits(cpu=1.5, memory=2**29, storage=4 * 10**9, pids=200)
    assert model.timeout_seconds == 5400


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"memory": "lots"}, "spec.resources.limits.memory: 'lots' is no quantity: write 500m, 2, 512Mi or 10Gi"),
        ({"memory": "1Mi"}, "spec.resources.limits.memory: must be at least 16Mi"),
        ({"cpu": 0}, "spec.resources.limits.cpu: must be at least 0.01"),
        ({"pids": 3}, "spec.resources.limits.pids: must be at least 16"),
        ({"ephemeral-storage": True}, "spec.resources.limits.ephemeral-storage: True is no quantity"),
    ],
)
def test_a_limit_that_no_job_could_keep_is_refused(given, problem):
    with pytest.raises(InvalidInput) as caught:
        Runner.from_object(obj("Runner", {"repository": "o/n", "resources": {"limits": given}}))
    assert problem in caught.value.explain()


def test_an_unknown_limit_is_told():
    model = Runner.from_object(
        obj("Runner", {"repository": "o/n", "resources": {"limits": {"gpu": 1}, "requests": {}}})
    )
    assert set(model.unknown_fields) == {"spec.resources.limits.gpu", "spec.resources.requests"}


def test_an_image_goes_with_its_isolation():
    spec = {"repository": "o/n", "isolation": "container", "image": "ghcr.io/o/tools:1"}
    model = Runner.from_object(obj("Runner", spec))
    assert (model.isolation, model.image) == ("container", "ghcr.io/o/tools:1")
    for wrong in ({"isolation": "container"}, {"image": "a"}, {"isolation": "none", "image": "a"}):
        with pytest.raises(InvalidInput, match="goes with isolation container"):
            Runner.from_object(obj("Runner", {"repository": "o/n", **wrong}))


SPEC = {
    "repository": "o/n",
    "workflow": ".github/workflows/ci.yaml",
    "event": "push",
    "ref": "refs/heads/main",
    "commit": COMMIT,
    "actor": "sea",
    "runNumber": 4,
    "attempt": 1,
    "inputs": {},
}


def test_a_runners_network_is_auto_or_none():
    with pytest.raises(InvalidInput) as caught:
        Runner.from_object(obj("Runner", {"repository": "o/n", "network": "off"}))
    assert "spec.network" in caught.value.explain()


def test_a_run_goes_through_json_and_back():
    steps = (
        StepStatus(1, "checkout", "completed", "success", "2026-01-15T12:00:00Z", "2026-01-15T12:00:01Z"),
        StepStatus(2, "build", "in_progress", started_at="2026-01-15T12:00:01Z"),
    )
    status = RunStatus(
        "in_progress", started_at="2026-01-15T12:00:00Z", jobs=(JobStatus("build", "in_progress", steps=steps),)
    )
    model = WorkflowRun.from_object(obj("WorkflowRun", SPEC, status.as_json()))
    assert model.status == status
    assert model.spec_json() == SPEC
    assert status.as_json()["jobs"][0]["steps"][1] == {
        "number": 2,
        "name": "build",
        "status": "in_progress",
        "startedAt": "2026-01-15T12:00:01Z",
    }


def test_a_new_run_is_queued():
    model = WorkflowRun.from_object(obj("WorkflowRun", SPEC | {"before": "b" * 40}))
    assert (model.status, model.before) == (RunStatus(), "b" * 40)


@pytest.mark.parametrize("commit", ["main", "--upload-pack=x", "A" * 40, "a" * 39])
def test_a_runs_commit_is_a_full_id(commit):
    with pytest.raises(InvalidInput, match=r"spec\.commit"):
        WorkflowRun.from_object(obj("WorkflowRun", SPEC | {"commit": commit}))


def test_a_run_that_is_asked_for_may_leave_out_what_its_runner_fills_in():
    spec = {name: value for name, value in SPEC.items() if name not in ("commit", "ref", "runNumber")}
    model = WorkflowRun.from_object(obj("WorkflowRun", spec | {"base": "main"}))
    assert (model.commit, model.ref, model.run_number, model.base) == ("", "", 1, "main")
    assert model.spec_json()["base"] == "main"
