"""From the refs that were handled and the refs that are there to pushes, and from a push to its event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tidegate.base.errors import CommandFailed, NotFound
from tidegate.base.frozen import frozen
from tidegate.git.repository import HISTORY_LIMIT, Repository
from tidegate.git.values import Commit, Signature
from tidegate.workflow.triggers import Event

ZERO = "0" * 40
TAGS_AT_ONCE = 3
COMMITS_SHOWN = 20
REF_KINDS = ("refs/heads/", "refs/tags/")


@frozen
class RefChange:
    """A ref that moved from `old` (None: it is new) to `new`."""

    ref: str
    old: str | None
    new: str


def changes(handled: Mapping[str, str], present: Mapping[str, str]) -> list[RefChange]:
    """The branches and tags that are new or elsewhere, sorted. A ref that is gone starts nothing.

    As on GitHub, more than three new tags at once start nothing: they are taken for a copy of a history.
    """
    passed_over = many_tags(handled, present)
    return [change for change in _moved(handled, present) if change not in passed_over]


def many_tags(handled: Mapping[str, str], present: Mapping[str, str]) -> list[RefChange]:
    """The tags that start nothing, since there are too many new ones at once."""
    tags = [change for change in _moved(handled, present) if change.ref.startswith("refs/tags/")]
    return tags if len(tags) > TAGS_AT_ONCE else []


def _moved(handled: Mapping[str, str], present: Mapping[str, str]) -> list[RefChange]:
    return [
        RefChange(ref, handled.get(ref), commit)
        for ref, commit in sorted(present.items())
        if ref.startswith(REF_KINDS) and handled.get(ref) != commit
    ]


async def push_event(repository: Repository, change: RefChange, *, name: str, known: str | None) -> Event:
    """The push event of a ref that moved; `known` is a commit that was handled before (the default branch's).

    As on GitHub the files are those that differ between the old and the new commit; for a new branch, from the parent
    of its first own commit on, and without a commit of its own, none.
    """
    return Event(
        "push",
        ref=change.ref,
        before=change.old or ZERO,
        after=change.new,
        changed=await _changed(repository, change, known),
        message=(await repository.log(change.new)).message,
        payload=await push_payload(repository, change, name=name),
    )


async def push_payload(repository: Repository, change: RefChange, *, name: str) -> dict[str, Any]:
    """`github.event` of a push, with its last commits."""
    head = await repository.log(change.new)
    try:
        commits = await repository.history(change.new, since=change.old, limit=COMMITS_SHOWN)
    except CommandFailed:  # the old commit is gone
        commits = [head]
    forced = change.old is not None and not await _descends(repository, change.old, change.new)
    return await base_payload(repository, name) | _payload(change, head, commits, forced=forced)


async def base_payload(repository: Repository, name: str) -> dict[str, Any]:
    """What the payload of every event has: the repository `name`, and who sends it."""
    default = (await repository.head() or "refs/heads/main").removeprefix("refs/heads/")
    owner, _, short = name.partition("/")
    return {
        "repository": {
            "name": short,
            "full_name": name,
            "owner": {"name": owner, "login": owner},
            "default_branch": default,
        },
        "sender": {"login": owner},
    }


async def _changed(repository: Repository, change: RefChange, known: str | None) -> list[str] | None:
    base = change.old
    if base is None and known is not None:
        commits = await repository.history(change.new, since=known, limit=HISTORY_LIMIT)
        if not commits:
            return []
        base = commits[-1].parents[0] if commits[-1].parents else None
    try:
        return await repository.changed(base, change.new)
    except CommandFailed:
        return None  # the old commit is gone: what changed is not known


async def _descends(repository: Repository, old: str, new: str) -> bool:
    try:
        return await repository.is_ancestor(old, new)
    except NotFound:
        return False


def _payload(change: RefChange, head: Commit, commits: list[Commit], *, forced: bool) -> dict[str, Any]:
    return {
        "ref": change.ref,
        "before": change.old or ZERO,
        "after": change.new,
        "base_ref": None,
        "created": change.old is None,
        "deleted": False,
        "forced": forced,
        "pusher": {"name": head.author.name, "email": head.author.email},
        "head_commit": _commit(head),
        "commits": [_commit(commit) for commit in reversed(commits)],
    }


def _commit(commit: Commit) -> dict[str, Any]:
    return {
        "id": commit.id,
        "tree_id": commit.tree,
        "message": commit.message.rstrip("\n"),
        "timestamp": datetime.fromtimestamp(commit.time, UTC).isoformat().replace("+00:00", "Z"),
        "author": _person(commit.author),
        "committer": _person(commit.committer),
    }


def _person(signature: Signature) -> dict[str, str]:
    return {"name": signature.name, "email": signature.email, "username": signature.name}
