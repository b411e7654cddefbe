"""Reads the logs of a run for people: its jobs one after another, as they were written or while they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from tidegate.base.errors import NotFound
from tidegate.runner.feed import RunFeed
from tidegate.runner.lines import LineSplitter
from tidegate.runner.logs import RunLogs


async def run_lines(
    logs: RunLogs, feed: RunFeed, run: str, *, is_over: Callable[[], bool], follow: bool = False
) -> AsyncIterator[str]:
    """The lines of a run's last attempt, each with its time, job after job in the order in which they began.

    With `follow`, also what comes, until the run is over (`is_over` says whether it is). NotFound where the run has
    no logs and is over, or is not followed.
    """
    growth = feed.growth(run)
    while not (attempts := await asyncio.to_thread(logs.attempts, run)):
        if not follow or is_over():
            raise NotFound(f"the run {run} has no log", remedy=f"tidegate describe workflowrun {run}")
        await anext(growth, None)
    shown: set[str] = set()
    while True:
        over = is_over()
        for job in await asyncio.to_thread(logs.jobs, run, attempts[-1]):
            if job not in shown:
                shown.add(job)
                async for line in _job_lines(logs, feed, run, attempts[-1], job, follow=follow and not over):
                    yield line
        if over or not follow:
            return
        await anext(growth, None)


async def _job_lines(
    logs: RunLogs, feed: RunFeed, run: str, attempt: int, job: str, *, follow: bool
) -> AsyncIterator[str]:
    splitter = LineSplitter()
    yield f"==> {job} <=="
    waiting = (lambda: feed.growth_of(run, job)) if follow else _never
    async for chunk in logs.follow(run, attempt, job, wait=waiting):
        for line in splitter.feed(chunk):
            yield line
    for line in splitter.end():
        yield line


async def _never() -> AsyncIterator[bool]:
    nothing: tuple[bool, ...] = ()
    for wake in nothing:
        yield wake
