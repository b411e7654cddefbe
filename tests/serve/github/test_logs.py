"""Logs as gh reads them: a zip archive of a run with a file for each step, and a job's as text."""

import io
import zipfile

from tests.serve.github.conftest import REPO, SUCCEEDED

from tidegate.runner.logs import LogPart
from tidegate.runner.names import run_id
from tidegate.serve.github.archive import JobFile, file_part, pack

RUN = f"{REPO}/actions/runs/{run_id('shop-ci-1')}"
STAMP = "2026-01-15T12:00:01.0000000Z"


def unpacked(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


async def test_a_runs_log_has_a_file_for_each_job_and_step(world, http):
    await world.add_run("shop-ci-1", status=SUCCEEDED)
    world.add_log("shop-ci-1", "build", [(1, ["ready"]), (2, ["hello", "##[group]never a step"]), (3, ["bye"])])
    answer = await http.get(f"{RUN}/logs")
    assert answer.headers["content-type"] == "application/zip"
    assert unpacked(answer.content) == {
        "0_build.txt": f"{STAMP} ready\n{STAMP} hello\n{STAMP} ##[group]never a step\n{STAMP} bye\n",
        "build/1_Set up job.txt": f"{STAMP} ready\n",
        "build/2_Run echo.txt": f"{STAMP} hello\n{STAMP} ##[group]never a step\n",
        "build/3_step.txt": f"{STAMP} bye\n",
    }


async def test_a_jobs_log_is_text(world, http):
    await world.add_run("shop-ci-1", status=SUCCEEDED)
    world.add_log("shop-ci-1", "build", [(1, ["grüß dich"])])
    (job,) = (await http.get(f"{RUN}/jobs")).json()["jobs"]
    answer = await http.get(f"{REPO}/actions/jobs/{job['id']}/logs")
    assert (answer.text, answer.headers["content-type"]) == (f"{STAMP} grüß dich\n", "text/plain; charset=utf-8")


async def test_an_earlier_attempts_log_can_be_read_by_its_number(world, http):
    await world.add_run("shop-ci-1", status={**SUCCEEDED, "attempt": 2})
    world.add_log("shop-ci-1", "build", [(2, ["first"])], attempt=1)
    world.add_log("shop-ci-1", "build", [(2, ["second"])], attempt=2)
    assert "first" in unpacked((await http.get(f"{RUN}/attempts/1/logs")).content)["0_build.txt"]
    assert "second" in unpacked((await http.get(f"{RUN}/logs")).content)["0_build.txt"]
    answer = await http.get(f"{RUN}/attempts/1")
    assert (answer.status_code, "only the last one is kept" in answer.json()["message"]) == (404, True)


async def test_a_run_without_a_log_has_none(world, http):
    await world.add_run("shop-ci-1", status=SUCCEEDED)
    assert (await http.get(f"{RUN}/logs")).status_code == 404
    (job,) = (await http.get(f"{RUN}/jobs")).json()["jobs"]
    assert (await http.get(f"{REPO}/actions/jobs/{job['id']}/logs")).status_code == 404


async def test_an_archive_has_a_limit(world, http, monkeypatch):
    monkeypatch.setattr("tidegate.serve.github.archive.TOTAL_LIMIT", 10)
    await world.add_run("shop-ci-1", status=SUCCEEDED)
    world.add_log("shop-ci-1", "build", [(1, ["hello"])])
    answer = await http.get(f"{RUN}/logs")
    assert (answer.status_code, "one job at a time" in answer.json()["message"]) == (413, True)


def test_names_lead_nowhere_else(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("line\n")
    names = ["../../etc", "..", "a/b: c", "/", "a\\b\n"]
    jobs = [JobFile(name, path, [LogPart(1, 0, 5)], {1: "../../../up"}) for name in names]
    with pack(jobs) as archive:
        found = unpacked(archive.read())
    assert [name for name in found if "/" in name] == [
        "....etc/1_......up.txt",
        "job/1_......up.txt",
        "ab c/1_......up.txt",
        "job2/1_......up.txt",
        "ab/1_......up.txt",
    ], "none of them stands there under its whole name"
    assert [name for name in found if "/" not in name][:2] == ["0_....etc.txt", "1_job.txt"]


def test_a_called_workflows_job_is_there_by_its_whole_name_too_after_all_others(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("line\n")
    jobs = [JobFile(name, path, [LogPart(1, 0, 5)], {1: "x"}) for name in ("build / test", "test")]
    with pack(jobs) as archive:
        assert list(unpacked(archive.read())) == [
            "0_build  test.txt", "build  test/1_x.txt", "1_test.txt", "test/1_x.txt", "build / test/1_x.txt",
        ]  # fmt: skip


def test_a_name_is_cut_where_clients_cut_it():
    assert file_part("x" * 91) == "x" * 90
    assert file_part("😅" * 50) == "😅" * 45
    assert file_part("build / test: a") == "build  test a"
