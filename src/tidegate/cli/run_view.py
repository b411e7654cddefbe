"""One run for people: what it was for, its jobs and steps, and what comes next. Pure but for the asking."""

from __future__ import annotations

from datetime import datetime

from tidegate.cli.runs import duration
from tidegate.cli.tables import table_lines
from tidegate.kinds.objects import Object, annotation
from tidegate.kinds.workflow_run import TITLE

HEADER = ["JOB", "STEP", "STATUS", "STARTED", "DURATION"]


def view_lines(run: Object, now: datetime) -> list[str]:
    """The run, then a table of its jobs, each with its steps below it; what goes on has lasted until `now`."""
    spec, status = run.get("spec") or {}, run.get("status") or {}
    where = str(spec.get("ref", "")).removeprefix("refs/heads/")
    lasted = duration(status.get("startedAt"), status.get("completedAt"), now)
    what = f"{spec.get('event', '-')} of {where or '-'} at {str(spec.get('commit') or '-')[:12]}"
    lines = [
        f"{run['metadata']['name']}: {_state(status)}{f' after {lasted}' if status.get('completedAt') else ''}",
        annotation(run, TITLE) or "-",
        f"{spec.get('workflow', '-')} #{spec.get('runNumber', '?')}, attempt {status.get('attempt', 1)}: {what}",
    ]
    lines += str(status.get("message") or "").splitlines()
    rows = [row for job in status.get("jobs") or () for row in _rows(job, now)]
    return [*lines, *(["", *table_lines(HEADER, rows)] if rows else [])]


def next_steps(run: Object) -> list[str]:
    """What to type next."""
    name, status = run["metadata"]["name"], run.get("status") or {}
    if status.get("status") != "completed":
        return [f"follow it: tidegate logs -f {name}"]
    again = [f"run what failed again: tidegate runs rerun {name} --failed"]
    return [f"see what it wrote: tidegate logs {name}", *(again if status.get("conclusion") != "success" else [])]


def _rows(job: Object, now: datetime) -> list[list[str]]:
    steps = job.get("steps") or ()
    return [_row(str(job.get("name")), "", job, now), *(_row("", str(step.get("name")), step, now) for step in steps)]


def _row(job: str, step: str, part: Object, now: datetime) -> list[str]:
    cells = [part.get("startedAt"), duration(part.get("startedAt"), part.get("completedAt"), now)]
    return [job, step, _state(part), *(str(cell or "-") for cell in cells)]


def _state(part: Object) -> str:
    return str(part.get("conclusion") or part.get("status") or "queued")
