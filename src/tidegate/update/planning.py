"""What an automation is to change on top of a commit, and whether that may be: before anything is written."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from functools import partial

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.base.files import Files
from tidegate.base.frozen import frozen
from tidegate.engine.outcome import Context
from tidegate.git.repository import Repository
from tidegate.git.signing import sign_commit
from tidegate.git.values import Commit, Signature
from tidegate.kinds.image_policy import ImagePolicy
from tidegate.kinds.image_repository import ImageRepository
from tidegate.kinds.image_update_automation import ImageUpdateAutomation
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.kinds.rolled_back import RolledBack
from tidegate.oci.credentials import Access
from tidegate.oci.pull_secrets import image_access
from tidegate.update import feedback
from tidegate.update.annotations import NO_WISHES, Wishes
from tidegate.update.automation import chosen, plan_update, tree_path
from tidegate.update.batching import Wait, wait_for
from tidegate.update.edit import Edited
from tidegate.update.marker_index import MarkerIndex
from tidegate.update.message import safe_message
from tidegate.update.outcomes import Outcomes
from tidegate.update.respecting import Asker, History, without
from tidegate.update.reverts import Kept
from tidegate.update.rollback.message import rollback_message, taken_back
from tidegate.update.selections import GROUP, POLICY_KIND, Policies, Selections, observed_policies
from tidegate.update.target import Target

UNTOLD_LIMIT = 64
"""How far back a commit is looked for that a process which died has pushed."""


@frozen
class Work:
    """One reconciliation: whose it is, and where it writes."""

    obj: Object
    spec: ImageUpdateAutomation
    target: Target
    ctx: Context
    wishes: Wishes = NO_WISHES

    @property
    def author(self) -> Signature:
        """As git has it in the commits: without a name the email stands for it."""
        return Signature(self.spec.author_name or self.spec.author_email, self.spec.author_email)

    @property
    def namespace(self) -> str:
        return key_of(self.obj).namespace

    def made(self, commit: Commit) -> bool:
        """Whether a commit is by this automation, or by another one that has the same author."""
        return _is_by(commit, self.author)

    @property
    def last_push(self) -> str | None:
        """The commit that its status says was pushed last."""
        return (self.obj.get("status") or {}).get("lastPushCommit")


@frozen
class Result:
    """What it came to: the commit that it looked at, its own commit, if any, where the branch is with that, what is not
    pushed yet, or not at all since somebody rolled it back, and which policies' updates that commit takes back.
    """

    source: str
    references: Mapping[str, str]
    problems: tuple[str, ...]
    pushed: str | None = None
    message: str = ""
    head: str = ""
    waits: Wait | None = None
    kept: tuple[Kept, ...] = ()
    taken_back: Mapping[str, RolledBack] = field(default_factory=dict)


@frozen
class Plan:
    """What an automation is to change on top of a commit, by what was selected; `waits` where it does so later. Where
    something is `taken_back`, that alone, and at once.
    """

    work: Work
    selected: Selections
    edited: Edited
    message: str = ""
    waits: Wait | None = None
    kept: tuple[Kept, ...] = ()
    taken_back: Mapping[str, RolledBack] = field(default_factory=dict)

    @property
    def is_due(self) -> bool:
        """Whether there is something to push, and now."""
        return bool(self.edited.changes) and self.waits is None

    def result(self, source: str) -> Result:
        """The result as long as nothing is pushed."""
        problems = self.selected.problems(self.edited)
        return Result(
            source,
            self.selected.references,
            problems,
            waits=self.waits,
            kept=self.kept,
            taken_back=self.taken_back,
        )

    async def write(self, repository: Repository, parent: str) -> str:
        """Write the commit; no ref moves."""
        return await repository.write_commit(
            parent,
            self.edited.files,
            author=self.work.author,
            message=self.message,
            time=int(self.work.ctx.clock.now().timestamp()),
        )


class Planner:
    """Plans, and remembers what is where. `revision_of` answers from which commit an image was built."""

    def __init__(self, revision_of: Callable[[Access, str], Awaitable[str | None]]):
        self._revision_of = revision_of
        self.index = MarkerIndex()
        self._outcomes = Outcomes(self.index)
        self._history = History()
        self._named: dict[ObjectKey, frozenset[str]] = {}

    def names(self, automation: ObjectKey, policy: str) -> bool:
        """Whether the markers of an automation name a policy (`NS:NAME`). Where that is not known yet, each of its own
        namespace counts.
        """
        named = self._named.get(automation)
        return policy.startswith(f"{automation.namespace}:") if named is None else policy in named

    async def planned(
        self, works: Sequence[Work], policies: Policies, repository: Repository, commit: str
    ) -> list[Plan | Exception]:
        """A plan for each on top of a commit, or its error."""
        await self._read_far(works, policies)
        plans = await asyncio.to_thread(self._planned, works, policies, repository, commit)
        if await self._read_far(works, policies):
            plans = await asyncio.to_thread(self._planned, works, policies, repository, commit)
        return [await self._respecting(plan, repository, commit) for plan in plans]

    async def _respecting(self, plan: Plan | Exception, repository: Repository, commit: str) -> Plan | Exception:
        """The plan without what somebody has rolled back, where its automation wants that."""
        if isinstance(plan, Exception) or not plan.work.wishes.respect_rollback or not plan.edited.changes:
            return plan
        author = plan.work.author
        whose = f"{key_of(plan.work.obj)}\0{author.name}\0{author.email}"
        asker = Asker(whose, lambda one: _is_by(one, author))
        try:
            kept = await self._history.kept(repository, commit, plan.edited.changes, asker)
            edited = await without(repository, commit, plan.edited, kept) if kept else plan.edited
        except Exception as error:  # noqa: BLE001 - one automation's error is not the others'
            return error
        return replace(plan, edited=edited, kept=kept)

    async def policies_of(self, work: Work) -> Policies:
        """The policies that one automation may want, as they are now; of other namespaces, as far as is known which of
        them its markers name.
        """
        policies = await Policies.read(work.ctx.store, {work.namespace})
        await self._read_far([work], policies)
        return policies

    async def _read_far(self, works: Sequence[Work], policies: Policies) -> bool:
        """Read the policies of other namespaces that markers name; whether that brought any."""
        brought = [await policies.read_far(work.namespace, self._named.get(key_of(work.obj), ())) for work in works]
        return any(brought)

    def _planned(
        self,
        works: Sequence[Work],
        policies: Policies,
        repository: Repository,
        commit: str,
    ) -> list[Plan | Exception]:
        plans: list[Plan | Exception] = []
        with repository.files(commit) as files:
            for work in works:
                mine = policies.of(work.namespace, work.spec.policy_selector)
                try:
                    edited = self._outcomes.plan(files, work.spec.update_path, mine.references)
                except Exception as error:  # noqa: BLE001 - one automation's error is not the others'
                    plans.append(error)
                else:
                    self._named[key_of(work.obj)] = edited.policies
                    plans.append(self._plan(files, Plan(work, mine, edited)))
        return plans

    def _plan(self, files: Files, plan: Plan) -> Plan:
        """The plan, or where it takes something back the part of it that does: such a commit has nothing else in it."""
        back = taken_back(plan.selected.holds, plan.edited)
        if not back:
            return plan
        edited = plan_update(
            files,
            plan.work.spec.update_path,
            {policy: held.good for policy, held in back.items()},
            index=self.index,
            instead_of={policy: held.bad for policy, held in back.items()},
        )
        edited = replace(edited, missing=plan.edited.missing, problems=plan.edited.problems)
        return replace(plan, edited=edited, taken_back=back)

    async def prepared(self, plan: Plan | Exception, repository: Repository, head: str, *, ahead: bool = False) -> Plan:
        """What is asked before a commit is written, for all automations at the same time; `ahead` of its time too."""
        if isinstance(plan, Exception):
            raise plan
        plan = _waiting(plan)
        if not plan.is_due and not (ahead and plan.edited.changes):
            return plan
        # Else somebody's commit stands between, and this is no echo. What goes back to an earlier image is none either.
        if not plan.taken_back and await _is_own(repository, plan.work.author, head):
            await self._guard(repository, plan)
        message = await safe_message(plan.work.obj, plan.work.spec.message_template, plan.edited)
        if plan.taken_back:
            usual = message if plan.work.spec.message_template else ""
            message = rollback_message(plan.taken_back, plan.edited, usual)
        return replace(plan, message=message)

    async def _guard(self, repository: Repository, plan: Plan) -> None:
        work = plan.work
        for policy in {change.policy for change in plan.edited.changes}:
            image = next(change.reference for change in plan.edited.changes if change.policy == policy)
            await feedback.check(
                image,
                revision_of=partial(self._revision_of, await _access(policy, work.ctx)),
                is_own=partial(_is_own, repository, work.author),
                image_at=partial(self._image_at, repository, work.spec.update_path, policy),
            )

    async def _image_at(self, repository: Repository, path: str, policy: str, commit: str) -> str | None:
        """The image that a policy's marker had at a commit."""
        edited = await asyncio.to_thread(self._plan_one, repository, commit, path, policy)
        return next((change.old for change in edited.changes if change.policy == policy and ":" in change.old), None)

    def _plan_one(self, repository: Repository, commit: str, path: str, policy: str) -> Edited:
        with repository.files(commit) as files:
            return plan_update(files, path, {policy: "tidegate.invalid/none:none"}, index=self.index)


def _waiting(plan: Plan) -> Plan:
    """The plan, with the wait that its automation asks for: what goes back waits for nothing."""
    work, changes = plan.work, plan.edited.changes
    if not changes or plan.taken_back:
        return plan
    batch = max(work.wishes.batch, work.spec.policy_change_delay_seconds)
    waits = wait_for(changes, work.obj, work.ctx.clock.now(), batch=batch, window=work.wishes.window)
    return replace(plan, waits=waits)


async def signed(repository: Repository, work: Work, commit: str) -> str:
    """The commit with the signature that its automation wants, if any."""
    signing = work.target.signing
    return commit if signing is None else await sign_commit(repository, commit, signing)


async def untold(repository: Repository, head: str, work: Work, result: Result) -> Result:
    """A result without a commit, with the one that a process pushed which died before it could say so."""
    status = work.obj.get("status") or {}
    if result.waits or observed_policies(result.references, {}, work.namespace) == (
        status.get("observedPolicies") or {}
    ):
        return result
    created = datetime.fromisoformat(work.obj["metadata"]["creationTimestamp"]).timestamp()
    for commit in await repository.history(head, limit=UNTOLD_LIMIT):
        if commit.id == work.last_push or commit.time < created:
            break
        if _is_by(commit, work.author) and await _touches(repository, commit, work.spec.update_path):
            return replace(result, pushed=commit.id, message=commit.message.strip())
    return result


async def _touches(repository: Repository, commit: Commit, update_path: str) -> bool:
    """Whether a commit changed what an automation may: several that share an author push together."""
    changed = await repository.changed(next(iter(commit.parents), None), commit.id)
    return bool(chosen(changed, tree_path(update_path)))


async def _is_own(repository: Repository, author: Signature, commit: str) -> bool:
    try:
        return _is_by(await repository.log(commit), author)
    except (NotFound, InvalidInput):
        return False


def _is_by(commit: Commit, author: Signature) -> bool:
    return (commit.author.name, commit.author.email) == (author.name, author.email)


async def _access(policy: str, ctx: Context) -> Access:
    """How the image of a policy (`NS:NAME`) is scanned."""
    namespace, _, name = policy.partition(":")
    try:
        selecting = ImagePolicy.from_object(await ctx.store.get(ObjectKey(GROUP, POLICY_KIND, namespace, name)))
        scanned = ObjectKey(
            GROUP, "ImageRepository", selecting.repository_namespace or namespace, selecting.repository_name
        )
        return await image_access(ctx.store, ImageRepository.from_object(await ctx.store.get(scanned)))
    except NotFound:
        return Access()
