"""metadata.managedFields as the API keeps it: whose a field is, what a manager applied, whether it still stands. Pure.

Everything is read off the sets of fields themselves (FieldsV1), so that kinds with schemas of their own need none here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tidegate.engine.merge_apply import ownable
from tidegate.engine.merge_fields import Fields, same
from tidegate.kinds.objects import Object

APPLY = "Apply"
STATUS = "status"
_DEFAULT_KEYS = {"protocol": "TCP"}
"""What the API fills in for a key of a list's item that is left out."""
Line = Mapping[str, Any]


def lines_of(obj: Mapping[str, Any]) -> list[Line]:
    """The lines of an object's managedFields."""
    listed = (obj.get("metadata") or {}).get("managedFields") or []
    return [line for line in listed if isinstance(line, Mapping)]


def applied_line(obj: Mapping[str, Any], manager: str, subresource: str = "") -> Line | None:
    """What `manager` has applied to the object or to its subresource; None where it has not."""
    for line in lines_of(obj):
        if (line.get("manager"), line.get("operation"), line.get("subresource") or "") == (manager, APPLY, subresource):
            return line
    return None


def set_of(line: Line | None) -> Mapping[str, Any]:
    """A line's set of fields."""
    found = (line or {}).get("fieldsV1")
    return found if isinstance(found, Mapping) else {}


def writers_of_status(obj: Mapping[str, Any]) -> list[Line]:
    """The lines of those who own something in the object's status, through the status subresource."""
    return [line for line in lines_of(obj) if line.get("subresource") == STATUS and f"f:{STATUS}" in set_of(line)]


def written_at(line: Line) -> datetime:
    """When a line's manager last changed something; the beginning of time where it does not say."""
    try:
        moment = datetime.fromisoformat(str(line.get("time")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def taken_over(obj: Object, lines: Sequence[Line], manager: str, subresource: str, api_version: str) -> list[Line]:
    """The object's managedFields after `manager` has taken what these lines own, as if it had applied it itself."""
    own = applied_line(obj, manager, subresource)
    fields = Fields.from_json(set_of(own))
    for line in lines:
        fields |= Fields.from_json(set_of(line))
    kept = [line for line in lines_of(obj) if line is not own and not any(line is gone for gone in lines)]
    taken = {
        "manager": manager,
        "operation": APPLY,
        "apiVersion": api_version,
        "time": (own or lines[0]).get("time"),
        "fieldsType": "FieldsV1",
        "fieldsV1": fields.as_json(),
    }
    return [*kept, taken | ({"subresource": subresource} if subresource else {})]


def extracted(value: Any, fields: Mapping[str, Any]) -> Any:
    """The part of a value that a set of fields covers."""
    inner = {name: below for name, below in fields.items() if name != "."}
    if not fields:
        return value
    if isinstance(value, dict):
        named = ((name.removeprefix("f:"), below) for name, below in inner.items())
        return {name: extracted(value[name], below) for name, below in named if name in value}
    if isinstance(value, list):
        owned = {id(_item(value, element)): below for element, below in inner.items()}
        return [extracted(item, owned[id(item)]) for item in value if id(item) in owned]
    return value


def stands(config: Object, live: Object, line: Line | None) -> bool:
    """Whether applying `config` again would change nothing: `line` owns exactly its fields, with its values.

    Where that can't be told without the kind's schema, it does not stand; applying it is then no harm.
    """
    if line is None or line.get("apiVersion") != config.get("apiVersion"):
        return False
    return _stands(ownable(without_nulls(config)), live, set_of(line))


def _stands(config: Any, live: Any, fields: Mapping[str, Any]) -> bool:
    inner = {name: below for name, below in fields.items() if name != "."}
    if not inner:
        return same(config, live)
    if isinstance(config, dict) and isinstance(live, dict):
        # An empty list of items that merge by key is there, and owned by nobody.
        empty = {name for name, value in config.items() if value == [] == live.get(name) and f"f:{name}" not in inner}
        owned = {name: value for name, value in config.items() if name not in empty}
        if {f"f:{name}" for name in owned} != inner.keys():
            return False
        return all(name in live and _stands(value, live[name], inner[f"f:{name}"]) for name, value in owned.items())
    if isinstance(config, list) and isinstance(live, list) and len(config) == len(inner):
        pairs = ((_item(config, element), _item(live, element), below) for element, below in inner.items())
        return all(
            wanted is not None and found is not None and _item_stands(wanted, found, below)
            for wanted, found, below in pairs
        )
    return False


def _item_stands(wanted: Any, found: Any, fields: Mapping[str, Any]) -> bool:
    """As `_stands`; of an item's keys, those that the API filled in are owned too."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        filled = {name: value for name, value in _DEFAULT_KEYS.items() if f"f:{name}" in fields and name not in wanted}
        wanted = wanted | filled
    return _stands(wanted, found, fields)


def _item(items: Sequence[Any], element: str) -> Any:
    """The item that a path element (`k:{…}` or `v:…`) names; None where there is none."""
    kind, _, text = element.partition(":")
    wanted = json.loads(text)
    if kind == "v":
        return next((item for item in items if same(item, wanted)), None)
    maps = [item for item in items if isinstance(item, dict)]
    return next((item for item in maps if all(_key(item, name) == value for name, value in wanted.items())), None)


def _key(item: Mapping[str, Any], name: str) -> Any:
    return item.get(name, _DEFAULT_KEYS.get(name))


def without_nulls(value: Any) -> Any:
    """A configuration without its nulls, which say nothing in an apply."""
    if isinstance(value, dict):
        return {name: without_nulls(below) for name, below in value.items() if below is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value
