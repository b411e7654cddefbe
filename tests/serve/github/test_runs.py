"""Workflows, runs and jobs as GitHub shows them, from the objects that there are."""

import pytest
from tests.serve.github.conftest import CI, REPO, SUCCEEDED

from tidegate.runner.names import run_id


async def test_a_run_has_githubs_fields(world, http):
    annotations = {"tidegate.dev/title": "Say hello"}
    await world.add_run("shop-ci-1", status=SUCCEEDED, annotations=annotations, runNumber=7)
    run = (await http.get(f"{REPO}/actions/runs/{run_id('shop-ci-1')}")).json()
    expected = {
        "id": run_id("shop-ci-1"), "name": "CI", "head_branch": "main", "head_sha": world.commit, "path": CI,
        "display_title": "Say hello", "run_number": 7, "run_attempt": 1, "event": "push", "status": "completed",
        "conclusion": "success", "created_at": "2026-01-15T12:00:01Z", "run_started_at": "2026-01-15T12:00:02Z",
        "updated_at": "2026-01-15T12:01:00Z", "previous_attempt_url": None,
        "html_url": "https://127.0.0.1:8421/runs/shop-ci-1",
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected
    assert run["url"] == f"https://127.0.0.1:8421{REPO}/actions/runs/{run['id']}"
    assert run["jobs_url"] == f"{run['url']}/jobs"
    assert run["actor"]["login"] == "Ada"
    assert run["head_commit"]["message"] == "Say hello\n\nto everybody"
    assert run["head_commit"]["timestamp"] == "2026-01-15T12:00:00Z"
    assert run["repository"]["full_name"] == "acme/shop"
    assert run["repository"]["default_branch"] == "main"


async def test_every_number_is_a_whole_one_for_readers_that_know_only_doubles(world, http):
    await world.add_run("shop-ci-1", status=SUCCEEDED)
    run = (await http.get(f"{REPO}/actions/runs")).json()["workflow_runs"][0]
    (job,) = (await http.get(run["jobs_url"])).json()["jobs"]
    numbers = [run["id"], run["workflow_id"], job["id"], run["repository"]["id"], run["actor"]["id"]]
    assert len(set(numbers)) == len(numbers)
    assert all(0 < number < 2**53 for number in numbers)


async def test_a_job_has_its_steps(world, http):
    await world.add_run("shop-ci-1", status=SUCCEEDED)
    number = run_id("shop-ci-1")
    listed = (await http.get(f"{REPO}/actions/runs/{number}/jobs?filter=latest")).json()
    (job,) = listed["jobs"]
    assert listed["total_count"] == 1
    assert (job["name"], job["status"], job["conclusion"], job["run_id"]) == ("build", "completed", "success", number)
    assert (job["started_at"], job["completed_at"]) == ("2026-01-15T12:00:05Z", "2026-01-15T12:00:59Z")
    assert [(step["number"], step["name"], step["conclusion"]) for step in job["steps"]] == [
        (1, "Set up job", "success"), (2, "Run echo", "success"),
    ]  # fmt: skip
    assert (await http.get(f"{REPO}/actions/jobs/{job['id']}")).json() == job
    assert (await http.get(f"{REPO}/actions/runs/{number}/attempts/1/jobs")).json()["jobs"] == [job]


async def test_why_a_job_failed_is_its_annotation(world, http):
    job = {"id": "build", "name": "build", "status": "completed", "conclusion": "timed_out", "message": "too long"}
    await world.add_run("shop-ci-1", status={"status": "completed", "conclusion": "failure", "jobs": [job]})
    (job,) = (await http.get(f"{REPO}/actions/runs/{run_id('shop-ci-1')}/jobs")).json()["jobs"]
    (note,) = (await http.get(f"{REPO}/check-runs/{job['id']}/annotations")).json()
    assert (note["annotation_level"], note["message"]) == ("failure", "too long")


async def test_a_run_that_was_never_looked_at_is_queued(world, http):
    await world.add_run("shop-ci-1")
    run = (await http.get(f"{REPO}/actions/runs/{run_id('shop-ci-1')}")).json()
    assert (run["status"], run["conclusion"], run["run_started_at"]) == ("queued", None, run["created_at"])
    assert (await http.get(run["jobs_url"])).json() == {"total_count": 0, "jobs": []}


async def test_a_run_that_failed_without_a_job_could_not_start(world, http):
    await world.add_run("shop-ci-1", status={"status": "completed", "conclusion": "failure", "jobs": []})
    run = (await http.get(f"{REPO}/actions/runs/{run_id('shop-ci-1')}")).json()
    assert run["conclusion"] == "startup_failure"


async def test_a_run_that_goes_on_was_updated_when_its_last_step_changed(world, http):
    jobs = [{"name": "build", "status": "in_progress", "startedAt": "2026-01-15T12:00:05Z", "steps": [
        {"number": 1, "name": "a", "status": "completed", "completedAt": "2026-01-15T12:00:30Z"}
    ]}]  # fmt: skip
    await world.add_run("shop-ci-1", status={"status": "in_progress", "jobs": jobs})
    run = (await http.get(f"{REPO}/actions/runs/{run_id('shop-ci-1')}")).json()
    assert run["updated_at"] == "2026-01-15T12:00:30Z"


async def test_a_run_is_found_in_its_own_repository_only_and_no_longer_than_it_is_there(world, http):
    await world.add_runner(repository="acme/other")
    await world.add_run("shop-ci-1", status=SUCCEEDED)
    path = f"actions/runs/{run_id('shop-ci-1')}"
    for _ in range(2):
        assert (await http.get(f"{REPO}/{path}")).status_code == 200
        assert (await http.get(f"/api/v3/repos/acme/other/{path}")).status_code == 404
    await http.delete(f"{REPO}/{path}")
    assert (await http.get(f"{REPO}/{path}")).status_code == 404


async def test_runs_come_newest_first_and_only_those_of_the_repository(world, http):
    await world.add_run("old", runNumber=1)
    await world.add_run("other", repository="acme/other")
    await world.add_run("new", runNumber=2)
    listed = (await http.get(f"{REPO}/actions/runs")).json()
    assert listed["total_count"] == 2
    assert [run["id"] for run in listed["workflow_runs"]] == [run_id("new"), run_id("old")]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("branch=topic", ["b"]),
        ("event=workflow_dispatch", ["b"]),
        ("actor=GRACE", ["b"]),
        ("head_sha=" + "f" * 40, ["c"]),
        ("status=completed", ["a"]),
        ("status=success", ["a"]),
        ("status=queued", ["c", "b"]),
        ("created=>=2026-01-15", ["c", "b", "a"]),
        ("created=<2026-01-15T12:00:02Z", ["a"]),
        ("branch=topic&status=success", []),
    ],
)
async def test_a_listing_is_narrowed_down(world, http, query, found):
    await world.add_run("a", status=SUCCEEDED)
    await world.add_run("b", event="workflow_dispatch", ref="refs/heads/topic", actor="Grace")
    await world.add_run("c", commit="f" * 40)
    listed = (await http.get(f"{REPO}/actions/runs?{query}")).json()
    assert [run["id"] for run in listed["workflow_runs"]] == [run_id(name) for name in found]
    assert listed["total_count"] == len(found)


async def test_pages_lead_to_each_other(world, http):
    for number in range(1, 6):
        await world.add_run(f"run-{number}", runNumber=number)
    seen, url = [], f"{REPO}/actions/runs?per_page=2&branch=main"
    while url:
        answer = await http.get(url)
        seen += [run["run_number"] for run in answer.json()["workflow_runs"]]
        url = answer.links.get("next", {}).get("url")
    assert seen == [5, 4, 3, 2, 1]
    assert set(answer.links) == {"prev", "first"}
    assert answer.links["first"]["url"].endswith("per_page=2&branch=main&page=1")


async def test_workflows_are_those_of_the_default_branch_and_those_with_runs(world, http):
    await world.add_run("shop-gone-1", workflow=".github/workflows/gone.yaml")
    listed = (await http.get(f"{REPO}/actions/workflows")).json()
    assert [(one["path"].rpartition("/")[2], one["name"], one["state"]) for one in listed["workflows"]] == [
        ("broken.yaml", ".github/workflows/broken.yaml", "active"),
        ("ci.yaml", "CI", "active"),
        ("gone.yaml", ".github/workflows/gone.yaml", "deleted"),
    ]
    ci = listed["workflows"][1]
    assert (await http.get(f"{REPO}/actions/workflows/ci.yaml")).json() == ci
    assert (await http.get(f"{REPO}/actions/workflows/{ci['id']}")).json() == ci
    assert (await http.get(f"{REPO}/actions/workflows/none.yaml")).status_code == 404


async def test_a_workflow_has_its_runs(world, http):
    await world.add_run("shop-ci-1")
    await world.add_run("shop-other-1", workflow=".github/workflows/other.yaml")
    listed = (await http.get(f"{REPO}/actions/workflows/ci.yaml/runs")).json()
    assert [run["id"] for run in listed["workflow_runs"]] == [run_id("shop-ci-1")]


async def test_a_run_that_was_asked_for_by_a_name_is_its_workflows_before_it_is_looked_at(world, http):
    await world.add_run("asked", workflow="CI", event="workflow_dispatch")
    listed = (await http.get(f"{REPO}/actions/workflows/ci.yaml/runs")).json()
    assert [run["id"] for run in listed["workflow_runs"]] == [run_id("asked")]


async def test_a_file_is_given_at_a_ref(world, http):
    import base64

    for ref in ("", "?ref=main", f"?ref={world.commit}"):
        found = (await http.get(f"{REPO}/contents/{CI}{ref}")).json()
        assert b"name: CI" in base64.b64decode(found["content"])
    for path in ("none", "../../etc/passwd", f"{CI}?ref=none", f"{CI}?ref=--output=x"):
        assert (await http.get(f"{REPO}/contents/{path}")).status_code in (400, 404), path
