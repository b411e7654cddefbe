"""The Store port of a cluster: objects in the Kubernetes API, status written by server-side apply under one name."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tidegate.base.errors import Conflict, InvalidInput, NotFound, Where
from tidegate.engine.adoption import ADOPT, owned_by
from tidegate.engine.merge_apply import ApplyConflict
from tidegate.engine.merge_fields import same
from tidegate.engine.merge_patch import merge_patch
from tidegate.engine.ports import Applied, Listing, WatchEvent
from tidegate.kinds.objects import Object, ObjectKey, annotation, key_of, version_of
from tidegate.kube.answers import NO_RESOURCE, manager_named
from tidegate.kube.client import KubeClient
from tidegate.kube.conflicts import StaleUid, again
from tidegate.kube.discovery import Discovery, ServedKind
from tidegate.kube.following import follow
from tidegate.kube.managed import (
    STATUS,
    Line,
    applied_line,
    extracted,
    set_of,
    taken_over,
    writers_of_status,
    written_at,
)
from tidegate.kube.seen import Seen

NAME = "tidegate"
_SYSTEM = ("resourceVersion", "managedFields", "generation")


class KubeStore:
    """Objects of one cluster.

    `name` is the field manager under which every status is written, whichever of our controllers writes it; what any
    other name has written makes an object another's. `adopt_before` takes over, as the annotation ADOPT does for one
    object, what others wrote up to that moment: a manager that is still alive writes later, so no two ever take turns.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        discovery: Discovery | None = None,
        name: str = NAME,
        adopt_before: datetime | None = None,
    ):
        self._client = client
        self._discovery = discovery or Discovery(client)
        self._name = name
        self._adopt_before = adopt_before
        self._seen = Seen()

    # What is read

    async def get(self, key: ObjectKey) -> Object:
        """The object; NotFound."""
        served = await self._discovery.find(key.group, key.kind)
        with self._noticing(key.group):
            found: Object = await self._client.get(served.path(key.namespace, key.name))
        self._seen.note(key, found)
        return found

    async def list(
        self, group: str, kind: str, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Listing:
        """All objects of a kind, by namespace and by equality of labels, sorted by namespace and name."""
        served = await self._discovery.find(group, kind)
        selector = ",".join(f"{name}={value}" for name, value in (labels or {}).items())
        with self._noticing(group):
            version, items = await self._client.listing(
                served.path(namespace or ""), **({"labelSelector": selector} if selector else {})
            )
        return Listing(sorted(items, key=_place), version)

    async def watch(
        self, group: str, kind: str, *, namespace: str | None = None, since: str | None = None
    ) -> AsyncIterator[WatchEvent]:
        """Changes after a resource version (None: from now on), in order and without a gap; Conflict with code
        `Expired` where that version is no longer kept (the API's 410). Cuts and the server's own ends are bridged.
        """
        path = (await self._discovery.find(group, kind)).path(namespace or "")
        with self._noticing(group):
            if since is None:
                since = str((await self._client.get(path, limit="1"))["metadata"]["resourceVersion"])
            # Closed from the outside in: what is left to the event loop's end is closed in any order.
            async with contextlib.aclosing(follow(self._client, path, since)) as events:
                async for event in events:
                    yield event

    def other_owner(self, obj: Object) -> str | None:
        """Who else writes this object's status; None where that is us or nobody."""
        others = [line for line in self._others(obj) if not self._may_adopt(obj, line)]
        return str(others[0].get("manager")) if others else None

    # What is written

    async def create(self, obj: Object, *, manager: str) -> Object:
        """Store a new object, without its status; AlreadyExists."""
        served = await self._served(obj)
        key = key_of(obj) if obj["metadata"].get("name") or not obj["metadata"].get("generateName") else None
        path = served.path(key.namespace if key else str(obj["metadata"].get("namespace") or ""))
        with self._noticing(served.collection.group):
            return await self._client.create(path, _without_status(obj), fieldManager=manager)

    async def update(self, obj: Object, *, manager: str) -> Object:
        """Replace all but status. With `metadata.resourceVersion` set, Conflict unless it is the present one."""
        served, key = await self._served(obj), key_of(obj)
        path = served.path(key.namespace, key.name)
        wanted = _without_status(obj)

        async def replace() -> Object:
            """Most kinds are only replaced by who names the version that is replaced."""
            live = await self._client.get(path)
            _check_uid(live, key, obj["metadata"].get("uid"))
            metadata = wanted["metadata"] | {"resourceVersion": live["metadata"]["resourceVersion"]}
            return await self._client.replace(path, wanted | {"metadata": metadata}, fieldManager=manager)

        with self._noticing(key.group):
            if obj["metadata"].get("resourceVersion"):
                return await self._client.replace(path, wanted, fieldManager=manager)
            return await again(self._client.clock, replace)

    async def apply(self, obj: Object, *, manager: str, force: bool = False, dry_run: bool = False) -> Applied:
        """Server-side apply; ApplyConflict names the managers in the way, unless `force`. Status is never touched."""
        if obj["metadata"].get("managedFields"):
            where = Where(field="metadata.managedFields")
            raise InvalidInput("managedFields must be empty in what is applied", where=where)
        served, key = await self._served(obj), key_of(obj)
        path = served.path(key.namespace, key.name)
        query = {"fieldManager": manager} | ({"dryRun": "All"} if dry_run else {})
        with self._noticing(key.group):
            try:
                live = await self._client.get(path)
            except NotFound:
                live = None
            result, created = await self._client.apply(path, _without_status(obj), force=force, **query)
        return Applied(result, created=created, changed=live is None or not same_content(live, result))

    async def patch(self, key: ObjectKey, patch: Mapping[str, Any], *, manager: str) -> Object:
        """JSON merge patch (RFC 7396) of all but status."""
        served = await self._discovery.find(key.group, key.kind)
        body = {name: value for name, value in patch.items() if name != STATUS}
        with self._noticing(key.group):
            patched = await self._client.merge(served.path(key.namespace, key.name), body, fieldManager=manager)
        self._seen.note(key, patched)
        return patched

    async def patch_status(
        self,
        key: ObjectKey,
        status: Mapping[str, Any],
        *,
        manager: str,
        uid: str | None = None,
        beside_owner: bool = False,
    ) -> Object:
        """JSON merge patch (RFC 7396) of the status that is ours; lists are replaced whole. With `uid`, Conflict on
        another. Nothing is sent where nothing changes. OwnedByAnother where somebody else writes this status; with
        `beside_owner`, only where their fields are in the way: nothing is taken by force.
        """
        served = await self._discovery.find(key.group, key.kind)
        with self._noticing(key.group):
            written = await self._write_on_seen(served, key, status, uid)
            if written is None:
                written = await again(
                    self._client.clock, lambda: self._write_status(served, key, status, uid, beside_owner=beside_owner)
                )
        self._seen.note(key, written)
        return written

    async def delete(self, key: ObjectKey, *, uid: str | None = None) -> None:
        """Delete it, and then what it owns; with finalizers, it waits for them to be removed. NotFound."""
        served = await self._discovery.find(key.group, key.kind)
        with self._noticing(key.group):
            await self._client.delete(served.path(key.namespace, key.name), uid=uid, propagation="Background")

    # Status

    async def _write_on_seen(
        self, served: ServedKind, key: ObjectKey, status: Mapping[str, Any], uid: str | None
    ) -> Object | None:
        """Write on top of the object as it was read last, if it is still that version; None where it has to be read:
        nothing is known of it, nothing would change, or somebody else has something to do with its status.
        """
        seen = self._seen.take(key)
        if seen is None or uid not in (None, seen["metadata"].get("uid")) or self._others(seen):
            return None
        found = self._status_config(seen, status)
        if found is None or found[1]:
            return None
        config = found[0]
        config["metadata"]["resourceVersion"] = seen["metadata"]["resourceVersion"]
        path = served.path(key.namespace, key.name, STATUS)
        try:
            return (await self._client.apply(path, config, fieldManager=self._name))[0]
        except Conflict:
            return None

    async def _write_status(
        self, served: ServedKind, key: ObjectKey, status: Mapping[str, Any], uid: str | None, *, beside_owner: bool
    ) -> Object:
        live: Object = await self._client.get(served.path(key.namespace, key.name))
        _check_uid(live, key, uid)
        if adopted := [line for line in self._others(live) if self._may_adopt(live, line)]:
            live = await self._adopt(served, live, adopted)
        if not beside_owner and (owner := self.other_owner(live)) is not None:
            raise owned_by(key, owner)
        if (found := self._status_config(live, status)) is None:
            return live
        config, emptied = found
        path = served.path(key.namespace, key.name, STATUS)
        if emptied:
            # An apply would leave null of a map whose entries all go, which the API then refuses.
            body = {"metadata": {"resourceVersion": live["metadata"]["resourceVersion"]}, STATUS: emptied}
            await self._client.merge(path, body, fieldManager=self._name)
        try:
            return (await self._client.apply(path, config, fieldManager=self._name))[0]
        except ApplyConflict as error:
            raise owned_by(key, manager_named(error.conflicts[0].manager)) from error

    def _status_config(self, live: Object, status: Mapping[str, Any]) -> tuple[Object, dict[str, Any]] | None:
        """What is applied to bring our part of the status there, and the merge patch that must come before it; None
        where it is there.
        """
        own = extracted(live, set_of(applied_line(live, self._name, STATUS))).get(STATUS) or {}
        wanted = merge_patch(own, status)
        present = live.get(STATUS) or {}
        if same(wanted, own) or same(merge_patch(present, status), present):
            return None
        config = {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": _identity(live), STATUS: wanted}
        return config, _emptied(own, wanted)

    async def _adopt(self, served: ServedKind, live: Object, lines: Sequence[Line]) -> Object:
        """Take over what these managers own in the status, as the API's own tools do: in the managedFields."""
        after = taken_over(live, lines, self._name, STATUS, str(live["apiVersion"]))
        metadata = {"managedFields": after, "resourceVersion": live["metadata"]["resourceVersion"]}
        key = key_of(live)
        return await self._client.merge(
            served.path(key.namespace, key.name), {"metadata": metadata}, fieldManager=self._name
        )

    def _others(self, obj: Object) -> Sequence[Line]:
        return [line for line in writers_of_status(obj) if line.get("manager") != self._name]

    def _may_adopt(self, obj: Object, line: Line) -> bool:
        moments = [moment for moment in (self._adopt_before, _moment(annotation(obj, ADOPT))) if moment is not None]
        return any(written_at(line) <= moment for moment in moments)

    # Helpers

    async def _served(self, obj: Object) -> ServedKind:
        key = key_of(obj if obj["metadata"].get("name") else obj | {"metadata": {"name": "generated"}})
        if not obj["metadata"].get("name") and not obj["metadata"].get("generateName"):
            key_of(obj)
        return await self._discovery.find(key.group, key.kind, version_of(str(obj["apiVersion"])))

    @contextlib.contextmanager
    def _noticing(self, group: str) -> Iterator[None]:
        """Where the server says that a kind itself is gone, look it up anew the next time."""
        try:
            yield
        except NotFound as error:
            if error.code == NO_RESOURCE:
                self._discovery.forget(group)
            raise


def same_content(before: Object, after: Object) -> bool:
    """Whether two states of an object differ in nothing but bookkeeping."""
    return same(_content(before), _content(after))


def _content(obj: Object) -> Object:
    metadata = {name: value for name, value in obj["metadata"].items() if name not in _SYSTEM}
    return obj | {"metadata": metadata}


def _emptied(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that takes out the maps of a status of which nothing is left."""
    patch: dict[str, Any] = {}
    for name, value in before.items():
        if not isinstance(value, Mapping) or not value:
            continue
        if not after.get(name):
            patch[name] = None
        elif isinstance(after[name], Mapping) and (inner := _emptied(value, after[name])):
            patch[name] = inner
    return patch


def _check_uid(live: Object, key: ObjectKey, uid: str | None) -> None:
    if uid and live["metadata"].get("uid") != uid:
        raise StaleUid(f"{key} is another object now: its uid is {live['metadata'].get('uid')}, not {uid}")


def _identity(obj: Object) -> Object:
    names = ("name", "namespace", "uid")
    return {name: obj["metadata"][name] for name in names if obj["metadata"].get(name)}


def _without_status(obj: Object) -> Object:
    return {name: value for name, value in obj.items() if name != STATUS}


def _place(obj: Object) -> tuple[str, str]:
    metadata = obj.get("metadata") or {}
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


def _moment(text: str | None) -> datetime | None:
    """An annotation's moment; None where it is none, so that a slip of the pen takes nothing over."""
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and not moment.tzinfo else moment
