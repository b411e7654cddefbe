"""Runner and WorkflowRun."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.kinds.common import SourceReference
from tidegate.kinds.runner import Runner
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
    assert (model.variables, model.refs, model.source_ref) == ({}, {}, None)


def test_a_runner_with_everything():
    spec = {
        "repository": "o/n",
        "sourceRef": {"name": "flux-system"},
        "isolation": "namespaces",
        "maxJobs": 3,
        "variables": {"A": "b"},
        "suspend": True,
    }
    model = Runner.from_object(obj("Runner", spec, {"refs": {"refs/heads/main": COMMIT}}))
    assert model.source_ref == SourceReference("GitRepository", "flux-system")
    assert (model.max_jobs, model.refs) == (3, {"refs/heads/main": COMMIT})


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
