"""One pass of a Kustomization over what was rendered: applied, pruned, waited for; nothing here decides when."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.base.errors import Denied, NotFound
from tidegate.base.frozen import frozen
from tidegate.base.steps import Step, reach
from tidegate.deploy.health_wait import HEALTHY, Checks, HealthWait
from tidegate.deploy.inventory import in_order, inventory_of, may_prune, to_prune, union
from tidegate.deploy.outcomes import conclude, has_failed, held, incomplete, is_told
from tidegate.deploy.wakes import SOURCE_GROUP, SOURCE_KIND, Artifact, artifact_of, asked, source_key
from tidegate.engine.clock import rfc3339
from tidegate.engine.outcome import Context, Handled, Outcome
from tidegate.engine.ports import Workloads
from tidegate.kinds.conditions import Condition, merge
from tidegate.kinds.kept_fields import without_kept
from tidegate.kinds.kustomization import GROUP, KIND, Kustomization
from tidegate.kinds.objects import Object, ObjectKey, key_of

MANAGER = "kustomize-controller"
KEEPERS = frozenset({(SOURCE_GROUP, SOURCE_KIND), (GROUP, KIND)})


@frozen
class Applying:
    """A Kustomization with its spec and its source's artifact, and the Workloads that all of this pass goes through."""

    obj: Object
    spec: Kustomization
    artifact: Artifact
    workloads: Workloads
    ctx: Context

    async def run(self, rendered: list[Object]) -> Outcome:
        """Apply what was rendered, prune what no longer is, and wait for health where the spec asks for it."""
        objects, kept = await self._keep(rendered)
        before, wanted = (self.obj.get("status") or {}).get("inventory"), inventory_of(objects)
        if union(before, wanted) != before:
            await self._record(union(before, wanted))
        done: list[Object] = []
        try:
            changes = await self._apply(objects, done)
        except Denied:
            # What may not be written may not be pruned either: an entry of it would be in the way for ever.
            if union(before, inventory_of(done)) != union(before, wanted):
                await self._record(union(before, inventory_of(done)))
            raise
        if self.spec.prune:
            changes += await prune(self.obj, to_prune(before, objects), self.workloads)
        if changes:
            await self.ctx.events.normal(self.obj, "Progressing", "\n".join(changes))
        limits = incomplete(self._limits(objects))
        if (holds := held(kept)) is not None:
            limits.append(holds)
            if not is_told(self.obj, holds):
                await self.ctx.events.normal(self.obj, holds.reason, holds.message)
        # What can't run in this home never becomes healthy; the condition above says so.
        running = [key_of(one) for one in objects if self.workloads.unsupported(one) is None]
        keys = running if self.spec.wait else self.spec.health_check_keys
        checks = Checks(keys, self.artifact[0], self.spec.timeout_seconds)
        if not await self._healthy(checks, limits):
            return Handled(requeue_after=0.0)
        healthy = [Condition(HEALTHY, "True", "Succeeded", "Health check passed")] if checks.keys else []
        return conclude(self.obj, self.spec, checks.revision, wanted, [*limits, *healthy])

    async def _keep(self, objects: list[Object]) -> tuple[list[Object], list[str]]:
        """The objects without the fields that the live ones keep, and where those are otherwise than in Git."""
        applied, kept = [], []
        for obj in objects:
            left = obj
            if (key_of(obj).group, key_of(obj).kind) in KEEPERS:
                with contextlib.suppress(NotFound):
                    left, fields = without_kept(obj, await self.workloads.get(key_of(obj)))
                    kept += [f"{key_of(obj)} keeps its {', '.join(fields)}"] if fields else []
            applied.append(left)
        return applied, kept

    async def _record(self, inventory: Mapping[str, Any]) -> None:
        await self.ctx.store.patch_status(key_of(self.obj), {"inventory": inventory}, manager=MANAGER)

    async def _apply(self, objects: list[Object], done: list[Object]) -> list[str]:
        """Apply in order; `done` gets what was, also where one fails."""
        changes = []
        for wanted in in_order(objects):
            # What Git says wins over whoever set a field. `force` makes an object anew where a field can't be changed,
            # with all that hangs on it: only ever where the spec says so.
            applied = await self.workloads.apply(wanted, manager=MANAGER, force=self.spec.force)
            done.append(wanted)
            reach(Step.OBJECT_APPLIED)
            if applied.changed:
                changes.append(f"{key_of(wanted)} {'created' if applied.created else 'configured'}")
        return changes

    async def _healthy(self, checks: Checks, limits: Sequence[Condition]) -> bool:
        """Wait until the checked objects are healthy. False where the source has a newer artifact, or the Kustomization
        asks for something else now: waiting for what is past would keep that from being applied.
        """
        obj, ctx = self.obj, self.ctx
        source, wish, failed = source_key(obj, self.spec), asked(obj), has_failed(obj, checks.revision)

        async def show(conditions: Sequence[Condition]) -> None:
            if not failed:  # else what is known to be wrong stays to be read while it is tried again
                await tell(obj, [*conditions, *limits], ctx)

        async def superseded() -> bool:
            if artifact_of(await ctx.store.get(source)) == self.artifact:
                return asked(await ctx.store.get(key_of(obj))) != wish
            return True

        if await HealthWait(checks, self.workloads, ctx, tell=show, superseded=superseded).run():
            return True
        message = f"the health checks of revision {checks.revision} end: there is something newer to apply"
        await ctx.events.normal(obj, "HealthCheckCanceled", message)
        return False

    def _limits(self, objects: list[Object]) -> list[str]:
        """What is kept and shown but can't run in this home, and why."""
        reasons = ((key_of(obj), self.workloads.unsupported(obj)) for obj in objects)
        return [f"{key}: {reason}" for key, reason in reasons if reason]


async def prune(obj: Object, keys: Sequence[ObjectKey], workloads: Workloads) -> list[str]:
    """Delete what a Kustomization applied and may delete; what became of it, in words."""
    owner, changes = key_of(obj), []
    for key in keys:
        try:
            if not may_prune(await workloads.get(key), owner.name, owner.namespace):
                continue
            await workloads.delete(key)
        except NotFound:
            continue
        reach(Step.OBJECT_PRUNED)
        changes.append(f"{key} deleted")
    return changes


async def any_is_there(obj: Object, keys: Sequence[ObjectKey], workloads: Workloads) -> bool:
    """Whether something that was to be pruned still ends."""
    owner = key_of(obj)
    for key in keys:
        with contextlib.suppress(NotFound):
            if may_prune(await workloads.get(key), owner.name, owner.namespace):
                return True
    return False


async def tell(
    obj: Object, conditions: Sequence[Condition], ctx: Context, more: Mapping[str, Any] | None = None
) -> None:
    """Show conditions while the reconciliation goes on."""
    present, generation = (obj.get("status") or {}).get("conditions") or [], int(obj["metadata"].get("generation", 0))
    merged = merge(present, conditions, generation=generation, now=rfc3339(ctx.clock.now()))
    await ctx.store.patch_status(key_of(obj), {**(more or {}), "conditions": merged}, manager=MANAGER)
