"""Does the work of steps, of a job or of a composite action: scripts and actions, what they leave behind, timeouts,
cancelling.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tidegate.base.errors import InvalidInput, LimitExceeded, TidegateError
from tidegate.runner.actions import built_in
from tidegate.runner.actions.action import Call, Services
from tidegate.runner.actions.check import borrowed, unknown_inputs
from tidegate.runner.actions.local import read_local
from tidegate.runner.actions.uses import is_local
from tidegate.runner.borrowed_actions import BorrowedActions, UsedAction
from tidegate.runner.containers.check import IMAGE
from tidegate.runner.containers.steps import ImageSteps
from tidegate.runner.evaluation import ActionEvaluator, Opening, StepResult, env_of
from tidegate.runner.frames import Frame, Stopping, identity_of
from tidegate.runner.layout import TEMP
from tidegate.runner.node import found_node, inputs_as_variables, state_as_variables
from tidegate.runner.place import Lines, Program
from tidegate.runner.request import CANCELLED, FAILURE, SKIPPED, SUCCESS
from tidegate.runner.step_files import StepFiles
from tidegate.runner.step_output import StepOutput
from tidegate.runner.waiting import end
from tidegate.runner.workbench import JobState, Post, Workbench
from tidegate.workflow.action_file import ALWAYS, MOST_DEEP, Scripts
from tidegate.workflow.model import Step
from tidegate.workflow.resolve import Scope

# What steps for the case of a cancelled or timed-out job (`always()`) may still take, in seconds; GitHub gives as much.
CLEANING_TIME = 300.0
# Characters of all outputs and variables that one job's steps may leave: they are held in the server's memory.
KEPT_LIMIT = 2 * 1024 * 1024


class _StepFailedError(TidegateError):
    """A step's program ended badly."""


class StepWork(ImageSteps):
    """The steps of one job, one after another. Nothing of it is kept between them but their frames."""

    def __init__(self, bench: Workbench, services: Services, stopping: Stopping, elsewhere: BorrowedActions):
        self._bench = bench
        self._services = services
        self._stopping = stopping
        self._elsewhere = elsewhere
        # What scripts save, by the way to their step; and the steps whose post script is to run.
        self._states: dict[tuple[int, ...], dict[str, str]] = {}
        self._posted: set[tuple[int, ...]] = set()

    async def open(self, step: Step, frame: Frame) -> Opening:
        """Look at a step when its turn has come."""
        return await asyncio.to_thread(frame.evaluator.open, step, frame.before(self._stopping))

    async def do(self, step: Step, opening: Opening, frame: Frame) -> StepResult:
        """Run a step if it is to run, and keep its result in its frame."""
        result = StepResult()
        if opening.error is not None:
            await self._say_error(opening.error)
            result.outcome = result.conclusion = FAILURE
        elif opening.runs:
            with _named_posts(frame.state, opening.name):
                result.outcome = result.conclusion = await self._perform(step, opening, frame, result)
            if result.outcome == FAILURE and await asyncio.to_thread(frame.evaluator.continues, step, opening.scope):
                result.conclusion = SUCCESS
        frame.failed = frame.failed or result.conclusion == FAILURE
        frame.cancelled = frame.cancelled or result.conclusion == CANCELLED
        frame.results[identity_of(step)] = result
        return result

    def has_pre(self, step: Step) -> bool:
        """Whether an action has something to do before the first step."""
        used = self._elsewhere.prepared(step)
        if used is None:
            return False
        scripts = used.action.scripts
        return bool(scripts.pre) if scripts is not None else any(map(self.has_pre, used.action.steps))

    async def open_pre(self, step: Step, frame: Frame) -> Opening:
        """Look at what a step has to do before the first one."""
        used = self._elsewhere.prepared(step)
        assert used is not None
        condition = used.action.scripts.pre_condition if used.action.scripts is not None else ALWAYS
        return await asyncio.to_thread(frame.evaluator.open_pre, step, condition, frame.before(self._stopping))

    async def do_pre(self, step: Step, opening: Opening, frame: Frame) -> str:
        """Do what a step has to do before the first one, if it is to be done; its conclusion."""
        if opening.error is not None:
            await self._say_error(opening.error)
        conclusion = FAILURE if opening.error is not None else SKIPPED
        if opening.runs:
            with _named_posts(frame.state, opening.name.removeprefix("Pre ")):
                work = self._pre(step, opening.scope, frame)
                conclusion = await self._told(self._bounded(work, opening, outermost=not frame.way, holds=True))
        frame.failed = frame.failed or conclusion == FAILURE
        frame.cancelled = frame.cancelled or conclusion == CANCELLED
        return conclusion

    async def open_post(self, post: Post, frame: Frame) -> Opening:
        """Look at what a step has still to do."""
        before = frame.before(self._stopping)
        return await asyncio.to_thread(frame.evaluator.open_post, post.name, post.condition, before)

    async def do_post(self, post: Post, opening: Opening, frame: Frame) -> str:
        """Do what a step has still to do, if it is to be done; its conclusion."""
        if opening.error is not None:
            await self._say_error(opening.error)
        conclusion = FAILURE if opening.error is not None else SKIPPED
        if opening.runs:
            conclusion = await self._told(self._bounded(_succeeding(post), opening, outermost=True, holds=False))
        frame.failed = frame.failed or conclusion == FAILURE
        frame.cancelled = frame.cancelled or conclusion == CANCELLED
        return conclusion

    async def _say_error(self, error: TidegateError) -> None:
        await self._bench.say(f"##[error]{error}", *([error.remedy] if error.remedy else []))

    async def _perform(self, step: Step, opening: Opening, frame: Frame, result: StepResult) -> str:
        """Run a step that is to run; its outcome."""
        own = step.uses is not None and (is_local(step.uses) or borrowed(step.uses) is not None)
        named = (step.uses or "").startswith(IMAGE)
        action = self._image_action if named else self._own_action if own else self._action
        work = self._script if step.run is not None else action
        doing = work(step, opening.scope, frame, result)
        return await self._told(self._bounded(doing, opening, outermost=not frame.way, holds=own))

    async def _told(self, work: Coroutine[Any, Any, str]) -> str:
        """The outcome of work, whose error is told."""
        try:
            return await work
        except TidegateError as error:
            await self._say_error(error)
            return FAILURE

    async def _bounded(self, work: Coroutine[Any, Any, str], opening: Opening, *, outermost: bool, holds: bool) -> str:
        """Do a step's work within its time. It is ended early where the job is stopped, unless it began only because
        of that, or `holds` steps of its own, which are ended themselves.
        """
        cleaning, minutes = opening.cleaning, opening.minutes
        task = asyncio.create_task(work)
        stop = asyncio.create_task(self._stopping.event.wait())
        timeout = minutes * 60 if minutes is not None else None
        if cleaning:
            timeout = min(timeout or CLEANING_TIME, CLEANING_TIME)
        try:
            waited: set[asyncio.Task[Any]] = {task} if cleaning or holds else {task, stop}
            done, _ = await asyncio.wait(waited, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            # The outermost step is cancelled only with its job; one within, when the step around it is out of time.
            self._bench.abandoned = self._bench.abandoned or outermost
            await end(task)
            raise
        finally:
            await end(stop)
        if task in done:
            return await task
        await end(task)
        if stop in done:
            ended = "canceled" if self._stopping.reason == CANCELLED else "ended"
            await self._bench.say(f"##[error]The operation was {ended}.")
            return CANCELLED
        limit = f"{minutes:g} minutes" if minutes is not None else f"{CLEANING_TIME:g} seconds"
        await self._bench.say(f"##[error]The step has timed out after {limit}.")
        return FAILURE

    async def _script(self, step: Step, scope: Scope, frame: Frame, result: StepResult) -> str:
        bench, layout = self._bench, self._bench.layout
        script = await asyncio.to_thread(frame.evaluator.script, step, scope)
        path = f"{TEMP}/{secrets.token_hex(16)}{script.shell.suffix}"
        bench.folder.write(path, f"{script.text}\n".encode(), 0o755)
        said = env_of(scope)
        argv = tuple(script.shell.argv(layout.inside(path)))
        lines = script.text.strip("\n").split("\n")
        await bench.say(f"##[group]Run {lines[0]}", *lines, f"shell: {' '.join(argv)}", *_shown_env(said))
        cwd = script.folder if script.folder.startswith("/") else f"{layout.workspace}/{script.folder}".rstrip("/")
        own = {"GITHUB_ACTION": step.id or "__run", **frame.own}
        return await self._program(Program(argv, {**said, **own}, cwd), frame, result)

    async def _run(self, program: Program, lines: Lines) -> int:
        env = self._bench.environment_of_steps(program.env)
        return await self._bench.run_step(replace(program, env=env), lines)

    async def _program(
        self,
        program: Program,
        frame: Frame,
        result: StepResult,
        kept: dict[str, str] | None = None,
        run: Callable[[Program, Lines], Awaitable[int]] | None = None,
    ) -> str:
        """Run a program with the environment that it is given beside the job's, and take what it leaves behind; `kept`
        gets its state. `run` runs it elsewhere than the job's other steps.
        """
        files = StepFiles(self._bench.folder, self._bench.layout)
        files.make()
        said = {**program.env, **files.variables}
        output = StepOutput(self._bench)
        try:
            code = await (run or self._run)(replace(program, env=said), output.take)
        finally:
            await output.end()
            await self._take(files, output, frame, result, kept)
        for line in await asyncio.to_thread(self._bench.limits_said):
            await self._bench.say(f"##[error]{line[:1].upper()}{line[1:]}.")
        if code != 0:
            raise _StepFailedError(f"Process completed with exit code {code}.")
        if output.refused:
            raise _StepFailedError(output.refused)
        return SUCCESS

    async def _take(
        self, files: StepFiles, output: StepOutput, frame: Frame, result: StepResult, kept: dict[str, str] | None
    ) -> None:
        """What the step leaves behind, also where it failed."""
        said = await asyncio.to_thread(files.read)
        files.remove()
        outputs, state = {**output.outputs, **said.outputs}, self._bench.state
        own = {**output.state, **said.state} if kept is not None else {}
        values = [value for found in frame.results.values() for value in found.outputs.values()]
        values += [*outputs.values(), *own.values(), *{**state.env, **said.env}.values(), *state.path, *said.path]
        if sum(map(len, values)) > KEPT_LIMIT:
            raise LimitExceeded(f"the steps' outputs and variables come to more than {KEPT_LIMIT} characters")
        result.outputs |= outputs
        if kept is not None:
            kept |= own
        state.env.update(said.env)
        state.path[:0] = said.path
        if said.summary:
            await self._bench.summarise(said.summary)

    async def _action(self, step: Step, scope: Scope, frame: Frame, result: StepResult) -> str:
        bench, action = self._bench, built_in(step.uses or "")
        if action is None:
            raise InvalidInput(f"the action {step.uses!r} is not built in", where=step.uses_where)
        given = await asyncio.to_thread(frame.evaluator.inputs, step, scope)
        for name in action.inputs.secret:
            bench.masker.add(given.get(name, ""))
        await self._say_opening(step, scope, given)
        for name in unknown_inputs(action.inputs, step.inputs):
            valid = ", ".join(action.inputs.names)
            await bench.say(f"##[warning]Unexpected input {name!r}; {action.inputs.action} has: {valid}")
        for name in sorted(action.inputs.accepted & {key for key, value in given.items() if value.strip()}):
            await bench.say(f"The input {name!r} has no effect here.")
        inputs = {**action.inputs.known, **{name: value for name, value in given.items() if value != ""}}
        call = Call(inputs, bench, self._services, step.uses_where, env_of(scope))
        result.outputs.update(await action.run(call))
        return SUCCESS

    async def _own_action(self, step: Step, scope: Scope, frame: Frame, result: StepResult) -> str:
        """Run an action that is not built in: its steps, whose worst outcome is its own, or its scripts."""
        if len(frame.way) >= MOST_DEEP:
            raise LimitExceeded(f"actions use each other more than {MOST_DEEP} deep", where=step.uses_where)
        used = await self._used(step)
        given = await asyncio.to_thread(frame.evaluator.inputs, step, scope)
        await self._say_opening(step, scope, given)
        known = {one.name.lower(): one for one in used.action.inputs}
        for name in given:
            if name not in known:
                valid = ", ".join(one.name for one in used.action.inputs) or "none"
                await self._bench.say(f"##[warning]Unexpected input {name!r}; {step.uses} has: {valid}")
            elif known[name].deprecation:
                await self._bench.say(f"##[warning]Input {name!r} has been deprecated: {known[name].deprecation}")
        evaluator = await _evaluator_of(used, scope, given)
        inputs = {**given, **evaluator.base.contexts["inputs"]}
        if used.action.scripts is not None:
            return await self._scripts(used.action.scripts, step, used, inputs, scope, frame, result)
        if used.action.image is not None:
            return await self._image_of(used, step, evaluator, inputs, scope, frame, result)
        inner = self._inner(step, used, evaluator, scope, frame)
        for one in used.action.steps:
            await self.do(one, await self.open(one, inner), inner)
        for name, value in (await asyncio.to_thread(evaluator.outputs, inner.before(self._stopping))).items():
            if isinstance(value, TidegateError):
                raise value
            result.outputs[name] = value
        return CANCELLED if inner.cancelled else FAILURE if inner.failed else SUCCESS

    async def _used(self, step: Step) -> UsedAction:
        place = borrowed(step.uses)
        if place is not None:
            return await self._elsewhere.used(step, place)
        return UsedAction(*await asyncio.to_thread(read_local, self._bench, step))

    def _inner(self, step: Step, used: UsedAction, evaluator: ActionEvaluator, scope: Scope, frame: Frame) -> Frame:
        """The steps of a composite action."""
        return Frame(
            evaluator,
            self._bench.state,
            env_of(scope),
            {"GITHUB_ACTION_PATH": used.path, **used.variables},
            way=(*frame.way, step.index),
            job_failed=frame.failed or frame.job_failed,
            set_before=dict(self._bench.state.env),
        )

    async def _pre(self, step: Step, scope: Scope, frame: Frame) -> str:
        """Run the pre script of an action, or those of the actions that it uses."""
        used = await self._used(step)
        given = await asyncio.to_thread(frame.evaluator.inputs, step, scope)
        evaluator = await _evaluator_of(used, scope, given)
        scripts = used.action.scripts
        if scripts is not None:
            inputs = {**given, **evaluator.base.contexts["inputs"]}
            await self._say_opening(step, scope, given)
            return await self._scripts(scripts, step, used, inputs, scope, frame, StepResult(), pre=True)
        inner = self._inner(step, used, evaluator, scope, frame)
        for one in filter(self.has_pre, used.action.steps):
            await self.do_pre(one, await self.open_pre(one, inner), inner)
        return CANCELLED if inner.cancelled else FAILURE if inner.failed else SUCCESS

    async def _scripts(
        self,
        scripts: Scripts,
        step: Step,
        used: UsedAction,
        inputs: Mapping[str, str],
        scope: Scope,
        frame: Frame,
        result: StepResult,
        *,
        pre: bool = False,
    ) -> str:
        """Run a JavaScript action's main script, or its `pre`; its post script is for when all steps are over."""
        bench, key, path = self._bench, (*frame.way, step.index), used.path
        state = self._states.setdefault(key, {})
        node = await found_node(bench, scripts.node)
        if scripts.pre and not used.repository:
            await bench.say(
                "##[warning]The action's 'pre' is not run: an action of the workspace is not there yet then."
            )
        said = {**env_of(scope), **inputs_as_variables(inputs), "GITHUB_ACTION": step.id or used.name, **used.variables}
        before = state_as_variables(state)
        main = f"{path}/{scripts.pre if pre else scripts.main}"
        program = Program((node, main), {**said, **before}, bench.layout.workspace)
        if scripts.post and key not in self._posted:
            self._posted.add(key)

            async def post() -> None:
                env = {**bench.state.env, **said, **state_as_variables(state)}
                await self._program(Program((node, f"{path}/{scripts.post}"), env, program.cwd), frame, StepResult())

            bench.state.posts.append(Post(scripts.post_condition, post))
        opening = Opening("", scope, runs=True, cleaning=bool(self._stopping.reason))
        return await self._bounded(self._program(program, frame, result, state), opening, outermost=False, holds=False)

    async def _say_opening(self, step: Step, scope: Scope, given: Mapping[str, str]) -> None:
        shown = ["with:", *(f"  {name}: {value}" for name, value in given.items())] if given else []
        await self._bench.say(f"##[group]Run {step.uses}", *shown, *_shown_env(env_of(scope)))


@contextlib.contextmanager
def _named_posts(state: JobState, name: str) -> Iterator[None]:
    """What a step leaves to be done after all steps gets its name."""
    known = len(state.posts)
    yield
    for post in state.posts[known:]:
        post.name = post.name or f"Post {name}"


async def _evaluator_of(used: UsedAction, scope: Scope, given: Mapping[str, str]) -> ActionEvaluator:
    return await asyncio.to_thread(
        ActionEvaluator.using, used.action, scope, given, used.path, used.repository, used.ref
    )


async def _succeeding(post: Post) -> str:
    await post.work()
    return SUCCESS


def _shown_env(env: dict[str, str]) -> list[str]:
    """The last lines of the group that opens a step's log."""
    return [*(["env:", *(f"  {name}: {value}" for name, value in env.items())] if env else []), "##[endgroup]"]
