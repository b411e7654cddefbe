"""One job's steps with programs that are only pretended: order of events, and what cancelling does at each moment."""

import asyncio
import os
from pathlib import Path

import pytest

from tidegate.base.errors import Unavailable
from tidegate.base.masking import Masker
from tidegate.engine.manual_clock import ManualClock
from tidegate.runner import workbench
from tidegate.runner.actions.action import no_pins
from tidegate.runner.borrowed_actions import BorrowedActions
from tidegate.runner.evaluation import Evaluator
from tidegate.runner.folder import JobFolder
from tidegate.runner.job import JobExecution
from tidegate.runner.layout import Layout
from tidegate.runner.request import JobRequest
from tidegate.runner.workbench import Workbench
from tidegate.workflow.parse import parse_workflow
from tidegate.workflow.resolve import Scope


class Report:
    def __init__(self):
        self.lines, self.steps, self.cancel = [], [], asyncio.Event()

    async def log(self, step, line):
        self.lines.append((step, line))

    async def step(self, step):
        self.steps.append((step["name"], step["status"], step.get("conclusion")))

    async def progress(self, line):
        pass

    async def waits(self, reason):
        pass

    async def summary(self, text):
        pass

    async def cancelled(self):
        await self.cancel.wait()


class Program:
    """`exit N` ends at once; anything else runs until it is stopped."""

    def __init__(self, text):
        self.text, self.stopped = text, asyncio.Event()

    async def wait(self):
        if self.text.startswith("exit"):
            return int(self.text.split()[1])
        await self.stopped.wait()
        return 130

    async def stop(self):
        self.stopped.set()


class Place:
    def __init__(self, root: Path):
        self.root, self.started = root, []

    async def start(self, program, lines):
        script = self.root / program.argv[-1].removeprefix("/home/runner/")
        self.started.append(Program(script.read_text().strip()))
        return self.started[-1]


class World:
    def __init__(self, root: Path, steps: str, folder: JobFolder, minutes: float = 360):
        text = "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n" + "".join(f"      - {step}\n" for step in steps)
        workflow = parse_workflow(text.encode(), "ci.yaml")
        self.report, self.place = Report(), Place(root)
        request = JobRequest("r", 1, "a", "a", "ci.yaml", text, {"github": {}}, timeout_minutes=minutes)
        self.bench = Workbench(
            request=request,
            layout=Layout(root, root, root, "/home/runner", "shop"),
            folder=folder,
            place=self.place,
            masker=Masker(),
            report=self.report,
            clock=ManualClock(),
            github={},
            variables={"PATH": "/bin"},
            owner=os.geteuid(),
        )
        self.evaluator = Evaluator(workflow, workflow.jobs["a"], Scope({"github": {}}))

    async def run(self, evaluator=None):
        elsewhere = BorrowedActions(self.bench, no_pins, {})
        execution = JobExecution(evaluator or self.evaluator, self.bench, None, self.report, elsewhere)
        return await asyncio.wait_for(execution.run(first_number=1), 5)

    def conclusions(self):
        return {name: conclusion for name, status, conclusion in self.report.steps if status == "completed"}


@pytest.fixture
def world(tmp_path):
    with JobFolder(tmp_path, os.geteuid()) as folder:
        yield lambda *steps, **parts: World(tmp_path, steps, folder, **parts)


async def test_a_step_is_shown_when_it_begins_and_when_it_ends(world):
    one = world("{name: first, run: exit 0}", "{name: never, if: false, run: exit 0}")
    assert (await one.run()).conclusion == "success"
    assert one.report.steps == [
        ("first", "in_progress", None),
        ("first", "completed", "success"),
        ("never", "completed", "skipped"),
    ]


async def test_cancelling_stops_the_program_that_runs(world):
    one = world("{name: long, run: sleep}", "{name: next, run: exit 0}", "{name: clean, if: always(), run: exit 0}")

    async def cancel():
        while not one.place.started:  # noqa: ASYNC110
            await asyncio.sleep(0)
        one.report.cancel.set()

    canceller = asyncio.create_task(cancel())
    outcome = await one.run()
    await canceller
    assert (outcome.conclusion, outcome.message) == ("cancelled", "it was cancelled")
    assert one.conclusions() == {"long": "cancelled", "next": "skipped", "clean": "success"}
    assert one.place.started[0].stopped.is_set()


async def test_cancelling_between_the_look_at_a_step_and_its_begin_is_not_lost(world):
    one = world("{name: long, run: sleep}")
    loop = asyncio.get_running_loop()

    class Evaluating(Evaluator):
        def open(self, step, before):
            opening = super().open(step, before)
            done = asyncio.run_coroutine_threadsafe(self.cancel(), loop)
            done.result(5)
            return opening

        async def cancel(self):
            one.report.cancel.set()
            for _ in range(10):
                await asyncio.sleep(0)

    evaluator = Evaluating(one.evaluator.workflow, one.evaluator.job, one.evaluator.base)
    assert (await one.run(evaluator)).conclusion == "cancelled"
    assert one.conclusions() == {"long": "cancelled"}


async def test_a_job_past_its_time_is_told_apart_from_a_cancelled_one(world):
    one = world("{name: long, run: sleep}", minutes=0.0005)
    outcome = await one.run()
    assert (outcome.conclusion, outcome.message) == ("timed_out", "it took longer than 0.0005 minutes")


async def test_an_error_in_an_expression_fails_the_step_with_its_place(world):
    one = world("{name: bad, run: \"${{ fromJSON('{') }}\"}", "{name: next, run: exit 0}")
    assert (await one.run()).conclusion == "failure"
    assert one.conclusions() == {"bad": "failure", "next": "skipped"}
    assert any("##[error]ci.yaml:6" in line for _, line in one.report.lines)


async def test_when_the_server_ends_the_program_is_not_asked_politely(world):
    one = world("{name: long, run: sleep}")
    running = asyncio.create_task(one.run())
    while not one.place.started:  # noqa: ASYNC110
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not one.place.started[0].stopped.is_set()


async def test_a_program_of_the_systems_that_never_ends_is_ended(world, monkeypatch, tmp_path):
    monkeypatch.setattr(workbench, "PROGRAM_TIMEOUT", 0.01)
    (tmp_path / "git").write_text("sleep")
    one = world("{name: only, run: exit 0}")
    with pytest.raises(Unavailable, match=r"git was ended in the job's place: it took over 0\.01 s"):
        await one.bench.tool(["git"])
    assert one.place.started[0].stopped.is_set()
