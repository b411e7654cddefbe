"""Reconciles Kustomization: what Git says at the source's revision is applied, and what it no longer says is pruned."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.deploy.applying import MANAGER, Applying, any_is_there, prune, tell
from tidegate.deploy.fields import ELSEWHERE, SUPPORTED, unsupported
from tidegate.deploy.home_check import Check, no_problems
from tidegate.deploy.inventory import owned
from tidegate.deploy.target import AccountGone, Elsewhere, Target, target_of
from tidegate.deploy.variables import variables_of
from tidegate.deploy.wakes import (
    SOURCE_GROUP,
    SOURCE_KIND,
    Artifact,
    artifact_of,
    dependents,
    of_source,
    readiness,
    source_key,
)
from tidegate.engine.finalizers import FINALIZER
from tidegate.engine.outcome import Context, Handled, Outcome, Stalled, Trigger, Waiting
from tidegate.engine.ports import Trees, Workloads
from tidegate.kinds.conditions import READY, RECONCILING, Condition, is_true
from tidegate.kinds.inventory import keys_of
from tidegate.kinds.kustomization import GROUP, KIND, Kustomization
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.kinds.resources import is_namespaced

DEPENDENCY_DELAY = 5.0
MIRROR_PRUNE, WAIT_FOR_TERMINATION, ORPHAN = "MirrorPrune", "WaitForTermination", "Orphan"
TERMINATION_DELAY = 1.0
DEFAULT_NAMESPACE = "default"


class KustomizationController:
    """Flux's kustomize-controller, for the fields of deploy/fields.py; any other is an error by name. `check` says what
    is wrong with an object, where the home's API does not say so itself: before anything is applied or pruned.
    `elsewhere` gives what accounts and other clusters are reached by; a home without it has neither.
    """

    name = MANAGER
    group = GROUP
    kind = KIND

    def __init__(
        self, trees: Trees, workloads: Workloads, check: Check = no_problems, *, elsewhere: Elsewhere | None = None
    ):
        self._trees = trees
        self._check = check
        self._workloads = workloads
        self._elsewhere = elsewhere
        self._fields = SUPPORTED if elsewhere is None else SUPPORTED | ELSEWHERE
        self.triggers: Sequence[Trigger] = (
            Trigger(SOURCE_GROUP, SOURCE_KIND, of_source, relevant=artifact_of),
            Trigger(GROUP, KIND, dependents, relevant=readiness),
        )

    async def reconcile(self, obj: Object, ctx: Context) -> Outcome:
        """Render the source's revision, apply, prune, and wait for health where the spec asks for it."""
        if obj["metadata"].get("deletionTimestamp"):
            return await self._finalize(obj, ctx)
        try:
            spec = Kustomization.from_object(obj)
            if refused := unsupported(obj.get("spec") or {}, self._fields):
                names = ", ".join(f"spec.{name}" for name in refused)
                return Stalled("UnsupportedField", f"not supported yet: {names}")
            target = target_of(obj)
        except InvalidInput as error:
            return Stalled("InvalidSpec", str(error))
        if (blocker := await _unready_dependency(obj, spec, ctx)) is not None:
            return Waiting(f"dependency '{blocker}' is not ready", requeue_after=DEPENDENCY_DELAY)
        source = source_key(obj, spec)
        revision, digest = artifact_of(await ctx.store.get(source))
        if revision is None:
            return Waiting(f"the source {source} has no artifact yet", reason="ArtifactFailed")
        if FINALIZER not in (obj["metadata"].get("finalizers") or []):
            patch = {"metadata": {"finalizers": [*(obj["metadata"].get("finalizers") or []), FINALIZER]}}
            await ctx.store.patch(key_of(obj), patch, manager=MANAGER)
        # What is attempted is told while it is rendered; a failure of that is told after it.
        told, rendered = await asyncio.gather(
            self._attempt(obj, revision, ctx),
            self._render(obj, spec, source, (revision, digest), ctx),
            return_exceptions=True,
        )
        if isinstance(told, BaseException):
            raise told
        if isinstance(rendered, BaseException):
            raise rendered
        async with self._place(target, ctx) as workloads:
            return await Applying(obj, spec, (revision, digest), workloads, ctx).run(rendered)

    async def _attempt(self, obj: Object, revision: str, ctx: Context) -> None:
        """Record that a revision is attempted. What the conditions say of another one goes in the same step: else its
        failure would be read as this one's.
        """
        if (obj.get("status") or {}).get("lastAttemptedRevision") == revision:
            return
        message = f"Building manifests for revision {revision}"
        conditions = [
            Condition(RECONCILING, "True", "Progressing", message),
            Condition(READY, "Unknown", "Progressing", message),
        ]
        await tell(obj, conditions, ctx, {"lastAttemptedRevision": revision})

    async def _render(
        self, obj: Object, spec: Kustomization, source: ObjectKey, artifact: Artifact, ctx: Context
    ) -> list[Object]:
        variables = await variables_of(spec, ctx.store)
        files = await self._trees.open(source, *artifact)

        def rendered() -> list[Object]:
            # A megabyte, for those who deploy; in the thread, since reading it takes longer than the loop may stand.
            from tidegate.deploy.render import Wish, render  # noqa: PLC0415

            with files:
                return render(files, Wish.of(spec, variables), self._check)

        objects = await asyncio.to_thread(rendered)
        owner = key_of(obj)
        return [owned(_placed(found), owner.name, owner.namespace) for found in objects]

    @contextlib.asynccontextmanager
    async def _place(self, target: Target | None, ctx: Context) -> AsyncIterator[Workloads]:
        """What a Kustomization is applied through: this home's own, an account's, or another cluster's."""
        if target is None or self._elsewhere is None:
            yield self._workloads
            return
        async with self._elsewhere.open(target, ctx.store) as workloads:
            yield workloads

    async def _finalize(self, obj: Object, ctx: Context) -> Outcome:
        """Delete what was applied, if the policy and prune say so, then let the object go."""
        spec = obj.get("spec") or {}
        policy = spec.get("deletionPolicy") or MIRROR_PRUNE
        goes = spec.get("prune") if policy == MIRROR_PRUNE else policy != ORPHAN
        keys = list(reversed(keys_of((obj.get("status") or {}).get("inventory"))))
        if goes and keys and not spec.get("suspend"):
            try:
                async with self._place(target_of(obj), ctx) as workloads:
                    await prune(obj, keys, workloads)
                    if policy == WAIT_FOR_TERMINATION and await any_is_there(obj, keys, workloads):
                        return Handled(requeue_after=TERMINATION_DELAY)
            except AccountGone as error:
                # As Flux does: nobody is left who may prune, and a deletion must come to its end.
                left = "\n".join(map(str, keys))
                await ctx.events.warning(obj, error.code, f"unable to prune, {error}; these stay:\n{left}")
        remaining = [name for name in obj["metadata"].get("finalizers") or [] if name != FINALIZER]
        await ctx.store.patch(key_of(obj), {"metadata": {"finalizers": remaining or None}}, manager=MANAGER)
        return Handled()


def _placed(obj: Object) -> Object:
    """The object with the namespace in which it is applied; none where the kind has none."""
    metadata = dict(obj.get("metadata") or {})
    present = metadata.pop("namespace", None)
    namespaced = is_namespaced(str(obj["apiVersion"]), str(obj["kind"]))
    if namespaced or (namespaced is None and present):
        metadata["namespace"] = present or DEFAULT_NAMESPACE
    return {**obj, "metadata": metadata}


async def _unready_dependency(obj: Object, spec: Kustomization, ctx: Context) -> ObjectKey | None:
    for dependency in spec.depends_on:
        key = ObjectKey(GROUP, KIND, dependency.namespace or key_of(obj).namespace, dependency.name)
        try:
            status = (await ctx.store.get(key)).get("status") or {}
        except NotFound:
            return key
        if not is_true(status.get("conditions") or [], "Ready"):
            return key
    return None
