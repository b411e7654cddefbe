"""Who may do what at GitHub's door, and errors in GitHub's form."""

import pytest
from tests.serve.github.conftest import ADMIN, API, REPO, SUCCEEDED

from tidegate.runner.names import run_id

RUN = f"{REPO}/actions/runs/{run_id('shop-ci-1')}"
WRITES = [
    ("POST", f"{RUN}/cancel"),
    ("POST", f"{RUN}/rerun"),
    ("DELETE", RUN),
    ("POST", f"{REPO}/actions/workflows/ci.yaml/dispatches"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_a_write_needs_the_homes_credential(world, anonymous, method, path):
    await world.add_runner()
    await world.add_run("shop-ci-1", status=SUCCEEDED)
    before = await world.stored("shop-ci-1")
    run_token = world.authorizer.issue("run", ["repo:acme/shop:write"], 60)
    for headers, status in (({}, 401), ({"Authorization": f"Bearer {run_token}"}, 403)):
        answer = await anonymous.request(method, path, json={"ref": "main"}, headers=headers)
        assert answer.status_code == status
        assert set(answer.json()) == {"message", "documentation_url", "status"}
    assert await world.stored("shop-ci-1") == before
    assert len((await world.store.list("tidegate.dev", "WorkflowRun")).items) == 1


@pytest.mark.parametrize(
    "path", [API, f"{API}/", f"{API}/meta", REPO, f"{REPO}/actions/runs", f"{REPO}/actions/workflows"]
)
async def test_reading_is_open(anonymous, path):
    assert (await anonymous.get(path)).status_code == 200


async def test_reading_can_be_closed(world):
    closed = world.client({}, reads_need_credential=True)
    assert (await closed.get(f"{REPO}/actions/runs")).status_code == 401
    assert (await closed.get(f"{REPO}/actions/runs", headers=ADMIN)).status_code == 200


@pytest.mark.parametrize("header", ["token wrong", "Bearer wrong", "Basic eDp5", "Nonsense"])
async def test_a_wrong_credential_is_refused_even_for_reading(anonymous, header):
    answer = await anonymous.get(f"{REPO}/actions/runs", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json()["message"].startswith("Bad credentials")


async def test_who_one_is_needs_a_credential(http, anonymous):
    assert (await anonymous.get(f"{API}/user")).status_code == 401
    assert (await http.get(f"{API}/user")).json()["login"] == "tidegate"
    assert (await anonymous.post("/api/graphql", json={"query": "{viewer{login}}"})).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        f"{API}/repos/acme/none/actions/runs",
        f"{API}/repos/acme/shop/none",
        f"{API}/none",
        f"{REPO}/actions/runs/1",
        f"{REPO}/actions/runs/x",
        f"{REPO}/actions/runs/{'9' * 30}",
        f"{REPO}/actions/jobs/1",
        f"{REPO}/actions/jobs/1/logs",
        f"{REPO}/check-runs/1/annotations",
    ],
)
async def test_what_is_not_there_is_told_in_githubs_form(http, path):
    answer = await http.get(path)
    assert answer.status_code == 404
    assert answer.json()["message"]
    assert answer.json()["documentation_url"].startswith("https://docs.github.com/")


async def test_a_repository_with_a_runner_is_there_before_its_files_are(world, http):
    await world.add_runner(repository="Acme/Elsewhere")
    found = await http.get(f"{API}/repos/acme/elsewhere")
    assert found.json()["full_name"] == "Acme/Elsewhere"
    assert (await http.get(f"{API}/repos/acme/elsewhere/actions/workflows")).json()["total_count"] == 0


@pytest.mark.parametrize("query", ["status=nonsense", "created=yesterday", "created=>=x"])
async def test_a_filter_that_means_nothing_is_an_error(http, query):
    answer = await http.get(f"{REPO}/actions/runs?{query}")
    assert answer.status_code == 422
