"""Runs of jobs without jobs: which begin, in which order, and what they come to together."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tidegate.engine.manual_clock import ManualClock
from tidegate.runner.groups import Groups
from tidegate.runner.progress import RunProgress
from tidegate.runner.request import JobOutcome
from tidegate.runner.run import RunExecution, worst
from tidegate.workflow.calls import Linked
from tidegate.workflow.parse import parse_workflow
from tidegate.workflow.plan import plan
from tidegate.workflow.triggers import Event


class World:
    """Runs a workflow with outcomes by job name; what is not named succeeds."""

    def __init__(self, jobs, **outcomes):
        workflow = parse_workflow(f"on: push\njobs:\n{jobs}".encode(), "ci.yaml")
        self.began, self.outcomes, self.patches, self.timeouts = [], outcomes, [], {}
        self.cancelled = asyncio.Event()
        groups = Groups()

        async def write(patch):
            self.patches.append(patch)

        self.progress = RunProgress(write, ManualClock(), 1)
        self.execution = RunExecution(
            plan=plan(Linked(workflow), Event("push"), {"github": {}, "inputs": {}, "vars": {}}),
            contexts={"github": {}, "inputs": {}, "vars": {}},
            progress=self.progress,
            run_job=self.job,
            place=self.place,
            grouped=lambda group, cancelled: groups.one(group.name, cancelled),
            cancelled=self.cancelled,
        )

    @asynccontextmanager
    async def place(self):
        yield

    async def job(self, order):
        self.began.append(order.progress.name)
        self.timeouts[order.progress.name] = order.timeout_minutes
        assert order.planned.job.id == "a" or not order.cancelled.is_set()
        await asyncio.sleep(0)
        outcome = self.outcomes.get(order.planned.job.id, "success")
        return outcome(order) if callable(outcome) else JobOutcome(outcome)

    async def run(self):
        conclusion = await self.execution.run()
        await self.progress.close()
        return conclusion

    def shown(self):
        return {job.name: job.conclusion for job in self.progress.jobs.values()}


def job(name, *lines):
    return f"  {name}:\n    runs-on: x\n" + "".join(f"    {line}\n" for line in lines) + "    steps: [{run: x}]\n"


async def test_a_failed_job_skips_those_that_need_it():
    world = World(job("a") + job("b", "needs: a") + job("c", "needs: a", "if: failure()"), a="failure")
    assert await world.run() == "failure"
    assert world.shown() == {"a": "failure", "b": "skipped", "c": "success"}


async def test_a_tolerated_failure_fails_neither_the_run_nor_those_that_need_it():
    world = World(job("a", "continue-on-error: true") + job("b", "needs: a"), a="failure")
    assert await world.run() == "success"
    assert world.shown() == {"a": "failure", "b": "success"}


async def test_outputs_of_needs_reach_conditions():
    world = World(
        job("a") + job("b", "needs: a", "if: needs.a.outputs.go == 'yes'"),
        a=lambda _: JobOutcome("success", {"go": "yes"}),
    )
    assert await world.run() == "success"
    assert world.began == ["a", "b"]


async def test_a_broken_expression_fails_its_job_alone():
    world = World(job("a", "if: fromJSON('{')") + job("b"))
    assert await world.run() == "failure"
    assert world.shown()["b"] == "success"
    assert "JSON" in world.progress.jobs["a"].message


async def test_a_cancelled_run_begins_only_what_asks_for_that():
    world = World(job("a") + job("b", "needs: a") + job("c", "needs: a", "if: always()"))

    def cancel(order):
        world.cancelled.set()
        return JobOutcome("cancelled")

    world.outcomes["a"] = cancel
    assert await world.run() == "cancelled"
    assert world.shown() == {"a": "cancelled", "b": "skipped", "c": "success"}
    assert world.timeouts == {"a": 360.0, "c": 5.0}


async def test_a_machine_that_fails_fails_the_job_and_not_the_server():
    def full(order):
        raise OSError(28, "No space left on device")

    world = World(job("a") + job("b"), a=full)
    assert await world.run() == "failure"
    assert "the disk is full\nfree some space" in world.progress.jobs["a"].message
    assert world.shown()["b"] == "success"


async def test_jobs_of_one_name_are_told_apart():
    world = World(job("a", "name: Test it") + job("b", "name: test/it"))
    await world.run()
    assert list(world.shown()) == ["Test it", "test/it 2"]


async def test_a_group_that_the_run_holds_itself_is_a_deadlock_and_said_so():
    head = "  a:\n    runs-on: x\n    concurrency: deploy\n    steps: [{run: x}]\nconcurrency: deploy\n"
    world = World(head)
    assert await world.run() == "cancelled"
    assert "a deadlock" in world.progress.jobs["a"].message


@pytest.mark.parametrize(
    ("conclusions", "expected"),
    [
        ([], "success"),
        (["skipped", "success"], "success"),
        (["skipped"], "skipped"),
        (["success", "cancelled"], "cancelled"),
        (["cancelled", "failure"], "failure"),
        (["failure", "timed_out"], "timed_out"),
    ],
)
def test_the_worst_decides(conclusions, expected):
    assert worst(conclusions) == expected
