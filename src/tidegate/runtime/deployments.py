"""Reconciles Deployment: a ReplicaSet for each template, Pods in the Store, a rolling replacement, and the status."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tidegate.base.errors import Conflict, InvalidInput, MissingTool, NotFound
from tidegate.base.frozen import frozen
from tidegate.base.sandbox import Capabilities
from tidegate.base.steps import Step, reach
from tidegate.engine.outcome import Context, Handled, Outcome, Trigger
from tidegate.engine.status import changes
from tidegate.kinds.conditions import Condition
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.kinds.pods import is_ready, ready_since, trouble
from tidegate.network.outside import Outside
from tidegate.runtime import rollout
from tidegate.runtime.deployment_spec import (
    HASH_LABEL,
    NETWORK,
    Deployment,
    owned_by,
    pod_of,
    read_deployment,
    replica_set,
    revision_of,
    safe,
)
from tidegate.runtime.deployment_status import Counts, is_complete, stalled_patch, status_patch
from tidegate.runtime.fleet import Fleet
from tidegate.runtime.pods import DEPLOYMENT, FINALIZER
from tidegate.runtime.supported import unsupported

MANAGER = "deployment-controller"
REVISION = "deployment.kubernetes.io/revision"
VIRTUAL = "tidegate.dev/virtual"
POLL = 1.0
"""Seconds between looks at a rollout that goes on, should no event tell of its pods."""
SLOW_POLL = 10.0
QUICK_FOR = 60.0


@frozen
class _Seen:
    """What the Store holds of a Deployment."""

    replica_sets: list[Object]
    pods: list[Object]
    views: list[rollout.Pod]


class DeploymentController:
    """Deployments of one machine."""

    name = MANAGER
    group = "apps"
    kind = "Deployment"

    def __init__(
        self, capabilities: Capabilities, fleet: Fleet, outside: Outside | None = None, *, node: str | None = None
    ):
        self._capabilities = capabilities
        self._fleet = fleet
        self._outside = outside
        self._node = node or os.uname().nodename
        self.triggers: Sequence[Trigger] = (Trigger("", "Pod", _of_pod, relevant=_pod_state),)

    async def reconcile(self, obj: Object, ctx: Context) -> Outcome:
        """One step of the rollout; the pods' own changes bring the next."""
        metadata = obj["metadata"]
        if metadata.get("deletionTimestamp") or VIRTUAL in (metadata.get("labels") or {}):
            return Handled()
        try:
            spec = self._read(obj)
        except (InvalidInput, MissingTool) as error:
            return await self._stall(obj, ctx, error)
        seen = await self._look(obj, spec, ctx)
        current = await self._ensure_replica_set(obj, spec, seen.replica_sets, ctx)
        await self._act(obj, spec, current, seen, ctx)
        seen = await self._look(obj, spec, ctx)
        await self._write_replica_sets(spec, seen, ctx)
        return await self._write_status(obj, spec, seen, ctx)

    def _read(self, obj: Object) -> Deployment:
        self._capabilities.require()
        if reason := unsupported(obj):
            raise InvalidInput(reason, code="Unsupported")
        return read_deployment(obj, one_at_a_time=not self._capabilities.network)

    async def _stall(self, obj: Object, ctx: Context, error: InvalidInput | MissingTool) -> Outcome:
        reason = "InvalidSpec" if error.code == "InvalidInput" else error.code
        patch = stalled_patch(obj, reason, error.explain().replace("\n", "; "), ctx.clock.now())
        if changes(obj.get("status") or {}, patch):
            await ctx.store.patch_status(key_of(obj), patch, manager=MANAGER, uid=obj["metadata"]["uid"])
            await ctx.events.warning(obj, reason, error.explain())
        return Handled()

    async def _look(self, obj: Object, spec: Deployment, ctx: Context) -> _Seen:
        metadata = obj["metadata"]
        namespace = str(metadata["namespace"])
        listed = (await ctx.store.list("apps", "ReplicaSet", namespace=namespace)).items
        replica_sets = [item for item in listed if owned_by(item, {metadata["uid"]})]
        uids = {str(item["metadata"]["uid"]) for item in replica_sets}
        pods = [pod for pod in (await ctx.store.list("", "Pod", namespace=namespace)).items if owned_by(pod, uids)]
        now = ctx.clock.now()
        return _Seen(replica_sets, pods, [self._view(pod, spec.min_ready, now) for pod in pods])

    def _view(self, pod: Object, min_ready: int, now: datetime) -> rollout.Pod:
        metadata = pod["metadata"]
        available = ready = is_ready(pod) and self._fleet.is_ready(metadata["uid"])
        if ready and min_ready:
            available = (now - datetime.fromisoformat(ready_since(pod))).total_seconds() >= min_ready
        return rollout.Pod(
            name=metadata["name"],
            revision=_hash(pod),
            created=str(metadata.get("creationTimestamp", "")),
            ready=ready,
            available=available,
            ending=bool(metadata.get("deletionTimestamp")),
        )

    async def _ensure_replica_set(
        self, obj: Object, spec: Deployment, replica_sets: list[Object], ctx: Context
    ) -> Object | None:
        """The ReplicaSet of the present template, with the highest revision; None while the Deployment is paused."""
        newest = max((revision_of(item) for item in replica_sets), default=0)
        found = next((item for item in replica_sets if _hash(item) == spec.wanted.revision), None)
        if found is None and spec.wanted.paused:
            return None
        if found is None:
            found = await ctx.store.create(replica_set(obj, spec, newest + 1), manager=MANAGER)
            name = found["metadata"]["name"]
            await ctx.events.normal(obj, "ScalingReplicaSet", f"Scaled up replica set {name} to {spec.wanted.replicas}")
        elif revision_of(found) < newest:
            patch = {"metadata": {"annotations": {REVISION: str(newest + 1)}}}
            found = await ctx.store.patch(key_of(found), patch, manager=MANAGER)
        number = str(revision_of(found))
        if (obj["metadata"].get("annotations") or {}).get(REVISION) != number:
            patch = {"metadata": {"annotations": {REVISION: number}}}
            await ctx.store.patch(key_of(obj), patch, manager=MANAGER)
        return found

    async def _act(self, obj: Object, spec: Deployment, current: Object | None, seen: _Seen, ctx: Context) -> None:
        actions = rollout.decide(spec.wanted, seen.views)
        for _ in range(actions.create if current is not None else 0):
            assert current is not None
            suffix = safe(secrets.token_bytes(5), 5)
            marks = {DEPLOYMENT: str(obj["metadata"]["name"])}
            pod = pod_of(current, obj["metadata"]["name"], suffix, self._node, marks)
            pod["metadata"]["finalizers"] = [FINALIZER]
            await ctx.store.create(pod, manager=MANAGER)
        for pod in seen.pods:
            if pod["metadata"]["name"] in actions.end:
                with contextlib.suppress(NotFound):
                    await ctx.store.delete(key_of(pod))
                self._fleet.withdraw(pod["metadata"]["uid"])
        if any(view.name in actions.end and view.ready for view in seen.views):
            reach(Step.TRAFFIC_SWITCHED)

    async def _write_replica_sets(self, spec: Deployment, seen: _Seen, ctx: Context) -> None:
        """Their numbers; those of old templates beyond the history's limit are removed."""
        idle = []
        for item in seen.replica_sets:
            views = [view for view in seen.views if view.revision == _hash(item) and not view.ending]
            wanted = spec.wanted.replicas if _hash(item) == spec.wanted.revision else len(views)
            if item["spec"].get("replicas") != wanted:
                item = await ctx.store.patch(key_of(item), {"spec": {"replicas": wanted}}, manager=MANAGER)  # noqa: PLW2901
            patch: dict[str, Any] = {
                "replicas": len(views),
                "fullyLabeledReplicas": len(views) or None,
                "readyReplicas": sum(view.ready for view in views) or None,
                "availableReplicas": sum(view.available for view in views) or None,
                "observedGeneration": item["metadata"].get("generation", 1),
            }
            if changes(item.get("status") or {}, patch):
                await ctx.store.patch_status(key_of(item), patch, manager=MANAGER)
            if not wanted and not any(view.revision == _hash(item) for view in seen.views):
                idle.append(item)
        old = [item for item in sorted(idle, key=revision_of) if _hash(item) != spec.wanted.revision]
        for item in old[: max(0, len(old) - spec.history)]:
            await ctx.store.delete(key_of(item))

    async def _write_status(self, obj: Object, spec: Deployment, seen: _Seen, ctx: Context) -> Outcome:
        now = ctx.clock.now()
        troubles = [text for pod in seen.pods if _hash(pod) == spec.wanted.revision and (text := trouble(pod))]
        patch = status_patch(
            obj,
            spec.wanted,
            seen.views,
            deadline=spec.deadline,
            trouble="; ".join(troubles[:2]),
            extra=await self._limits(spec),
            now=now,
        )
        before = obj.get("status") or {}
        if changes(before, patch):
            try:
                after = await ctx.store.patch_status(
                    key_of(obj), patch, manager=MANAGER, uid=str(obj["metadata"]["uid"])
                )
            except (NotFound, Conflict):
                return Handled()
            before = after.get("status") or {}
        complete = is_complete(spec.wanted, Counts.of(seen.views, spec.wanted.revision))
        if complete and not any(view.ending for view in seen.views):
            return Handled()
        return Handled(requeue_after=_pause(before, now))

    async def _limits(self, spec: Deployment) -> list[Condition]:
        """What this machine does otherwise than a cluster, said where a person looks."""
        reason, message = await self._network(spec)
        conditions = [Condition("NetworkLimited", "True", reason, message)]
        if spec.pod.container.limited:
            message = "resources.limits are not enforced on one machine"
            conditions.append(Condition("LimitsNotEnforced", "True", "NoResourceControl", message))
        return conditions

    async def _network(self, spec: Deployment) -> tuple[str, str]:
        if not self._capabilities.network:
            why = "; ".join(missing.what for missing in self._capabilities.missing)
            return "HostNetwork", f"the replicas share the machine's network, one revision at a time: {why}"
        if spec.closed:
            return "NoWayOut", f"the replicas reach nothing outside themselves: {NETWORK} is none"
        if self._outside is None:
            return "NoWayOut", "the replicas have a network of their own and reach nothing outside it"
        way = await self._outside.way()
        return "OutsideOnly" if way.leads_out else "NoWayOut", f"the replicas reach {way.explain()}"


def _pause(status: Mapping[str, Any], now: datetime) -> float:
    """Soon while something moves, seldom where it long has not."""
    times = [condition.get("lastUpdateTime") for condition in status.get("conditions") or []]
    latest = max((datetime.fromisoformat(time) for time in times if time), default=now)
    return POLL if (now - latest).total_seconds() < QUICK_FOR else SLOW_POLL


def _hash(obj: Object) -> str:
    return str((obj["metadata"].get("labels") or {}).get(HASH_LABEL, ""))


def _of_pod(changed: Object, _all: Sequence[Object]) -> Sequence[ObjectKey]:
    name = (changed["metadata"].get("annotations") or {}).get(DEPLOYMENT)
    return [ObjectKey("apps", "Deployment", changed["metadata"]["namespace"], name)] if name else []


def _pod_state(pod: Object) -> object:
    return is_ready(pod), pod["metadata"].get("deletionTimestamp"), trouble(pod)
