"""Who set a marked value, and what stood there before: read off the commits, so that nothing has to be remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound
from tidegate.base.frozen import frozen
from tidegate.git.repository import Repository
from tidegate.git.values import Commit, LineOrigin
from tidegate.kinds.rolled_back import split
from tidegate.update.automation import plan_update
from tidegate.update.edit import Change, Selected, present_value
from tidegate.update.marker import part_of
from tidegate.update.marker_index import MarkerIndex
from tidegate.update.markers import find_markers
from tidegate.update.planning import Work
from tidegate.update.rollback.message import is_rollback

_PROBE = f"tidegate.invalid/none:none@sha256:{'0' * 64}"
"""A reference that no marked value has: planning with it finds every value."""


@frozen
class Setting:
    """A marked value as it stands at a commit, the commit that set it, and the value before; None where that commit is
    not an automation's update.
    """

    change: Change
    commit: Commit
    before: str | None


async def settings(
    work: Work, repository: Repository, head: str, selected: tuple[str, str], index: MarkerIndex
) -> list[Setting]:
    """The values at `head` that have what was selected (a policy, `NS:NAME`, and its reference), and who set each."""
    policy = selected[0]
    edited = await asyncio.to_thread(_every_value, repository, head, work.spec.update_path, policy, index)
    reference = Selected.parse(selected[1])
    found = []
    for change in edited:
        if change.policy == policy and change.old == reference.part(part_of(change.setter)):
            origin = await repository.blame(head, change.path, change.line)
            commit = await repository.log(origin.commit)
            before = await _before(repository, commit, origin, change.setter) if work.made(commit) else None
            found.append(Setting(change, commit, None if is_rollback(commit.message) else before))
    return found


async def last_update(repository: Repository, found: Sequence[Setting]) -> list[Setting]:
    """What the newest of the updates among these commits has set. Empty where there is none, or where a person's commit
    came after it. An older one does not matter: a part that an update leaves as it is (the name, say) stays whose it
    was.
    """
    newest: Commit | None = None
    for setting in found:
        if setting.before is not None and (newest is None or await _is_newer(repository, setting.commit, newest)):
            newest = setting.commit
    if newest is None:
        return []
    for setting in found:
        if setting.before is None and await _is_newer(repository, setting.commit, newest):
            return []
    return [setting for setting in found if setting.before is not None and setting.commit.id == newest.id]


async def set_after(work: Work, repository: Repository, found: Sequence[Setting], commit: str) -> bool:
    """Whether a person has set one of these values after a commit."""
    theirs = {setting.commit.id for setting in found if not work.made(setting.commit)}
    return any([one != commit and await repository.is_ancestor(commit, one) for one in theirs])


async def _is_newer(repository: Repository, one: Commit, than: Commit) -> bool:
    return one.id != than.id and await repository.is_ancestor(than.id, one.id)


def back_to(found: Iterable[Setting], reference: str) -> str | None:
    """The reference that the values before come to; None where that is none with another tag or digest of the same
    image.
    """
    name, tag, digest = split(reference)
    parts = {"name": name, "tag": tag, "digest": digest}
    for setting in found:
        if setting.before is None:
            return None
        parts |= _parts(part_of(setting.change.setter), setting.before)
    good = f"{parts['name']}:{parts['tag']}" + (f"@{parts['digest']}" if parts["digest"] else "")
    try:
        Selected.parse(good)
    except InvalidInput:
        return None
    return good if parts["name"] == name and parts["tag"] and good != reference else None


def _parts(part: str, value: str) -> Mapping[str, str]:
    if part:
        return {part: value}
    return dict(zip(("name", "tag", "digest"), split(value), strict=True))


def _every_value(repository: Repository, commit: str, path: str, policy: str, index: MarkerIndex) -> Sequence[Change]:
    with repository.files(commit) as files:
        return plan_update(files, path, {policy: _PROBE}, index=index).changes


async def _before(repository: Repository, commit: Commit, origin: LineOrigin, setter: str) -> str | None:
    """The marked value on the same line of the commit's parent, which an update of ours never moves."""
    if not commit.parents:
        return None
    return await asyncio.to_thread(_value_at, repository, commit.parents[0], origin, setter)


def _value_at(repository: Repository, commit: str, origin: LineOrigin, setter: str) -> str | None:
    with repository.files(commit) as files:
        try:
            markers = find_markers(files.read(origin.path)).markers
        except (NotFound, LimitExceeded):
            return None
    values = (present_value(one) for one in markers if (one.line, one.setter) == (origin.line, setter))
    return next(values, None)
