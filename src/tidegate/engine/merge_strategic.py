"""Strategic merge patch, as kubectl sends it for Kubernetes' own kinds: lists merge by key, directives say how.

Follows k8s.io/apimachinery's strategicpatch: `$patch: replace|delete|merge`, `$deleteFromPrimitiveList/NAME`,
`$setElementOrder/NAME`, `$retainKeys`. Pure.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.engine.merge_fields import same
from tidegate.engine.merge_schema import ListType, MergeSchema, Path

DIRECTIVE = "$patch"
RETAIN = "$retainKeys"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def strategic_merge_patch(target: Any, patch: Any, schema: MergeSchema) -> Any:
    """The target with the patch applied. Raises InvalidInput where a directive is wrong or an item lacks its key."""
    if not isinstance(patch, Mapping):
        raise InvalidInput("a strategic merge patch is a map")
    return _merge_maps(target if isinstance(target, Mapping) else {}, patch, schema, ())


def _merge_maps(target: Mapping[str, Any], patch: Mapping[str, Any], schema: MergeSchema, path: Path) -> dict[str, Any]:
    directive = patch.get(DIRECTIVE)
    if directive == "replace":
        return {name: copy.deepcopy(value) for name, value in patch.items() if name != DIRECTIVE}
    if directive == "delete":
        return {}
    if directive is not None:
        raise _invalid(path, f"there is no directive $patch: {directive!r} for a map")
    merged = _retained(dict(target), patch, path)
    for name, value in patch.items():
        if name.startswith(_ORDER):
            field = name.removeprefix(_ORDER)
            if field not in patch and isinstance(merged.get(field), list):
                merged[field] = _ordered(merged[field], value, merged[field], schema.list_type((*path, field)), path)
        elif name.startswith("$"):
            _primitive_deletions(merged, name, value, path)
        elif value is None or (name not in merged and _is_directive(value)):
            merged.pop(name, None)
        else:
            merged[name] = _merge_field(merged.get(name), value, patch.get(f"{_ORDER}{name}"), schema, (*path, name))
    return merged


def _is_directive(value: Any) -> bool:
    return isinstance(value, Mapping) and DIRECTIVE in value


def _retained(target: dict[str, Any], patch: Mapping[str, Any], path: Path) -> dict[str, Any]:
    retain = patch.get(RETAIN)
    if retain is None:
        return target
    if not isinstance(retain, list):
        raise _invalid(path, "$retainKeys is a list of field names")
    unnamed = [name for name in patch if not name.startswith("$") and patch[name] is not None and name not in retain]
    if unnamed:
        raise _invalid(path, f"$retainKeys must name {', '.join(unnamed)} too")
    return {name: value for name, value in target.items() if name in retain}


def _primitive_deletions(merged: dict[str, Any], name: str, values: Any, path: Path) -> None:
    field = name.removeprefix(_DELETE_PRIMITIVES)
    if name in (DIRECTIVE, RETAIN):
        return
    if field == name or not isinstance(values, list):
        raise _invalid(path, f"there is no directive {name!r}")
    present = merged.get(field)
    if isinstance(present, list):
        merged[field] = [item for item in present if not any(same(item, gone) for gone in values)]


def _merge_field(target: Any, value: Any, order: Any, schema: MergeSchema, path: Path) -> Any:
    if isinstance(value, Mapping):
        return _merge_maps(target if isinstance(target, Mapping) else {}, value, schema, path)
    if isinstance(value, list):
        list_type = schema.list_type(path)
        if list_type is None:
            return [copy.deepcopy(item) for item in value if not _is_directive(item)]
        present = target if isinstance(target, list) else []
        if order is None:
            return _merge_lists(present, value, list_type, schema, path)
        _check_order(value, order, list_type, path)
        return _ordered(_merge_lists(present, value, list_type, schema, path), order, present, list_type, path)
    return value


def _merge_lists(
    target: Sequence[Any], patch: Sequence[Any], list_type: ListType, schema: MergeSchema, path: Path
) -> list[Any]:
    if list_type.is_set:
        merged = [*target, *(item for item in patch if not any(same(item, present) for present in target))]
        return _ordered(merged, patch, target, list_type, path)
    if any(isinstance(item, Mapping) and item.get(DIRECTIVE) == "replace" for item in patch):
        return [copy.deepcopy(item) for item in patch if not _is_directive(item)]
    key = list_type.merge_key
    merged = list(target)
    for item in patch:
        if not isinstance(item, Mapping) or key not in item:
            raise _invalid(path, f"map: {item!r} does not contain declared merge key: {key}")
        place = next((place for place, present in enumerate(merged) if _key_of(present, key) == item[key]), None)
        if _is_directive(item):
            if item[DIRECTIVE] != "delete":
                raise _invalid(path, f"there is no directive $patch: {item[DIRECTIVE]!r} for an item")
            merged = [present for present in merged if _key_of(present, key) != item[key]]
        elif place is not None:
            merged[place] = _merge_maps(merged[place], item, schema, path)
        else:
            merged.append(_merge_maps({}, item, schema, path))
    return _ordered(merged, [item for item in patch if not _is_directive(item)], target, list_type, path)


def _key_of(item: Any, key: str) -> Any:
    return item.get(key) if isinstance(item, Mapping) else None


def _name_of(item: Any, list_type: ListType) -> Any:
    return item if list_type.is_set else _key_of(item, list_type.merge_key)


def _check_order(patch: Sequence[Any], order: Any, list_type: ListType, path: Path) -> None:
    """What a patch holds must come in the order that it asks for itself."""
    wanted = [_name_of(item, list_type) for item in order] if isinstance(order, list) else []
    given = [_name_of(item, list_type) for item in patch if not _is_directive(item)]
    if [name for name in wanted if name in given] != given:
        raise _invalid(path, "$setElementOrder must name the patch's items, in their order")


def _ordered(
    items: Sequence[Any], order: Any, before: Sequence[Any], list_type: ListType | None, path: Path
) -> list[Any]:
    """`items` with those that `order` names in its order; each other one stays before what it preceded in `before`."""
    if not isinstance(order, list):
        raise _invalid(path, "an order of elements is a list")
    if list_type is None:
        return list(items)
    wanted = [_name_of(item, list_type) for item in order]
    former = [_name_of(item, list_type) for item in before]
    named = [item for name in dict.fromkeys(wanted) for item in items if _name_of(item, list_type) == name]
    others = [item for item in items if _name_of(item, list_type) not in wanted]
    result = []
    while named and others:
        left, right = _name_of(others[0], list_type), _name_of(named[0], list_type)
        first = left in former and right in former and former.index(left) < former.index(right)
        result.append((others if first else named).pop(0))
    return [*result, *named, *others]


def _invalid(path: Path, why: str) -> InvalidInput:
    return InvalidInput(why, where=Where(field=".".join(path) or None))
