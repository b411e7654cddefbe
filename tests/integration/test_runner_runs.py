"""Whole runs: needs, matrices, limits, groups, cancelling, running again, workflows that can't run, retention."""

import asyncio
import itertools
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from runner_home import NAMESPACE, RUNNER, RunnerHome, git, workflow

from tidegate.base.errors import Denied
from tidegate.kinds.objects import ObjectKey, key_of
from tidegate.runner.reading import run_lines

pytestmark = pytest.mark.integration
CI = ".github/workflows/ci.yaml"


@pytest.fixture
async def home(tmp_path):
    home = RunnerHome(tmp_path)
    await home.set_up(maxJobs=4)
    return home


async def finish(home, text, count=1):
    home.commit({CI: text})
    async with home.running():
        home.push()
        return await home.finished(count)


async def test_jobs_run_in_the_order_of_their_needs_and_pass_outputs_on(home):
    (run,) = await finish(
        home,
        """
on: push
jobs:
  last:
    needs: [one, two]
    runs-on: x
    steps: [{run: 'echo "got ${{ needs.one.outputs.word }} and ${{ needs.two.result }}"'}]
  one:
    runs-on: x
    outputs: {word: "${{ steps.a.outputs.word }}"}
    steps: [{id: a, run: 'echo word=tide >> $GITHUB_OUTPUT'}]
  two:
    needs: one
    if: needs.one.outputs.word == 'none'
    runs-on: x
    steps: [{run: echo never}]
  even-so:
    needs: two
    if: always()
    runs-on: x
    steps: [{run: 'echo even so'}]
""",
    )
    jobs = {job["name"]: job["conclusion"] for job in run["status"]["jobs"]}
    assert jobs == {"one": "success", "two": "skipped", "last": "skipped", "even-so": "success"}
    assert run["status"]["conclusion"] == "success"


async def test_a_matrix_runs_each_combination_under_its_name(home):
    (run,) = await finish(
        home,
        """
on: push
jobs:
  test:
    strategy:
      matrix: {version: [1, 2], os: [a]}
    runs-on: x
    steps: [{run: 'echo "version ${{ matrix.version }} of ${{ strategy.job-total }}"'}]
""",
    )
    assert sorted(job["name"] for job in run["status"]["jobs"]) == ["test (1, a)", "test (2, a)"]
    assert "version 2 of 2" in home.log(run, "test (2, a)")


async def test_fail_fast_cancels_the_others_of_the_matrix(home):
    (run,) = await finish(
        home,
        """
on: push
jobs:
  test:
    strategy:
      matrix: {seconds: [0, 60]}
    runs-on: x
    steps: [{run: 'sleep ${{ matrix.seconds }}; exit 1'}]
  tolerated:
    continue-on-error: true
    runs-on: x
    steps: [{run: exit 1}]
""",
    )
    jobs = {job["name"]: job["conclusion"] for job in run["status"]["jobs"]}
    assert jobs == {"test (0)": "failure", "test (60)": "cancelled", "tolerated": "failure"}
    assert run["status"]["conclusion"] == "failure"


async def test_no_more_jobs_at_once_than_the_runner_lets(tmp_path):
    home = RunnerHome(tmp_path)
    await home.set_up(maxJobs=1)
    (run,) = await finish(
        home,
        "on: push\njobs:\n" + "".join(f"  j{n}:\n    runs-on: x\n    steps: [{{run: sleep 0.2}}]\n" for n in range(3)),
    )
    spans = sorted(
        (
            home.logs.lines(run["metadata"]["name"], 1, name)[0][:26],
            home.logs.lines(run["metadata"]["name"], 1, name)[-1][:26],
        )
        for name in ("j0", "j1", "j2")
    )
    moments = [(datetime.fromisoformat(begun), datetime.fromisoformat(ended)) for begun, ended in spans]
    assert all(ended <= begun for (_, ended), (begun, _) in itertools.pairwise(moments))


async def test_cancelling_ends_the_step_and_runs_what_cleans_up(home):
    home.commit(
        workflow("""
- name: endless
  run: trap 'echo interrupted; exit 1' INT; sleep 4545.4545 & wait
- name: cleaning
  if: cancelled()
  run: echo cleaned
- name: not this
  if: failure()
  run: echo never
""")
    )
    async with home.running():
        home.push()
        await home.until(lambda runs: any("endless" in str(run.get("status")) for run in runs))
        (run,) = await home.all_runs()
        begun = time.monotonic()
        await home.store.patch(
            key_of(run), {"metadata": {"annotations": {"tidegate.dev/cancel": "now"}}}, manager="test"
        )
        (run,) = await home.finished()
    assert time.monotonic() - begun < 5
    assert run["status"]["conclusion"] == "cancelled"
    steps = {step["name"]: step["conclusion"] for step in run["status"]["jobs"][0]["steps"]}
    assert (steps["endless"], steps["cleaning"], steps["not this"]) == ("cancelled", "success", "skipped")
    assert "cleaned" in home.log(run)
    assert home.tokens.live == {}


async def test_deleting_a_run_ends_it(home):
    home.commit(workflow("- run: sleep 4646.4646"))
    async with home.running():
        home.push()
        await home.until(lambda runs: any("sleep" in str(run.get("status")) for run in runs))
        (run,) = await home.all_runs()
        await home.store.delete(key_of(run))
        async with asyncio.timeout(15):
            while list((home.root / "home/runs/work").iterdir()) or home.tokens.live:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert not [
        path for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists() and b"4646.4646" in path.read_bytes()
    ]


async def test_a_completed_run_runs_again_when_asked(home):
    home.commit(workflow("- run: echo attempt $GITHUB_RUN_ATTEMPT"))
    async with home.running():
        home.push()
        (run,) = await home.finished()
        await home.store.patch(key_of(run), {"metadata": {"annotations": {"tidegate.dev/rerun": "1"}}}, manager="test")
        (run,) = await home.until(
            lambda runs: all(one["status"]["status"] == "completed" and one["status"]["attempt"] == 2 for one in runs)
        )
    assert "attempt 2" in home.log(run)
    assert home.logs.attempts(run["metadata"]["name"]) == [1, 2]


async def test_a_newer_run_of_a_group_takes_the_place_of_an_older_one(home):
    text = """
on: push
concurrency: {{group: deploy, cancel-in-progress: {cancel}}}
jobs:
  build:
    runs-on: x
    steps: [{{run: sleep {seconds}}}]
"""
    async with home.running():
        for seconds, cancel in (("30", "false"), ("31", "false"), ("0.1", "true")):
            home.commit({CI: text.format(seconds=seconds, cancel=cancel)})
            home.push()
            count = {"30": 1, "31": 2, "0.1": 3}[seconds]
            await home.until(
                lambda runs, count=count: (
                    sum("status" in run for run in runs) >= count
                    and "sleep 30" in str([run.get("status") for run in runs])
                )
            )
        runs = await home.finished(3)
    conclusions = {run["spec"]["runNumber"]: run["status"]["conclusion"] for run in runs}
    assert conclusions == {1: "cancelled", 2: "cancelled", 3: "success"}


async def test_an_unreadable_workflow_fails_with_its_problems_and_harms_no_other(home):
    broken = "on: push\njobs:\n  a:\n    runs-on: x\n    stepz: []\n"
    home.commit({".github/workflows/broken.yaml": broken, **workflow("- run: echo fine")})
    async with home.running():
        home.push()
        runs = await home.finished(2)
        found = {run["spec"]["workflow"].rpartition("/")[2]: run["status"] for run in runs}
        assert found["ci.yaml"]["conclusion"] == "success"
        assert found["broken.yaml"]["conclusion"] == "failure"
        assert ".github/workflows/broken.yaml:5:5" in found["broken.yaml"]["message"]
        runner = await home.store.get(RUNNER)
        (condition,) = [one for one in runner["status"]["conditions"] if one["type"] == "WorkflowsValid"]
        assert condition["status"] == "False"
        home.commit({"other": "file"})
        home.push()
        await home.finished(3)
    assert len(await home.all_runs()) == 3, "a broken file is told of when it changes, not at every push"


async def test_what_is_not_there_is_refused_before_anything_runs(home):
    home.commit(
        workflow("""
- run: echo never
- uses: acme/unknown@v1
- uses: docker/build-push-action@v6
  with: {context: ., ssh: default, load: false}
- uses: actions/checkout@v4
  with: {lfs: true}
""")
    )
    async with home.running():
        home.push()
        (run,) = await home.finished()
    message = run["status"]["message"]
    assert run["status"]["conclusion"] == "failure"
    assert ".github/workflows/ci.yaml:8:" in message
    assert "'acme/unknown@v1' is not built in, and can't be had: acme/unknown is not hosted here" in message
    assert "the input 'ssh' of docker/build-push-action has no effect here" in message
    assert "the input 'lfs' of actions/checkout" in message
    assert "'load'" not in message
    assert run["status"]["jobs"] == []


async def test_a_denied_push_names_the_line_to_add(home):
    home.build.error = Denied("the registry answered 403")
    steps = """
- run: mkdir app; echo FROM x > app/Dockerfile
- uses: docker/login-action@v3
  with: {registry: ghcr.io, username: me, password: "${{ secrets.GITHUB_TOKEN }}"}
- uses: docker/build-push-action@v6
  with: {context: app, push: true, tags: ghcr.io/acme/x:1}
"""
    home.commit(workflow(steps))
    async with home.running():
        home.push()
        (run,) = await home.finished()
    assert "add `packages: write` under `permissions:`" in home.log(run)


async def test_every_ref_is_handled_once_and_lost_hints_are_found(home):
    home.commit(workflow("- run: echo ${{ github.ref_name }} ${{ github.ref_type }}"))
    git(home.folder, "tag", "v1")
    home.push("HEAD:refs/heads/main", "refs/tags/v1")
    async with home.running():
        await home.finished(2)
        for _ in range(3):
            home.manager.hint(RUNNER)
            await asyncio.sleep(0.05)
    assert sorted(run["spec"]["ref"] for run in await home.all_runs()) == ["refs/heads/main", "refs/tags/v1"]
    git(home.folder, "branch", "--quiet", "other")
    git(home.folder, "push", "--quiet", str(home.bare), "other")
    home.commit({"a": "b"})
    git(home.folder, "push", "--quiet", str(home.bare), "HEAD:refs/heads/main")
    async with home.running():
        runs = await home.finished(4)
    assert sorted(run["spec"]["runNumber"] for run in runs) == [1, 2, 3, 4]


async def test_going_back_to_an_old_commit_runs_again(home):
    home.commit(workflow("- run: echo hi"))
    async with home.running():
        home.push()
        await home.finished(1)
        home.commit({"a": "b"})
        home.push()
        await home.finished(2)
        home.push("HEAD~1:refs/heads/main")
        await home.finished(3)
        home.push("HEAD:refs/heads/main")
        runs = await home.finished(4)
    assert len({run["metadata"]["name"] for run in runs}) == 4


async def test_old_runs_and_their_logs_go(home):
    home.runs._kept = 2
    async with home.running():
        for number in range(4):
            home.commit(workflow(f"- run: echo {number}"))
            home.push()
            await home.until(
                lambda runs, number=number: any(
                    run["spec"]["runNumber"] == number + 1 and run.get("status", {}).get("status") == "completed"
                    for run in runs
                )
            )
        await home.until(lambda runs: sorted(run["spec"]["runNumber"] for run in runs) == [3, 4])
        async with asyncio.timeout(5):
            while len(home.logs.runs()) > 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_the_log_of_a_run_can_be_followed_while_it_grows(home):
    home.commit(workflow("- run: for i in 1 2 3; do echo line-$i; sleep 0.2; done"))
    seen: list[tuple[float, str]] = []
    async with home.running():
        home.push()
        (run,) = await home.until(bool)
        over = asyncio.Event()

        async def follow():
            async for line in run_lines(
                home.logs, home.feed, run["metadata"]["name"], is_over=over.is_set, follow=True
            ):
                seen.append((time.monotonic(), line))  # noqa: PERF401 - the time of each line counts

        following = asyncio.create_task(follow())
        await home.finished()
        over.set()
        home.feed.close(run["metadata"]["name"])
        await asyncio.wait_for(following, 5)
    lines = {text.partition(" ")[2]: moment for moment, text in seen}
    assert lines["line-3"] - lines["line-1"] > 0.3
    assert seen[0][1] == "==> build <=="


async def test_a_run_without_a_runner_says_so(home):
    commit = home.commit(workflow("- run: echo hi"))
    git(home.folder, "push", "--quiet", str(home.bare), "HEAD:refs/heads/main")
    await home.store.delete(RUNNER)
    await home.store.create(
        {
            "apiVersion": "tidegate.dev/v1alpha1",
            "kind": "WorkflowRun",
            "metadata": {"name": "lonely", "namespace": NAMESPACE},
            "spec": {
                "repository": "acme/shop", "workflow": CI, "event": "push", "ref": "refs/heads/main", "commit": commit,
            },
        },
        manager="test",
    )  # fmt: skip
    async with home.running():
        (run,) = await home.finished()
    assert run["status"]["conclusion"] == "failure"
    assert "no Runner in flux-system is for acme/shop" in run["status"]["message"]
    assert await home.store.get(ObjectKey("tidegate.dev", "WorkflowRun", NAMESPACE, "lonely"))
