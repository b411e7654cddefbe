"""What whoever waits for a run reads of a step that failed."""

import asyncio

from tidegate.engine.clock import SystemClock
from tidegate.runner.progress import JobProgress, RunProgress
from tidegate.runner.report import TAIL_LINES, JobReport


class Log:
    def write(self, lines, step):
        pass

    def flush(self):
        pass


class Logs:
    def open(self, *_):
        return Log()


class Feed:
    def __init__(self):
        self.texts = []

    def say(self, progress):
        self.texts.append(progress.text)

    def grew(self, *_args, **_more):
        pass


async def told(*lines):
    async def write(_patch):
        pass

    feed, progress = Feed(), RunProgress(write, SystemClock(), 1)
    job = JobProgress("build", "build")
    report = JobReport("run", job, progress, Logs(), feed, asyncio.Event())
    step = {"id": "make", "number": 1, "name": "Make"}
    await report.step(step | {"status": "in_progress"})
    for line in lines:
        await report.log("make", line)
    await report.step(step | {"status": "completed", "conclusion": "failure"})
    await progress.close()
    return feed.texts


HEAD = ["##[group]Run make", "make", "env:", "  A: 1", "##[endgroup]"]


async def test_they_begin_with_what_the_step_wrote_and_not_with_what_the_workflow_says():
    assert await told(*HEAD, "cc: no such file", "##[error]exit code 1") == [
        "build: Make: failed; its last lines:",
        "  cc: no such file",
        "  ##[error]exit code 1",
    ]


async def test_a_group_that_the_step_itself_writes_stays():
    texts = await told(*HEAD, "##[group]tests", "one failed", "##[endgroup]", "##[error]exit code 1")
    assert texts[1:] == ["  ##[group]tests", "  one failed", "  ##[endgroup]", "  ##[error]exit code 1"]


async def test_of_many_lines_the_last_are_shown():
    texts = await told(*HEAD, *map(str, range(50)))
    assert texts[1:] == [f"  {number}" for number in range(50 - TAIL_LINES, 50)]
