"""From the open pull requests that were handled and those that are open now to runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.forge.open_requests import OpenRequest
from tidegate.git.values import Commit
from tidegate.kinds.objects import Object, ObjectKey
from tidegate.kinds.runner import GROUP, Runner
from tidegate.kinds.workflow_run import KIND as RUN_KIND
from tidegate.kinds.workflow_run import WorkflowRun
from tidegate.runner.names import PROBLEMS, run_name
from tidegate.runner.run_objects import PROBLEMS_LIMIT, stored_form

EVENT = "pull_request"
OPENED, SYNCHRONIZE, REOPENED = "opened", "synchronize", "reopened"
ACTIVITIES = (OPENED, SYNCHRONIZE, REOPENED)
"""What is told from one look to the next; of labels, reviews and closing nothing is seen."""


@frozen
class RequestChange:
    """A request that is new, or whose branch has moved."""

    request: OpenRequest
    action: str


@frozen
class Brought:
    """A request's commits, which are here: the one to run, the branch's own, the base's; and the remote's ref that has
    the first.
    """

    commit: str
    head: str
    base: str
    ref: str


def request_changes(
    known: Mapping[str, str], latest: int, present: Sequence[OpenRequest], *, forks: bool
) -> list[RequestChange]:
    """What happened since the last look, the oldest first. `known` are the heads by number, `latest` the highest number
    that was ever seen: one that comes back was closed meanwhile.
    """
    found = []
    for one in sorted(present, key=lambda request: request.number):
        before = known.get(str(one.number))
        if before == one.head_commit or (one.is_fork and not forks):
            continue
        action = SYNCHRONIZE if before is not None else REOPENED if one.number <= latest else OPENED
        found.append(RequestChange(one, action))
    return found


def handled_heads(
    known: Mapping[str, str], present: Sequence[OpenRequest], handled: Mapping[int, str], put_off: frozenset[int]
) -> dict[str, str | None]:
    """The heads to remember, as a patch: None for a request that is open no more, those that were `handled` as they
    were fetched. What was `put_off` stays as it was.
    """
    heads: dict[str, str | None] = dict.fromkeys(known)
    for one in present:
        name = str(one.number)
        heads[name] = known.get(name) if one.number in put_off else handled.get(one.number, one.head_commit)
    return {name: head for name, head in heads.items() if head is not None or name in known}


def github_ref(number: int | str) -> str:
    """`github.ref` of a request, whatever its forge calls it."""
    return f"refs/pull/{number}/merge"


def requested_change_run(
    runner_object: Object,
    runner: Runner,
    change: RequestChange,
    brought: Brought,
    file: str,
    problems: str,
    head: Commit,
) -> Object:
    """The run of a workflow that a request starts; `problems` says what is wrong with its file, `head` is the commit of
    the request's branch.
    """
    one = change.request
    ref = github_ref(one.number)
    name = run_name(runner.repository, file, ref, f"{change.action}\0{brought.base}", brought.commit, 0)
    run = WorkflowRun(
        key=ObjectKey(GROUP, RUN_KIND, runner_object["metadata"].get("namespace", "default"), name),
        version="v1alpha1",
        repository=runner.repository,
        workflow=file,
        event=EVENT,
        ref=ref,
        commit=brought.commit,
        actor=one.user or runner.repository.partition("/")[0],
        base=one.base,
        cause=cause_of_request(change, brought),
    )
    return stored_form(runner_object, run, head, {PROBLEMS: problems[:PROBLEMS_LIMIT]} if problems else {})


def cause_of_request(change: RequestChange, brought: Brought) -> dict[str, str]:
    """What a run keeps of its request."""
    one = change.request
    found = {
        "action": change.action,
        "number": str(one.number),
        "title": one.title,
        "user": one.user,
        "url": one.url,
        "branch": one.head,
        "head": brought.head,
        "base": brought.base,
        "headRepository": one.head_repository,
        "fetched": brought.ref,
        "draft": "true" if one.is_draft else "",
        "fork": "true" if one.is_fork else "",
    }
    return {name: value for name, value in found.items() if value}


def is_of_forge(run: WorkflowRun) -> bool:
    """Whether a run is of a request on a forge, with all that this takes; else it was asked for by hand."""
    cause = run.cause
    return cause.get("number", "").isdecimal() and all(cause.get(name) for name in ("action", "head", "base"))


def request_payload(run: WorkflowRun, common: Mapping[str, Any]) -> dict[str, Any]:
    """`github.event` of a request on a forge; `common` is what every payload has."""
    cause, repository = run.cause, common["repository"]
    number = int(cause["number"])
    head_repository = cause.get("headRepository", "")
    owner, _, short = head_repository.partition("/")
    of_head: dict[str, Any] | None = dict(repository)
    if cause.get("fork"):
        whose = {"full_name": head_repository, "name": short, "owner": {"login": owner}}
        of_head = {**whose, "fork": True} if head_repository else None
    request = {
        "number": number,
        "title": cause.get("title", ""),
        "state": "open",
        "draft": cause.get("draft") == "true",
        "merged": False,
        "merge_commit_sha": run.commit if run.commit != cause["head"] else None,
        "html_url": cause.get("url", ""),
        "user": {"login": cause.get("user", "")},
        "head": {"ref": cause.get("branch", ""), "sha": cause["head"], "repo": of_head},
        "base": {"ref": run.base, "sha": cause["base"], "repo": repository},
    }
    sender = {"login": cause.get("user", "")}
    return {**common, "sender": sender, "action": cause["action"], "number": number, "pull_request": request}
