"""Steps that see each other's results: how far a job, or a composite action in it, has come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from tidegate.runner.evaluation import Before, StepEvaluator, StepResult
from tidegate.runner.request import CANCELLED, FAILURE, SUCCESS
from tidegate.runner.workbench import JobState
from tidegate.workflow.model import Step


class Stopping:
    """Whether the job is to end early, and why: `reason` is cancelled or timed_out, empty while it goes on."""

    def __init__(self) -> None:
        self.reason = ""
        self.event = asyncio.Event()

    def stop(self, reason: str) -> None:
        """End what runs; what is for that case still runs."""
        self.reason = reason
        self.event.set()


@dataclass(slots=True)
class Frame:
    """Steps that see each other's results: a job's, or a composite action's. `env` is what they find at first, `own`
    what each of their programs gets besides; `way` are the places of the steps around them, of the outermost first.
    """

    evaluator: StepEvaluator
    state: JobState
    env: dict[str, str] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)
    way: tuple[int, ...] = ()
    job_failed: bool = False
    results: dict[str, StepResult] = field(default_factory=dict)
    failed: bool = False
    cancelled: bool = False
    set_before: dict[str, str] = field(default_factory=dict)

    def before(self, stopping: Stopping) -> Before:
        """What the next step finds."""
        stopped = bool(stopping.reason)
        status = CANCELLED if stopped else FAILURE if self.failed or self.job_failed else SUCCESS
        news = {name: value for name, value in self.state.env.items() if self.set_before.get(name) != value}
        return Before({**self.env, **news}, self.results, status, failed=self.failed, cancelled=stopped)


def identity_of(step: Step) -> str:
    """The name under which a step's result is kept."""
    return step.id or f"__{step.index}"
