"""Runs the jobs of one attempt of a run: which start and when, matrices, limits, and what all of it comes to."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from tidegate.base.disk import disk_error, is_full
from tidegate.base.errors import LimitExceeded, TidegateError
from tidegate.base.frozen import frozen
from tidegate.kinds.workflow_run import COMPLETED, IN_PROGRESS
from tidegate.runner.called import prepare_call
from tidegate.runner.logs import file_name
from tidegate.runner.progress import JobProgress, RunProgress
from tidegate.runner.request import CANCELLED, FAILURE, SKIPPED, SUCCESS, TIMED_OUT, JobOutcome
from tidegate.runner.waiting import either, unless
from tidegate.workflow.matrix import Combination, expand, job_title
from tidegate.workflow.model import Job, Workflow
from tidegate.workflow.plan import (
    DEFAULT_TIMEOUT_MINUTES,
    Group,
    JobResult,
    Plan,
    PlannedJob,
    group_of,
    job_starts,
    needs_context,
)
from tidegate.workflow.resolve import Scope, boolean_value, number_value

CLEANING_MINUTES = 5.0
MOST_JOBS = 1000
"""Jobs of a run after which no further workflow is called."""
# The worst of several jobs decides: of a matrix, and of the run.
_ORDER = (TIMED_OUT, FAILURE, CANCELLED, SUCCESS, SKIPPED)


@frozen
class JobOrder:
    """One job to run: what is planned, its combination of a matrix, where its progress is shown, the workflow that it
    stands in, and the secrets that it may see.
    """

    planned: PlannedJob
    combination: Combination
    progress: JobProgress
    contexts: Mapping[str, Any]
    timeout_minutes: float
    cancelled: asyncio.Event
    workflow: Workflow
    secrets: Mapping[str, str]


RunJob = Callable[[JobOrder], Awaitable[JobOutcome]]
Place = Callable[[], AbstractAsyncContextManager[None]]
Carry = Callable[[str], tuple[JobProgress, Mapping[str, str]] | None]
"""How a job stands that succeeded in the attempt before, and its outputs; None where it is to run."""
Grouped = Callable[[Group, asyncio.Event], AbstractAsyncContextManager[bool]]


@dataclass(slots=True)
class _Ended:
    result: JobResult
    conclusion: str
    tolerated: bool = False
    ran: bool = True


@dataclass(slots=True)
class RunExecution:
    """One attempt, or a called workflow's part in it. `contexts` brings github, vars and inputs; `run_job` runs one job
    while a `place` is held, and its concurrency group, if it has one, by `grouped`.

    `carry` takes jobs over from the attempt before, unless one that they need runs again. `cancelled` is set from
    outside when the run is to end. Of a called workflow, `prefix` stands before the names of its jobs, `held` are the
    groups of its callers, and `most_minutes` bounds each of its jobs.
    """

    plan: Plan
    contexts: Mapping[str, Any]
    progress: RunProgress
    run_job: RunJob
    place: Place
    grouped: Grouped
    cancelled: asyncio.Event
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    carry: Carry | None = None
    prefix: str = ""
    held: frozenset[str] = frozenset()
    most_minutes: float = math.inf
    ended: dict[str, _Ended] = field(default_factory=dict)

    async def run(self) -> str:
        """Run all jobs; the run's conclusion."""
        done = {planned.job.id: asyncio.Event() for planned in self.plan.jobs}
        async with asyncio.TaskGroup() as group:
            for planned in self.plan.jobs:
                group.create_task(self._job(planned, done))
        if self.cancelled.is_set():
            return CANCELLED
        return worst([ended.conclusion for ended in self.ended.values() if not ended.tolerated])

    async def _job(self, planned: PlannedJob, done: Mapping[str, asyncio.Event]) -> None:
        try:
            for name in planned.needs:
                await done[name].wait()
            self.ended[planned.job.id] = await self._start(planned)
        finally:
            done[planned.job.id].set()

    async def _start(self, planned: PlannedJob) -> _Ended:
        results = {name: ended.result for name, ended in self.ended.items()}
        contexts = {**self.contexts, "needs": needs_context(planned, results)}
        scope = Scope(contexts)
        try:
            if not job_starts(planned, results, scope, cancelled=self.cancelled.is_set()):
                return await self._skip(planned.job, ran=any(self.ended[name].ran for name in planned.needs))
            combinations = expand(planned.job, scope)
            return await self._matrix(planned, combinations, contexts)
        except TidegateError as error:
            return await self._fail(planned.job, str(error))

    async def _skip(self, job: Job, *, ran: bool) -> _Ended:
        """Show a job that does not run; what needs it runs again where a job that it needs `ran`."""
        shown = self._show(job.id, job.id)
        shown.status, shown.conclusion = COMPLETED, SKIPPED
        await self.progress.write()
        return _Ended(JobResult(SKIPPED), SKIPPED, ran=ran)

    async def _fail(self, job: Job, message: str) -> _Ended:
        shown = self._show(job.id, job.id)
        shown.status, shown.conclusion, shown.message = COMPLETED, FAILURE, message
        await self.progress.write()
        return _Ended(JobResult(FAILURE), FAILURE)

    async def _matrix(
        self, planned: PlannedJob, combinations: Sequence[Combination], contexts: Mapping[str, Any]
    ) -> _Ended:
        """Run every combination, as many at once as the strategy lets; a failure ends the others where it says so."""
        stop = asyncio.Event()
        at_once = asyncio.Semaphore(min(int(one.strategy["max-parallel"]) for one in combinations))
        titles = [job_title(planned.job, one, Scope(contexts)) for one in combinations]
        # Of a job that calls a workflow, that one's jobs are shown.
        shown = [None if planned.job.calls else self._show(planned.job.id, title) for title in titles]
        carry = None if any(self.ended[name].ran for name in planned.needs) else self.carry
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._combination(planned, one, title, job, contexts, stop, at_once, carry))
                for one, title, job in zip(combinations, titles, shown, strict=True)
            ]
        ended = [task.result() for task in tasks]
        outputs = {name: value for one in ended for name, value in one.result.outputs.items()}
        result = worst([one.result.result for one in ended])
        conclusion = worst([one.conclusion for one in ended if not one.tolerated])
        tolerated, ran = all(one.tolerated for one in ended), any(one.ran for one in ended)
        return _Ended(JobResult(FAILURE if result == TIMED_OUT else result, outputs), conclusion, tolerated, ran)

    async def _combination(
        self,
        planned: PlannedJob,
        combination: Combination,
        title: str,
        shown: JobProgress | None,
        contexts: Mapping[str, Any],
        stop: asyncio.Event,
        at_once: asyncio.Semaphore,
        carry: Carry | None,
    ) -> _Ended:
        if shown is not None and carry is not None and (carried := carry(shown.name)) is not None:
            self.progress.jobs[shown.name] = carried[0]
            self.progress.changed()
            return _Ended(JobResult(SUCCESS, carried[1]), SUCCESS, ran=False)
        matrix = combination.matrix
        own = {**contexts, "matrix": dict(matrix), "strategy": dict(combination.strategy)}
        # What begins in a cancelled run cleans up after it, and is not cancelled by the same word.
        cleaning, ran = self.cancelled.is_set(), True
        async with at_once, either((stop,) if cleaning else (self.cancelled, stop)) as cancelled:
            most = min(CLEANING_MINUTES, self.most_minutes) if cleaning else self.most_minutes
            if shown is None:
                outcome, ran = await self._called(planned, title, own, cancelled, most, carry)
            else:
                outcome = await self._in_place(planned, combination, shown, own, cancelled, most)
        tolerated = outcome.conclusion in (FAILURE, TIMED_OUT) and self._tolerates(planned.job, own)
        if outcome.conclusion in (FAILURE, TIMED_OUT) and not tolerated and combination.strategy["fail-fast"]:
            stop.set()
        if shown is None and outcome.message:
            shown = self._show(planned.job.id, title)
        if shown is not None:
            shown.status, shown.conclusion = COMPLETED, outcome.conclusion
            shown.completed_at, shown.message = self.progress.now(), outcome.message
            self.progress.images += outcome.images
            await self.progress.write()
        result = SUCCESS if tolerated else outcome.conclusion
        return _Ended(JobResult(result, outcome.outputs), outcome.conclusion, tolerated, ran)

    async def _in_place(
        self,
        planned: PlannedJob,
        combination: Combination,
        shown: JobProgress,
        contexts: Mapping[str, Any],
        cancelled: asyncio.Event,
        most_minutes: float,
    ) -> JobOutcome:
        """Wait for a place, then run the job in it; a job that is cancelled before has never begun."""
        async with AsyncExitStack() as held:
            try:
                group = group_of(planned.job.concurrency, Scope(contexts))
                if (kept_out := await self._enter(group, self._groups, cancelled, held)) is not None:
                    return kept_out
                if not await unless(cancelled, held.enter_async_context(self.place())):
                    return JobOutcome(CANCELLED, message="it was cancelled before it began")
                minutes = planned.job.timeout_minutes
                timeout = number_value(minutes, Scope(contexts)) if minutes is not None else DEFAULT_TIMEOUT_MINUTES
                shown.status, shown.started_at = IN_PROGRESS, self.progress.now()
                self.progress.changed()  # the run itself is marked as under way before any job begins
                minutes_left = min(timeout, most_minutes)
                workflow, secrets = self.plan.workflow, self.secrets
                return await self.run_job(
                    JobOrder(planned, combination, shown, contexts, minutes_left, cancelled, workflow, secrets)
                )
            except TidegateError as error:
                return JobOutcome(FAILURE, message=str(error))
            except OSError as error:
                said = disk_error(error).explain() if is_full(error) else error.strerror or error
                return JobOutcome(FAILURE, message=f"this machine could not run it: {said}")

    async def _enter(
        self, group: Group | None, callers: frozenset[str], cancelled: asyncio.Event, held: AsyncExitStack
    ) -> JobOutcome | None:
        """Wait for a concurrency group; how the job ends where it does not get in. Those of `callers` never end."""
        if group is None:
            return None
        if group.name.lower() in callers:
            return JobOutcome(CANCELLED, message=f"its run holds the group {group.name!r}: a deadlock")
        if not await held.enter_async_context(self.grouped(group, cancelled)):
            return JobOutcome(CANCELLED, message=f"another one of the group {group.name!r} took its place")
        return None

    @property
    def _groups(self) -> frozenset[str]:
        """The groups that this run and its callers hold."""
        return self.held | {self.plan.group.name.lower()} if self.plan.group else self.held

    async def _called(
        self,
        planned: PlannedJob,
        title: str,
        contexts: Mapping[str, Any],
        cancelled: asyncio.Event,
        most_minutes: float,
        carry: Carry | None,
    ) -> tuple[JobOutcome, bool]:
        """Run the workflow that a job calls, as a part of this run; how it ended, and whether any job of it ran."""
        async with AsyncExitStack() as held:
            try:
                if len(self.progress.jobs) > MOST_JOBS:
                    raise LimitExceeded(f"the run has more than {MOST_JOBS} jobs", remedy="call fewer workflows")
                call = await asyncio.to_thread(prepare_call, self.plan, planned, contexts, self.secrets)
                groups = self._groups
                for group in (group_of(planned.job.concurrency, Scope(contexts)), call.plan.group):
                    if (kept_out := await self._enter(group, groups, cancelled, held)) is not None:
                        return kept_out, True
                    groups |= {group.name.lower()} if group else set()
                part = replace(
                    self,
                    plan=call.plan,
                    contexts=call.contexts,
                    secrets=call.secrets,
                    cancelled=cancelled,
                    prefix=f"{self.prefix}{title} / ",
                    held=groups,
                    most_minutes=most_minutes,
                    carry=carry,
                    ended={},
                )
                conclusion = await part.run()
                results = {name: ended.result for name, ended in part.ended.items()}
                outputs = {} if cancelled.is_set() else call.outputs(results)
                return JobOutcome(conclusion, outputs), any(ended.ran for ended in part.ended.values())
            except TidegateError as error:
                return JobOutcome(FAILURE, message=str(error)), True

    def _tolerates(self, job: Job, contexts: Mapping[str, Any]) -> bool:
        try:
            return boolean_value(job.continue_on_error, Scope(contexts))
        except TidegateError:
            return False

    def _show(self, identity: str, name: str) -> JobProgress:
        """Show a job under a name that is its own, as a file name too."""
        taken = {file_name(other).lower() for other in self.progress.jobs}
        name = f"{self.prefix}{name}"
        chosen, number = name, 2
        while file_name(chosen).lower() in taken:
            chosen, number = f"{name} {number}", number + 1
        self.progress.jobs[chosen] = JobProgress(identity, chosen)
        self.progress.changed()
        return self.progress.jobs[chosen]


def worst(conclusions: Sequence[str]) -> str:
    """What several jobs come to together; success where there is none."""
    return next((one for one in _ORDER if one in conclusions), SUCCESS)
