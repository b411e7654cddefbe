"""The Workloads port of a cluster: what a Kustomization applies, by server-side apply under Flux's rules.

Another manager's value is always taken back (drift), kubectl's own fields are undone, an unchanged object costs one
read and no write.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from tidegate.base.errors import InvalidInput, NotFound, TidegateError, Unavailable, Where
from tidegate.engine.ports import Applied
from tidegate.kinds.conditions import is_true
from tidegate.kinds.objects import Object, ObjectKey, annotation, key_of, version_of
from tidegate.kube.answers import IMMUTABLE, NO_RESOURCE
from tidegate.kube.client import KubeClient
from tidegate.kube.collection import Collection
from tidegate.kube.confidential import conceal, is_secret, with_data
from tidegate.kube.conflicts import again
from tidegate.kube.discovery import Discovery, ServedKind
from tidegate.kube.managed import Line, applied_line, lines_of, set_of, stands, taken_over, without_nulls
from tidegate.kube.store import same_content

SSA = "kustomize.toolkit.fluxcd.io/ssa"
FORCE = "kustomize.toolkit.fluxcd.io/force"
WAIT = 60.0
"""Seconds in which a deleted object must be gone, a namespace active, a definition established."""
POLL = 0.2
REMEMBERED = 20_000
PODS = Collection("", "v1", "pods")
_SERVER_SET = ("resourceVersion", "uid", "generation", "creationTimestamp", "managedFields", "selfLink")
_UNDONE = ("kubectl", "before-first-apply")
T = TypeVar("T")


class KubeWorkloads:
    """The objects of one cluster that Git wants there.

    The API says of each field who set it last, so an object whose line in managedFields is as our last apply left it
    still stands as it was applied; `_remembered` holds a mark of both for objects that the API writes otherwise than
    they were given (`1000m` becomes `1`).
    """

    def __init__(self, client: KubeClient, *, discovery: Discovery | None = None):
        self._client = client
        self._discovery = discovery or Discovery(client)
        self._remembered: dict[ObjectKey, int] = {}

    async def apply(self, obj: Object, *, manager: str, force: bool = False, dry_run: bool = False) -> Applied:
        """Server-side apply of one object. A CustomResourceDefinition is established, a Namespace active, when this
        returns. With `force` (or Flux's annotation of that name) an object whose fixed fields are to change is deleted
        and made anew. InvalidInput, NotFound where the kind or the namespace is not there, Unavailable while the object
        is being deleted.
        """
        config = applicable(obj)
        served, config = await self._placed(config)
        key = key_of(config)
        live = await self._live(served, key)
        if live is not None:
            if live["metadata"].get("deletionTimestamp"):
                raise Unavailable(f"{key} is still being deleted", remedy="it is applied once it is gone")
            if _left_alone(live, config) or self._stands(key, config, live, manager):
                return Applied(live, created=False, changed=False)
            if not dry_run and _wish(live, config) != "merge":
                live = await self._undo_kubectl(served, key, live, manager)
        write = self._writer(served, key, config, manager, dry_run=dry_run)
        try:
            result, created = await again(self._client.clock, write)
        except InvalidInput as error:
            if error.code != IMMUTABLE or live is None:
                raise
            if not (force or _enabled(config, live)):
                remedy = (
                    f"set spec.force, or delete it: kubectl delete {key.kind.lower()} {key.name} -n {key.namespace}"
                )
                raise InvalidInput(error.message, where=error.where, remedy=remedy, code=IMMUTABLE) from error
            if dry_run:
                return Applied(config, created=False, changed=True)
            await self._remove(served, key, str(live["metadata"]["uid"]))
            result, created = await again(self._client.clock, write)
        changed = live is None or created or not same_content(live, result)
        if not dry_run:
            self._remember(key, config, result, manager)
            result = await self._ready(served, key, result)
        return Applied(result, created=created, changed=changed)

    async def get(self, key: ObjectKey) -> Object:
        """The live object with its status; NotFound."""
        served = await self._discovery.find(key.group, key.kind)
        found: Object = await self._client.get(served.path(key.namespace, key.name))
        return found

    async def pods(self, namespace: str) -> list[Object]:
        """The Pods of a namespace; Denied where they may not be listed."""
        return await self._client.items(PODS, namespace)

    async def delete(self, key: ObjectKey) -> None:
        """Delete it; what it owns goes with it. NotFound."""
        served = await self._discovery.find(key.group, key.kind)
        self._remembered.pop(key, None)
        await self._client.delete(served.path(key.namespace, key.name), propagation="Background")

    def unsupported(self, obj: Object) -> str | None:
        """A cluster runs every kind that it serves."""
        return None

    # Before the write

    async def _placed(self, config: Object) -> tuple[ServedKind, Object]:
        """The kind, and the configuration with the scope that the kind has."""
        key = key_of(config)
        served = await self._discovery.find(key.group, key.kind, version_of(str(config["apiVersion"])))
        if served.namespaced and not key.namespace:
            remedy = "write metadata.namespace, or spec.targetNamespace of the Kustomization"
            raise InvalidInput(f"{key} needs a namespace", where=Where(field="metadata.namespace"), remedy=remedy)
        if not served.namespaced and key.namespace:
            metadata = {name: value for name, value in config["metadata"].items() if name != "namespace"}
            config = config | {"metadata": metadata}
        return served, config

    async def _live(self, served: ServedKind, key: ObjectKey) -> Object | None:
        try:
            found: Object = await self._client.get(served.path(key.namespace, key.name))
        except NotFound as error:
            if error.code == NO_RESOURCE:
                self._discovery.forget(key.group)
                raise
            return None
        return found

    def _stands(self, key: ObjectKey, config: Object, live: Object, manager: str) -> bool:
        line = applied_line(live, manager)
        if any(_is_kubectls(other) for other in lines_of(live)) and _wish(live, config) != "merge":
            return False
        if line is not None and self._remembered.get(key) == _mark(config, live, line):
            return True
        return stands(config, live, line)

    def _remember(self, key: ObjectKey, config: Object, live: Object, manager: str) -> None:
        line = applied_line(live, manager)
        self._remembered.pop(key, None)
        if line is not None:
            self._remembered[key] = _mark(config, live, line)
        while len(self._remembered) > REMEMBERED:
            del self._remembered[next(iter(self._remembered))]

    async def _undo_kubectl(self, served: ServedKind, key: ObjectKey, live: Object, manager: str) -> Object:
        """Take over what kubectl set, so that the apply removes what Git does not say; as Flux does."""
        lines = [line for line in lines_of(live) if _is_kubectls(line)]
        if not lines:
            return live
        after = taken_over(live, lines, manager, "", str(live["apiVersion"]))
        metadata: dict[str, Any] = {"managedFields": after, "resourceVersion": live["metadata"]["resourceVersion"]}
        path = served.path(key.namespace, key.name)
        taken = await self._client.merge(path, {"metadata": metadata}, fieldManager=manager)
        # What the apply changes is told against the state before.
        return live | {"metadata": live["metadata"] | {"resourceVersion": taken["metadata"]["resourceVersion"]}}

    # The write, and after it

    def _writer(
        self, served: ServedKind, key: ObjectKey, config: Object, manager: str, *, dry_run: bool
    ) -> Callable[[], Awaitable[tuple[Object, bool]]]:
        path = served.path(key.namespace, key.name)
        query = {"fieldManager": manager} | ({"dryRun": "All"} if dry_run else {})

        async def write() -> tuple[Object, bool]:
            try:
                return await self._client.apply(path, config, force=True, **query)
            except TidegateError as error:
                if is_secret(config):
                    conceal(error, config)
                raise

        return write

    async def _remove(self, served: ServedKind, key: ObjectKey, uid: str) -> None:
        path = served.path(key.namespace, key.name)
        await self._client.delete(path, uid=uid, propagation="Background")

        async def gone() -> bool | None:
            live = await self._live(served, key)
            return live is None or live["metadata"].get("uid") != uid or None

        await self._until(gone, f"{key} is not gone: something holds it by a finalizer")

    async def _ready(self, served: ServedKind, key: ObjectKey, live: Object) -> Object:
        """Wait for what others are going to need of it."""
        if (key.group, key.kind) == ("apiextensions.k8s.io", "CustomResourceDefinition"):
            self._discovery.forget(str((live.get("spec") or {}).get("group")))
            check: Callable[[Object], bool] = _established
            problem = f"the definition {key.name} is not established"
        elif (key.group, key.kind) == ("", "Namespace"):
            check, problem = _active, f"the namespace {key.name} is not active"
        else:
            return live
        first = [live]

        async def ready() -> Object | None:
            found = first.pop() if first else await self._live(served, key)
            return found if found is not None and check(found) else None

        return await self._until(ready, problem)

    async def _until(self, look: Callable[[], Awaitable[T | None]], problem: str) -> T:
        clock = self._client.clock
        deadline = clock.monotonic() + WAIT
        while (found := await look()) is None:
            if clock.monotonic() >= deadline:
                raise Unavailable(f"{problem} after {WAIT:g} s")
            await clock.sleep(POLL)
        return found


def applicable(obj: Object) -> Object:
    """The object as it is applied: without what the server sets, without nulls and status, a Secret's texts encoded."""
    metadata = {name: value for name, value in obj["metadata"].items() if name not in _SERVER_SET}
    config: Object = without_nulls({name: value for name, value in obj.items() if name != "status"})
    config["metadata"] = without_nulls(metadata)
    return with_data(config) if is_secret(config) else config


def _mark(config: Object, live: Object, line: Line) -> int:
    """What must not have changed for an object to be as it was applied: what is wanted, and what we own of which."""
    text = json.dumps([config, live["metadata"].get("uid"), line.get("time"), set_of(line)], sort_keys=True)
    return hash(text)


def _is_kubectls(line: Line) -> bool:
    """Whether somebody's kubectl set these fields, not counting subresources: its `scale` is not for Git to undo."""
    manager = str(line.get("manager"))
    return not line.get("subresource") and manager.startswith(_UNDONE)


def _wish(live: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Flux's annotation that says how an object is applied."""
    return (annotation(config, SSA) or annotation(live, SSA) or "override").lower()


def _left_alone(live: Object, config: Object) -> bool:
    return _wish(live, config) in ("ignore", "ifnotpresent")


def _enabled(config: Object, live: Object) -> bool:
    return "enabled" in ((annotation(config, FORCE) or "").lower(), (annotation(live, FORCE) or "").lower())


def _established(definition: Object) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or []
    return is_true(conditions, "Established") and is_true(conditions, "NamesAccepted")


def _active(namespace: Object) -> bool:
    return (namespace.get("status") or {}).get("phase") == "Active"
