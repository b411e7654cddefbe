"""What one transaction of the store does to objects: insert, replace, delete, and what follows from each at once.

Knows lifecycles, owners and namespaces; opens no transaction of its own and wakes nobody.
"""

from __future__ import annotations

import uuid

from tidegate.base.errors import Conflict, NotFound
from tidegate.engine import merge_apply
from tidegate.engine import sqlite_lifecycle as lifecycle
from tidegate.engine.clock import Clock, rfc3339
from tidegate.engine.sqlite_tables import Tables
from tidegate.kinds.objects import Object, ObjectKey

NAMESPACE, OWNER = "namespace", "owner"
"""The sorts of garbage: a namespace that is going, an owner that is gone."""


class Objects:
    """Steps on objects; call them inside a transaction of `tables`."""

    def __init__(self, tables: Tables, clock: Clock):
        self._tables = tables
        self._clock = clock

    def now(self) -> str:
        """The time as objects carry it."""
        return rfc3339(self._clock.now())

    def live(self, key: ObjectKey) -> Object:
        """The object as it is stored; NotFound."""
        live = self._tables.read(key)
        if live is None:
            raise NotFound(f"{key} does not exist")
        return live

    def insert(self, key: ObjectKey, obj: Object, manager: str, *, owned: bool = False) -> Object:
        """Store a new object; `owned` where its managers are already noted."""
        if key.namespace and key.kind != "Event":
            self._enter_namespace(key.namespace, manager)
        fresh = lifecycle.born(obj, uid=str(uuid.uuid4()), now=self.now())
        if not owned:
            fresh["metadata"].pop("managedFields", None)
            if key.kind != "Event":
                fresh = merge_apply.note_update({}, fresh, manager=manager, now=self.now())
        return self._tables.write(key, fresh, before=None)

    def _enter_namespace(self, name: str, manager: str) -> None:
        """Namespaces appear on first use; nothing new comes into one that is being deleted."""
        key = ObjectKey("", "Namespace", "", name)
        found = self._tables.read(key)
        if found is None:
            self.insert(key, lifecycle.new_namespace(name), manager)
        elif lifecycle.is_dying(found):
            raise Conflict(f"the namespace {name} is being deleted", code="NamespaceTerminating")

    def replace(self, key: ObjectKey, live: Object, after: Object) -> Object:
        """Write the next state, or nothing where nothing changes, or remove what waited for this to die."""
        if lifecycle.unchanged(live, after):
            return live
        if lifecycle.is_dying(after) and not _held(key, after):
            return self._remove(key, after)
        return self._tables.write(key, after, before=live)

    def delete(self, key: ObjectKey, live: Object, *, orphan: bool = False) -> None:
        """Remove an object, or mark it where finalizers hold it."""
        if key.kind == "Namespace" and not key.group:
            self._tables.add_garbage(NAMESPACE, key.name)
        if orphan:
            self._let_go(str(live["metadata"]["uid"]))
        if not _held(key, live):
            self._remove(key, live)
        elif not lifecycle.is_dying(live):
            self._tables.write(key, lifecycle.dying(live, self.now()), before=live)

    def _remove(self, key: ObjectKey, obj: Object) -> Object:
        uid = str(obj["metadata"]["uid"])
        if self._tables.owned_by(uid, 1):
            self._tables.add_garbage(OWNER, uid)
        if key.namespace:
            self._note_if_dying(key.namespace)
        return self._tables.remove(key, obj)

    def _note_if_dying(self, namespace: str) -> None:
        found = self._tables.read(ObjectKey("", "Namespace", "", namespace))
        if found is not None and lifecycle.is_dying(found):
            self._tables.add_garbage(NAMESPACE, namespace)

    def _let_go(self, uid: str) -> None:
        """Take an owner's name off its dependents, so that they outlive it."""
        for key in self._tables.owned_by(uid, -1):
            live = self._tables.read(key)
            if live is not None:
                owners = [owner for owner in live["metadata"].get("ownerReferences") or [] if owner.get("uid") != uid]
                metadata = live["metadata"] | {"ownerReferences": owners}
                self._tables.write(key, live | {"metadata": metadata}, before=live)

    def end(self, key: ObjectKey) -> None:
        """Delete an object of a namespace that is going, where nobody has begun to."""
        live = self._tables.read(key)
        if live is not None and not lifecycle.is_dying(live):
            self.delete(key, live)

    def end_namespace(self, name: str) -> None:
        """Remove a namespace that is going, once it is empty."""
        key = ObjectKey("", "Namespace", "", name)
        live = self._tables.read(key)
        if live is not None and lifecycle.is_dying(live) and not self._tables.in_namespace(name, 0, 1):
            self._remove(key, live)

    def lose_owner(self, key: ObjectKey, uid: str) -> None:
        """An owner is gone: its dependent goes too, unless another owner is left."""
        self._tables.drop_owner(uid, key)
        live = self._tables.read(key)
        if live is None:
            return
        others = [owner.get("uid") for owner in live["metadata"].get("ownerReferences") or []]
        if not any(self._tables.is_stored(str(other)) for other in others if other != uid):
            self.delete(key, live)


def _held(key: ObjectKey, obj: Object) -> bool:
    """Whether something still has to happen before the object may go."""
    return bool(obj["metadata"].get("finalizers")) or (key.kind == "Namespace" and not key.group)
