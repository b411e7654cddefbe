"""Which workflows an automation's commit may start, by the runner's own rules, and which those start in turn. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tidegate.base.errors import Where
from tidegate.base.frozen import frozen
from tidegate.kinds.image_update_automation import ImageUpdateAutomation
from tidegate.lint.building import Doings, doings
from tidegate.lint.facts import Facts
from tidegate.lint.findings import Step
from tidegate.lint.repository import Found, Repository
from tidegate.lint.writing import Target, certain_skip_word, message_of
from tidegate.workflow.model import Filter, PullRequestTrigger, PushTrigger, Workflow, WorkflowRunTrigger
from tidegate.workflow.triggers import Event, Match, matches

_FOLLOWING = (
    "push", "create", "release", "pull_request", "pull_request_target", "workflow_dispatch", "repository_dispatch",
    "registry_package", "delete",
)  # fmt: skip
"""The events that a run may cause by a push, a release or a dispatch of its own."""


@frozen
class Started:
    """A workflow that a commit may start: what its run may do, how it comes to it, and the first workflow on the way
    with the place that let it start. `perhaps` says what must be so besides.
    """

    workflow: Workflow
    doings: Doings
    way: tuple[Step, ...]
    first: Workflow
    event: str
    where: Where
    perhaps: str = ""


class Starts:
    """Answers for one repository; what a run does is worked out once for each workflow and kind of event."""

    def __init__(self, repository: Repository):
        self._repository = repository
        self._known: dict[tuple[object, ...], Doings] = {}
        self._by_commit: dict[tuple[object, ...], list[Started]] = {}

    def doings(self, workflow: Workflow, facts: Facts) -> Doings:
        """What a run may do."""
        key = (workflow.file, facts.event, facts.branch, facts.message, facts.author)
        if key not in self._known:
            self._known[key] = doings(workflow, facts, self._repository.workflows, self._repository.actions)
        return self._known[key]

    def of_commit(self, automation: Found[ImageUpdateAutomation], target: Target, path: str) -> list[Started]:
        """The workflows that a commit of one file may start. A commit of several starts what any of them does."""
        key = (id(automation), target, path)
        if key not in self._by_commit:
            self._by_commit[key] = self._of_commit(automation, target, path)
        return self._by_commit[key]

    def _of_commit(self, automation: Found[ImageUpdateAutomation], target: Target, path: str) -> list[Started]:
        found: list[Started] = []
        message = message_of(automation.model.message_template)
        for workflow in self._repository.workflows.values():
            found += self._direct(workflow, automation, target, path, message)
        for started in found:
            known = {one.workflow.file for one in found}
            found += [one for one in self._following(started, target) if one.workflow.file not in known]
        return found

    def _direct(
        self, workflow: Workflow, automation: Found[ImageUpdateAutomation], target: Target, path: str, message: str
    ) -> Iterator[Started]:
        author = (automation.model.author_name, automation.model.author_email)
        match = push_match(workflow, target, path, message)
        if match.runs:
            facts = Facts("push", target.branch, message, author)
            yield self._started(workflow, facts, match, "push", target)
        pull = pull_match(workflow, target, path, message)
        if pull is not None and pull.runs:
            perhaps = f"a pull request from {target.shown} is open" if target.is_read else ""
            yield self._started(workflow, Facts("pull_request"), pull, "pull_request", target, perhaps)

    def _started(
        self, workflow: Workflow, facts: Facts, match: Match, event: str, target: Target, perhaps: str = ""
    ) -> Started:
        where = Where(workflow.file, match.line or workflow.triggers[event].where.line)
        condition = f", where {perhaps}" if perhaps else ""
        text = f"the {event} to {target.shown} starts the workflow {workflow.title}: {match.reason}{condition}"
        return Started(workflow, self.doings(workflow, facts), (Step(where, text),), workflow, event, where, perhaps)

    def _following(self, started: Started, target: Target) -> Iterator[Started]:
        for workflow in self._repository.workflows.values():
            trigger = workflow.triggers.get("workflow_run")
            if isinstance(trigger, WorkflowRunTrigger) and _follows(workflow, trigger, started.workflow, target):
                text = f"its run starts the workflow {workflow.title}"
                yield self._later(started, workflow, Facts("workflow_run"), Step(_at(workflow, trigger.where), text))
            elif started.doings.builds and "registry_package" in workflow.triggers:
                text = f"the package that it pushes may start the workflow {workflow.title}"
                step = Step(_at(workflow, workflow.triggers["registry_package"].where), text)
                yield self._later(started, workflow, Facts("registry_package"), step)
            elif started.doings.starts is not None and (name := _caused(workflow)):
                text = f"what it pushes, releases or dispatches may start the workflow {workflow.title} ({name})"
                yield self._later(started, workflow, Facts(), Step(started.doings.starts, text))

    def _later(self, started: Started, workflow: Workflow, facts: Facts, step: Step) -> Started:
        return replace(started, workflow=workflow, doings=self.doings(workflow, facts), way=(*started.way, step))


def _at(workflow: Workflow, where: Where) -> Where:
    return Where(workflow.file, where.line, where.column)


def _caused(workflow: Workflow) -> str | None:
    return next((name for name in _FOLLOWING if name in workflow.triggers), None)


def _follows(workflow: Workflow, trigger: WorkflowRunTrigger, before: Workflow, target: Target) -> bool:
    wanted = workflow
    if target.branch is None:
        wanted = replace(workflow, triggers={"workflow_run": replace(trigger, branches=None)})
    return matches(wanted, Event("workflow_run", source=before.title, branch=target.branch or "")).runs


def push_match(workflow: Workflow, target: Target, path: str, message: str) -> Match:
    """Whether the push of one file starts a workflow; where the branch is not known, no filter of branches holds."""
    ref = target.ref
    trigger = workflow.triggers.get("push")
    if ref is None and isinstance(trigger, PushTrigger):
        ref = "refs/heads/unknown"
        if trigger.branches is not None:
            trigger = replace(trigger, branches=None, tags=None)
        workflow = replace(workflow, triggers={**workflow.triggers, "push": trigger})
    word = certain_skip_word(message) or ""
    return matches(workflow, Event("push", ref=ref or "", changed=(path,), message=word))


def pull_match(workflow: Workflow, target: Target, path: str, message: str) -> Match | None:
    """Whether the push of one file starts a workflow by an open pull request from that branch, whatever its base.

    A branch that nobody else pushes to holds the automation's files alone; what else one holds is not known.
    """
    trigger = workflow.triggers.get("pull_request")
    if not isinstance(trigger, PullRequestTrigger) or (target.ref is not None and target.branch is None):
        return None
    changed: Sequence[str] | None = None if target.is_read else (path,)
    word = certain_skip_word(message) or ""
    found = None
    for base in _bases(trigger.branches, target.branch):
        relaxed = trigger if base is not None else replace(trigger, branches=None)
        event = Event("pull_request", branch=base or "", action="synchronize", changed=changed, message=word)
        found = matches(replace(workflow, triggers={"pull_request": relaxed}), event)
        if found.runs:
            return found
    return found


def _bases(branches: Filter | None, head: str | None) -> list[str | None]:
    """The bases that a request may have, None for any: a request's base is another branch than its head."""
    if branches is None or branches.ignore:
        return [None]
    wanted = [pattern for pattern in branches.patterns if not pattern.negated]
    if not all(pattern.glob.is_literal for pattern in wanted):
        return [None]
    return [pattern.glob.prefix for pattern in wanted if pattern.glob.prefix != head]
