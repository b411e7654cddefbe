"""Evaluates what a job's steps say, from what earlier steps left. Pure; big texts take time, so call it in a thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.base.errors import TidegateError
from tidegate.runner.request import SKIPPED
from tidegate.workflow.model import Job, Step, Workflow
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


@dataclass(frozen=True, slots=True)
class Before:
    """What a step finds: the environment that is set so far, the steps before it, and how the job stands."""

    env: Mapping[str, str]
    results: Mapping[str, StepResult]
    status: str
    failed: bool
    cancelled: bool


@dataclass(frozen=True, slots=True)
class Opening:
    """A step before it runs: its name, its scope, whether it runs, and the minutes that it may take (None: no bound).

    `error` is what is wrong with its expressions.
    """

    name: str
    scope: Scope
    runs: bool
    minutes: float | None = None
    error: TidegateError | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """A `run:` step, evaluated. `folder` is relative to the workspace, or absolute."""

    text: str
    shell: Shell
    folder: str


@dataclass(frozen=True, slots=True)
class Evaluator:
    """One job's expressions. `base` has the contexts that stay the same throughout the job."""

    workflow: Workflow
    job: Job
    base: Scope

    def job_env(self) -> dict[str, str]:
        """The variables of workflow and job. Raises InvalidInput."""
        env = table_value(self.workflow.env, self.base)
        return env | table_value(self.job.env, self.base.having(env=env))

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
        return Opening(self._name(step, scope), scope, runs, minutes)

    def script(self, step: Step, scope: Scope) -> Script:
        """A `run:` step's script. Raises InvalidInput."""
        assert step.run is not None
        return Script(
            text_value(step.run, scope),
            shell_of(self.workflow, self.job, step, scope),
            working_directory_of(self.workflow, self.job, step, scope),
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

    def outputs(self, before: Before) -> dict[str, str | TidegateError]:
        """The job's outputs, each with its value or what is wrong with it."""
        found: dict[str, str | TidegateError] = {}
        scope = self._scope(before)
        for name, value in self.job.outputs.items():
            try:
                found[name] = text_value(value, scope)
            except TidegateError as error:
                found[name] = error
        return found

    def _scope(self, before: Before) -> Scope:
        steps = {name: result.as_context() for name, result in before.results.items()}
        return self.base.having(env=dict(before.env), job={"status": before.status}, steps=steps)

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


def env_of(scope: Scope) -> dict[str, str]:
    """The environment as the workflow's author wrote it: workflow, job, earlier steps, step."""
    return {str(name): str(value) for name, value in scope.contexts.get("env", {}).items()}
