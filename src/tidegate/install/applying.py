"""Puts an installation into a cluster, and takes it out again without touching what it has deployed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Container, Sequence
from contextlib import asynccontextmanager

from tidegate.base.errors import Conflict, NotFound
from tidegate.engine.clock import Clock
from tidegate.engine.leader import Leadership
from tidegate.install.crds import definitions
from tidegate.install.manifests import Installation, manifests
from tidegate.kinds.controllers import controllers_of, kinds_of, lease_names, whole_name
from tidegate.kinds.labels import FLUX, MANAGED_BY, OURS, PART_OF
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.kube.client import KubeClient
from tidegate.kube.discovery import Discovery
from tidegate.kube.store import KubeStore
from tidegate.kube.workloads import KubeWorkloads

MANAGER = "tidegate-install"
_DEPLOYMENT, _LEASE = ("apps", "Deployment"), ("coordination.k8s.io", "Lease")
DEFINITION = ("apiextensions.k8s.io", "CustomResourceDefinition")
GONE_TIMEOUT = 60.0
POLL = 0.2
_RBAC = "rbac.authorization.k8s.io"
_NAMESPACED = (
    ("networking.k8s.io", "NetworkPolicy"),
    ("", "Service"),
    (_RBAC, "RoleBinding"),
    (_RBAC, "Role"),
    ("", "ServiceAccount"),
)
_CLUSTER_WIDE = ((_RBAC, "ClusterRoleBinding"), (_RBAC, "ClusterRole"))
_BINDINGS = ("RoleBinding", "ClusterRoleBinding")
Say = Callable[[str], None]


class Installer:
    """Works on one cluster; `say` gets a line for each object, as kubectl prints them."""

    def __init__(self, client: KubeClient, clock: Clock, say: Say):
        discovery = Discovery(client)
        self._store = KubeStore(client, discovery=discovery)
        self._workloads = KubeWorkloads(client, discovery=discovery)
        self._clock = clock
        self._say = say
        self._deleted = 0

    async def install(self, chosen: Installation) -> None:
        """Apply everything; definitions and a namespace of somebody else's making are used as they are.

        Conflict where Flux's controllers of the same kinds run in the namespace.
        """
        await self._check_flux(chosen)
        await self._check_single(chosen.namespace)
        objects = manifests(chosen)
        for obj in [*definitions(chosen.kinds), *objects]:
            key = key_of(obj)
            if key.kind in ("Namespace", DEFINITION[1]) and await self._is_anothers(key):
                self._say(f"{_named(key)} kept as it is")
                continue
            # The role that a binding names can't be changed: with other kinds the binding is made anew.
            applied = await self._workloads.apply(obj, manager=MANAGER, force=key.kind in _BINDINGS)
            word = "created" if applied.created else "configured" if applied.changed else "unchanged"
            self._say(f"{_named(key)} {word}")
        await self._remove_others(chosen.namespace, {key_of(obj) for obj in objects})

    async def uninstall(self, namespace: str, *, keep_definitions: bool) -> None:
        """Delete the controllers first; once none acts any more, the definitions of our making with their objects,
        whose finalizers go so that nothing is pruned; then the rights. The namespace stays, and so does everything that
        was deployed. Conflict, with nothing lost, where a controller goes on acting or the installation is elsewhere.
        """
        if (other := await self._other_place(namespace)) is not None:
            remedy = f"tidegate uninstall -n {other}"
            raise Conflict(f"Tidegate is installed in the namespace {other}, not in {namespace}", remedy=remedy)
        deployments = await self._ours(*_DEPLOYMENT, namespace)
        names = await self._leases_to_hold(namespace, deployments, keep_definitions=keep_definitions)
        await self._delete(deployments)
        leadership = Leadership(
            self._store, self._clock, namespace=namespace, names=names, identity=f"uninstall_{secrets.token_hex(8)}"
        )
        async with self._nobody_acts(namespace, leadership):
            if not keep_definitions:
                await self._remove_definitions()
        await self._delete([lease for name in names if (lease := await self._lease(namespace, name)) is not None])
        await self._remove_others(namespace, set())
        if not self._deleted:
            self._say(f"nothing of Tidegate was in {namespace}")

    async def _leases_to_hold(
        self, namespace: str, deployments: Sequence[Object], *, keep_definitions: bool
    ) -> list[str]:
        """The Leases of whatever acts on what goes: of the Deployments, and of the kinds whose definitions go. Without
        a Deployment something may act on those too: started by hand or for a shard, or left by a call that gave up.
        """
        if not await self._lives(namespace):
            return []
        kinds = set(_kinds_of(deployments)) if deployments else set[str]()
        if not keep_definitions:
            kinds |= {str(one["spec"]["names"]["kind"]) for one in await self._ours(*DEFINITION, None)}
        every = [key_of(lease).name for lease in (await self._store.list(*_LEASE, namespace=namespace)).items]
        names = lease_names(kinds)
        return sorted({*names, *(name for name in every if whole_name(name) in names)})

    @asynccontextmanager
    async def _nobody_acts(self, namespace: str, leadership: Leadership) -> AsyncIterator[None]:
        """Hold the controllers' Leases. One that is about to end would take a definition's deletion for the deletion of
        each of its objects, and prune what they had deployed.
        """
        try:
            async with asyncio.timeout(GONE_TIMEOUT):
                while await self._ours("", "Pod", namespace):
                    await self._clock.sleep(POLL)
                await leadership.acquire()
        except TimeoutError:
            await leadership.release()
            remedy = f"kubectl get pods,leases -n {namespace}: stop what still runs, then call it again"
            raise Conflict(f"a controller goes on acting after {GONE_TIMEOUT:g} s", remedy=remedy) from None
        holding = asyncio.create_task(leadership.hold())
        try:
            yield
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)
            await leadership.release()

    async def _lives(self, namespace: str) -> bool:
        """Whether a Lease can be made there: not in a namespace that is gone or going."""
        try:
            found = await self._store.get(ObjectKey("", "Namespace", "", namespace))
        except NotFound:
            return False
        return not found["metadata"].get("deletionTimestamp")

    async def _lease(self, namespace: str, name: str) -> Object | None:
        try:
            return await self._store.get(ObjectKey(*_LEASE, namespace, name))
        except NotFound:
            return None

    async def _remove_others(self, namespace: str, wanted: Container[ObjectKey]) -> None:
        """Delete what an installation made here and this one does not want: with `--split`, the Deployment of all."""
        for group, kind in (_DEPLOYMENT, *_NAMESPACED, *_CLUSTER_WIDE):
            own = await self._ours(group, kind, namespace if (group, kind) not in _CLUSTER_WIDE else None)
            await self._delete([obj for obj in own if key_of(obj) not in wanted])

    async def _check_single(self, namespace: str) -> None:
        """Two installations would share their rights, and reconcile the same objects under one name."""
        if (other := await self._other_place(namespace)) is not None:
            remedy = f"tidegate uninstall -n {other}, or install with -n {other}"
            raise Conflict(f"Tidegate is installed in the namespace {other}: one is enough", remedy=remedy)

    async def _other_place(self, namespace: str) -> str | None:
        """Another namespace than this one in which Tidegate is installed, by what its rights are bound to."""
        for binding in await self._ours(_RBAC, "ClusterRoleBinding", None):
            for subject in binding.get("subjects") or []:
                if (other := subject.get("namespace")) not in (None, namespace):
                    return str(other)
        return None

    async def _check_flux(self, chosen: Installation) -> None:
        for name in controllers_of(chosen.kinds):
            key = ObjectKey("apps", "Deployment", chosen.namespace, name)
            try:
                found = await self._store.get(key)
            except NotFound:
                continue
            labels, replicas = found["metadata"].get("labels") or {}, (found.get("spec") or {}).get("replicas", 1)
            if labels.get(MANAGED_BY) == OURS:
                continue
            if replicas and labels.get(PART_OF) == FLUX:
                remedy = f"kubectl scale -n {chosen.namespace} deployment/{name} --replicas=0, or choose other --kinds"
                raise Conflict(f"Flux's {name} runs in {chosen.namespace}: two would do the same work", remedy=remedy)
            if chosen.split:
                remedy = f"kubectl delete -n {chosen.namespace} deployment/{name}, or install without --split"
                raise Conflict(f"there is another Deployment {chosen.namespace}/{name}", remedy=remedy)

    async def _is_anothers(self, key: ObjectKey) -> bool:
        try:
            found = await self._store.get(key)
        except NotFound:
            return False
        return (found["metadata"].get("labels") or {}).get(MANAGED_BY) != OURS

    async def _ours(self, group: str, kind: str, namespace: str | None) -> Sequence[Object]:
        """What an installation made, in this version or another one. The Pods of workflows are managed by us too, but
        no part of it.
        """
        found = await self._store.list(group, kind, namespace=namespace, labels={MANAGED_BY: OURS})
        return [obj for obj in found.items if PART_OF in obj["metadata"]["labels"]]

    async def _remove_definitions(self) -> None:
        for definition in await self._ours(*DEFINITION, None):
            group, kind = definition["spec"]["group"], definition["spec"]["names"]["kind"]
            for obj in (await self._store.list(group, kind)).items:
                if obj["metadata"].get("finalizers"):
                    await self._store.patch(key_of(obj), {"metadata": {"finalizers": None}}, manager=MANAGER)
            await self._delete([definition])

    async def _delete(self, objects: Sequence[Object]) -> None:
        for obj in objects:
            key = key_of(obj)
            try:
                await self._store.delete(key, uid=obj["metadata"]["uid"])
            except NotFound:
                continue
            await self._until_gone(key, str(obj["metadata"]["uid"]))
            self._deleted += 1
            self._say(f"{_named(key)} deleted")

    async def _until_gone(self, key: ObjectKey, uid: str) -> None:
        deadline = self._clock.monotonic() + GONE_TIMEOUT
        while True:
            try:
                if (await self._store.get(key))["metadata"]["uid"] != uid:
                    return
            except NotFound:
                return
            if self._clock.monotonic() > deadline:
                raise Conflict(f"{key} is still being deleted after {GONE_TIMEOUT:g} s", remedy="call it again")
            await self._clock.sleep(POLL)


def _kinds_of(deployments: Sequence[Object]) -> tuple[str, ...]:
    """The kinds that these Deployments reconcile, by their arguments."""
    words = [
        word
        for deployment in deployments
        for container in deployment["spec"]["template"]["spec"]["containers"]
        for argument in container.get("args") or []
        if argument.startswith("--kinds=")
        for word in argument.removeprefix("--kinds=").split(",")
    ]
    return kinds_of(words)


def _named(key: ObjectKey) -> str:
    """kubectl's spelling: `deployment.apps/tidegate`."""
    return f"{key.kind.lower()}{'.' + key.group if key.group else ''}/{key.name}"
