"""Reconciles ImageUpdateAutomation: what the policies selected is written into Git, as one commit on the branch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tidegate.base.errors import TidegateError
from tidegate.engine.clock import rfc3339
from tidegate.engine.finalizers import let_go
from tidegate.engine.journey import ready_message
from tidegate.engine.outcome import Context, Handled, Outcome, Ready, Stalled, Trigger
from tidegate.git.origins import Origins
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.oci.credentials import Access
from tidegate.update import feedback
from tidegate.update.planning import Result, Work
from tidegate.update.preview import Preview, preview
from tidegate.update.pushing import Pusher
from tidegate.update.selections import GROUP, POLICY_KIND, observed_policies, selected_and_wanted
from tidegate.update.works import SOURCE_GROUP, SOURCE_KIND, work_of

KIND = "ImageUpdateAutomation"
UP_TO_DATE = "repository up-to-date"


class ImageUpdateAutomationController:
    """Flux's image-automation-controller. `revision_of` answers from which commit an image was built, if it says."""

    name = "image-automation-controller"
    group = GROUP
    kind = KIND

    def __init__(self, origins: Origins, revision_of: Callable[[Access, str], Awaitable[str | None]]):
        self._origins = origins
        self._pusher = Pusher(origins, revision_of)
        self._left: dict[ObjectKey, str] = {}
        self.triggers: Sequence[Trigger] = (
            Trigger(GROUP, POLICY_KIND, self._users_of, relevant=selected_and_wanted),
            Trigger(SOURCE_GROUP, SOURCE_KIND, self._of_source, relevant=_revision),
        )

    async def reconcile(self, obj: Object, ctx: Context) -> Outcome:
        """Bring the marked values to what the policies selected; push one commit, or find nothing to do."""
        if await let_go(obj, ctx, manager=self.name):
            return Handled()
        work = await work_of(obj, ctx)
        if isinstance(work, Stalled):
            return work
        try:
            result = await self._pusher.update(work)
        except feedback.LoopFoundError as loop:
            return await self._suspend(obj, loop, ctx)
        if result.head:
            self._left[key_of(obj)] = result.head
        if (problems := "\n".join(result.problems)) and problems not in ready_message(obj):
            await ctx.events.warning(obj, "MarkerProblem", problems)
        return _conclude(work, result, rfc3339(ctx.clock.now()))

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
            return {"error": {"code": error.code, "message": error.explain()}}

    async def _suspend(self, obj: Object, loop: feedback.LoopFoundError, ctx: Context) -> Outcome:
        await ctx.store.patch(key_of(obj), {"spec": {"suspend": True}}, manager=self.name)
        return Stalled("FeedbackLoop", loop.explain())


def _conclude(work: Work, result: Result, now: str) -> Ready:
    target = work.target
    source = result.pushed if result.pushed and target.push_branch == target.branch else result.source
    before = (work.obj.get("status") or {}).get("observedPolicies") or {}
    status: dict[str, Any] = {
        "lastAutomationRunTime": now,
        "observedPolicies": observed_policies(result.references, before, work.namespace),
        "observedSourceRevision": f"{target.branch}@sha1:{source}",
    }
    message = UP_TO_DATE
    if result.pushed:
        status |= {"lastPushCommit": result.pushed, "lastPushTime": now}
        message = f"pushed commit '{result.pushed[:7]}' {target.described()}\n{result.message}"
    if result.problems:
        message += "\n" + "\n".join(result.problems)
    event = message if result.pushed else None
    return Ready(message, status=status, requeue_after=work.spec.interval_seconds, event=event)


def _revision(source: Object) -> object:
    return ((source.get("status") or {}).get("artifact") or {}).get("revision")
