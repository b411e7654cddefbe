"""Reconciles ImageUpdateAutomation: what the policies selected is written into Git, as one commit on the branch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from tidegate.base.errors import TidegateError
from tidegate.base.showing import showable
from tidegate.engine.clock import rfc3339
from tidegate.engine.finalizers import let_go
from tidegate.engine.journey import ready_message
from tidegate.engine.misspelt import Misspelt
from tidegate.engine.outcome import Context, Handled, Outcome, Ready, Stalled, Trigger
from tidegate.engine.ports import LastLines
from tidegate.git.origins import Origins
from tidegate.kinds.common import mapping
from tidegate.kinds.conditions import MESSAGE_LIMIT, READY, Condition, find
from tidegate.kinds.objects import Object, ObjectKey, annotation, key_of
from tidegate.oci.credentials import Access
from tidegate.update import feedback
from tidegate.update.annotations import ROLLBACK_AFTER, UPDATING, PullRequestWish, unknown_annotations
from tidegate.update.batching import PENDING, PENDING_SINCE
from tidegate.update.failures import GIT_FAILED, SOURCE_FAILED, stalled_or_raised
from tidegate.update.planning import Result, Work
from tidegate.update.preview import Preview, preview
from tidegate.update.pushing import Pusher
from tidegate.update.reverts import RESPECTED, SHOWN, condition, headline
from tidegate.update.rollback.verdict import ROLLED_OUT, Look
from tidegate.update.selections import GROUP, POLICY_KIND, observed_policies, selected_and_wanted
from tidegate.update.works import SOURCE_GROUP, SOURCE_KIND, work_of

KIND = "ImageUpdateAutomation"
APPLIER_GROUP, APPLIER_KIND = "kustomize.toolkit.fluxcd.io", "Kustomization"
UP_TO_DATE = "repository up-to-date"
PROBLEMS_SHOWN, PROBLEM_LENGTH = 50, 500
"""How many markers with which something is wrong are told, and how many characters of each."""
SOON = 1.0
"""Seconds after a commit that took something back, until what else is selected is written."""


class ImageUpdateAutomationController:
    """Flux's image-automation-controller. `revision_of` answers from which commit an image was built, if it says;
    `last_lines` what a container has said last, where a home knows more of that than the pod's status says.
    """

    name = "image-automation-controller"
    group = GROUP
    kind = KIND

    def __init__(
        self,
        origins: Origins,
        revision_of: Callable[[Access, str], Awaitable[str | None]],
        last_lines: LastLines | None = None,
    ):
        self._origins = origins
        self._last_lines = last_lines
        self._pusher = Pusher(origins, revision_of)
        self._left: dict[ObjectKey, str] = {}
        self._misspelt = Misspelt(f"an {KIND}", UPDATING)
        self.triggers: Sequence[Trigger] = (
            Trigger(GROUP, POLICY_KIND, self._users_of, relevant=selected_and_wanted),
            Trigger(SOURCE_GROUP, SOURCE_KIND, self._of_source, relevant=_revision),
            Trigger(APPLIER_GROUP, APPLIER_KIND, _watchers_of, relevant=_progress),
        )

    async def reconcile(self, obj: Object, ctx: Context) -> Outcome:
        """Bring the marked values to what the policies selected; push one commit, or find nothing to do."""
        if await let_go(obj, ctx, manager=self.name):
            return Handled()
        await self._misspelt.tell(obj, unknown_annotations(obj), ctx)
        try:
            work = await work_of(obj, ctx)
        except TidegateError as error:
            return stalled_or_raised(error, SOURCE_FAILED)
        if isinstance(work, Stalled):
            return work
        look, after = Look(), work.wishes.rollback_after
        if after is not None:
            look = await self._look(work, after)
        try:
            result = await self._pusher.update(work)
        except feedback.LoopFoundError as loop:
            return await self._suspend(obj, loop, ctx)
        except TidegateError as error:
            return stalled_or_raised(error, GIT_FAILED)
        if result.head:
            self._left[key_of(obj)] = result.head
        if (problems := _told(result.problems)) and problems not in ready_message(obj):
            await ctx.events.warning(obj, "MarkerProblem", problems)
        await _tell_what_is_new(obj, result, ctx)
        if result.pushed and after is not None:
            look = look.after_push(result.pushed, after, ctx.clock.now())
        if work.wishes.pull_request is not None:
            look = look.beside(await self._propose(work, result, work.wishes.pull_request))
        return _conclude(work, result, look, ctx.clock.now())

    async def _look(self, work: Work, after: float) -> Look:
        """Look whether the last updates have become ready. What stands in the way of that keeps no update back."""
        from tidegate.update.rollback.watch import Watch  # noqa: PLC0415 - few automations ask for it

        try:
            return await Watch(self._origins, self._pusher.planner, self._last_lines).look(work, after)
        except TidegateError as error:
            return Look((Condition(ROLLED_OUT, "Unknown", "CannotWatch", error.explain()),), again=after)

    async def _propose(self, work: Work, result: Result, wish: PullRequestWish) -> Look:
        """Have what was pushed to a branch of its own shown by a pull request."""
        from tidegate.update.proposing import propose  # noqa: PLC0415 - few automations ask for it

        return Look(*await propose(self._origins, work, result, wish))

    def _users_of(self, policy: Object, automations: Sequence[Object]) -> list[ObjectKey]:
        """The automations whose markers name a policy; those of its namespace that were not looked at yet may."""
        key = key_of(policy)
        name = f"{key.namespace}:{key.name}"
        return [found for found in map(key_of, automations) if self._pusher.names(found, name)]

    def _of_source(self, source: Object, automations: Sequence[Object]) -> list[ObjectKey]:
        """The automations of a source; not one that left it at this very commit, which it therefore has seen."""
        found = key_of(source)
        commit = str(_revision(source)).rpartition(":")[2]
        wanted = []
        for automation in automations:
            key, reference = key_of(automation), (automation.get("spec") or {}).get("sourceRef") or {}
            if (reference.get("name"), reference.get("namespace") or key.namespace) == (found.name, found.namespace):
                wanted.append(key)
        return [key for key in wanted if self._left.get(key) != commit]

    async def preview(self, namespace: str, name: str, ctx: Context) -> Preview:
        """What `reconcile` of an automation would push now. Nothing is pushed, and no status or event written. What
        would stall it is raised, as is NotFound.
        """
        obj = await ctx.store.get(ObjectKey(GROUP, KIND, namespace, name))
        return await preview(self._origins, self._pusher.planner, obj, ctx)

    async def preview_as_json(self, namespace: str, name: str, ctx: Context) -> dict[str, Any]:
        """The preview as a door sends it; an error as a part of the answer, since a door's own would say that it has no
        such thing to ask.
        """
        try:
            return (await self.preview(namespace, name, ctx)).as_json()
        except TidegateError as error:
            return {"error": {"code": error.code, "message": showable(error.explain(), MESSAGE_LIMIT)}}

    async def _suspend(self, obj: Object, loop: feedback.LoopFoundError, ctx: Context) -> Outcome:
        await ctx.store.patch(key_of(obj), {"spec": {"suspend": True}}, manager=self.name)
        return Stalled("FeedbackLoop", loop.explain())


async def _tell_what_is_new(obj: Object, result: Result, ctx: Context) -> None:
    """An event when something was taken back, begins to wait, or stays where somebody rolled it back."""
    before = mapping(obj.get("status")).get("conditions") or []
    if result.pushed and result.taken_back:
        await ctx.events.warning(obj, "RolledBack", result.message)
    if result.waits and find(before, PENDING) is None:
        await ctx.events.normal(obj, result.waits.reason, result.waits.condition().message)
    told = str((find(before, RESPECTED) or {}).get("message", ""))
    for kept in result.kept[:SHOWN]:
        if kept.explain() not in told:
            await ctx.events.normal(obj, condition(result.kept).reason, kept.explain())


def _conclude(work: Work, result: Result, look: Look, now: datetime) -> Ready:
    target, waits = work.target, result.waits
    source = result.pushed if result.pushed and target.push_branch == target.branch else result.source
    before = mapping(work.obj.get("status"))
    seen = observed_policies(result.references, mapping(before.get("observedPolicies")), work.namespace)
    status: dict[str, Any] = {
        "lastAutomationRunTime": rfc3339(now),
        "observedSourceRevision": f"{target.branch}@sha1:{source}",
        # What waits is not seen to: after a crash between its push and this, its commit is looked for.
        **({PENDING_SINCE: rfc3339(waits.since)} if waits else {"observedPolicies": seen, PENDING_SINCE: None}),
    }
    message = waits.headline() if waits else UP_TO_DATE
    if result.pushed:
        status |= {"lastPushCommit": result.pushed, "lastPushTime": rfc3339(now)}
        message = f"pushed commit '{result.pushed[:7]}' {target.described()}\n{result.message}"
    if result.kept:
        message += f"\n{headline(result.kept)}"
    if result.problems:
        message += f"\n{_told(result.problems)}"
    times = [(waits.until - now).total_seconds() if waits and waits.until else None, look.again]
    times += [SOON] if result.pushed and result.taken_back else []
    return Ready(
        message,
        status=status,
        requeue_after=work.spec.interval_seconds,
        at_latest=min((one for one in times if one is not None), default=None),
        event=message if result.pushed else None,
        conditions=[
            *([waits.condition()] if waits else []),
            *([condition(result.kept)] if result.kept else []),
            *look.conditions,
        ],
    )


def _told(problems: Sequence[str]) -> str:
    """What is wrong with markers, as the status can hold it: of a great many the first."""
    lines = [showable(one, PROBLEM_LENGTH) for one in problems[:PROBLEMS_SHOWN]]
    more = [f"and {len(problems) - PROBLEMS_SHOWN} more"] if len(problems) > PROBLEMS_SHOWN else []
    return "\n".join([*lines, *more])


def _watchers_of(kustomization: Object, automations: Sequence[Object]) -> list[ObjectKey]:
    """The automations that ask whether what they commit becomes ready, of the source that a Kustomization applies."""
    own, reference = key_of(kustomization), mapping(mapping(kustomization.get("spec")).get("sourceRef"))
    applied = (reference.get("name"), reference.get("namespace") or own.namespace)
    found = []
    for automation in automations:
        key, named = key_of(automation), mapping(mapping(automation.get("spec")).get("sourceRef"))
        source = (named.get("name"), named.get("namespace") or key.namespace)
        if source == applied and annotation(automation, ROLLBACK_AFTER) is not None:
            found.append(key)
    return found


def _progress(kustomization: Object) -> object:
    status = mapping(kustomization.get("status"))
    ready = find(status.get("conditions") or [], READY) or {}
    return status.get("lastAttemptedRevision"), status.get("lastAppliedRevision"), ready.get("status")


def _revision(source: Object) -> object:
    return ((source.get("status") or {}).get("artifact") or {}).get("revision")
