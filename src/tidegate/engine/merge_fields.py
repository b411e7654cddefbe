"""Sets of fields, as metadata.managedFields writes them (FieldsV1), and how they are taken from objects.

Follows sigs.k8s.io/structured-merge-diff: path elements `f:name` (a field), `k:{…}` (an item of an associative list)
and `v:…` (a value of a set). Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.engine.merge_schema import ListType, MergeSchema, Path, item_key


@frozen
class Fields:
    """A set of field paths: `members` are in it themselves, `children` hold the paths below. Never changed in place."""

    members: frozenset[str] = frozenset()
    children: Mapping[str, Fields] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.members or self.children)

    def has(self, element: str) -> bool:
        """Whether the element or anything below it is in the set."""
        return element in self.members or element in self.children

    def below(self, element: str) -> Fields:
        """The paths below an element."""
        return self.children.get(element, NOTHING)

    def __or__(self, other: Fields) -> Fields:
        names = self.children.keys() | other.children.keys()
        return Fields(self.members | other.members, {name: self.below(name) | other.below(name) for name in names})

    def __and__(self, other: Fields) -> Fields:
        names = self.children.keys() & other.children.keys()
        return _tidy(self.members & other.members, {name: self.below(name) & other.below(name) for name in names})

    def __sub__(self, other: Fields) -> Fields:
        children = {name: below - other.below(name) for name, below in self.children.items()}
        return _tidy(self.members - other.members, children)

    def without(self, other: Fields) -> Fields:
        """The difference that also drops whatever lies below a member of `other`."""
        children = {n: below.without(other.below(n)) for n, below in self.children.items() if n not in other.members}
        return _tidy(self.members - other.members, children)

    def paths(self, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        """Every member, as its path elements."""
        for name in sorted(self.members | self.children.keys()):
            if name in self.members:
                yield (*prefix, name)
            yield from self.below(name).paths((*prefix, name))

    def as_json(self) -> dict[str, Any]:
        """The FieldsV1 form."""
        value: dict[str, Any] = {}
        for name in sorted(self.members | self.children.keys()):
            below = self.below(name).as_json()
            value[name] = {".": {}} | below if below and name in self.members else below
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Fields:
        """Read the FieldsV1 form; anything that isn't a map counts as empty."""
        members, children = set(), {}
        for name, below in value.items():
            if name == ".":
                continue
            inner = below if isinstance(below, Mapping) else {}
            if not inner or "." in inner:
                members.add(name)
            if nested := cls.from_json(inner):
                children[name] = nested
        return cls(frozenset(members), children)


NOTHING = Fields()


def has_all(form: object, fields: Fields) -> bool:
    """Whether a set in its FieldsV1 form has every one of `fields`; the rest of it is not read."""
    if not isinstance(form, Mapping):
        return False
    members = all(name in form and (not form[name] or "." in form[name]) for name in fields.members)
    return members and all(has_all(form.get(name), below) for name, below in fields.children.items())


def has_any(form: object, fields: Fields) -> bool:
    """Whether a set in its FieldsV1 form may have any of `fields`."""
    if not isinstance(form, Mapping):
        return False
    members = any(name in form for name in fields.members)
    return members or any(has_any(form.get(name), below) for name, below in fields.children.items())


def _tidy(members: frozenset[str], children: Mapping[str, Fields]) -> Fields:
    return Fields(members, {name: below for name, below in children.items() if below})


def of_path(path: Iterable[str]) -> Fields:
    """The set of one path, given as path elements."""
    elements = list(path)
    result = Fields(frozenset(elements[-1:]))
    for element in reversed(elements[:-1]):
        result = Fields(frozenset(), {element: result})
    return result


def spell(path: Iterable[str]) -> str:
    """A path as the API spells it in conflicts: `.spec.template.spec.containers[name="api"].image`."""
    text = ""
    for element in path:
        kind, _, rest = element.partition(":")
        if kind == "k":
            keys = json.loads(rest)
            text += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in sorted(keys.items())) + "]"
        elif kind == "v":
            text += f"[={rest}]"
        else:
            text += f".{rest}"
    return text


def item_element(item: object, list_type: ListType) -> str | None:
    """The path element of an item; None where it has no usable key."""
    if list_type.is_set:
        return None if isinstance(item, (dict, list)) else f"v:{json.dumps(item)}"
    values = item_key(item, list_type.keys)
    if values is None:
        return None
    key = dict(zip(list_type.keys, values, strict=True))
    return f"k:{json.dumps(key, sort_keys=True, separators=(',', ':'))}"


def elements_of(items: object, list_type: ListType) -> dict[str, Any] | None:
    """Path element → item, in order; None where the list can't be merged item by item (no key, or the same twice)."""
    if not isinstance(items, list):
        return None
    found: dict[str, Any] = {}
    for item in items:
        element = item_element(item, list_type)
        if element is None or element in found:
            return None
        found[element] = item
    return found


def children_of(value: object, schema: MergeSchema, path: Path) -> dict[str, tuple[Path, Any]] | None:
    """Path element → (schema path, value) of what lies directly in `value`; None for a leaf."""
    if isinstance(value, dict):
        if schema.is_atomic(path):
            return None
        return {f"f:{name}": ((*path, name), below) for name, below in value.items()}
    if isinstance(value, list) and (list_type := schema.list_type(path)) is not None:
        items = elements_of(value, list_type)
        return None if items is None else {element: (path, item) for element, item in items.items()}
    return None


def fields_of(value: object, schema: MergeSchema, path: Path = ()) -> Fields:
    """The fields that an applied configuration speaks of: its leaves, and the items of its associative lists."""
    members, children = set(), {}
    for element, (below_path, below) in (children_of(value, schema, path) or {}).items():
        nested = fields_of(below, schema, below_path)
        if nested:
            children[element] = nested
        if not element.startswith("f:") or below == {} or children_of(below, schema, below_path) is None:
            members.add(element)
    return Fields(frozenset(members), children)


@frozen
class Comparison:
    """Which fields differ between two objects."""

    added: Fields = NOTHING
    modified: Fields = NOTHING
    removed: Fields = NOTHING

    @property
    def written(self) -> Fields:
        return self.added | self.modified


class _Tally:
    """Collects the fields of one level, so that wide maps cost linear time."""

    def __init__(self) -> None:
        self._members: set[str] = set()
        self._children: dict[str, Fields] = {}

    def add(self, element: str, below: Fields = NOTHING, *, member: bool = True) -> None:
        if member:
            self._members.add(element)
        if below:
            self._children[element] = below

    def fields(self) -> Fields:
        return Fields(frozenset(self._members), self._children)


def _all_fields(value: object, schema: MergeSchema, path: Path) -> Fields:
    """Every field below `value`, the ones in between too."""
    inner = children_of(value, schema, path) or {}
    nested = {element: _all_fields(below, schema, below_path) for element, (below_path, below) in inner.items()}
    return _tidy(frozenset(inner), nested)


def compare(before: object, after: object, schema: MergeSchema, path: Path = ()) -> Comparison:
    """The fields that `after` adds, changes and lacks."""
    old, new = children_of(before, schema, path) or {}, children_of(after, schema, path) or {}
    added, modified, removed = _Tally(), _Tally(), _Tally()
    for element, (below_path, below) in new.items():
        if element not in old:
            added.add(element, _all_fields(below, schema, below_path))
            continue
        former = old[element][1]
        if same(former, below):
            continue
        if children_of(former, schema, below_path) is None or children_of(below, schema, below_path) is None:
            come = _all_fields(below, schema, below_path)
            modified.add(element, come)
            removed.add(element, _all_fields(former, schema, below_path) - come, member=False)
        else:
            inner = compare(former, below, schema, below_path)
            for tally, part in ((added, inner.added), (modified, inner.modified), (removed, inner.removed)):
                tally.add(element, part, member=False)
    for element, (below_path, below) in old.items():
        if element not in new:
            removed.add(element, _all_fields(below, schema, below_path))
    return Comparison(added.fields(), modified.fields(), removed.fields())


def same(left: object, right: object) -> bool:
    """Equality of JSON values, in which `1` and `true` are two things."""
    if left is right:
        return True
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[name]) for name, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and left == right
