"""Names, at its line, everything in a workflow that GitHub would run and this runner would not. Nothing is ignored."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.base.errors import Where
from tidegate.workflow.model import OtherTrigger, PullRequestTrigger, Template, Workflow
from tidegate.workflow.problems import Problem
from tidegate.workflow.source import Source

_REFUSED_EVENTS = {"pull_request_target": "it would give a stranger's code the repository's secrets; use pull_request"}


SEEN_ACTIVITIES = ("opened", "synchronize", "reopened")
"""The activities of a pull request that are seen on its forge."""


def unsupported(workflow: Workflow) -> list[Problem]:
    """What keeps a workflow from being run here, each with its place; empty where everything is supported."""
    say = _speaker(workflow)
    return [
        say(f"the event {name!r} is refused", trigger.where, _REFUSED_EVENTS[name])
        for name, trigger in workflow.triggers.items()
        if name in _REFUSED_EVENTS
    ]


def notices(workflow: Workflow) -> list[Problem]:
    """What does not keep a workflow from running, but will surprise: events that never happen here, odd conditions."""
    say = _speaker(workflow)
    found = [
        say(f"the event {name!r} never happens here", trigger.where, "this trigger has no effect")
        for name, trigger in workflow.triggers.items()
        if isinstance(trigger, OtherTrigger) and name not in _REFUSED_EVENTS
    ]
    requests = workflow.triggers.get("pull_request")
    if isinstance(requests, PullRequestTrigger):
        unseen = [name for name in requests.types if name not in SEEN_ACTIVITIES]
        remedy = f"what is seen of a request is {', '.join(SEEN_ACTIVITIES)}"
        found += [say(f"the activity {name!r} never happens here", requests.where, remedy) for name in unseen]
    conditions = [job.condition for job in workflow.jobs.values()] + [step.condition for _, step in workflow.steps()]
    found += [
        say("a condition with text outside ${{ }} always holds", condition.where, "put all of it inside ${{ }}")
        for condition in conditions
        if isinstance(condition.expression, Template)
    ]
    return found


def _speaker(workflow: Workflow) -> Callable[[str, Where, str], Problem]:
    return (workflow.source or Source(b"", workflow.file)).problem
