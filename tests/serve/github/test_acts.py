"""What is asked for at GitHub's door, and the objects that come of it."""

import pytest
from tests.serve.github.conftest import CI, REPO, SUCCEEDED

from tidegate.kinds.objects import annotation
from tidegate.runner.names import CANCEL, RERUN, run_id

DISPATCHES = f"{REPO}/actions/workflows/ci.yaml/dispatches"
RUN = f"{REPO}/actions/runs/{run_id('shop-ci-1')}"
UNDER_WAY = {"status": "in_progress", "attempt": 1}


async def runs(world):
    return (await world.store.list("tidegate.dev", "WorkflowRun")).items


async def test_a_dispatch_creates_a_run_with_its_inputs(world, http):
    await world.add_runner()
    answer = await http.post(DISPATCHES, json={"ref": "main", "inputs": {"whom": "world", "loud": "true"}})
    assert (answer.status_code, answer.content) == (204, b"")
    (run,) = await runs(world)
    assert run["spec"] == {
        "repository": "acme/shop", "workflow": CI, "event": "workflow_dispatch", "ref": "main",
        "inputs": {"whom": "world", "loud": "true"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "ref is missing"),
        ({"ref": "none", "inputs": {"whom": "x"}}, "no branch and no tag 'none'"),
        ({"ref": "main"}, "the input 'whom' is required"),
        ({"ref": "main", "inputs": {"whom": "x", "loud": "very"}}, "'very' is no value of the input 'loud'"),
        ({"ref": "main", "inputs": {"who": "x", "whom": "y"}}, "there is no input 'who'"),
        ({"ref": "main", "inputs": {"whom": ["x"]}}, "plain values"),
        ({"ref": "main", "inputs": "x"}, "plain values"),
    ],
)
async def test_a_dispatch_that_can_not_run_is_refused_at_once(world, http, body, says):
    await world.add_runner()
    answer = await http.post(DISPATCHES, json=body)
    assert (answer.status_code, says in answer.json()["message"]) == (422, True), answer.text
    assert await runs(world) == []


async def test_a_workflow_that_can_not_be_read_is_not_dispatched(world, http):
    await world.add_runner()
    answer = await http.post(f"{REPO}/actions/workflows/broken.yaml/dispatches", json={"ref": "main"})
    assert answer.status_code == 422
    assert "broken.yaml:2" in answer.json()["message"]


async def test_without_a_runner_nothing_is_dispatched(world, http):
    answer = await http.post(DISPATCHES, json={"ref": "main", "inputs": {"whom": "x"}})
    assert (answer.status_code, "no Runner" in answer.json()["message"]) == (422, True)


@pytest.mark.parametrize("body", [b"{", b"[]", b"7", b"[" * 100_000, b'"' + b"x" * 2_000_000])
async def test_a_body_that_is_no_object_is_refused(world, http, body):
    await world.add_runner()
    assert (await http.post(DISPATCHES, content=body)).status_code in (400, 413)


async def test_a_run_under_way_is_cancelled(world, http):
    await world.add_run("shop-ci-1", status=UNDER_WAY)
    assert (await http.post(f"{RUN}/cancel")).status_code == 202
    assert annotation(await world.stored("shop-ci-1"), CANCEL) == "true"


async def test_a_run_that_is_over_is_not_cancelled(world, http):
    await world.add_run("shop-ci-1", status=SUCCEEDED)
    answer = await http.post(f"{RUN}/cancel")
    assert (answer.status_code, "completed" in answer.json()["message"]) == (409, True)
    assert annotation(await world.stored("shop-ci-1"), CANCEL) is None


async def test_a_run_that_is_over_runs_again_and_is_queued_at_once(world, http):
    await world.add_run("shop-ci-1", status=SUCCEEDED, annotations={CANCEL: "true"})
    assert (await http.post(f"{RUN}/rerun")).status_code == 201
    stored = await world.stored("shop-ci-1")
    assert annotation(stored, RERUN)
    assert annotation(stored, CANCEL) is None
    run = (await http.get(RUN)).json()
    assert (run["status"], run["conclusion"], run["run_attempt"]) == ("queued", None, 2)
    assert run["previous_attempt_url"].endswith("/attempts/1")
    assert (await http.get(run["jobs_url"])).json()["jobs"] == []
    assert (await http.post(f"{RUN}/rerun")).status_code == 403


async def test_what_failed_runs_again(world, http):
    await world.add_run("shop-ci-1", status={**SUCCEEDED, "conclusion": "failure"})
    assert (await http.post(f"{RUN}/rerun-failed-jobs")).status_code == 201
    assert (annotation(await world.stored("shop-ci-1"), RERUN) or "").startswith("failed ")
    assert (await http.get(RUN)).json()["status"] == "queued"


async def test_where_nothing_failed_that_is_said(world, http):
    await world.add_run("shop-ci-1", status=SUCCEEDED)
    answer = await http.post(f"{RUN}/rerun-failed-jobs")
    assert (answer.status_code, "failed" in answer.json()["message"]) == (403, True)


async def test_a_run_under_way_does_not_run_again(world, http):
    await world.add_run("shop-ci-1", status=UNDER_WAY)
    assert (await http.post(f"{RUN}/rerun")).status_code == 403
    assert annotation(await world.stored("shop-ci-1"), RERUN) is None


async def test_debug_logging_is_not_silently_left_out(world, http):
    await world.add_run("shop-ci-1", status=SUCCEEDED)
    answer = await http.post(f"{RUN}/rerun", json={"enable_debug_logging": True})
    assert (answer.status_code, "debug logging" in answer.json()["message"]) == (422, True)
    assert (await http.post(f"{RUN}/rerun", json={"enable_debug_logging": False})).status_code == 201


async def test_only_a_run_that_is_over_is_deleted(world, http):
    await world.add_run("shop-ci-1", status=UNDER_WAY)
    assert (await http.delete(RUN)).status_code == 403
    await world.add_run("shop-ci-2", status=SUCCEEDED)
    for name in ("shop-ci-1", "shop-ci-2"):
        world.add_log(name, "build", [(1, ["hello"])])
    assert (await http.delete(f"{REPO}/actions/runs/{run_id('shop-ci-2')}")).status_code == 204
    assert [run["metadata"]["name"] for run in await runs(world)] == ["shop-ci-1"]
    assert world.logs.runs() == ["shop-ci-1"]
