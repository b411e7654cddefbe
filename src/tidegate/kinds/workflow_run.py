"""WorkflowRun, of tidegate.dev: one run of a workflow, its jobs and steps, and how it ended. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.kinds.common import Model, identity, mapping
from tidegate.kinds.fields import Fields
from tidegate.kinds.objects import Object
from tidegate.kinds.runner import REPOSITORY

GROUP, KIND, VERSIONS = "tidegate.dev", "WorkflowRun", ("v1alpha1",)
QUEUED, IN_PROGRESS, COMPLETED = "queued", "in_progress", "completed"
TITLE = "tidegate.dev/title"
"""The annotation with the first line of the commit's message."""
STATUSES = (QUEUED, IN_PROGRESS, COMPLETED)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)


@frozen
class StepStatus:
    """A step: `number` counts from 1; times are RFC 3339; `conclusion` is None until it ended."""

    number: int
    name: str
    status: str = QUEUED
    conclusion: str | None = None
    started_at: str | None = None
    completed_at: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As the object's status holds it; what is not known yet is left out."""
        return {"number": self.number} | _progress(self)


@frozen
class JobStatus:
    """A job and its steps."""

    name: str
    status: str = QUEUED
    conclusion: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    steps: tuple[StepStatus, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As the object's status holds it."""
        return _progress(self) | {"steps": [step.as_json() for step in self.steps]}


@frozen
class RunStatus:
    """How far a run is."""

    status: str = QUEUED
    conclusion: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    jobs: tuple[JobStatus, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The object's `status`."""
        return _progress(self) | {"jobs": [job.as_json() for job in self.jobs], "outputs": dict(self.outputs)}


@frozen(kw_only=True)
class WorkflowRun(Model):
    """A run. `workflow` is the file's path in the repository, `before` the ref's commit before the push, `base` the
    branch that a pull request is for, `cause` what the event of a schedule or a workflow_run is made of.

    A run that is asked for may leave out what its Runner then fills in: the ref, the commit, the number.
    """

    repository: str
    workflow: str
    event: str
    ref: str
    commit: str
    actor: str
    before: str | None = None
    base: str = ""
    run_number: int = 1
    attempt: int = 1
    inputs: Mapping[str, Any] = field(default_factory=dict)
    cause: Mapping[str, str] = field(default_factory=dict)
    status: RunStatus = field(default_factory=RunStatus)

    @classmethod
    def from_object(cls, obj: Object) -> WorkflowRun:
        """Read an object; InvalidInput names the wrong fields."""
        key, version = identity(obj, GROUP, KIND, VERSIONS)
        fields = Fields.of(obj)
        fields.flag("cancel")
        return cls(
            key=key,
            version=version,
            repository=fields.text("repository", required=True, pattern=REPOSITORY),
            workflow=fields.text("workflow", required=True),
            event=fields.text("event", required=True),
            ref=fields.text("ref"),
            commit=fields.text("commit", pattern=_COMMIT),
            actor=fields.text("actor"),
            before=fields.text("before", pattern=_COMMIT) or None,
            base=fields.text("base"),
            run_number=fields.integer("runNumber", 1, least=1),
            attempt=fields.integer("attempt", 1, least=1),
            inputs=mapping(fields.raw("inputs")),
            cause=fields.text_map("cause"),
            status=_run_status(mapping(obj.get("status"))),
            unknown_fields=fields.finish(),
        )

    def spec_json(self) -> dict[str, Any]:
        """The object's `spec`."""
        spec = {
            "repository": self.repository,
            "workflow": self.workflow,
            "event": self.event,
            "ref": self.ref,
            "commit": self.commit,
            "actor": self.actor,
            "runNumber": self.run_number,
            "attempt": self.attempt,
            "inputs": dict(self.inputs),
        }
        return spec | {name: value for name, value in self._optional().items() if value}

    def _optional(self) -> dict[str, Any]:
        return {"before": self.before, "base": self.base, "cause": dict(self.cause)}


def _progress(part: StepStatus | JobStatus | RunStatus) -> dict[str, Any]:
    values = {
        "name": None if isinstance(part, RunStatus) else part.name,
        "status": part.status,
        "conclusion": part.conclusion,
        "startedAt": part.started_at,
        "completedAt": part.completed_at,
    }
    return {name: value for name, value in values.items() if value is not None}


def _run_status(status: Mapping[str, Any]) -> RunStatus:
    outputs = {str(name): str(value) for name, value in mapping(status.get("outputs")).items()}
    jobs = tuple(_job_status(mapping(job)) for job in status.get("jobs") or ())
    return RunStatus(*_moments(status), jobs=jobs, outputs=outputs)


def _job_status(job: Mapping[str, Any]) -> JobStatus:
    steps = tuple(_step_status(number, mapping(step)) for number, step in enumerate(job.get("steps") or (), 1))
    return JobStatus(str(job.get("name", "")), *_moments(job), steps=steps)


def _step_status(number: int, step: Mapping[str, Any]) -> StepStatus:
    return StepStatus(int(step.get("number", number)), str(step.get("name", "")), *_moments(step))


def _moments(part: Mapping[str, Any]) -> tuple[str, str | None, str | None, str | None]:
    status = part.get("status")
    return (
        status if status in STATUSES else QUEUED,
        _text(part.get("conclusion")),
        _text(part.get("startedAt")),
        _text(part.get("completedAt")),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
