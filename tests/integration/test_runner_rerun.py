"""Running only what failed again: which jobs that is, what they get from those that stay, and where it is not known."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from runner_home import RunnerHome

from tidegate.kinds.objects import key_of

pytestmark = pytest.mark.integration
FOLDER = ".github/workflows/"
TEXT = """
on: push
jobs:
  first:
    runs-on: x
    outputs: {word: "${{ steps.it.outputs.word }}"}
    steps: [{id: it, run: 'echo "word=tide $GITHUB_RUN_ATTEMPT" >> $GITHUB_OUTPUT; echo first of $GITHUB_RUN_ATTEMPT'}]
  flaky:
    needs: first
    strategy: {fail-fast: false, matrix: {on: [1, 2]}}
    runs-on: x
    steps:
      - run: echo "${{ needs.first.outputs.word }} in $GITHUB_RUN_ATTEMPT"
      - if: matrix.on == 2 && github.run_attempt == 1
        run: exit 1
  beside:
    runs-on: x
    steps: [{run: 'echo beside of $GITHUB_RUN_ATTEMPT'}]
  called:
    uses: ./.github/workflows/called.yaml
  last:
    needs: [flaky, called]
    if: always()
    runs-on: x
    steps: [{run: 'echo "last of $GITHUB_RUN_ATTEMPT: ${{ needs.flaky.result }} ${{ needs.called.outputs.kept }}"'}]
"""
CALLED = """
on:
  workflow_call: {outputs: {kept: {value: "${{ jobs.good.outputs.said }}"}}}
jobs:
  good:
    runs-on: x
    outputs: {said: "${{ steps.it.outputs.said }}"}
    steps: [{id: it, run: 'echo "said=good $GITHUB_RUN_ATTEMPT" >> $GITHUB_OUTPUT'}]
  bad: {runs-on: x, steps: [{run: 'test $GITHUB_RUN_ATTEMPT != 1'}]}
"""


@pytest.fixture
async def home(tmp_path):
    home = RunnerHome(tmp_path)
    await home.set_up(maxJobs=4)
    return home


async def again(home, run, attempt, value="failed 1"):
    await home.store.patch(key_of(run), {"metadata": {"annotations": {"tidegate.dev/rerun": value}}}, manager="test")
    (run,) = await home.until(
        lambda runs: all(one["status"]["status"] == "completed" and one["status"]["attempt"] == attempt for one in runs)
    )
    return run


def jobs_of(run):
    return {job["name"]: job["conclusion"] for job in run["status"]["jobs"]}


def attempts(home, run):
    """For each job the attempt that its log is of."""
    names = [job["name"] for job in run["status"]["jobs"]]
    logs = {name: home.log(run, name) for name in names}
    return {name: "1" if "(.github" in log and "attempt 1)" in log else "2" for name, log in logs.items()}


async def test_what_failed_and_what_needs_it_runs_again_with_the_outputs_of_the_rest(home):
    home.commit({f"{FOLDER}ci.yaml": TEXT, f"{FOLDER}called.yaml": CALLED})
    async with home.running():
        home.push()
        (run,) = await home.finished()
        assert run["status"]["conclusion"] == "failure"
        first = {job["name"]: job for job in run["status"]["jobs"]}
        run = await again(home, run, 2)
    assert run["status"]["conclusion"] == "success"
    assert attempts(home, run) == {
        "first": "1", "flaky (1)": "1", "flaky (2)": "2", "beside": "1",
        "called / good": "1", "called / bad": "2", "last": "2",
    }  # fmt: skip
    assert "tide 1 in 2" in home.log(run, "flaky (2)")
    assert "last of 2: success good 1" in home.log(run, "last")
    assert {job["name"]: job for job in run["status"]["jobs"]}["first"] == first["first"]


async def test_what_a_kept_job_needs_no_more_is_kept_over_two_attempts(home):
    text = TEXT.replace("github.run_attempt == 1", "github.run_attempt != 3")
    home.commit({f"{FOLDER}ci.yaml": text, f"{FOLDER}called.yaml": CALLED})
    async with home.running():
        home.push()
        (run,) = await home.finished()
        run = await again(home, run, 2)
        assert jobs_of(run)["flaky (2)"] == "failure"
        run = await again(home, run, 3, "failed 2")
    assert run["status"]["conclusion"] == "success"
    assert "first of 1" in home.log(run, "first")
    assert "tide 1 in 3" in home.log(run, "flaky (2)")


async def test_where_outputs_are_not_kept_a_job_runs_again(home):
    home.commit({f"{FOLDER}ci.yaml": TEXT, f"{FOLDER}called.yaml": CALLED})
    async with home.running():
        home.push()
        (run,) = await home.finished()
        shutil.rmtree(home.root / "home/runs/logs")
        run = await again(home, run, 2)
    assert run["status"]["conclusion"] == "success"
    assert set(attempts(home, run).values()) == {"2"}


async def test_without_the_word_everything_runs_again(home):
    home.commit({f"{FOLDER}ci.yaml": TEXT, f"{FOLDER}called.yaml": CALLED})
    async with home.running():
        home.push()
        (run,) = await home.finished()
        run = await again(home, run, 2, "2026-11-26T12:00:00Z")
    assert set(attempts(home, run).values()) == {"2"}


async def test_images_that_were_pushed_stay_with_the_run(home):
    home.commit({f"{FOLDER}ci.yaml": TEXT, f"{FOLDER}called.yaml": CALLED})
    async with home.running():
        home.push()
        (run,) = await home.finished()
        image = {"reference": "ghcr.io/acme/web:1", "digest": "sha256:" + "a" * 64, "platforms": ["linux/amd64"]}
        await home.store.patch_status(key_of(run), {"images": [image, image]}, manager="runner-controller")
        run = await again(home, run, 2)
        assert run["status"]["images"] == [image]
        run = await again(home, run, 3, "all of it")
    assert run["status"]["images"] == []
