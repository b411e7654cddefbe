"""What an automation would push now, for people to look at: the diff, the message, and what stands in its way.

It reads the remote as it is and plans as the controller does; nothing is pushed, no status or event is written.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import Any

from tidegate.base.errors import InvalidInput, TidegateError
from tidegate.base.frozen import frozen
from tidegate.base.showing import showable
from tidegate.engine.outcome import Context, Stalled
from tidegate.git.origins import Origins
from tidegate.git.repository import Repository
from tidegate.kinds.objects import Object
from tidegate.update import feedback
from tidegate.update.apart import plan_apart, was_pushed
from tidegate.update.diff import unified_diff
from tidegate.update.planning import Plan, Planner, Work
from tidegate.update.selections import Policies
from tidegate.update.works import work_of

NOTE_LENGTH = 1000


@frozen
class Preview:
    """A commit that would be pushed: to where, on top of which commit, by whom, with which message and which diff (as
    `git apply` takes it). Without a diff there is nothing to push. `notes` say what is left alone, and what waits.
    """

    target: str
    parent: str
    author: str = ""
    message: str = ""
    diff: str = ""
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As a door sends it."""
        return asdict(self) | {"notes": list(self.notes)}


async def preview(origins: Origins, planner: Planner, obj: Object, ctx: Context) -> Preview:
    """What an ImageUpdateAutomation would push now. InvalidInput for what would stall it; else as `reconcile`."""
    work = await work_of(obj, ctx)
    if isinstance(work, Stalled):
        raise InvalidInput(work.message, code=work.reason)
    try:
        return await _previewed(origins, planner, work)
    except feedback.LoopFoundError as loop:
        raise InvalidInput(f"it would be suspended: {loop.explain()}", code="FeedbackLoop") from None


async def _previewed(origins: Origins, planner: Planner, work: Work) -> Preview:
    policies = await Policies.read(work.ctx.store, {work.namespace})
    target = work.target
    if not target.is_shared:
        apart = await plan_apart(origins, planner, work, policies, ahead=True)
        if await _was_pushed(origins, apart.repository, apart.base, apart.plan):
            return _nothing(apart.base, apart.plan)
        return await _shown(apart.repository, apart.base, apart.plan)
    repository, head = await origins.read(
        target.url, target.ref, credentials=target.credentials, timeout=target.timeout
    )
    (planned,) = await planner.planned([work], policies, repository, head)
    return await _shown(repository, head, await planner.prepared(planned, repository, head, ahead=True))


async def _shown(repository: Repository, base: str, plan: Plan) -> Preview:
    nothing = _nothing(base, plan)
    if not plan.edited.changes:
        return nothing
    lines = await asyncio.to_thread(_diff, repository, base, plan)
    author = f"{plan.work.author.name} <{plan.work.author.email}>"
    return replace(nothing, author=author, message=plan.message, diff=lines)


def _nothing(base: str, plan: Plan) -> Preview:
    """A preview with nothing to push, and what there is to note."""
    work, notes = plan.work, list(plan.result(base).problems)
    notes += [one.explain() for one in plan.kept]
    if plan.waits is not None:
        notes.append(plan.waits.headline())
    if work.spec.suspend:
        notes.append("it is suspended, and so pushes nothing")
    return Preview(work.target.described(), base, notes=tuple(showable(one, NOTE_LENGTH) for one in notes))


async def _was_pushed(origins: Origins, repository: Repository, base: str, plan: Plan) -> bool:
    """Whether the same was pushed to a ref that no branch shows, as to Gerrit's."""
    target, last = plan.work.target, plan.work.last_push
    if target.push_branch is not None or last is None or not plan.edited.changes:
        return False
    try:
        await origins.read(target.url, last, credentials=target.credentials, timeout=target.timeout)
    except TidegateError:
        return False  # it is not there any more, or not for everybody
    return await was_pushed(origins, repository, plan.work, await plan.write(repository, base))


def _diff(repository: Repository, base: str, plan: Plan) -> str:
    with repository.files(base) as files:
        return b"".join(unified_diff(files.read, plan.edited.files)).decode("utf-8", "replace")
