"""Reconciles Kustomization: what Git says at the source's revision is applied, and what it no longer says is pruned."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.base.steps import Step, reach
from tidegate.deploy.health_wait import HEALTHY, Checks, HealthWait
from tidegate.deploy.home_check import Check, no_problems
from tidegate.deploy.inventory import in_order, inventory_of, may_prune, owned, to_prune, union
from tidegate.deploy.variables import variables_of
from tidegate.engine.clock import rfc3339
from tidegate.engine.finalizers import FINALIZER
from tidegate.engine.outcome import Context, Handled, Outcome, Ready, Stalled, Trigger, Waiting
from tidegate.engine.ports import Trees, Workloads
from tidegate.engine.status import REQUESTED_AT
from tidegate.kinds.conditions import READY, RECONCILING, Condition, find, is_true, merge
from tidegate.kinds.inventory import keys_of
from tidegate.kinds.kept_fields import KEEP, without_kept
from tidegate.kinds.kustomization import Kustomization
from tidegate.kinds.objects import Object, ObjectKey, annotation, key_of
from tidegate.kinds.resources import is_namespaced

GROUP, KIND = "kustomize.toolkit.fluxcd.io", "Kustomization"
SOURCE_GROUP, SOURCE_KIND = "source.toolkit.fluxcd.io", "GitRepository"
KEEPERS = frozenset({(SOURCE_GROUP, SOURCE_KIND), (GROUP, KIND)})
DEPENDENCY_DELAY = 5.0
Artifact = tuple[str, str | None]
"""The revision and the digest of what a source has."""
MIRROR_PRUNE, WAIT_FOR_TERMINATION, ORPHAN = "MirrorPrune", "WaitForTermination", "Orphan"
TERMINATION_DELAY = 1.0
DEFAULT_NAMESPACE = "default"
SUPPORTED = frozenset(
    {"interval", "retryInterval", "timeout", "path", "prune", "sourceRef", "targetNamespace", "suspend", "wait",
     "healthChecks", "dependsOn", "force", "deletionPolicy", "patches", "patchesStrategicMerge", "patchesJson6902",
     "images", "components", "ignoreMissingComponents", "namePrefix", "nameSuffix", "commonMetadata", "postBuild"}
)  # fmt: skip


class KustomizationController:
    """Flux's kustomize-controller, for the fields in SUPPORTED; any other is an error by name. `check` says what is
    wrong with an object, where the home's API does not say so itself: before anything is applied or pruned.
    """

    name = "kustomize-controller"
    group = GROUP
    kind = KIND

    def __init__(self, trees: Trees, workloads: Workloads, check: Check = no_problems):
        self._trees = trees
        self._check = check
        self._workloads = workloads
        self.triggers: Sequence[Trigger] = (
            Trigger(SOURCE_GROUP, SOURCE_KIND, _of_source, relevant=_artifact),
            Trigger(GROUP, KIND, _dependents, relevant=_readiness),
        )

    async def reconcile(self, obj: Object, ctx: Context) -> Outcome:
        """Render the source's revision, apply, prune, and wait for health where the spec asks for it."""
        if obj["metadata"].get("deletionTimestamp"):
            return await self._finalize(obj, ctx)
        try:
            spec = Kustomization.from_object(obj)
        except InvalidInput as error:
            return Stalled("InvalidSpec", str(error))
        if unsupported := sorted(set(obj.get("spec") or {}) - SUPPORTED):
            return Stalled(
                "UnsupportedField", f"not supported yet: {', '.join(f'spec.{name}' for name in unsupported)}"
            )
        if (blocker := await _unready_dependency(obj, spec, ctx)) is not None:
            return Waiting(f"dependency '{blocker}' is not ready", requeue_after=DEPENDENCY_DELAY)
        source = _source_key(obj, spec)
        revision, digest = _artifact(await ctx.store.get(source))
        if revision is None:
            return Waiting(f"the source {source} has no artifact yet", reason="ArtifactFailed")
        if FINALIZER not in (obj["metadata"].get("finalizers") or []):
            patch = {"metadata": {"finalizers": [*(obj["metadata"].get("finalizers") or []), FINALIZER]}}
            await ctx.store.patch(key_of(obj), patch, manager=self.name)
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
        objects, kept = await self._keep(rendered)
        return await self._apply(obj, spec, (revision, digest), objects, kept, ctx)

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
        await self._tell(obj, conditions, ctx, {"lastAttemptedRevision": revision})

    async def _tell(
        self, obj: Object, conditions: Sequence[Condition], ctx: Context, more: Mapping[str, Any] | None = None
    ) -> None:
        """Show conditions while the reconciliation goes on."""
        present, generation = (
            (obj.get("status") or {}).get("conditions") or [],
            int(obj["metadata"].get("generation", 0)),
        )
        merged = merge(present, conditions, generation=generation, now=rfc3339(ctx.clock.now()))
        await ctx.store.patch_status(key_of(obj), {**(more or {}), "conditions": merged}, manager=self.name)

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

    async def _keep(self, objects: list[Object]) -> tuple[list[Object], list[str]]:
        """The objects without the fields that the live ones keep, and where those are otherwise than in Git."""
        applied, kept = [], []
        for obj in objects:
            left = obj
            if (key_of(obj).group, key_of(obj).kind) in KEEPERS:
                with contextlib.suppress(NotFound):
                    left, fields = without_kept(obj, await self._workloads.get(key_of(obj)))
                    kept += [f"{key_of(obj)} keeps its {', '.join(fields)}"] if fields else []
            applied.append(left)
        return applied, kept

    async def _apply(
        self, obj: Object, spec: Kustomization, artifact: Artifact, objects: list[Object], kept: list[str], ctx: Context
    ) -> Outcome:
        revision = artifact[0]
        before = (obj.get("status") or {}).get("inventory")
        wanted = inventory_of(objects)
        if union(before, wanted) != before:
            recorded = {"inventory": union(before, wanted)}
            await ctx.store.patch_status(key_of(obj), recorded, manager=self.name)
        changes = []
        for wanted_object in in_order(objects):
            # What Git says wins over whoever set a field. `force` makes an object anew where a field can't be changed,
            # with all that hangs on it: only ever where the spec says so.
            applied = await self._workloads.apply(wanted_object, manager=self.name, force=spec.force)
            reach(Step.OBJECT_APPLIED)
            if applied.changed:
                changes.append(f"{key_of(wanted_object)} {'created' if applied.created else 'configured'}")
        if spec.prune:
            changes += await self._prune(obj, to_prune(before, objects))
        if changes:
            await ctx.events.normal(obj, "Progressing", "\n".join(changes))
        limits = _incomplete(self._limits(objects))
        if (held := _held(kept)) is not None:
            limits.append(held)
            if not _is_told(obj, held):
                await ctx.events.normal(obj, held.reason, held.message)
        # What can't run in this home never becomes healthy; the condition above says so.
        running = [key_of(one) for one in objects if self._workloads.unsupported(one) is None]
        checks = Checks(running if spec.wait else spec.health_check_keys, revision, spec.timeout_seconds)
        if not await self._healthy(obj, spec, artifact, checks, limits, ctx):
            return Handled(requeue_after=0.0)
        healthy = [Condition(HEALTHY, "True", "Succeeded", "Health check passed")] if checks.keys else []
        return _conclude(obj, spec, revision, wanted, [*limits, *healthy])

    async def _healthy(
        self,
        obj: Object,
        spec: Kustomization,
        artifact: Artifact,
        checks: Checks,
        limits: Sequence[Condition],
        ctx: Context,
    ) -> bool:
        """Wait until the checked objects are healthy. False where the source has a newer artifact, or the Kustomization
        asks for something else now: waiting for what is past would keep that from being applied.
        """
        source, asked, failed = _source_key(obj, spec), _asked(obj), _has_failed(obj, checks.revision)

        async def tell(conditions: Sequence[Condition]) -> None:
            if not failed:  # else what is known to be wrong stays to be read while it is tried again
                await self._tell(obj, [*conditions, *limits], ctx)

        async def superseded() -> bool:
            if _artifact(await ctx.store.get(source)) == artifact:
                return _asked(await ctx.store.get(key_of(obj))) != asked
            return True

        if await HealthWait(checks, self._workloads, ctx, tell=tell, superseded=superseded).run():
            return True
        message = f"the health checks of revision {checks.revision} end: there is something newer to apply"
        await ctx.events.normal(obj, "HealthCheckCanceled", message)
        return False

    async def _prune(self, obj: Object, keys: list[ObjectKey]) -> list[str]:
        owner, changes = key_of(obj), []
        for key in keys:
            try:
                live = await self._workloads.get(key)
                if not may_prune(live, owner.name, owner.namespace):
                    continue
                await self._workloads.delete(key)
            except NotFound:
                continue
            reach(Step.OBJECT_PRUNED)
            changes.append(f"{key} deleted")
        return changes

    def _limits(self, objects: list[Object]) -> list[str]:
        """What is kept and shown but can't run in this home, and why."""
        reasons = ((key_of(obj), self._workloads.unsupported(obj)) for obj in objects)
        return [f"{key}: {reason}" for key, reason in reasons if reason]

    async def _finalize(self, obj: Object, ctx: Context) -> Outcome:
        """Delete what was applied, if the policy and prune say so, then let the object go."""
        spec = obj.get("spec") or {}
        policy = spec.get("deletionPolicy") or MIRROR_PRUNE
        goes = spec.get("prune") if policy == MIRROR_PRUNE else policy != ORPHAN
        if goes and not spec.get("suspend"):
            keys = list(reversed(keys_of((obj.get("status") or {}).get("inventory"))))
            await self._prune(obj, keys)
            if policy == WAIT_FOR_TERMINATION and await self._any_is_there(obj, keys):
                return Handled(requeue_after=TERMINATION_DELAY)
        remaining = [name for name in obj["metadata"].get("finalizers") or [] if name != FINALIZER]
        await ctx.store.patch(key_of(obj), {"metadata": {"finalizers": remaining or None}}, manager=self.name)
        return Handled()

    async def _any_is_there(self, obj: Object, keys: list[ObjectKey]) -> bool:
        """Whether something that was to be pruned still ends."""
        owner = key_of(obj)
        for key in keys:
            with contextlib.suppress(NotFound):
                if may_prune(await self._workloads.get(key), owner.name, owner.namespace):
                    return True
        return False


def _held(kept: list[str]) -> Condition | None:
    if not kept:
        return None
    way_out = f"remove its annotation {KEEP} to let Git say it"
    message = f"{'; '.join(kept)}, which Git has otherwise: Tidegate was told these ({way_out})"
    return Condition("FieldsKept", "True", "NotAsInGit", message)


def _is_told(obj: Object, condition: Condition) -> bool:
    present = find((obj.get("status") or {}).get("conditions") or [], condition.type) or {}
    return present.get("message") == condition.message


def _conclude(
    obj: Object, spec: Kustomization, revision: str, inventory: dict[str, Any], conditions: Sequence[Condition]
) -> Ready:
    before = (obj.get("status") or {}).get("lastAppliedRevision")
    message = f"Applied revision: {revision}"
    return Ready(
        message,
        reason="ReconciliationSucceeded",
        status={"lastAppliedRevision": revision, "inventory": inventory},
        requeue_after=spec.interval_seconds,
        event=message if revision != before else None,
        conditions=conditions,
    )


def _incomplete(limits: Sequence[str]) -> list[Condition]:
    if not limits:
        return []
    return [Condition("Complete", "False", "NotRunHere", f"kept, but not run here: {'; '.join(limits)}")]


def _has_failed(obj: Object, revision: str) -> bool:
    status = obj.get("status") or {}
    ready = find(status.get("conditions") or [], READY) or {}
    return status.get("lastAttemptedRevision") == revision and ready.get("status") == "False"


def _asked(obj: Object) -> object:
    """What of a Kustomization makes it due at once."""
    metadata = obj["metadata"]
    requested = annotation(obj, REQUESTED_AT)
    return metadata.get("uid"), metadata.get("generation"), metadata.get("deletionTimestamp"), requested


def _placed(obj: Object) -> Object:
    """The object with the namespace in which it is applied; none where the kind has none."""
    metadata = dict(obj.get("metadata") or {})
    present = metadata.pop("namespace", None)
    namespaced = is_namespaced(str(obj["apiVersion"]), str(obj["kind"]))
    if namespaced or (namespaced is None and present):
        metadata["namespace"] = present or DEFAULT_NAMESPACE
    return {**obj, "metadata": metadata}


def _source_key(obj: Object, spec: Kustomization) -> ObjectKey:
    if spec.source_ref.kind != SOURCE_KIND:
        raise InvalidInput(f"spec.sourceRef.kind {spec.source_ref.kind!r} is not supported: only GitRepository is")
    return ObjectKey(
        SOURCE_GROUP, SOURCE_KIND, spec.source_ref.namespace or key_of(obj).namespace, spec.source_ref.name
    )


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


def _artifact(source: Object) -> tuple[str | None, str | None]:
    """The revision and the digest of a source's files: where other ones are left out, the revision stays."""
    artifact = (source.get("status") or {}).get("artifact") or {}
    return artifact.get("revision"), artifact.get("digest")


def _readiness(kustomization: Object) -> object:
    ready = find((kustomization.get("status") or {}).get("conditions") or [], "Ready") or {}
    return ready.get("status")


def _of_source(source: Object, kustomizations: Sequence[Object]) -> list[ObjectKey]:
    found = key_of(source)
    wanted = []
    for kustomization in kustomizations:
        key, reference = key_of(kustomization), (kustomization.get("spec") or {}).get("sourceRef") or {}
        if (reference.get("name"), reference.get("namespace") or key.namespace) == (found.name, found.namespace):
            wanted.append(key)
    return wanted


def _dependents(changed: Object, kustomizations: Sequence[Object]) -> list[ObjectKey]:
    found = key_of(changed)
    wanted = []
    for kustomization in kustomizations:
        key = key_of(kustomization)
        named = (kustomization.get("spec") or {}).get("dependsOn") or []
        if (found.name, found.namespace) in ((one.get("name"), one.get("namespace") or key.namespace) for one in named):
            wanted.append(key)
    return wanted
