"""Artifacts as gh reads them: listed with their run, brought as the bytes that a job has kept, deleted by an admin."""

from tests.serve.github.conftest import REPO, SUCCEEDED

from tidegate.runner.artifacts import Upload
from tidegate.runner.names import run_id

RUN = f"{REPO}/actions/runs/{run_id('shop-ci-1')}"


def keep(world, name, data=b"PK bytes", run="shop-ci-1", repository="acme/shop"):
    path = world.root / "archive"
    path.write_bytes(data)
    with path.open("rb") as file:
        return world.artifacts.add(Upload(run, 1, repository, name, days=2), file)


async def test_a_runs_artifacts_are_listed(world, http):
    await world.add_run("shop-ci-1", status=SUCCEEDED)
    assert (await http.get(f"{RUN}/artifacts")).json() == {"total_count": 0, "artifacts": []}
    kept = [keep(world, name) for name in ("b", "a")][1]
    keep(world, "c", run="shop-ci-2")
    listed = (await http.get(f"{RUN}/artifacts")).json()
    assert [one["name"] for one in listed["artifacts"]] == ["a", "b"]
    first = listed["artifacts"][0]
    assert (first["id"], first["size_in_bytes"], first["digest"]) == (kept.id, 8, f"sha256:{kept.digest}")
    assert first["archive_download_url"].endswith(f"{REPO}/actions/artifacts/{kept.id}/zip")
    assert first["workflow_run"] == {"id": run_id("shop-ci-1")}
    every = (await http.get(f"{REPO}/actions/artifacts", params={"per_page": 2})).json()
    assert (every["total_count"], len(every["artifacts"])) == (3, 2)
    named = (await http.get(f"{REPO}/actions/artifacts", params={"name": "c"})).json()
    assert [one["name"] for one in named["artifacts"]] == ["c"]


async def test_an_archive_is_what_was_kept(world, http):
    kept = keep(world, "a", b"x" * 300_000)
    answer = await http.get(f"{REPO}/actions/artifacts/{kept.id}/zip")
    assert answer.content == b"x" * 300_000
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-length"] == "300000"


async def test_only_who_may_write_deletes_one(world, http, anonymous):
    kept = keep(world, "a")
    url = f"{REPO}/actions/artifacts/{kept.id}"
    assert (await anonymous.delete(url)).status_code == 401
    assert (await http.get(url)).json()["name"] == "a"
    assert (await http.delete(url)).status_code == 204
    assert (await http.get(url)).status_code == 404


async def test_a_runs_artifacts_are_deleted_with_it(world, http):
    await world.add_run("shop-ci-1", status=SUCCEEDED)
    keep(world, "a")
    other = keep(world, "b", run="shop-ci-2")
    assert (await http.delete(RUN)).status_code == 204
    assert [one.id for one in world.artifacts.of_repository("acme/shop")] == [other.id]


async def test_another_repositorys_artifact_is_not_found(world, http):
    kept = keep(world, "a", repository="acme/other")
    assert (await http.get(f"{REPO}/actions/artifacts/{kept.id}/zip")).status_code == 404
