"""Reconciles ImageUpdateAutomation: what the policies selected is written into Git, as one commit on the branch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.engine.clock import rfc3339
from tidegate.engine.finalizers import let_go
from tidegate.engine.journey import ready_message
from tidegate.engine.outcome import Context, Handled, Outcome, Ready, Stalled, Trigger
from tidegate.engine.secrets import read_secret
from tidegate.git.origins import Origins
from tidegate.git.remote import Credentials
from tidegate.git.secrets import credentials_for
from tidegate.git.signing import SigningKey
from tidegate.kinds.git_repository import GitRepository
from tidegate.kinds.image_update_automation import ImageUpdateAutomation
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.oci.credentials import Access
from tidegate.update import feedback
from tidegate.update.planning import Result, Work
from tidegate.update.pushing import Pusher
from tidegate.update.selections import GROUP, POLICY_KIND, observed_policies, selected_and_labels
from tidegate.update.target import Target, target_of

KIND = "ImageUpdateAutomation"
SOURCE_GROUP, SOURCE_KIND = "source.toolkit.fluxcd.io", "GitRepository"
UP_TO_DATE = "repository up-to-date"


class ImageUpdateAutomationController:
    """Flux's image-automation-controller. `revision_of` answers from which commit an image was built, if it says."""

    name = "image-automation-controller"
    group = GROUP
    kind = KIND

    def __init__(self, origins: Origins, revision_of: Callable[[Access, str], Awaitable[str | None]]):
        self._pusher = Pusher(origins, revision_of)
        self._left: dict[ObjectKey, str] = {}
        self.triggers: Sequence[Trigger] = (
            Trigger(GROUP, POLICY_KIND, self._users_of, relevant=selected_and_labels),
            Trigger(SOURCE_GROUP, SOURCE_KIND, self._of_source, relevant=_revision),
        )

    async def reconcile(self, obj: Object, ctx: Context) -> Outcome:
        """Bring the marked values to what the policies selected; push one commit, or find nothing to do."""
        if await let_go(obj, ctx, manager=self.name):
            return Handled()
        try:
            spec = ImageUpdateAutomation.from_object(obj)
        except InvalidInput as error:
            return Stalled("InvalidSpec", str(error))
        if spec.source_ref.kind != SOURCE_KIND:
            return Stalled("InvalidSourceConfiguration", f"source kind '{spec.source_ref.kind}' not supported")
        namespace = spec.source_ref.namespace or key_of(obj).namespace
        source = GitRepository.from_object(
            await ctx.store.get(ObjectKey(SOURCE_GROUP, SOURCE_KIND, namespace, spec.source_ref.name))
        )
        credentials, signing = await _keys(spec, source, ctx)
        try:
            target = target_of(spec, source, credentials, signing)
        except InvalidInput as error:
            return Stalled(error.code, error.explain())
        try:
            result = await self._pusher.update(Work(obj, spec, target, ctx))
        except feedback.LoopFoundError as loop:
            return await self._suspend(obj, loop, ctx)
        if result.head:
            self._left[key_of(obj)] = result.head
        if (problems := "\n".join(result.problems)) and problems not in ready_message(obj):
            await ctx.events.warning(obj, "MarkerProblem", problems)
        return _conclude(obj, spec, target, result, rfc3339(ctx.clock.now()))

    def _users_of(self, policy: Object, automations: Sequence[Object]) -> list[ObjectKey]:
        """The automations of a policy's namespace whose markers name it; those that were not looked at yet may."""
        key = key_of(policy)
        name = f"{key.namespace}:{key.name}"
        mine = [found for found in map(key_of, automations) if found.namespace == key.namespace]
        return [found for found in mine if self._pusher.names(found, name)]

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

    async def _suspend(self, obj: Object, loop: feedback.LoopFoundError, ctx: Context) -> Outcome:
        await ctx.store.patch(key_of(obj), {"spec": {"suspend": True}}, manager=self.name)
        return Stalled("FeedbackLoop", loop.explain())


async def _keys(
    spec: ImageUpdateAutomation, source: GitRepository, ctx: Context
) -> tuple[Credentials | None, SigningKey | None]:
    """What the Secrets of the source and of the automation hold."""
    signing = None
    if spec.signing_key_ref is not None:
        name = spec.signing_key_ref.name
        data = await read_secret(ctx.store, spec.key.namespace, name)
        signing = SigningKey.of(data, spec.signing_key_type or "gpg", f"{spec.key.namespace}/{name}")
    return await credentials_for(ctx.store, source), signing


def _conclude(obj: Object, spec: ImageUpdateAutomation, target: Target, result: Result, now: str) -> Ready:
    source = result.pushed if result.pushed and target.push_branch == target.branch else result.source
    before = (obj.get("status") or {}).get("observedPolicies") or {}
    status: dict[str, Any] = {
        "lastAutomationRunTime": now,
        "observedPolicies": observed_policies(result.references, before),
        "observedSourceRevision": f"{target.branch}@sha1:{source}",
    }
    message = UP_TO_DATE
    if result.pushed:
        status |= {"lastPushCommit": result.pushed, "lastPushTime": now}
        message = f"pushed commit '{result.pushed[:7]}' {target.described()}\n{result.message}"
    if result.problems:
        message += "\n" + "\n".join(result.problems)
    return Ready(message, status=status, requeue_after=spec.interval_seconds, event=message if result.pushed else None)


def _revision(source: Object) -> object:
    return ((source.get("status") or {}).get("artifact") or {}).get("revision")
