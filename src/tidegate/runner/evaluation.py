"""Evaluates what a job's steps say, from what earlier steps left. Pure; big texts take time, so call it in a thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from tidegate.base.errors import TidegateError
from tidegate.base.frozen import frozen
from tidegate.runner.request import SKIPPED
from tidegate.workflow.action_file import ActionFile, ActionInput
from tidegate.workflow.model import Condition, Job, RunDefaults, Scalar, Step, Workflow
from tidegate.workflow.resolve import (
    Scope,
    boolean_value,
    holds,
    number_value,
    status_functions,
    table_value,
    text_value,
)
from tidegate.workflow.shells import Shell, shell_of, working_directory_of

NAME_LIMIT = 200


@dataclass(slots=True)
class StepResult:
    """What a step leaves in the `steps` context."""

    outputs: dict[str, str] = field(default_factory=dict)
    outcome: str = SKIPPED
    conclusion: str = SKIPPED

    def as_context(self) -> dict[str, Any]:
        """The entry of the `steps` context."""
        return {"outputs": dict(self.outputs), "outcome": self.outcome, "conclusion": self.conclusion}


@frozen
class Before:
    """What a step finds: the environment that is set so far, the steps before it, and how the job stands."""

    env: Mapping[str, str]
    results: Mapping[str, StepResult]
    status: str
    failed: bool
    cancelled: bool


@frozen
class Opening:
    """A step before it runs: its name, its scope, whether it runs, and the minutes that it may take (None: no bound).

    `error` is what is wrong with its expressions; `cleaning` where it runs although the job is stopped.
    """

    name: str
    scope: Scope
    runs: bool
    minutes: float | None = None
    error: TidegateError | None = None
    cleaning: bool = False


@frozen
class Script:
    """A `run:` step, evaluated. `folder` is relative to the workspace, or absolute."""

    text: str
    shell: Shell
    folder: str


class StepEvaluator(Protocol):
    """The expressions of steps. `base` has the contexts that stay the same for all of them."""

    @property
    def base(self) -> Scope: ...

    @property
    def defaults(self) -> tuple[RunDefaults, ...]:
        """What `run` steps do where they don't say it themselves; the first counts."""
        return ()

    def open(self, step: Step, before: Before) -> Opening:
        """Look at a step when its turn has come."""
        scope = self._scope(before)
        try:
            scope = scope.having(env={**before.env, **table_value(step.env, scope)})
            status = status_functions(failed=before.failed, cancelled=before.cancelled)
            runs = holds(step.condition, scope.calling(status))
            minutes = number_value(step.timeout_minutes, scope) if runs and step.timeout_minutes else None
        except TidegateError as error:
            return Opening(self._name(step, scope), scope, runs=False, error=error)
        return Opening(self._name(step, scope), scope, runs, minutes, cleaning=before.cancelled)

    def open_post(self, name: str, condition: Condition, before: Before) -> Opening:
        """Look at what a step has still to do, when all steps are over."""
        scope = self._scope(before)
        return self._beside(name, condition, before, scope)

    def open_pre(self, step: Step, condition: Condition, before: Before) -> Opening:
        """Look at what a step has to do before the first one runs; its own condition is for its main part."""
        scope = self._scope(before)
        name = f"Pre {self._name(step, scope)}"[:NAME_LIMIT]
        try:
            scope = scope.having(env={**before.env, **table_value(step.env, scope)})
        except TidegateError as error:
            return Opening(name, scope, runs=False, error=error)
        return self._beside(name, condition, before, scope)

    def _beside(self, name: str, condition: Condition, before: Before, scope: Scope) -> Opening:
        status = status_functions(failed=before.failed, cancelled=before.cancelled)
        try:
            runs = holds(condition, scope.calling(status))
        except TidegateError as error:
            return Opening(name, scope, runs=False, error=error)
        return Opening(name, scope, runs, cleaning=before.cancelled)

    def script(self, step: Step, scope: Scope) -> Script:
        """A `run:` step's script. Raises InvalidInput."""
        assert step.run is not None
        return Script(
            text_value(step.run, scope),
            shell_of(step, self.defaults, scope, "sh" if "container" in scope.contexts.get("job", {}) else None),
            working_directory_of(step, self.defaults, scope),
        )

    def inputs(self, step: Step, scope: Scope) -> dict[str, str]:
        """A `uses:` step's inputs, names in lower case. Raises InvalidInput."""
        return {name.lower(): value for name, value in table_value(step.inputs, scope).items()}

    def continues(self, step: Step, scope: Scope) -> bool:
        """Whether the job goes on as if the failed step had not failed."""
        try:
            return boolean_value(step.continue_on_error, scope)
        except TidegateError:
            return False

    def values(self, scalars: Mapping[str, Scalar], before: Before) -> dict[str, str | TidegateError]:
        """Outputs by name, each with its value or what is wrong with it."""
        found: dict[str, str | TidegateError] = {}
        scope = self._scope(before)
        for name, value in scalars.items():
            try:
                found[name] = text_value(value, scope)
            except TidegateError as error:
                found[name] = error
        return found

    def _scope(self, before: Before) -> Scope:
        job = {**self.base.contexts.get("job", {}), "status": before.status}
        steps = {name: result.as_context() for name, result in before.results.items()}
        return self.base.having(env=dict(before.env), job=job, steps=steps)

    def _name(self, step: Step, scope: Scope) -> str:
        """The name shown: its own, else what it runs."""
        try:
            text = text_value(step.name, scope).strip() if step.name is not None else ""
            if not text:
                what = text_value(step.run, scope) if step.run is not None else step.uses or ""
                text = f"Run {what.strip().partition(chr(10))[0]}"
        except TidegateError:
            text = f"Step {step.index + 1}"
        return text[:NAME_LIMIT]


@frozen
class Evaluator(StepEvaluator):
    """One job's expressions."""

    workflow: Workflow
    job: Job
    base: Scope

    @property
    def defaults(self) -> tuple[RunDefaults, ...]:
        """The job's, then the workflow's."""
        return self.job.defaults, self.workflow.defaults

    def job_env(self) -> dict[str, str]:
        """The variables of workflow and job. Raises InvalidInput."""
        env = table_value(self.workflow.env, self.base)
        return env | table_value(self.job.env, self.base.having(env=env))

    def outputs(self, before: Before) -> dict[str, str | TidegateError]:
        """The job's outputs, each with its value or what is wrong with it."""
        return self.values(self.job.outputs, before)


@frozen
class ActionEvaluator(StepEvaluator):
    """The expressions of an action that is in use."""

    action: ActionFile
    base: Scope

    @classmethod
    def using(
        cls,
        action: ActionFile,
        scope: Scope,
        given: Mapping[str, str],
        path: str,
        repository: str = "",
        ref: str = "",
    ) -> ActionEvaluator:
        """The action as a step uses it: `scope` is the step's, `given` what it says under `with` (names in lower case),
        `path` the action's folder as the job sees it, `repository` and `ref` where it comes from, if not from the
        workspace. Raises InvalidInput.
        """
        seen = {name: scope.contexts[name] for name in _IN_ACTIONS if name in scope.contexts}
        own = {"action_path": path, "action_ref": ref, "action_repository": repository}
        github = {**seen.get("github", {}), **own}
        base = replace(scope, contexts={**seen, "github": github})
        inputs = {one.name: _input(one, given, base) for one in action.inputs}
        return cls(action, base.having(inputs=inputs))

    def outputs(self, before: Before) -> dict[str, str | TidegateError]:
        """The action's outputs, each with its value or what is wrong with it."""
        return self.values(self.action.outputs, before)


# No secrets, variables or needs: an action gets what its inputs are given.
_IN_ACTIONS = ("github", "strategy", "matrix", "job", "runner")


def _input(one: ActionInput, given: Mapping[str, str], scope: Scope) -> str:
    if one.name.lower() in given:
        return given[one.name.lower()]
    return text_value(one.default, scope) if one.default is not None else ""


def env_of(scope: Scope) -> dict[str, str]:
    """The environment as the workflow's author wrote it: workflow, job, earlier steps, step."""
    return {str(name): str(value) for name, value in scope.contexts.get("env", {}).items()}
