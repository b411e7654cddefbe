"""Watches whether what an automation has committed becomes ready, and says what is to be taken back.

It changes nothing in Git: it marks the policy, and the update that follows goes back to the reference before. So a
crash between the two loses nothing, and that commit is made, signed and pushed like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tidegate.base.errors import NotFound
from tidegate.engine.ports import LastLines
from tidegate.git.origins import Origins
from tidegate.git.repository import Repository
from tidegate.kinds.accepting import moment
from tidegate.kinds.common import mapping
from tidegate.kinds.conditions import Condition
from tidegate.kinds.objects import Object, ObjectKey
from tidegate.kinds.rolled_back import ROLLED_BACK as HOLD
from tidegate.kinds.rolled_back import RolledBack, split
from tidegate.update.planning import Planner, Work
from tidegate.update.rollback.authorship import back_to, last_update, set_after, settings
from tidegate.update.rollback.evidence import Evidence
from tidegate.update.rollback.verdict import (
    GIVEN_UP,
    OWN_BRANCH,
    ROLLED_OUT,
    Look,
    holds_condition,
    is_settled,
    next_look,
    settled,
    too_late,
    watching,
)
from tidegate.update.rollback.workloads import Rollout
from tidegate.update.selections import GROUP, POLICY_KIND, Selections

SKEW = timedelta(minutes=1)
"""As much may the clock of who keeps the objects differ from the one of the commits."""
MANAGER = "image-automation-controller"


@dataclass(slots=True)
class _Found:
    """What looking at the workloads came to: those that still have time to become ready, when something is to be looked
    at again, what else to say, and whether anything is open yet.
    """

    waits: list[tuple[str, datetime]] = field(default_factory=list)
    dues: list[datetime] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    open: bool = False

    def until(self, due: datetime, name: str | None = None) -> None:
        self.open = True
        self.dues.append(due)
        self.waits += [(name, due)] if name else []


class Watch:
    """One for a process; `last_lines` reads logs where a home has them elsewhere than in the pod's status."""

    def __init__(self, origins: Origins, planner: Planner, last_lines: LastLines | None = None):
        self._origins = origins
        self._planner = planner
        self._last_lines = last_lines

    async def look(self, work: Work, after: float) -> Look:
        """Look at the workloads of what was committed, which have `after` seconds to become ready."""
        if not work.target.is_shared:
            message = "commits go to another branch than the one that is read, so none is taken back"
            return Look((Condition(ROLLED_OUT, "Unknown", OWN_BRANCH, message),))
        policies = await self._planner.policies_of(work)
        mine = await self._without_old_holds(work, policies.of(work.namespace, work.spec.policy_selector))
        commit = work.last_push
        if commit is None:
            return Look(holds_condition(mine.holds))
        if is_settled(work.obj, commit):
            return Look((settled(commit), *holds_condition(mine.holds)))
        return await self._watch(work, mine, commit, after)

    async def _watch(self, work: Work, mine: Selections, commit: str, after: float) -> Look:
        evidence = Evidence(work.ctx.store, work.target.url, self._last_lines)
        own = {policy: text for policy, text in mine.references.items() if _is_own(work, policy)}
        open_ones = {policy: text for policy, text in own.items() if policy not in mine.holds}
        found, holds = _Found(), dict(mine.holds)
        for rollout in await evidence.rollouts(open_ones):
            if rollout.policy in holds:
                continue
            if (held := await self._judge(work, evidence, rollout, after, found)) is not None:
                holds[rollout.policy] = held
                await self._hold(work, rollout.policy, held)
        now = work.ctx.clock.now()
        if not found.open and await self._has_had_its_time(work, evidence, commit, after, now):
            return Look((settled(commit), *holds_condition(holds)))
        shown = watching(commit, after, found.waits, found.notes)
        return Look((shown, *holds_condition(holds)), next_look(after, now, found.dues))

    async def _judge(
        self, work: Work, evidence: Evidence, rollout: Rollout, after: float, found: _Found
    ) -> RolledBack | None:
        """What is to be taken back because of a workload; None where nothing is, which `found` has the reason of."""
        now, given = work.ctx.clock.now(), timedelta(seconds=after)
        pods = () if rollout.is_ready else await evidence.pods(rollout)
        due = (rollout.since(pods) or now) + given
        if now < due:
            found.until(due, None if rollout.is_ready else str(rollout.key))
        if now < due or rollout.is_ready or not rollout.may_fail:
            return None
        repository, head = await self._read(work)
        set_there = await settings(work, repository, head, (rollout.policy, rollout.reference), self._planner.index)
        updated = await last_update(repository, set_there)
        if not updated:
            return None  # a person has set it, or it is what was gone back to
        newest = updated[0].commit
        set_at = datetime.fromtimestamp(newest.time, now.tzinfo)
        if due - given < set_at - SKEW:
            return None  # it had that image before
        due = max(due, set_at + given)
        if now < due:
            found.until(due, str(rollout.key))
            return None
        if not await _reached(repository, newest.id, rollout.revisions):
            found.open = True
            return None
        good = back_to(updated, rollout.reference)
        if good is None or too_late(work.obj, due, now):
            why = "there is no earlier tag to go back to" if good is None else "its time was over long ago"
            found.notes.append(f"{rollout.key} is not ready with {rollout.reference}, and {why}")
            return None
        return RolledBack(rollout.reference, good, newest.id, await evidence.cause(rollout))

    async def _read(self, work: Work) -> tuple[Repository, str]:
        target = work.target
        return await self._origins.read(target.url, target.ref, credentials=target.credentials, timeout=target.timeout)

    async def _hold(self, work: Work, policy: str, held: RolledBack) -> None:
        """Mark the policy: from now on neither it nor an update goes to that reference."""
        patched = await _mark(work, policy, held)
        await work.ctx.events.warning(patched, "RolledBack", held.words())

    async def _without_old_holds(self, work: Work, mine: Selections) -> Selections:
        """The selections, without the holds that are over: something newer is selected, or a person has set again what
        was taken back.
        """
        holds, selected = dict(mine.holds), dict(mine.selected)
        for policy, held in mine.holds.items():
            if not _is_own(work, policy):
                continue
            named = mine.named[policy]
            if _is_over(held, named):
                await _mark(work, policy, None)
                selected[policy] = named
            elif not held.released and await self._set_again(work, policy, held):
                await _mark(work, policy, replace(held, released=True))
                selected[policy] = held.bad
            elif not held.released:
                continue
            del holds[policy]
        return replace(mine, selected=selected, holds=holds)

    async def _set_again(self, work: Work, policy: str, held: RolledBack) -> bool:
        repository, head = await self._read(work)
        found = await settings(work, repository, head, (policy, held.bad), self._planner.index)
        try:
            return await set_after(work, repository, found, held.commit)
        except NotFound:  # the commit is no more: somebody has rewritten the branch
            return False

    async def _has_had_its_time(self, work: Work, evidence: Evidence, commit: str, after: float, now: datetime) -> bool:
        pushed = moment(mapping(work.obj.get("status")).get("lastPushTime"))
        if pushed is None or now - pushed < timedelta(seconds=after):
            return False
        applied = await evidence.applied()
        if not applied or now - pushed > GIVEN_UP:
            return True
        if not all(applied):
            return False
        repository, _ = await self._read(work)
        return all([await _reached(repository, commit, [revision]) for revision in set(applied)])


async def _reached(repository: Repository, commit: str, revisions: Sequence[str]) -> bool:
    """Whether one of the revisions has the commit."""
    for revision in revisions:
        try:
            if await repository.is_ancestor(commit, revision):
                return True
        except NotFound:
            continue
    return False


def _is_own(work: Work, policy: str) -> bool:
    """Whether a policy (`NS:NAME`) is of the automation's namespace: another's may be read where it allows that, and is
    not for us to mark, since the mark changes what every namespace gets.
    """
    return policy.startswith(f"{work.namespace}:")


def _is_over(held: RolledBack, named: str | None) -> bool:
    """Whether a policy names something else by now than what was taken back and what was gone back to."""
    if held.released:
        return named != held.good
    if named is None or named in (held.bad, held.good):
        return False
    return held.good_tag == held.bad_tag or split(named)[1] != held.good_tag


async def _mark(work: Work, policy: str, held: RolledBack | None) -> Object:
    """Write the annotation of a policy (`NS:NAME`), or remove it. Under our own name, so that a Kustomization which
    applies the policy leaves it.
    """
    namespace, _, name = policy.partition(":")
    patch = {"metadata": {"annotations": {HOLD: None if held is None else held.value()}}}
    return await work.ctx.store.patch(ObjectKey(GROUP, POLICY_KIND, namespace, name), patch, manager=MANAGER)
