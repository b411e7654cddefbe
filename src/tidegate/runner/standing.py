"""What starts without a push: schedules that are due, and workflows that follow the runs of others. Pure.

Both look at the default branch only. What was handled is derived from moments that are stored, so a missed time starts
one run at most, and one that is seen twice none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.base.zones import rfc3339, zone_named
from tidegate.kinds.objects import Object, annotation, key_of
from tidegate.runner.contexts import ref_parts
from tidegate.runner.names import CHAIN, run_id
from tidegate.workflow.cron import parse_cron
from tidegate.workflow.model import Schedule, ScheduleTrigger, Workflow, WorkflowRunTrigger
from tidegate.workflow.triggers import Event, matches

LONGEST_CHAIN = 3
"""Workflows that may follow each other after the first one, as GitHub has it."""
_WINDOWS = (timedelta(hours=1), timedelta(days=1), timedelta(days=32))
_MOMENTS = {"requested": ("metadata", "creationTimestamp"), "in_progress": ("status", "startedAt"),
            "completed": ("status", "completedAt")}  # fmt: skip
Timed = tuple[str, str, str]
"""A schedule: its workflow's file, its line and its time zone."""
Marks = Mapping[str, Mapping[str, Any]]
"""By activity the last moment that was handled (`at`) and the attempts that had it (`runs`)."""


@frozen
class Standing:
    """What the workflows at the commit of the default branch wait for. `followers` hold nothing but their trigger;
    `wants_requests` is whether any runs for pull requests.
    """

    ref: str
    commit: str
    titles: Mapping[str, str]
    schedules: tuple[tuple[str, Schedule], ...] = ()
    followers: tuple[Workflow, ...] = ()
    wants_requests: bool = False


@frozen
class Due:
    """A workflow to start: `cause` is what its event is made of, `identity` what makes this start the only one."""

    file: str
    event: str
    cause: Mapping[str, str]
    identity: str
    chain: int = 0


@frozen
class Follow:
    """What follows runs: starts, and the marks for the next look."""

    due: list[Due] = field(default_factory=list)
    marks: Marks = field(default_factory=dict)


def standing_of(ref: str, commit: str, workflows: Mapping[str, Workflow | str]) -> Standing:
    """What a commit's workflows wait for; those that can't be read are left out."""
    read = {file: one for file, one in workflows.items() if isinstance(one, Workflow)}
    schedules, followers = [], []
    wants_requests = any("pull_request" in one.triggers for one in read.values())
    for file, one in read.items():
        timed, following = one.triggers.get("schedule"), one.triggers.get("workflow_run")
        if isinstance(timed, ScheduleTrigger):
            schedules += [(file, entry) for entry in timed.entries]
        if isinstance(following, WorkflowRunTrigger):
            followers.append(replace(one, triggers={"workflow_run": following}, jobs={}, source=None))
    titles = {file: one.title for file, one in read.items()}
    return Standing(ref, commit, titles, tuple(schedules), tuple(followers), wants_requests)


def timed(standing: Standing) -> frozenset[Timed]:
    """What tells the schedules of a commit from each other."""
    return frozenset((file, entry.cron, entry.timezone) for file, entry in standing.schedules)


def due_schedules(
    standing: Standing, since: datetime, now: datetime, known: frozenset[Timed] | None = None
) -> tuple[list[Due], datetime | None]:
    """The schedules with a time later than `since` and not later than `now`, each once with its last such time; and
    when the next one is due. Where `known` is given, only those count that are in it: the others are new.
    """
    due: list[Due] = []
    following: list[datetime] = []
    for file, entry in standing.schedules:
        cron, zone = parse_cron(entry.cron), zone_named(entry.timezone)
        following += islice(cron.times(now, zone), 1)
        if known is not None and (file, entry.cron, entry.timezone) not in known:
            continue
        for begin in (*(max(since, now - window) for window in _WINDOWS), since):
            last = None
            for moment in cron.times(begin, zone):
                if moment > now:
                    break
                last = moment
            if last is not None:
                identity = "\0".join(["schedule", entry.cron, entry.timezone, rfc3339(last.astimezone(UTC))])
                due.append(Due(file, "schedule", {"schedule": entry.cron}, identity))
                break
    return due, min(following, default=None)


def follow(standing: Standing, runs: Sequence[Object], marks: Marks | None) -> Follow:
    """What the runs of a repository start that were not looked at yet. Without marks all were: it begins from here."""
    found = Follow(marks={activity: dict(mark) for activity, mark in (marks or {}).items()})
    reached: dict[str, dict[str, Any]] = {}
    for run in runs:
        for activity, moment, attempt in _happened(run):
            mark = (marks or {}).get(activity) or {}
            at, known = str(mark.get("at", "")), mark.get("runs") or ()
            _reach(reached, activity, moment, attempt)
            if marks is not None and (moment > at or (moment == at and attempt not in known)):
                found.due.extend(_followers(standing, run, activity, attempt))
    for activity, mark in reached.items():
        old = (marks or {}).get(activity) or {}
        if mark["at"] == old.get("at"):
            mark["runs"] = sorted({*mark["runs"], *(old.get("runs") or ())})
        if mark["at"] >= str(old.get("at", "")):
            found.marks[activity] = mark  # type: ignore[index]
    return found


def _reach(reached: dict[str, dict[str, Any]], activity: str, moment: str, attempt: str) -> None:
    mark = reached.setdefault(activity, {"at": moment, "runs": []})
    if moment > mark["at"]:
        mark["at"], mark["runs"] = moment, []
    if moment == mark["at"]:
        mark["runs"] = sorted([*mark["runs"], attempt])


def _happened(run: Object) -> Iterator[tuple[str, str, str]]:
    """The activities of a run so far: which, when, and the attempt that it is of (`requested` never comes again)."""
    number = (run.get("status") or {}).get("attempt", 1)
    for activity, (part, name) in _MOMENTS.items():
        moment = (run.get(part) or {}).get(name)
        if moment:
            yield activity, str(moment), key_of(run).name + (f"/{number}" if activity != "requested" else "")


def _followers(standing: Standing, run: Object, activity: str, attempt: str) -> Iterator[Due]:
    spec = run["spec"]
    chain = chain_of(run) + 1
    if chain > LONGEST_CHAIN:
        return
    file = str(spec.get("workflow", ""))
    title = standing.titles.get(file, file)
    _, branch = ref_parts(str(spec.get("ref", "")))
    event = Event("workflow_run", ref=standing.ref, branch=branch, action=activity, source=title)
    for one in standing.followers:
        if matches(one, event).runs:
            cause = _cause(run, activity, title, branch)
            yield Due(one.file, "workflow_run", cause, f"workflow_run\0{activity}\0{attempt}", chain)


def _cause(run: Object, activity: str, title: str, branch: str) -> dict[str, str]:
    spec, status = run["spec"], run.get("status") or {}
    return {
        "action": activity,
        "id": str(run_id(key_of(run).name)),
        "run": key_of(run).name,
        "title": title,
        "workflow": str(spec.get("workflow", "")),
        "branch": branch,
        "commit": str(spec.get("commit", "")),
        "event": str(spec.get("event", "")),
        "number": str(spec.get("runNumber", "")),
        "attempt": str(status.get("attempt", 1)),
        "status": activity if activity != "requested" else "queued",
        "conclusion": str(status.get("conclusion") or "") if activity == "completed" else "",
    }


def chain_of(run: Object) -> int:
    """How many runs a run follows."""
    text = annotation(run, CHAIN) or ""
    return int(text) if text.isdecimal() else 0
