"""What a workflow file says, as frozen values with the place of each. parse.py reads it, plan.py decides from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import TypeAlias

from tidegate.base.errors import Where
from tidegate.base.frozen import frozen
from tidegate.workflow.expressions import Node
from tidegate.workflow.globs import Glob
from tidegate.workflow.source import Source

NOWHERE = Where()


@frozen
class Literal:
    """A scalar without an expression."""

    value: bool | float | str | None
    where: Where = NOWHERE


@frozen
class Template:
    """A string with `${{ }}` in it: its texts and expressions in order."""

    source: str
    parts: tuple[str | Node, ...]
    where: Where = NOWHERE

    @property
    def expression(self) -> Node | None:
        """The expression, where the whole string is one, so that its value keeps its kind."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return None if isinstance(only, str) else only


@frozen
class Listing:
    """A sequence."""

    items: tuple[Tree, ...]
    where: Where = NOWHERE


@frozen
class Table:
    """A mapping, in the order written."""

    entries: Mapping[str, Tree]
    where: Where = NOWHERE


Scalar: TypeAlias = Literal | Template
Tree: TypeAlias = "Literal | Template | Listing | Table"
EMPTY = Table(MappingProxyType({}))


@frozen
class Condition:
    """An `if:`. `expression` is None where none is written; `has_status` where it calls a status function itself."""

    source: str
    expression: Node | Template | None
    has_status: bool = False
    where: Where = NOWHERE


ALWAYS_ON_SUCCESS = Condition("success()", None)


@frozen
class Pattern:
    """One line of a filter; `negated` where it begins with `!`. `text` is as written."""

    text: str
    glob: Glob
    negated: bool = False
    where: Where = NOWHERE


@frozen
class Filter:
    """Patterns of which the last one that matches counts; `ignore` for the -ignore form."""

    patterns: tuple[Pattern, ...]
    ignore: bool = False
    where: Where = NOWHERE


@frozen
class PushTrigger:
    """`on.push`."""

    branches: Filter | None = None
    tags: Filter | None = None
    paths: Filter | None = None
    where: Where = NOWHERE


@frozen
class PullRequestTrigger:
    """`on.pull_request`; `branches` filters the base."""

    types: tuple[str, ...] = ("opened", "synchronize", "reopened")
    branches: Filter | None = None
    paths: Filter | None = None
    where: Where = NOWHERE


@frozen
class Input:
    """An input of workflow_dispatch or workflow_call. `type`: string, boolean, number, choice or environment."""

    name: str
    type: str = "string"
    required: bool = False
    default: Scalar | None = None
    options: tuple[str, ...] = ()
    description: str = ""
    where: Where = NOWHERE


@frozen
class DispatchTrigger:
    """`on.workflow_dispatch`."""

    inputs: tuple[Input, ...] = ()
    where: Where = NOWHERE


@frozen
class CallTrigger:
    """`on.workflow_call`. `secrets` maps a name to whether it is required."""

    inputs: tuple[Input, ...] = ()
    outputs: Mapping[str, Scalar] = field(default_factory=dict)
    secrets: Mapping[str, bool] = field(default_factory=dict)
    where: Where = NOWHERE


@frozen
class Schedule:
    """One entry of `on.schedule`: five fields, and an IANA time zone."""

    cron: str
    timezone: str = "UTC"
    where: Where = NOWHERE


@frozen
class ScheduleTrigger:
    """`on.schedule`."""

    entries: tuple[Schedule, ...]
    where: Where = NOWHERE


@frozen
class WorkflowRunTrigger:
    """`on.workflow_run`; `branches` filters the branch of the run that caused it."""

    workflows: tuple[str, ...]
    types: tuple[str, ...] = ("requested", "in_progress", "completed")
    branches: Filter | None = None
    where: Where = NOWHERE


@frozen
class OtherTrigger:
    """An event of GitHub's that has no counterpart here, such as `issues`."""

    types: tuple[str, ...] = ()
    where: Where = NOWHERE


Trigger: TypeAlias = (
    PushTrigger
    | PullRequestTrigger
    | DispatchTrigger
    | CallTrigger
    | ScheduleTrigger
    | WorkflowRunTrigger
    | OtherTrigger
)


@frozen
class Permissions:
    """`permissions`: `every` is `read`, `write` or `none` for all scopes that `scopes` does not name."""

    every: str = "none"
    scopes: Mapping[str, str] = field(default_factory=dict)
    where: Where = NOWHERE


@frozen
class RunDefaults:
    """`defaults.run`."""

    shell: Scalar | None = None
    working_directory: Scalar | None = None


@frozen
class Concurrency:
    """`concurrency`."""

    group: Scalar
    cancel_in_progress: Scalar = Literal(False)
    where: Where = NOWHERE


@frozen
class Strategy:
    """`strategy`. `matrix` is a table with its dimensions, include and exclude, or one expression."""

    matrix: Table | Template | None = None
    fail_fast: Scalar = Literal(True)
    max_parallel: Scalar | None = None
    where: Where = NOWHERE


@frozen
class Container:
    """`container`, or one of `services`. `image` may be an expression that comes to the empty text: none then."""

    image: Scalar
    env: Table | Template = EMPTY
    ports: Tree = Listing(())
    volumes: Tree = Listing(())
    options: Scalar | None = None
    credentials: Table | Template | None = None
    where: Where = NOWHERE


@frozen
class Environment:
    """`environment`."""

    name: Scalar
    url: Scalar | None = None
    where: Where = NOWHERE


@frozen
class Step:
    """One step: either `uses` or `run` is set. `index` counts from 0. Only in an action a shell may be a template."""

    index: int
    where: Where
    id: str | None = None
    name: Scalar | None = None
    condition: Condition = ALWAYS_ON_SUCCESS
    uses: str | None = None
    run: Scalar | None = None
    inputs: Table | Template = EMPTY
    env: Table | Template = EMPTY
    shell: str | None = None
    shell_template: Template | None = None
    working_directory: Scalar | None = None
    timeout_minutes: Scalar | None = None
    continue_on_error: Scalar = Literal(False)
    uses_where: Where = NOWHERE


@frozen
class CalledWorkflow:
    """`uses` of a job: a reusable workflow. `secrets` is None for none, `inherit`, or a table."""

    uses: str
    inputs: Table | Template = EMPTY
    secrets: str | Table | None = None
    where: Where = NOWHERE
    uses_where: Where = NOWHERE


@frozen
class Job:
    """One job. `runs_on` is a label, labels, or a table of group and labels; None where it calls a workflow."""

    id: str
    where: Where
    name: Scalar | None = None
    needs: tuple[str, ...] = ()
    condition: Condition = ALWAYS_ON_SUCCESS
    runs_on: Tree | None = None
    env: Table | Template = EMPTY
    defaults: RunDefaults = RunDefaults()
    outputs: Mapping[str, Scalar] = field(default_factory=dict)
    strategy: Strategy = Strategy()
    timeout_minutes: Scalar | None = None
    continue_on_error: Scalar = Literal(False)
    permissions: Permissions | None = None
    concurrency: Concurrency | None = None
    environment: Environment | None = None
    container: Container | Template | None = None
    services: Mapping[str, Container] | Template = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    calls: CalledWorkflow | None = None


@frozen
class Workflow:
    """One workflow file. `triggers` are by event name, `jobs` by id, both in the order written."""

    file: str
    name: str | None
    triggers: Mapping[str, Trigger]
    jobs: Mapping[str, Job]
    run_name: Scalar | None = None
    env: Table | Template = EMPTY
    defaults: RunDefaults = RunDefaults()
    permissions: Permissions | None = None
    concurrency: Concurrency | None = None
    source: Source | None = field(default=None, repr=False, compare=False)

    @property
    def title(self) -> str:
        """The name shown: its own, else the file's path, as GitHub does."""
        return self.name or self.file

    def steps(self) -> Iterator[tuple[Job, Step]]:
        """Every step with its job."""
        for job in self.jobs.values():
            for step in job.steps:
                yield job, step
