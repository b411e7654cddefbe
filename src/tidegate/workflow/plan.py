"""Decides how a workflow runs: the order of its jobs, what each waits for, what it may do, in which shells.

What depends on results (conditions, matrices, outputs) is decided when they are there: matrix.py, resolve.py and
the functions here take the contexts of that moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.workflow.calls import Linked
from tidegate.workflow.expressions import Function, Value, text_of
from tidegate.workflow.model import Concurrency, Job, Workflow
from tidegate.workflow.permissions import permissions_of
from tidegate.workflow.resolve import Scope, boolean_value, holds, text_value
from tidegate.workflow.triggers import Event

DEFAULT_TIMEOUT_MINUTES = 360.0


@frozen
class Group:
    """A concurrency group in force: one run (or job) of it at a time."""

    name: str
    cancel_in_progress: bool


@frozen
class PlannedJob:
    """A job with what can be said before anything has run.

    `needs` are the jobs named, `ancestors` those and all that they need. `permissions` are the token's, by scope.
    """

    job: Job
    needs: tuple[str, ...]
    ancestors: tuple[str, ...]
    permissions: Mapping[str, str]


@frozen
class Plan:
    """A run: `jobs` come in an order in which each stands after those it needs. `calls` are the workflows that jobs
    call, by the jobs' ids.
    """

    workflow: Workflow
    run_name: str
    group: Group | None
    jobs: tuple[PlannedJob, ...]
    event: Event
    calls: Mapping[str, Linked] = field(default_factory=dict)


@frozen
class JobResult:
    """How a job ended: success, failure, cancelled or skipped; and its outputs."""

    result: str
    outputs: Mapping[str, str] = field(default_factory=dict)


def plan(
    linked: Linked, event: Event, contexts: Mapping[str, Any], permissions: Mapping[str, str] | None = None
) -> Plan:
    """The plan of a run, or of a called workflow's part in it, whose caller has `permissions`. `contexts` brings
    `github`, `inputs` and `vars`.

    Raises InvalidInput where the run's name or concurrency group cannot be evaluated.
    """
    workflow, scope = linked.workflow, Scope(contexts)
    jobs = _ordered(workflow)
    planned = tuple(
        PlannedJob(job, _canonical(job, workflow), ancestors, permissions_of(workflow, job, event, permissions))
        for job, ancestors in jobs
    )
    name = text_value(workflow.run_name, scope).strip() if workflow.run_name is not None else ""
    group = group_of(workflow.concurrency, scope)
    return Plan(workflow, name or _default_name(workflow, event), group, planned, event, linked.calls)


def _default_name(workflow: Workflow, event: Event) -> str:
    """As GitHub: the head commit's first line on a push, else the workflow's name."""
    first = event.message.split("\n", 1)[0].strip()
    return first if event.name in ("push", "pull_request") and first else workflow.title


def group_of(concurrency: Concurrency | None, scope: Scope) -> Group | None:
    """A concurrency group evaluated; None where there is none. Raises InvalidInput for an empty name."""
    if concurrency is None:
        return None
    name = text_value(concurrency.group, scope)
    if not name:
        raise InvalidInput("the concurrency group's name is empty", where=concurrency.where)
    return Group(name, boolean_value(concurrency.cancel_in_progress, scope))


def _canonical(job: Job, workflow: Workflow) -> tuple[str, ...]:
    """Needs in the spelling of the jobs' own ids, each once."""
    ids = {name.lower(): name for name in workflow.jobs}
    return tuple(dict.fromkeys(ids[name.lower()] for name in job.needs))


def _ordered(workflow: Workflow) -> list[tuple[Job, tuple[str, ...]]]:
    """Jobs in needs order (the order written where needs leave it open), each with its ancestors."""
    ancestors: dict[str, tuple[str, ...]] = {}
    ordered: list[tuple[Job, tuple[str, ...]]] = []
    waiting = list(workflow.jobs.values())
    while waiting:
        ready = [job for job in waiting if all(name in ancestors for name in _canonical(job, workflow))]
        if not ready:
            raise InvalidInput("jobs need each other in a circle", where=waiting[0].where)
        for job in ready:
            needs = _canonical(job, workflow)
            above = dict.fromkeys(other for name in needs for other in (*ancestors[name], name))
            ancestors[job.id] = tuple(above)
            ordered.append((job, tuple(above)))
        waiting = [job for job in waiting if job.id not in ancestors]
    return ordered


def job_starts(planned: PlannedJob, results: Mapping[str, JobResult], scope: Scope, *, cancelled: bool = False) -> bool:
    """Whether a job whose needs have all ended runs, rather than being skipped. Evaluates its `if`."""
    return holds(planned.job.condition, scope.calling(_job_status(planned, results, cancelled=cancelled)))


def _job_status(planned: PlannedJob, results: Mapping[str, JobResult], *, cancelled: bool) -> Mapping[str, Function]:
    """The status functions of a job's `if`: they look at all ancestors, or at the jobs named as arguments."""

    def of(arguments: Sequence[Value]) -> list[str]:
        names = [text_of(argument) for argument in arguments] or list(planned.ancestors)
        return [results[name].result if name in results else "skipped" for name in names]

    return {
        "always": Function(0, 0, lambda arguments: True),
        "cancelled": Function(0, 0, lambda arguments: cancelled),
        "failure": Function(0, 255, lambda arguments: not cancelled and "failure" in of(arguments)),
        "success": Function(
            0, 255, lambda arguments: not cancelled and all(result == "success" for result in of(arguments))
        ),
    }


def needs_context(planned: PlannedJob, results: Mapping[str, JobResult]) -> dict[str, dict[str, Any]]:
    """The `needs` context: result and outputs of the jobs that this one names."""
    return {
        name: {"result": results[name].result, "outputs": dict(results[name].outputs)}
        for name in planned.needs
        if name in results
    }
