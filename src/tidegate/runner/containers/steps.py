"""The part of a job's step work that runs images: steps that name one, and actions that do."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from tidegate.runner.actions.action import Services
from tidegate.runner.evaluation import ActionEvaluator, Opening, StepResult, env_of
from tidegate.runner.node import state_as_variables
from tidegate.runner.place import Lines, Program
from tidegate.runner.workbench import Post, Workbench
from tidegate.workflow.model import Step
from tidegate.workflow.resolve import Scope

if TYPE_CHECKING:
    from tidegate.runner.borrowed_actions import UsedAction
    from tidegate.runner.containers.action import ImageAction, ImageActions
    from tidegate.runner.frames import Frame, Stopping


class ImageSteps(ABC):
    """Runs images for steps; how a program runs, and within which time, the rest of the step work says."""

    _bench: Workbench
    _services: Services
    _stopping: Stopping

    @abstractmethod
    async def _program(
        self,
        program: Program,
        frame: Frame,
        result: StepResult,
        kept: dict[str, str] | None = None,
        run: Callable[[Program, Lines], Awaitable[int]] | None = None,
    ) -> str: ...

    @abstractmethod
    async def _bounded(
        self, work: Coroutine[Any, Any, str], opening: Opening, *, outermost: bool, holds: bool
    ) -> str: ...

    @abstractmethod
    async def _say_opening(self, step: Step, scope: Scope, given: Mapping[str, str]) -> None: ...

    async def _image_action(self, step: Step, scope: Scope, frame: Frame, result: StepResult) -> str:
        """Run an image by its name."""
        given = await asyncio.to_thread(frame.evaluator.inputs, step, scope)
        await self._say_opening(step, scope, given)
        made = await self._images().of_step(step, env_of(scope), given)
        return await self._bounded_in_image(made, step, scope, frame, result)

    async def _image_of(
        self,
        used: UsedAction,
        step: Step,
        evaluator: ActionEvaluator,
        inputs: Mapping[str, str],
        scope: Scope,
        frame: Frame,
        result: StepResult,
    ) -> str:
        """Run the image of an action that a step uses."""
        assert used.action.image is not None
        made = await self._images().of_action(used.action.image, step, used.path, evaluator, env_of(scope), inputs)
        return await self._bounded_in_image(made, step, scope, frame, result, used.variables)

    def _images(self) -> ImageActions:
        from tidegate.runner.containers.action import ImageActions  # noqa: PLC0415 - few jobs have one

        return ImageActions(self._bench, self._services)

    async def _bounded_in_image(
        self,
        made: ImageAction,
        step: Step,
        scope: Scope,
        frame: Frame,
        result: StepResult,
        variables: Mapping[str, str] | None = None,
    ) -> str:
        """Run an action's program in its image; what it has still to do comes when all steps are over."""
        state = dict[str, str]()
        own = {"GITHUB_ACTION": step.id or "__self", **frame.own, **(variables or {})}
        if made.post:

            async def post() -> None:
                program = made.afterwards({**own, **state_as_variables(state)})
                await self._program(program, frame, StepResult(), None, made.run)

            self._bench.state.posts.append(Post(made.post_condition, post))
        opening = Opening("", scope, runs=True, cleaning=bool(self._stopping.reason))
        work = self._program(made.main(own), frame, result, state, made.run)
        return await self._bounded(work, opening, outermost=False, holds=False)
