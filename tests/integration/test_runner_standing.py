"""Runs that no push starts: schedules by a clock that the test moves, and workflows that follow the runs of others."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from runner_home import NAMESPACE, RUNNER, RunnerHome, workflow

from tidegate.engine.events import EventRecorder
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Context
from tidegate.kinds.objects import key_of

pytestmark = pytest.mark.integration
CI = ".github/workflows/ci.yaml"
STEPS = """
- run: |
    echo "event ${{ github.event_name }} ${{ github.event.schedule }} on ${{ github.ref }} ${{ github.sha }}"
"""
TIMED = "on:\n  schedule:\n    - cron: '0 6 * * *'\n      timezone: Europe/Berlin"


@pytest.fixture
async def home(tmp_path):
    home = RunnerHome(tmp_path)
    await home.set_up(maxJobs=4)
    return home


class Looking:
    """The Runner's controller by hand, with a clock of its own; the status is kept as the engine keeps it."""

    def __init__(self, home, start):
        self.home, self.clock, self.status = home, ManualClock(start), {}
        self.context = Context(home.store, self.clock, EventRecorder(home.store, self.clock, "runner-controller"))

    async def look(self, *, forgotten=False):
        runner = await self.home.store.get(RUNNER)
        outcome = await self.home.runner.reconcile({**runner, "status": self.status}, self.context)
        if not forgotten:
            self.status = {name: value for name, value in outcome.status.items() if value is not None}
        return outcome

    async def runs(self):
        return sorted(
            run["spec"]["runNumber"] for run in await self.home.all_runs() if run["spec"]["event"] == "schedule"
        )


async def test_a_schedule_starts_one_run_when_it_is_due_and_one_for_all_missed_times(home):
    commit = home.commit(workflow(STEPS, head=TIMED))
    home.push()
    looking = Looking(home, datetime(2026, 3, 27, 4, 59, 30, tzinfo=UTC))  # half a minute before six in Berlin
    first = await looking.look()
    assert (await looking.runs(), first.requeue_after) == ([], 30)
    await looking.clock.advance(30)
    await looking.look(forgotten=True)  # a crash after the run was made
    await looking.look()
    assert await looking.runs() == [1]
    (run,) = await home.all_runs()
    assert (run["spec"]["cause"], run["spec"]["commit"]) == ({"schedule": "0 6 * * *"}, commit)
    await looking.clock.advance(30)
    await looking.look()
    assert await looking.runs() == [1]
    await looking.clock.advance(timedelta(days=9).total_seconds())  # Tidegate was off, and Berlin is an hour further on
    await looking.look()
    await looking.look()
    assert await looking.runs() == [1, 2]
    again = await looking.look()
    assert again.requeue_after == 60


async def test_a_schedule_counts_from_the_push_that_brings_it_and_ends_with_the_one_that_takes_it(home):
    home.commit(workflow(STEPS))
    home.push()
    looking = Looking(home, datetime(2026, 3, 27, 4, 0, tzinfo=UTC))
    await looking.look()
    await looking.clock.advance(timedelta(days=3).total_seconds())
    home.commit(workflow(STEPS, head=TIMED))
    home.push()
    await looking.look()
    assert await looking.runs() == []
    assert "scheduledUntil" in looking.status
    home.commit(workflow(STEPS))
    home.push()
    await looking.clock.advance(timedelta(days=3).total_seconds())
    await looking.look()
    assert await looking.runs() == []
    assert "scheduledUntil" not in looking.status


async def test_a_schedule_beside_an_older_one_counts_from_its_own_push(home):
    home.commit(workflow(STEPS, head="on:\n  schedule:\n    - cron: '0 12 * * *'"))
    home.push()
    looking = Looking(home, datetime(2026, 3, 27, 4, 0, tzinfo=UTC))
    await looking.look()
    until = looking.status["scheduledUntil"]
    await looking.clock.advance(timedelta(hours=2).total_seconds())
    await looking.look()
    assert looking.status["scheduledUntil"] == until  # nothing is written for a mere look
    home.commit(workflow(STEPS, head="on:\n  schedule:\n    - cron: '0 12 * * *'\n    - cron: '0 5 * * *'"))
    home.push()
    await looking.look()
    assert await looking.runs() == []  # five o'clock was before the push
    home.commit(workflow(STEPS, head="on:\n  schedule:\n    - cron: '0 12 * * *'\n    - cron: '0 13 * * *'"))
    home.push()
    await looking.clock.advance(timedelta(hours=8).total_seconds())
    await looking.look()
    assert await looking.runs() == [1]
    (run,) = await home.all_runs()
    assert run["spec"]["cause"] == {"schedule": "0 12 * * *"}


async def test_the_schedule_of_another_branch_never_counts(home):
    home.commit(workflow(STEPS))
    home.push()
    home.commit(workflow(STEPS, head=TIMED))
    home.push("HEAD:refs/heads/topic")
    looking = Looking(home, datetime(2026, 3, 27, 4, 0, tzinfo=UTC))
    await looking.look()
    await looking.clock.advance(timedelta(days=3).total_seconds())
    await looking.look()
    assert await looking.runs() == []


async def test_a_scheduled_run_has_its_contexts(home):
    commit = home.commit(workflow(STEPS, head=TIMED))
    home.push()
    looking = Looking(home, datetime(2026, 3, 27, 4, 59, tzinfo=UTC))
    await looking.look()
    await looking.clock.advance(60)
    await looking.look()
    async with home.running():
        (run,) = await home.finished()
    assert run["status"]["conclusion"] == "success"
    assert f"event schedule 0 6 * * * on refs/heads/main {commit}" in home.log(run)


FOLLOWS = """
name: {name}
on:
  workflow_run: {{workflows: [{after}], types: [completed]}}
jobs:
  build:
    runs-on: x
    steps:
      - run: |
          echo "after ${{{{ github.event.workflow_run.name }}}}: ${{{{ github.event.workflow_run.conclusion }}}}"
          echo "${{{{ github.event.action }}}} ${{{{ github.event.workflow_run.head_branch }}}} on $GITHUB_REF"
"""


async def test_workflows_follow_each_other_three_times_and_no_more(home):
    names = ["A", "B", "C", "D", "E"]
    pairs = zip(names[1:], names, strict=False)
    files = {f".github/workflows/{name}.yaml": FOLLOWS.format(name=name, after=after) for name, after in pairs}
    first = workflow("- run: exit 1", head="name: A\non: push")[CI]
    home.commit(files | {".github/workflows/A.yaml": first})
    async with home.running():
        home.push()
        runs = await home.finished(4)
    context = Context(home.store, home.clock, EventRecorder(home.store, home.clock, "runner-controller"))
    await home.runner.reconcile(await home.store.get(RUNNER), context)  # a look at all that has completed
    started = len(await home.all_runs())
    by_file = {run["spec"]["workflow"].rpartition("/")[2]: run for run in runs}
    assert (sorted(by_file), started) == (["A.yaml", "B.yaml", "C.yaml", "D.yaml"], 4)
    assert by_file["A.yaml"]["status"]["conclusion"] == "failure"
    log = home.log(by_file["B.yaml"])
    assert "after A: failure" in log
    assert "completed main on refs/heads/main" in log
    assert "after B: success" in home.log(by_file["C.yaml"])


async def test_a_workflow_follows_what_was_asked_for_too_and_again_when_that_runs_again(home):
    first = workflow("- run: echo", head="name: A\non: workflow_dispatch")[CI]
    home.commit({".github/workflows/A.yaml": first, ".github/workflows/B.yaml": FOLLOWS.format(name="B", after="A")})
    async with home.running():
        home.push()
        spec = {"repository": "acme/shop", "workflow": "A.yaml", "event": "workflow_dispatch"}
        asked = await home.store.create(
            {"apiVersion": "tidegate.dev/v1alpha1", "kind": "WorkflowRun",
             "metadata": {"name": "asked", "namespace": NAMESPACE}, "spec": spec},
            manager="test",
        )  # fmt: skip
        await home.finished(2)
        annotations = {"tidegate.dev/rerun": "1"}
        await home.store.patch(key_of(asked), {"metadata": {"annotations": annotations}}, manager="test")
        runs = await home.finished(3)
    assert sorted(run["spec"]["event"] for run in runs) == ["workflow_dispatch", "workflow_run", "workflow_run"]
    assert sorted(run["spec"].get("cause", {}).get("attempt", "") for run in runs) == ["", "1", "2"]
