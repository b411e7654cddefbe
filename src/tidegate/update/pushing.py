"""Writes what the policies selected into a branch: a commit for each automation, one push for all that came meanwhile.

Automations of one branch take turns, since only one of them could win. A push compares; a branch that is shared with
people is never forced.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from tidegate.base.errors import Conflict, Denied, NotFound
from tidegate.base.steps import Step, reach
from tidegate.engine.groups import Groups
from tidegate.git.origins import Origins
from tidegate.git.repository import Repository
from tidegate.kinds.objects import ObjectKey
from tidegate.oci.credentials import Access
from tidegate.update.apart import update_apart
from tidegate.update.planning import Plan, Planner, Result, Work, signed, untold
from tidegate.update.selections import Policies
from tidegate.update.target import Target

ATTEMPTS = 6
TOGETHER = 16
"""How many automations' commits are pushed at once; fewer than those among which an untold one is looked for."""

Answer = Result | Exception
T = TypeVar("T")


class Pusher:
    """Makes the commits of automations and pushes them. `revision_of` answers from which commit an image was built."""

    def __init__(self, origins: Origins, revision_of: Callable[[Access, str], Awaitable[str | None]]):
        self._origins = origins
        self.planner = Planner(revision_of)
        self._groups: Groups[Target, Work, Result] = Groups(self._group, most=TOGETHER)
        self._turns: dict[tuple[str, str], asyncio.Lock] = {}
        self._random = random.Random()  # noqa: S311 - jitter is no secret

    async def update(self, work: Work) -> Result:
        """Bring the branch to what is selected now, as one commit of this automation, or find nothing to do. Raises
        feedback.LoopFoundError, Conflict where somebody else is always first, Denied, NotFound, Unavailable.
        """
        if work.target.is_shared:
            return await self._groups.add(work.target, work)
        async with self._turn(work.target):
            policies = await _policies([work])
            return await self._insistent([work], lambda: update_apart(self._origins, self.planner, work, policies))

    def names(self, automation: ObjectKey, policy: str) -> bool:
        """Whether the markers of an automation name a policy (`NS:NAME`), as far as is known."""
        return self.planner.names(automation, policy)

    def _turn(self, target: Target) -> asyncio.Lock:
        return self._turns.setdefault((target.url, target.branch), asyncio.Lock())

    async def _group(self, works: Sequence[Work]) -> list[Answer]:
        async with self._turn(works[0].target):
            # What is selected is read in one's turn: an older selection on top of a newer one would take it back.
            policies = await _policies(works)
            done = await self._optimistic(works, policies)
            if left := [work for work in works if id(work) not in done]:
                done |= await self._insistent(left, lambda: self._attempt(left, policies))
            return [done[id(work)] for work in works]

    async def _optimistic(self, works: Sequence[Work], policies: Policies) -> dict[int, Answer]:
        """Commit on top of the branch as it was last seen: a push compares, so no question need come before it. Of
        those that it does not answer, the branch has to be read.
        """
        target = works[0].target
        seen = await self._origins.last_seen(target.url, target.ref)
        if seen is None:
            return {}
        try:
            answers = await self._pass(works, policies, *seen)
        except Conflict as error:
            await _tell_retry(works, error)
            return {}
        if not any(isinstance(answer, Result) and answer.pushed for answer in answers.values()):
            # Who is refused is not heard a second time; anything else may come of a branch that has moved.
            return {work: answer for work, answer in answers.items() if isinstance(answer, Denied)}
        # A branch that took the push was where it was thought to be.
        known = [work for work in works if not isinstance(answers[id(work)], NotFound)]
        return await _with_untold(known, answers, *seen)

    async def _insistent(self, works: Sequence[Work], attempt: Callable[[], Awaitable[T]]) -> T:
        """Try again on top where somebody pushed first, a bounded number of times."""
        for number in range(1, ATTEMPTS):
            try:
                return await attempt()
            except Conflict as error:
                await _tell_retry(works, error)
                await works[0].ctx.clock.sleep(self._random.uniform(0.05, 0.25) * number)
        return await attempt()

    async def _attempt(self, works: Sequence[Work], policies: Policies) -> dict[int, Answer]:
        target = works[0].target
        repository, head = await self._origins.read(
            target.url, target.ref, credentials=target.credentials, timeout=target.timeout
        )
        return await _with_untold(works, await self._pass(works, policies, repository, head), repository, head)

    async def _pass(
        self, works: Sequence[Work], policies: Policies, repository: Repository, head: str
    ) -> dict[int, Answer]:
        """Commit for all on top of `head`, and push once. Conflict where the branch is no longer there."""
        planned = await self.planner.planned(works, policies, repository, head)
        prepared = await asyncio.gather(
            *(self.planner.prepared(plan, repository, head) for plan in planned), return_exceptions=True
        )
        answers: dict[int, Answer] = {}
        tip, changed = head, set[str]()
        for work, plan in zip(works, prepared, strict=True):
            if isinstance(plan, Exception):
                answers[id(work)] = plan
            elif isinstance(plan, BaseException):
                raise plan
            else:
                answers[id(work)] = answer = await self._committed(plan, policies, repository, (head, tip), changed)
                if isinstance(answer, Result) and answer.pushed:
                    tip = answer.pushed
        return await self._pushed(works[0].target, repository, tip, head, answers) if tip != head else answers

    async def _committed(
        self, plan: Plan, policies: Policies, repository: Repository, place: tuple[str, str], changed: set[str]
    ) -> Answer:
        """A commit on top of those of the others (`place`: the branch, and the last of these); planned again where one
        of them has changed the same files.
        """
        work, (head, tip) = plan.work, place
        try:
            if changed.intersection(plan.edited.files):
                (again,) = await self.planner.planned([work], policies, repository, tip)
                plan = await self.planner.prepared(again, repository, head)
            if not plan.is_due:
                return plan.result(head)
            commit = await signed(repository, work, await plan.write(repository, tip))
        except Exception as error:  # noqa: BLE001 - one automation's error is not the others'
            return error
        reach(Step.COMMIT_WRITTEN)
        changed.update(plan.edited.files)
        return replace(plan.result(head), pushed=commit, message=plan.message)

    async def _pushed(
        self, target: Target, repository: Repository, tip: str, head: str, answers: dict[int, Answer]
    ) -> dict[int, Answer]:
        made = {work: one for work, one in answers.items() if isinstance(one, Result) and one.pushed}
        try:
            await self._origins.push(
                target.url,
                repository,
                tip,
                target.branch,
                head,
                credentials=target.credentials,
                options=target.options,
                timeout=target.timeout,
            )
        except Conflict:
            raise
        except Exception as error:  # noqa: BLE001 - it is that of those who had something to push
            return answers | dict.fromkeys(made, error)
        reach(Step.COMMIT_PUSHED)
        return answers | {work: replace(one, head=tip) for work, one in made.items()}


async def _policies(works: Sequence[Work]) -> Policies:
    return await Policies.read(works[0].ctx.store, {work.namespace for work in works})


async def _tell_retry(works: Sequence[Work], error: Conflict) -> None:
    message = f"somebody pushed first, redoing the update on top: {error}"
    for work in works:
        await work.ctx.events.normal(work.obj, "PushRetry", message)


async def _with_untold(
    works: Sequence[Work], answers: Mapping[int, Answer], repository: Repository, head: str
) -> dict[int, Answer]:
    """The answers of these works; where there was nothing to push, with what was pushed before and never told."""
    told: dict[int, Answer] = {}
    for work in works:
        answer = answers[id(work)]
        if isinstance(answer, Result) and not answer.pushed:
            answer = await untold(repository, head, work, answer)
        told[id(work)] = answer
    return told
