"""What a job tells, taken to where it belongs: its log file, the run's status, the feed, the run's summary."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tidegate.base.steps import Step, reach
from tidegate.kinds.workflow_run import COMPLETED
from tidegate.runner.feed import Progress, RunFeed
from tidegate.runner.logs import JobLog, RunLogs
from tidegate.runner.progress import JobProgress, RunProgress
from tidegate.runner.request import FAILURE, SUCCESS

FLUSH_DELAY = 0.05
TAIL_LINES = 12
_END = "##[endgroup]"
_SHOWN = ("name", "number", "status", "conclusion", "startedAt", "completedAt")
# The runner's own steps; nobody who waits for a run wants to read of them.
_QUIET = ("__Set up job", "__Complete job")


class JobReport:
    """JobEvents of one job of one run."""

    def __init__(
        self, run: str, job: JobProgress, progress: RunProgress, logs: RunLogs, feed: RunFeed, cancelled: asyncio.Event
    ):
        self._run = run
        self._job = job
        self._progress = progress
        self._logs = logs
        self._feed = feed
        self._cancelled = cancelled
        self._log: JobLog = logs.open(run, progress.attempt, job.name)
        self._flush: asyncio.TimerHandle | None = None
        self._tail: list[str] = []
        self._headed = False
        self._begun = progress.monotonic()

    async def log(self, step: str, line: str) -> None:
        """Write a line; readers see it a moment later."""
        self._log.write([line], step)
        self._keep(line)
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(FLUSH_DELAY, self._make_readable)

    def _keep(self, line: str) -> None:
        """Keep the step's last lines, without those that only repeat what the workflow says of it."""
        if line == _END and not self._headed:
            self._headed = True
            self._tail.clear()
            return
        self._tail.append(line)
        del self._tail[:-TAIL_LINES]

    async def step(self, step: Mapping[str, Any]) -> None:
        """A step began, or ended: its end is stored before this returns."""
        number = int(step["number"])
        self._job.steps[number] = {name: step[name] for name in _SHOWN if step.get(name) is not None}
        if step["status"] != COMPLETED:
            self._tail.clear()
            self._headed = False
            self._begun = self._progress.monotonic()
            self._progress.changed()
            return
        self._make_readable()
        self._say_end(step)
        await self._progress.write()
        reach(Step.STEP_FINISHED)

    async def progress(self, line: str) -> None:
        """Say a line to whoever waits for the run."""
        self._feed.say(Progress(self._run, f"{self._job.name}: {line}", self._job.name))

    async def waits(self, reason: str) -> None:
        """Show what the job waits for as its message, and say it to whoever waits for the run."""
        if reason == self._job.message:
            return
        self._job.message = reason
        if reason:
            self._say(f"{self._job.name}: waits: {reason}")
        self._progress.changed()

    async def summary(self, text: str) -> None:
        """Keep Markdown with the run."""
        self._logs.add_summary(self._run, self._progress.attempt, self._job.name, text)

    async def cancelled(self) -> None:
        """Returns once the run is to be cancelled."""
        await self._cancelled.wait()

    def close(self) -> None:
        """End the log."""
        if self._flush is not None:
            self._flush.cancel()
        self._log.close()
        self._feed.grew(self._run, self._job.name, ended=True)

    def _make_readable(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        self._log.flush()
        self._feed.grew(self._run, self._job.name)

    def _say_end(self, step: Mapping[str, Any]) -> None:
        conclusion, name = step.get("conclusion"), step["name"]
        if conclusion == FAILURE:
            self._say(f"{self._job.name}: {name}: failed; its last lines:", "error")
            for line in self._tail:
                self._say(f"  {line}", "error")
        elif conclusion == SUCCESS and step.get("id") not in _QUIET:
            seconds = self._progress.monotonic() - self._begun
            self._say(f"{self._job.name}: {name} ({seconds:.1f} s)")

    def _say(self, text: str, level: str = "info") -> None:
        self._feed.say(Progress(self._run, text, self._job.name, level))
