"""The store as this door reads it: objects in the version asked for, and the made-up ones of the controllers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol

from tidegate.engine.ports import Applied
from tidegate.engine.sqlite_tables import Change
from tidegate.kinds.objects import Object, ObjectKey
from tidegate.serve.kubernetes.status import Forbidden
from tidegate.serve.kubernetes.target import Target
from tidegate.serve.kubernetes.virtual import VirtualObjects

Place = tuple[str, str]
"""A namespace and a name: where a listing goes on."""


class ObjectStore(Protocol):
    """What this door needs of a store beyond the Store port."""

    async def get(self, key: ObjectKey) -> Object: ...

    def pages(
        self, group: str, kind: str, *, namespace: str | None = None, after: Place | None = None
    ) -> AsyncIterator[tuple[str, list[Object]]]: ...

    def kinds(self) -> Sequence[tuple[str, str, str, bool]]: ...

    async def create(self, obj: Object, *, manager: str, dry_run: bool = False) -> Object: ...

    async def modify(
        self,
        key: ObjectKey,
        change: Callable[[Object], Object],
        *,
        manager: str,
        status: bool = False,
        dry_run: bool = False,
    ) -> Object: ...

    async def apply(
        self,
        obj: Object,
        *,
        manager: str,
        force: bool = False,
        dry_run: bool = False,
        check: Callable[[Object], None] | None = None,
    ) -> Applied: ...

    async def apply_status(
        self, obj: Object, *, manager: str, force: bool = False, dry_run: bool = False
    ) -> Object: ...

    async def delete(
        self,
        key: ObjectKey,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        orphan: bool = False,
        dry_run: bool = False,
    ) -> None: ...

    def changes(
        self, group: str, kind: str, *, namespace: str | None = None, since: str | None = None
    ) -> AsyncIterator[Change]: ...

    def latest_version(self) -> str: ...


class Objects:
    """Reads for handlers; writes go to the store itself, once `check_writable` let them."""

    def __init__(self, store: ObjectStore, virtual: VirtualObjects):
        self.store = store
        self._virtual = virtual

    async def get(self, target: Target) -> Object:
        """The named object; NotFound."""
        found = self._virtual.get(target.key)
        return in_version(found if found is not None else await self.store.get(target.key), target)

    def made(self, target: Target) -> list[Object]:
        """The made-up objects of a collection."""
        resource = target.resource
        found = self._virtual.list(resource.group, resource.kind, target.namespace or None)
        return [in_version(obj, target) for obj in found]

    async def pages(self, target: Target, after: Place | None = None) -> AsyncIterator[tuple[str, list[Object]]]:
        """The stored objects of a collection in pages, each with the listing's resource version."""
        resource, namespace = target.resource, target.namespace or None
        async for version, page in self.store.pages(resource.group, resource.kind, namespace=namespace, after=after):
            yield version, [in_version(obj, target) for obj in page]

    def check_writable(self, target: Target) -> None:
        """Forbidden for the made-up objects: they only show what runs inside this process."""
        if self._virtual.get(target.key) is not None:
            raise Forbidden("it shows a controller that runs inside tidegate, and can't be changed")


def in_version(obj: Object, target: Target) -> Object:
    """The object as the version that was asked for writes it: our kinds differ in nothing but the version's name."""
    return obj if obj.get("apiVersion") == target.api_version else obj | {"apiVersion": target.api_version}


def place_of(obj: Object) -> Place:
    """Where an object stands in a listing."""
    metadata: dict[str, Any] = obj["metadata"]
    return str(metadata.get("namespace") or ""), str(metadata["name"])
