"""One look at a forge's open requests, and the runs that it starts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import Any

from tidegate.base.errors import TidegateError
from tidegate.base.frozen import frozen
from tidegate.engine.outcome import Context
from tidegate.git.repository import Repository
from tidegate.kinds.conditions import Condition, find
from tidegate.kinds.objects import Object
from tidegate.kinds.runner import Runner
from tidegate.kinds.workflow_run import WorkflowRun
from tidegate.runner.linking import workflows_at
from tidegate.runner.occasions import request_event
from tidegate.runner.request_runs import (
    Brought,
    RequestChange,
    handled_heads,
    request_changes,
    requested_change_run,
)
from tidegate.runner.request_watch import Look, RequestWatch
from tidegate.workflow.model import Workflow
from tidegate.workflow.triggers import Event, matches

PULL_REQUESTS = "PullRequests"
AT_ONCE = 20
"""Requests whose runs one look starts; the others are next."""
Create = Callable[[Object, str, str], Awaitable[bool]]
"""Stores the run of a workflow's file with what is wrong with that; whether it is new."""


@frozen
class Seen:
    """The names of new runs, the status to keep, the condition to show, and whether there is more to do at once."""

    created: list[str] = field(default_factory=list)
    status: Mapping[str, Any] = field(default_factory=dict)
    conditions: list[Condition] = field(default_factory=list)
    more: bool = False


async def see_requests(watch: RequestWatch, obj: Object, runner: Runner, ctx: Context, create: Create) -> Seen:
    """Look whether it is time to, and start what is to start. The first look starts nothing: what was open before
    somebody made the Runner is no news. What the forge refuses to tell is shown, and keeps nothing else from going on.
    """
    status = obj.get("status") or {}
    before = find(status.get("conditions") or [], PULL_REQUESTS)
    kept = [_again(before)] if before else []
    try:
        look = await watch.look(runner, ctx)
    except TidegateError as error:
        condition = Condition(PULL_REQUESTS, "False", error.code, error.explain())
        if before is None or before.get("message") != condition.message:
            await ctx.events.warning(obj, "PullRequestsUnknown", condition.message)
        return Seen(conditions=[condition])
    if look is None:
        return Seen(conditions=kept)
    known = status.get("pullRequests") or {}
    if status.get("lastPullRequest") is None:
        heads: dict[str, str | None] = {str(one.number): one.head_commit for one in look.requests}
        return _seen(look, heads, 0, [], {}, more=False)
    latest = int(status.get("lastPullRequest") or 0)
    forks = runner.pull_requests is None or runner.pull_requests.forks
    changes = request_changes(known, latest, look.requests, forks=forks)
    created: list[str] = []
    handled: dict[int, str] = {}
    failed: dict[int, str] = {}
    for change in changes[:AT_ONCE]:
        try:
            handled[change.request.number] = await _handle(watch, look, obj, runner, change, create, created)
        except TidegateError as error:
            failed[change.request.number] = error.explain()
    left = frozenset(change.request.number for change in changes) - handled.keys()
    heads = handled_heads(known, look.requests, handled, left)
    await watch.drop(look, [int(number) for number, head in heads.items() if head is None])
    return _seen(look, heads, latest, created, failed, more=len(changes) > AT_ONCE, left=left)


def _seen(
    look: Look,
    heads: Mapping[str, str | None],
    latest: int,
    created: list[str],
    failed: Mapping[int, str],
    *,
    more: bool,
    left: frozenset[int] = frozenset(),
) -> Seen:
    reached = max([latest, *(one.number for one in look.requests if one.number not in left)], default=latest)
    if failed:
        number, why = next(iter(failed.items()))
        rest = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        condition = Condition(PULL_REQUESTS, "False", "NotFetched", f"request {number}: {why}{rest}")
    else:
        message = f"{len(look.requests)} open pull requests at {look.forge.api}"
        condition = Condition(PULL_REQUESTS, "True", "Watched", message)
    return Seen(created, {"pullRequests": dict(heads), "lastPullRequest": reached}, [condition], more)


async def _handle(
    watch: RequestWatch,
    look: Look,
    obj: Object,
    runner: Runner,
    change: RequestChange,
    create: Create,
    created: list[str],
) -> str:
    """Create the runs of one request; the head that is handled now."""
    repository, brought = await watch.bring(look, change.request)
    workflows = await asyncio.to_thread(workflows_at, repository, brought.commit)
    head = await repository.log(brought.head)
    for file, problems in await _starts(repository, obj, runner, change, brought, workflows):
        run = requested_change_run(obj, runner, change, brought, file, problems, head)
        if await create(run, file, problems):
            created.append(run["metadata"]["name"])
    return brought.head


async def _starts(
    repository: Repository,
    obj: Object,
    runner: Runner,
    change: RequestChange,
    brought: Brought,
    workflows: Mapping[str, Workflow | str],
) -> list[tuple[str, str]]:
    """The workflows that a request starts; one that can't be read, with why, where the request changes it."""
    if not workflows:
        return []
    head = await repository.log(brought.head)
    probe = requested_change_run(obj, runner, change, brought, next(iter(workflows)), "", head)
    event = await request_event(repository, WorkflowRun.from_object(probe))
    return await asyncio.to_thread(_started, workflows, event)


def _started(workflows: Mapping[str, Workflow | str], event: Event) -> list[tuple[str, str]]:
    starts = []
    for file, one in workflows.items():
        if isinstance(one, str):
            if event.changed is None or file in event.changed:
                starts.append((file, one))
        elif matches(one, event).runs:
            starts.append((file, ""))
    return starts


def _again(condition: Mapping[str, Any]) -> Condition:
    return Condition(*(str(condition[name]) for name in ("type", "status", "reason", "message")))
