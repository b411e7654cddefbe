"""Runs one job: its steps in order, shown as they go, until it is done, cancelled, or out of time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from tidegate.base.errors import TidegateError
from tidegate.engine.clock import rfc3339
from tidegate.engine.ports import JobEvents
from tidegate.runner.actions.action import Services
from tidegate.runner.borrowed_actions import BorrowedActions
from tidegate.runner.evaluation import Evaluator, Opening
from tidegate.runner.frames import Frame, Stopping, identity_of
from tidegate.runner.request import CANCELLED, FAILURE, SUCCESS, TIMED_OUT, JobOutcome
from tidegate.runner.steps import StepWork
from tidegate.runner.waiting import end
from tidegate.runner.workbench import Post, Workbench
from tidegate.workflow.model import Step


class JobExecution:
    """One job's steps on an open workbench. `last_number` is that of the last step so far, as shown."""

    def __init__(
        self,
        evaluator: Evaluator,
        bench: Workbench,
        services: Services,
        report: JobEvents,
        elsewhere: BorrowedActions,
    ):
        self._evaluator = evaluator
        self._bench = bench
        self._report = report
        self.last_number = 0
        self._stopping = Stopping()
        self._frame = Frame(evaluator, bench.state)
        self._work = StepWork(bench, services, self._stopping, elsewhere)

    async def run(self, first_number: int) -> JobOutcome:
        """Run all steps. The first is shown as number `first_number`."""
        watch = asyncio.create_task(self._watch(self._bench.request.timeout_minutes * 60))
        try:
            await self._prepare_env()
            self.last_number = first_number - 1
            for step in filter(self._work.has_pre, self._evaluator.job.steps):
                self.last_number += 1
                await self._pre(self.last_number, step)
            for step in self._evaluator.job.steps:
                self.last_number += 1
                await self._step(self.last_number, step)
            while self._bench.state.posts:  # the last first, as GitHub has it
                self.last_number += 1
                await self._post(self.last_number, self._bench.state.posts.pop())
            return await self._conclude()
        finally:
            await end(watch)

    async def _watch(self, seconds: float) -> None:
        """Stops the job when it is cancelled or has taken too long; what cleans up then has a time of its own."""
        asked = asyncio.create_task(self._report.cancelled())
        try:
            done, _ = await asyncio.wait([asked], timeout=seconds)
        finally:
            asked.cancel()
        self._stopping.stop(CANCELLED if done else TIMED_OUT)

    async def _prepare_env(self) -> None:
        try:
            self._frame.env = await asyncio.to_thread(self._evaluator.job_env)
        except TidegateError as error:
            await self._fail(error)

    async def _fail(self, error: TidegateError) -> None:
        self._frame.failed = True
        await self._bench.say(f"##[error]{error}", *([error.remedy] if error.remedy else []))

    async def _step(self, number: int, step: Step) -> None:
        bench, frame = self._bench, self._frame
        bench.at_step(str(number))
        opening = await self._work.open(step, frame)
        shown = {"id": identity_of(step), "number": number, "name": bench.masker.mask(opening.name)}
        shown["startedAt"] = rfc3339(bench.clock.now())
        if opening.runs or opening.error is not None:
            await self._report.step(shown | {"status": "in_progress"})
        result = await self._work.do(step, opening, frame)
        ended = {"status": "completed", "conclusion": result.conclusion}
        await self._report.step(shown | ended | {"completedAt": rfc3339(bench.clock.now())})

    async def _pre(self, number: int, step: Step) -> None:
        self._bench.at_step(str(number))
        opening = await self._work.open_pre(step, self._frame)
        await self._beside(f"__pre_{number}", number, opening, self._work.do_pre(step, opening, self._frame))

    async def _post(self, number: int, post: Post) -> None:
        self._bench.at_step(str(number))
        opening = await self._work.open_post(post, self._frame)
        await self._beside(f"__post_{number}", number, opening, self._work.do_post(post, opening, self._frame))

    async def _beside(self, identity: str, number: int, opening: Opening, work: Coroutine[Any, Any, str]) -> None:
        """Show what an action does before or after all steps."""
        bench = self._bench
        shown = {"id": identity, "number": number, "name": bench.masker.mask(opening.name)}
        shown["startedAt"] = rfc3339(bench.clock.now())
        if opening.runs:
            await self._report.step(shown | {"status": "in_progress"})
        conclusion = await work
        ended = {"status": "completed", "conclusion": conclusion, "completedAt": rfc3339(bench.clock.now())}
        await self._report.step(shown | ended)

    async def _conclude(self) -> JobOutcome:
        outputs: dict[str, str] = {}
        for name, value in (
            await asyncio.to_thread(self._evaluator.outputs, self._frame.before(self._stopping))
        ).items():
            if isinstance(value, TidegateError):
                await self._fail(value)
            elif await asyncio.to_thread(self._bench.masker.mask, value) != value:
                await self._bench.say(f"##[warning]Skip output '{name}' since it may contain secret.")
            else:
                outputs[name] = value
        if not self._stopping.reason:
            conclusion = FAILURE if self._frame.failed else SUCCESS
            return JobOutcome(conclusion, outputs, tuple(self._bench.state.images))
        minutes = self._bench.request.timeout_minutes
        why = "it was cancelled" if self._stopping.reason == CANCELLED else f"it took longer than {minutes:g} minutes"
        return JobOutcome(self._stopping.reason, outputs, tuple(self._bench.state.images), why)
