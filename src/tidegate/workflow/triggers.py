"""Whether an event starts a workflow, by GitHub's rules, and by which pattern: for the runner, `try triggers` and the
proof against loops, which must all say the same. Where GitHub looks at the first 300 files, we look at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.workflow.globs import Names
from tidegate.workflow.model import (
    CallTrigger,
    DispatchTrigger,
    Filter,
    OtherTrigger,
    Pattern,
    PullRequestTrigger,
    PushTrigger,
    ScheduleTrigger,
    Trigger,
    Workflow,
    WorkflowRunTrigger,
)

SKIP_WORDS = ("[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]")
_SKIP_TRAILER = re.compile(r"skip-checks: ?true")
_BRANCH, _TAG = "refs/heads/", "refs/tags/"


@dataclass(frozen=True)
class Event:
    """What happened.

    `ref` is full (`refs/heads/main`); of a pull request and a workflow run, `branch` is the base or the branch of the
    run that caused it. `changed` are the files changed, None where that is not known (then path filters let it pass).
    `message` is the head commit's; `action` the activity type; `source` the workflow that ran before (workflow_run) or
    the cron line (schedule); `payload` is `github.event`.
    """

    name: str
    ref: str = ""
    before: str | None = None
    after: str | None = None
    changed: Sequence[str] | None = None
    message: str = ""
    branch: str = ""
    action: str = ""
    source: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def files(self) -> Names:
        """The changed files, prepared once for the patterns of all workflows."""
        return Names(self.changed or ())


@frozen
class Match:
    """Whether a workflow runs, and why: the pattern that decided, its line in the workflow file, and a sentence."""

    runs: bool
    pattern: str | None = None
    line: int | None = None
    reason: str = ""


def skip_word(message: str) -> str | None:
    """The word in a commit message that keeps push and pull_request workflows from running, if there is one."""
    found = next((word for word in SKIP_WORDS if word in message), None)
    if found:
        return found
    last = message.rstrip().rsplit("\n\n", 1)[-1]
    lines = [line for line in last.split("\n") if _SKIP_TRAILER.fullmatch(line.strip())]
    return lines[0].strip() if lines and "\n" in message else None


def matches(workflow: Workflow, event: Event) -> Match:
    """Whether `event` starts `workflow`."""
    trigger = workflow.triggers.get(event.name)
    if trigger is None:
        return Match(False, reason=f"the workflow does not run on {event.name}")
    word = skip_word(event.message) if event.name in ("push", "pull_request") else None
    if word:
        return Match(False, reason=f"the commit message says {word}")
    return _decide(trigger, event)


def _decide(trigger: Trigger, event: Event) -> Match:
    match trigger:
        case PushTrigger():
            return _push(trigger, event)
        case PullRequestTrigger():
            return _typed(trigger.types, event, trigger.where.line) or _filtered(
                trigger.branches, trigger.paths, event, event.branch
            )
        case WorkflowRunTrigger():
            return _workflow_run(trigger, event)
        case ScheduleTrigger():
            return _schedule(trigger, event)
        case OtherTrigger():
            return Match(False, line=trigger.where.line, reason=f"{event.name} never happens here")
        case DispatchTrigger() | CallTrigger():
            return Match(True, line=trigger.where.line, reason=f"{event.name} needs no filter")


def _push(trigger: PushTrigger, event: Event) -> Match:
    if event.after is not None and not event.after.strip("0"):
        return Match(False, line=trigger.where.line, reason="the push deletes a ref")
    if event.ref.startswith(_TAG):
        if trigger.tags is None and trigger.branches is not None:
            return Match(False, line=trigger.branches.where.line, reason="only branches are named, and this is a tag")
        return _named(trigger.tags, event.ref.removeprefix(_TAG)) or Match(
            True, line=trigger.where.line, reason="tags are not filtered"
        )
    if not event.ref.startswith(_BRANCH):
        return Match(False, line=trigger.where.line, reason=f"{event.ref} is neither a branch nor a tag")
    if trigger.branches is None and trigger.tags is not None:
        return Match(False, line=trigger.tags.where.line, reason="only tags are named, and this is a branch")
    return _filtered(trigger.branches, trigger.paths, event, event.ref.removeprefix(_BRANCH))


def _filtered(branches: Filter | None, paths: Filter | None, event: Event, branch: str) -> Match:
    """Both filters must let the event pass; the one that decided last is the answer."""
    by_branch = _named(branches, branch)
    if by_branch is not None and not by_branch.runs:
        return by_branch
    return _pathed(paths, event) or by_branch or Match(True, reason=f"{event.name} is not filtered")


def _typed(types: Sequence[str], event: Event, line: int | None) -> Match | None:
    if event.action and event.action not in types:
        return Match(False, line=line, reason=f"activity {event.action} is none of {', '.join(types)}")
    return None


def _workflow_run(trigger: WorkflowRunTrigger, event: Event) -> Match:
    if event.source not in trigger.workflows:
        return Match(False, line=trigger.where.line, reason=f"{event.source!r} is none of the workflows named")
    refused = _typed(trigger.types, event, trigger.where.line)
    passed = Match(True, line=trigger.where.line, reason=f"{event.source!r} is named")
    return refused or _named(trigger.branches, event.branch) or passed


def _schedule(trigger: ScheduleTrigger, event: Event) -> Match:
    found = next((entry for entry in trigger.entries if entry.cron == event.source), None)
    if found is None:
        return Match(False, line=trigger.where.line, reason=f"{event.source!r} is none of its schedules")
    return Match(True, found.cron, found.where.line, "its schedule is due")


def _named(filter_: Filter | None, name: str) -> Match | None:
    """A branch's or tag's name against a filter; None where there is no filter."""
    if filter_ is None:
        return None
    last = next((pattern for pattern in reversed(filter_.patterns) if pattern.glob.matches(name)), None)
    if last is None:
        reason = f"{name} matches none of the patterns"
        return Match(filter_.ignore, None, filter_.where.line, reason)
    runs = last.negated == filter_.ignore
    return Match(runs, last.text, last.where.line, f"{name} matches {last.text}")


def _pathed(paths: Filter | None, event: Event) -> Match | None:
    """The changed files against a filter: the first file that lets the workflow run decides."""
    if paths is None:
        return None
    if event.changed is None:
        return Match(True, None, paths.where.line, "the changed files are not known")
    if not event.changed:
        return Match(False, None, paths.where.line, "no file changed")
    return _ignored(paths, event.files) if paths.ignore else _wanted(paths, event.files)


def _wanted(paths: Filter, files: Names) -> Match:
    decided: set[int] = set()
    best: tuple[int, Pattern] | None = None
    refused: Pattern | None = None
    for pattern in reversed(paths.patterns):
        found = files.matching(pattern.glob)
        if pattern.negated:
            refused = refused if not found - decided else pattern
        elif fresh := found - decided:
            first = min(fresh)
            best = (first, pattern) if best is None or first < best[0] else best
        decided |= found
    if best is None:
        line = refused.where.line if refused else paths.where.line
        return Match(False, refused.text if refused else None, line, "no changed file matches")
    return Match(True, best[1].text, best[1].where.line, f"{files.names[best[0]]} matches {best[1].text}")


def _ignored(paths: Filter, files: Names) -> Match:
    ignored: set[int] = set()
    for pattern in paths.patterns:
        found = files.matching(pattern.glob)
        ignored = ignored - found if pattern.negated else ignored | found
    left = next((place for place in range(len(files.names)) if place not in ignored), None)
    if left is None:
        last = paths.patterns[-1] if paths.patterns else None
        first = next((p for p in paths.patterns if files.matching(p.glob)), last)
        return Match(False, first.text if first else None, (first or paths).where.line, "every changed file is ignored")
    return Match(True, None, paths.where.line, f"{files.names[left]} is not ignored")
