"""Runs the steps of one job, in order: scripts and actions, what they leave behind, timeouts, cancelling."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from typing import Any

from tidegate.base.errors import InvalidInput, LimitExceeded, TidegateError
from tidegate.engine.clock import rfc3339
from tidegate.engine.ports import JobEvents
from tidegate.runner.actions import built_in
from tidegate.runner.actions.action import Call, Services
from tidegate.runner.actions.check import unknown_inputs
from tidegate.runner.evaluation import Before, Evaluator, Opening, StepResult, env_of
from tidegate.runner.layout import TEMP
from tidegate.runner.place import Program
from tidegate.runner.request import CANCELLED, FAILURE, SUCCESS, TIMED_OUT, JobOutcome
from tidegate.runner.step_files import StepFiles
from tidegate.runner.step_output import StepOutput
from tidegate.runner.waiting import end
from tidegate.runner.workbench import Workbench
from tidegate.workflow.model import Step
from tidegate.workflow.resolve import Scope

# What steps for the case of a cancelled or timed-out job (`always()`) may still take, in seconds; GitHub gives as much.
CLEANING_TIME = 300.0
# Characters of all outputs and variables that one job's steps may leave: they are held in the server's memory.
KEPT_LIMIT = 2 * 1024 * 1024


class _StepFailedError(TidegateError):
    """A step's program ended badly."""


class JobExecution:
    """One job's steps on an open workbench."""

    def __init__(self, evaluator: Evaluator, bench: Workbench, services: Services, report: JobEvents):
        self._evaluator = evaluator
        self._bench = bench
        self._services = services
        self._report = report
        self._results: dict[str, StepResult] = {}
        self._job_env: dict[str, str] = {}
        self._failed = False
        self._stopped = asyncio.Event()
        self._reason = ""

    async def run(self, first_number: int) -> JobOutcome:
        """Run all steps. The first is shown as number `first_number`."""
        watch = asyncio.create_task(self._watch(self._bench.request.timeout_minutes * 60))
        try:
            await self._prepare_env()
            for number, step in enumerate(self._evaluator.job.steps, first_number):
                await self._step(number, step)
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
        self._reason = CANCELLED if done else TIMED_OUT
        self._stopped.set()

    async def _prepare_env(self) -> None:
        try:
            self._job_env = await asyncio.to_thread(self._evaluator.job_env)
        except TidegateError as error:
            await self._fail(error)

    async def _fail(self, error: TidegateError) -> None:
        self._failed = True
        await self._bench.say(f"##[error]{error}", *([error.remedy] if error.remedy else []))

    def _before(self) -> Before:
        stopped = self._stopped.is_set()
        status = CANCELLED if stopped else FAILURE if self._failed else SUCCESS
        env = {**self._job_env, **self._bench.state.env}
        return Before(env, self._results, status, failed=self._failed, cancelled=stopped)

    async def _step(self, number: int, step: Step) -> None:
        result = StepResult()
        identity = step.id or f"__{step.index}"
        self._bench.at_step(str(number))
        before = self._before()
        opening = await asyncio.to_thread(self._evaluator.open, step, before)
        shown = {"id": identity, "number": number, "name": self._bench.masker.mask(opening.name)}
        shown["startedAt"] = rfc3339(self._bench.clock.now())
        if opening.runs or opening.error is not None:
            await self._report.step(shown | {"status": "in_progress"})
        if opening.error is not None:
            await self._fail(opening.error)
            result.outcome = result.conclusion = FAILURE
        elif opening.runs:
            result.outcome = await self._perform(step, opening, result, cleaning=before.cancelled)
            self._settle(step, opening.scope, result)
        self._results[identity] = result
        ended = {"status": "completed", "conclusion": result.conclusion}
        await self._report.step(shown | ended | {"completedAt": rfc3339(self._bench.clock.now())})

    async def _perform(self, step: Step, opening: Opening, result: StepResult, *, cleaning: bool) -> str:
        """Run a step that is to run; its outcome."""
        work = self._script if step.run is not None else self._action
        try:
            return await self._bounded(work(step, opening.scope, result), opening.minutes, cleaning=cleaning)
        except TidegateError as error:
            await self._bench.say(f"##[error]{error}", *([error.remedy] if error.remedy else []))
            return FAILURE

    def _settle(self, step: Step, scope: Scope, result: StepResult) -> None:
        """From a step's outcome to its conclusion, and what it means for the job."""
        result.conclusion = result.outcome
        if result.outcome == FAILURE and self._evaluator.continues(step, scope):
            result.conclusion = SUCCESS
        self._failed = self._failed or result.conclusion == FAILURE

    async def _bounded(self, work: Coroutine[Any, Any, None], minutes: float | None, *, cleaning: bool) -> str:
        """Do a step's work within its time. It is ended early where the job is stopped, unless it began only because
        of that.
        """
        task = asyncio.create_task(work)
        stop = asyncio.create_task(self._stopped.wait())
        timeout = minutes * 60 if minutes is not None else None
        if cleaning:
            timeout = min(timeout or CLEANING_TIME, CLEANING_TIME)
        try:
            waited = {task} if cleaning else {task, stop}
            done, _ = await asyncio.wait(waited, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._bench.abandoned = True
            await end(task)
            raise
        finally:
            await end(stop)
        if task in done:
            await task
            return SUCCESS
        await end(task)
        if stop in done:
            await self._bench.say(f"##[error]The operation was {'canceled' if self._reason == CANCELLED else 'ended'}.")
            return CANCELLED
        limit = f"{minutes:g} minutes" if minutes is not None else f"{CLEANING_TIME:g} seconds"
        await self._bench.say(f"##[error]The step has timed out after {limit}.")
        return FAILURE

    async def _script(self, step: Step, scope: Scope, result: StepResult) -> None:
        bench, layout = self._bench, self._bench.layout
        script = await asyncio.to_thread(self._evaluator.script, step, scope)
        files = StepFiles(bench.folder, layout)
        files.make()
        path = f"{TEMP}/{secrets.token_hex(16)}{script.shell.suffix}"
        bench.folder.write(path, f"{script.text}\n".encode(), 0o755)
        said = env_of(scope)
        env = bench.environment({**said, **files.variables, "GITHUB_ACTION": step.id or "__run"})
        argv = tuple(script.shell.argv(layout.inside(path)))
        lines = script.text.strip("\n").split("\n")
        await bench.say(f"##[group]Run {lines[0]}", *lines, f"shell: {' '.join(argv)}", *_shown_env(said))
        output = StepOutput(bench)
        cwd = script.folder if script.folder.startswith("/") else f"{layout.workspace}/{script.folder}".rstrip("/")
        try:
            code = await bench.run(Program(argv, env, cwd), output.take)
        finally:
            await output.end()
            await self._take(files, output, result)
        if code != 0:
            raise _StepFailedError(f"Process completed with exit code {code}.")
        if output.refused:
            raise _StepFailedError(output.refused)

    async def _take(self, files: StepFiles, output: StepOutput, result: StepResult) -> None:
        """What the step leaves behind, also where it failed."""
        said = await asyncio.to_thread(files.read)
        files.remove()
        outputs, state = {**output.outputs, **said.outputs}, self._bench.state
        kept = [value for found in self._results.values() for value in found.outputs.values()]
        kept += [*outputs.values(), *{**state.env, **said.env}.values()]
        if sum(map(len, kept)) > KEPT_LIMIT:
            raise LimitExceeded(f"the steps' outputs and variables come to more than {KEPT_LIMIT} characters")
        result.outputs |= outputs
        state.env.update(said.env)
        state.path[:0] = said.path
        if said.summary:
            await self._bench.summarise(said.summary)

    async def _action(self, step: Step, scope: Scope, result: StepResult) -> None:
        bench, action = self._bench, built_in(step.uses or "")
        if action is None:
            raise InvalidInput(f"the action {step.uses!r} is not built in", where=step.uses_where)
        given = await asyncio.to_thread(self._evaluator.inputs, step, scope)
        for name in action.inputs.secret:
            bench.masker.add(given.get(name, ""))
        shown = ["with:", *(f"  {name}: {value}" for name, value in given.items())] if given else []
        await bench.say(f"##[group]Run {step.uses}", *shown, *_shown_env(env_of(scope)))
        for name in unknown_inputs(action.inputs, step.inputs):
            valid = ", ".join(action.inputs.names)
            await bench.say(f"##[warning]Unexpected input {name!r}; {action.inputs.action} has: {valid}")
        for name in sorted(action.inputs.accepted & {key for key, value in given.items() if value.strip()}):
            await bench.say(f"The input {name!r} has no effect here.")
        inputs = {**action.inputs.known, **{name: value for name, value in given.items() if value != ""}}
        call = Call(inputs, bench, self._services, step.uses_where, env_of(scope))
        result.outputs.update(await action.run(call))

    async def _conclude(self) -> JobOutcome:
        outputs: dict[str, str] = {}
        for name, value in (await asyncio.to_thread(self._evaluator.outputs, self._before())).items():
            if isinstance(value, TidegateError):
                await self._fail(value)
            elif await asyncio.to_thread(self._bench.masker.mask, value) != value:
                await self._bench.say(f"##[warning]Skip output '{name}' since it may contain secret.")
            else:
                outputs[name] = value
        if not self._stopped.is_set():
            conclusion = FAILURE if self._failed else SUCCESS
            return JobOutcome(conclusion, outputs, tuple(self._bench.state.images))
        minutes = self._bench.request.timeout_minutes
        why = "it was cancelled" if self._reason == CANCELLED else f"it took longer than {minutes:g} minutes"
        return JobOutcome(self._reason, outputs, tuple(self._bench.state.images), why)


def _shown_env(env: dict[str, str]) -> list[str]:
    """The last lines of the group that opens a step's log."""
    return [*(["env:", *(f"  {name}: {value}" for name, value in env.items())] if env else []), "##[endgroup]"]
