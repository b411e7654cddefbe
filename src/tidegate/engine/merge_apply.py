"""Server-side apply: merging a configuration into a live object, and who owns which field afterwards.

Follows Kubernetes' rules (structured-merge-diff); ownership is kept in metadata.managedFields. Pure: time is given.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tidegate.base.errors import Conflict
from tidegate.base.frozen import frozen
from tidegate.engine.merge_fields import (
    NOTHING,
    Fields,
    children_of,
    compare,
    elements_of,
    fields_of,
    has_all,
    has_any,
    spell,
)
from tidegate.engine.merge_schema import MergeSchema, Path, merge_schema
from tidegate.kinds.objects import Object, group_of

APPLY, UPDATE = "Apply", "Update"
CLIENT_SIDE_MANAGERS = ("kubectl-client-side-apply", "kubectl", "before-first-apply")
UPDATERS_LIMIT = 10
"""Entries of `Update` kept on one object; the oldest beyond become one, as in the Kubernetes API."""
ANCIENT = "ancient-changes"
_UNOWNED = (
    "name", "generateName", "namespace", "creationTimestamp", "selfLink", "uid", "generation", "managedFields",
    "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds",
)  # fmt: skip


@frozen
class Entry:
    """One line of metadata.managedFields."""

    manager: str
    operation: str
    subresource: str
    api_version: str
    time: str
    fields: Fields

    @property
    def identity(self) -> tuple[str, str, str]:
        return (self.manager, self.operation, self.subresource)

    def as_json(self) -> dict[str, Any]:
        value: dict[str, Any] = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.fields.as_json(),
        }
        return value | {"subresource": self.subresource} if self.subresource else value


@frozen
class FieldConflict:
    """A field that somebody else owns with another value."""

    manager: str
    field: str
    operation: str


class ApplyConflict(Conflict):
    """An apply would take fields from other managers; `conflicts` lists each."""

    def __init__(self, conflicts: Sequence[FieldConflict]):
        by_manager: dict[str, list[str]] = {}
        for conflict in conflicts:
            by_manager.setdefault(conflict.manager, []).append(conflict.field)
        if len(conflicts) == 1:
            parts = [f"conflict with {conflicts[0].manager}: {conflicts[0].field}"]
        else:
            parts = [
                f"conflicts with {manager}:" + "".join(f"\n- {field}" for field in fields)
                for manager, fields in by_manager.items()
            ]
        word = "conflict" if len(conflicts) == 1 else "conflicts"
        super().__init__(
            f"Apply failed with {len(conflicts)} {word}: " + "\n".join(parts),
            remedy="leave these fields out, or apply with force to own them",
        )
        self.conflicts = tuple(conflicts)


def entries_of(obj: Mapping[str, Any]) -> list[Entry]:
    """The managers that an object names; lines that can't be read are left out."""
    listed = (obj.get("metadata") or {}).get("managedFields")
    lines = [line for line in listed if isinstance(line, Mapping)] if isinstance(listed, list) else []
    return [_entry(line) for line in lines if line.get("manager") and line.get("operation") in (APPLY, UPDATE)]


def _entry(line: Mapping[str, Any]) -> Entry:
    owned = line.get("fieldsV1")
    return Entry(
        manager=str(line["manager"]),
        operation=str(line["operation"]),
        subresource=str(line.get("subresource") or ""),
        api_version=str(line.get("apiVersion") or ""),
        time=str(line.get("time") or ""),
        fields=Fields.from_json(owned if isinstance(owned, Mapping) else {}),
    )


def with_entries(obj: Object, entries: Iterable[Entry]) -> Object:
    """The object with these managers; those that own nothing are left out, and the oldest updaters become one."""
    kept = sorted((entry for entry in entries if entry.fields), key=lambda entry: (entry.operation, entry.time))
    lines = [entry.as_json() for entry in _capped(kept)]
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    return obj | {"metadata": metadata | ({"managedFields": lines} if lines else {})}


def _capped(entries: Sequence[Entry]) -> list[Entry]:
    updaters = [entry for entry in entries if entry.operation == UPDATE and not entry.subresource]
    if len(updaters) <= UPDATERS_LIMIT:
        return list(entries)
    old = updaters[: len(updaters) - UPDATERS_LIMIT + 1]
    together = old[-1]
    for entry in old[:-1]:
        together = replace(together, fields=together.fields | entry.fields)
    rest = [entry for entry in entries if all(entry is not gone for gone in old)]
    return [replace(together, manager=ANCIENT), *rest]


def ownable(obj: Mapping[str, Any]) -> Object:
    """What of an object can be owned: all but its identity and what the store itself writes."""
    metadata = {name: value for name, value in (obj.get("metadata") or {}).items() if name not in _UNOWNED}
    rest = {name: value for name, value in obj.items() if name not in ("apiVersion", "kind", "metadata")}
    return rest | ({"metadata": metadata} if metadata else {})


def _with_identity(owned: Object, obj: Object) -> Object:
    """What `ownable` gives, made an object again."""
    metadata = {name: value for name, value in obj["metadata"].items() if name in _UNOWNED}
    identity = {name: obj[name] for name in ("apiVersion", "kind") if name in obj}
    return identity | owned | {"metadata": metadata | owned.get("metadata", {})}


def note_update(before: Mapping[str, Any], after: Object, *, manager: str, now: str, subresource: str = "") -> Object:
    """`after` with the ownership that a create, update or patch by `manager` leads to: it owns what it changed."""
    difference = compare(ownable(before), ownable(after), _schema(after))
    written, removed = difference.written, difference.removed
    if not written and not removed:
        return after
    identity = (manager, UPDATE, subresource)
    if not removed and (again := _written_again(after, identity, written, now)) is not None:
        return again
    result, own = [], NOTHING
    for entry in entries_of(after):
        if entry.identity == identity:
            own = entry.fields
        else:
            result.append(replace(entry, fields=(entry.fields - written).without(removed)))
    owned = own.without(removed) | written
    result.append(Entry(manager, UPDATE, subresource, str(after.get("apiVersion")), now, owned))
    return with_entries(after, result)


def _written_again(after: Object, identity: tuple[str, str, str], written: Fields, now: str) -> Object | None:
    """`after` where its manager alone owns what it has written, as with a scan's time: only the line's time is another.
    None where there is more to note.
    """
    others, own = [], None
    for line in after["metadata"].get("managedFields") or ():
        if (line.get("manager"), line.get("operation"), line.get("subresource", "")) == identity:
            own = line
        elif has_any(line.get("fieldsV1"), written):
            return None
        else:
            others.append(line)
    if own is None or own.get("apiVersion") != after.get("apiVersion") or not has_all(own.get("fieldsV1"), written):
        return None
    lines = sorted([*others, own | {"time": now}], key=lambda line: (str(line.get("operation")), str(line.get("time"))))
    return after | {"metadata": after["metadata"] | {"managedFields": lines}}


def apply(live: Object | None, config: Object, *, manager: str, force: bool, now: str, subresource: str = "") -> Object:
    """The object after `manager` applied `config` to it (to nothing, where `live` is None), or to its `subresource`.

    Fields that the manager applied before and no longer does go, unless somebody else owns them too. Raises
    ApplyConflict where another manager owns a field with another value, unless `force`.
    """
    schema = _schema(config)
    wanted = _without_nulls(config)
    base: Object = live if live is not None else {"metadata": {}}
    identity = (manager, APPLY, subresource)
    others = [entry for entry in entries_of(base) if entry.identity != identity]
    former = next((entry for entry in entries_of(base) if entry.identity == identity), None)
    applied = fields_of(ownable(wanted), schema)
    merged = merge_configuration(base, wanted, schema)
    written = compare(ownable(base), ownable(merged), schema).written
    others = _settle(others, written, manager=manager, force=force)
    if former is not None:
        keep = applied
        for entry in others:
            keep = keep | entry.fields
        merged = _with_identity(_pruned(ownable(merged), former.fields, keep, schema), merged)
        gone = compare(ownable(base), ownable(merged), schema).removed
        others = [replace(entry, fields=entry.fields.without(gone)) for entry in others]
    same_fields = former is not None and former.fields == applied
    time = former.time if former is not None and same_fields and not written else now
    return with_entries(merged, [*others, Entry(manager, APPLY, subresource, str(config["apiVersion"]), time, applied)])


def _schema(obj: Mapping[str, Any]) -> MergeSchema:
    return merge_schema(group_of(str(obj.get("apiVersion") or "")), str(obj.get("kind") or ""))


def _settle(others: Sequence[Entry], written: Fields, *, manager: str, force: bool) -> list[Entry]:
    """The other managers after losing what was written; or ApplyConflict."""
    conflicts, settled = [], []
    for entry in others:
        lost = entry.fields & written
        if lost and not force and not _yields(entry, manager):
            conflicts += [FieldConflict(_described(entry), spell(path), entry.operation) for path in lost.paths()]
        settled.append(replace(entry, fields=entry.fields - written) if lost else entry)
    if conflicts:
        raise ApplyConflict(conflicts)
    return settled


def _yields(entry: Entry, manager: str) -> bool:
    """kubectl's server-side apply takes over what its client-side apply wrote."""
    return manager == "kubectl" and entry.operation == UPDATE and entry.manager in CLIENT_SIDE_MANAGERS


def _described(entry: Entry) -> str:
    """A manager as the API names it in a conflict."""
    text = f'"{entry.manager}"'
    if entry.subresource:
        text += f' with subresource "{entry.subresource}"'
    if entry.operation == UPDATE:
        text += f" using {entry.api_version}" + (f" at {entry.time}" if entry.time else "")
    return text


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(below) for name, below in value.items() if below is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def merge_configuration(live: Any, config: Any, schema: MergeSchema, path: Path = ()) -> Any:
    """`config` laid over `live`: granular maps and associative lists merge, everything else is replaced."""
    if isinstance(live, dict) and isinstance(config, dict) and not schema.is_atomic(path):
        merged = dict(live)
        for name, value in config.items():
            below = (*path, name)
            merged[name] = (
                merge_configuration(live[name], value, schema, below) if name in live else copy.deepcopy(value)
            )
        return merged
    if isinstance(live, list) and isinstance(config, list):
        return _merge_lists(live, config, schema, path)
    return copy.deepcopy(config)


def _merge_lists(live: list[Any], config: list[Any], schema: MergeSchema, path: Path) -> list[Any]:
    list_type = schema.list_type(path)
    old = elements_of(live, list_type) if list_type else None
    new = elements_of(config, list_type) if list_type else None
    if old is None or new is None:
        return copy.deepcopy(config)
    return [
        old[name]
        if name not in new
        else merge_configuration(old[name], new[name], schema, path)
        if name in old
        else copy.deepcopy(new[name])
        for name in _merged_order(list(old), list(new))
    ]


def _merged_order(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """The configuration's order; items that only the live list has stay before the one that they preceded there."""
    order: list[str] = []
    left, right = deque(old), deque(new)
    shared = deque(name for name in new if name in old)
    while left or right:
        if left and right and left[0] != right[0] and left[0] in new and shared and shared[0] != left[0]:
            left.popleft()
        elif left and left[0] not in new:
            order.append(left.popleft())
        elif left and left[0] in order:
            left.popleft()
        elif right:
            name = right.popleft()
            order.append(name)
            if left and left[0] == name:
                left.popleft()
            if shared and shared[0] == name:
                shared.popleft()
        else:
            left.popleft()
    return order


def _pruned(value: Any, former: Fields, keep: Fields, schema: MergeSchema, path: Path = ()) -> Any:
    """`value` without the fields of `former` that are not in `keep`. What nobody owns stays where it can."""
    inner = children_of(value, schema, path)
    if inner is None:
        return value
    list_type = schema.list_type(path) if isinstance(value, dict) else None
    keys = {f"f:{key}" for key in list_type.keys} if list_type else set()
    kept: dict[str, Any] = {}
    for element, (below_path, below) in inner.items():
        # An item's keys make it that item: they go with it only.
        result = below if element in keys else _prune_one(element, below, former, keep, schema, below_path)
        if result is not _GONE:
            kept[element] = result
    if isinstance(value, list):
        return list(kept.values())
    return {element.removeprefix("f:"): below for element, below in kept.items()}


_GONE = object()


def _prune_one(element: str, below: Any, former: Fields, keep: Fields, schema: MergeSchema, path: Path) -> Any:
    if not former.has(element):
        return below
    # A field goes with the last owner of anything in it; an item with the last who named the item itself.
    is_item = not element.startswith("f:")
    if is_item and element in former.members and element not in keep.members:
        return _GONE
    if not is_item and not keep.has(element):
        return _GONE
    result = _pruned(below, former.below(element), keep.below(element), schema, path)
    emptied = isinstance(result, (dict, list)) and not result and below
    return _GONE if emptied and element not in keep.members else result
