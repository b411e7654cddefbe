"""A version from the number of commits, in a checkout that has only one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tidegate.base.errors import Where
from tidegate.lint.findings import Finding, Level, Rule
from tidegate.lint.known import Known
from tidegate.workflow.model import Job, Literal, Step, Table, Template, Workflow

RULE = Rule("shallow-count", "A version from the commit count without fetch-depth: 0", "lint.md#shallow-count")
_COUNT = re.compile(r"git\s+rev-list\b[^\n|;]*--count|git\s+describe\b[^\n|;]*--tags")
_DEEPENED = re.compile(r"--unshallow|--deepen|--depth=?\s*[0-9]{3,}")


def check(known: Known) -> Iterator[Finding]:
    """An error at the line that counts, in each job whose checkout fetches one commit."""
    for workflow in known.repository.workflows.values():
        for job in workflow.jobs.values():
            yield from _job(workflow, job)


def _job(workflow: Workflow, job: Job) -> Iterator[Finding]:
    shallow: Step | None = None
    for step in job.steps:
        if step.uses is not None and step.uses.partition("@")[0].lower() == "actions/checkout":
            shallow = step if _is_shallow(step) else None
        script = _script(step)
        if _DEEPENED.search(script):
            shallow = None
        if shallow is not None and (counted := _COUNT.search(script)):
            where = _place(workflow, step, script, counted.start())
            message = "this counts the commits of a checkout that has only one: the version is always the same"
            checkout = f"{workflow.file}:{shallow.uses_where.line}"
            yield Finding(
                RULE, Level.ERROR, where, message, f"add to the checkout at {checkout}: with: {{fetch-depth: 0}}"
            )


def _is_shallow(step: Step) -> bool:
    """Whether a checkout surely fetches few commits: 1 is the default."""
    if isinstance(step.inputs, Template):
        return False
    depth = step.inputs.entries.get("fetch-depth") if isinstance(step.inputs, Table) else None
    return depth is None or (isinstance(depth, Literal) and depth.value not in (0, "0"))


def _script(step: Step) -> str:
    if isinstance(step.run, Template):
        return step.run.source
    return str(step.run.value) if step.run is not None else ""


def _place(workflow: Workflow, step: Step, script: str, position: int) -> Where:
    where = step.run.where if step.run is not None else step.where
    found = workflow.source.within(where, script, position) if workflow.source else where
    return Where(workflow.file, found.line, found.column)
