"""Sprig's functions on lists and dictionaries. Pure but for `set` and `unset`, which change the dictionary they are
given, as in Go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tidegate.update.gotemplate.budget import Budget
from tidegate.update.gotemplate.conversions import to_int, to_text
from tidegate.update.gotemplate.functions import Registry, items_of
from tidegate.update.gotemplate.values import (
    ANY_MAP,
    ANY_SLICE,
    Map,
    Slice,
    TemplateError,
    deep_equal,
    is_empty,
    is_true,
    strings,
    type_name,
)

LISTS = Registry()
COPY_DEPTH = 200


def _both(name: str) -> tuple[str, str]:
    return name, f"must{name[0].upper()}{name[1:]}"


LISTS.add("...any", "list", "tuple")(lambda _, *items: Slice(list(items)))


@LISTS.add("any, any", "append", "push", "mustAppend", "mustPush")
def _append(_: Budget, items: Any, item: Any) -> Slice:
    return Slice([*items_of(items, "push"), item])


@LISTS.add("any, any", *_both("prepend"))
def _prepend(_: Budget, items: Any, item: Any) -> Slice:
    return Slice([item, *items_of(items, "prepend")])


@LISTS.add("any", *_both("first"))
def _first(_: Budget, items: Any) -> Any:
    return next(iter(items_of(items, "find first")), None)


@LISTS.add("any", *_both("last"))
def _last(_: Budget, items: Any) -> Any:
    found = items_of(items, "find last")
    return found[-1] if found else None


@LISTS.add("any", *_both("rest"))
def _rest(_: Budget, items: Any) -> Slice:
    found = items_of(items, "find rest")
    return Slice(found[1:], is_nil=not found)


@LISTS.add("any", *_both("initial"))
def _initial(_: Budget, items: Any) -> Slice:
    found = items_of(items, "find initial")
    return Slice(found[:-1], is_nil=not found)


@LISTS.add("any", *_both("reverse"))
def _reverse(_: Budget, items: Any) -> Slice:
    return Slice(items_of(items, "find reverse")[::-1])


@LISTS.add("any", *_both("compact"))
def _compact(_: Budget, items: Any) -> Slice:
    return Slice([item for item in items_of(items, "compact") if is_true(item)])


@LISTS.add("any", *_both("uniq"))
def _uniq(budget: Budget, items: Any) -> Slice:
    kept: list[Any] = []
    for item in items_of(items, "find uniq"):
        if not _in(budget, kept, item):
            kept.append(item)
    return Slice(kept)


@LISTS.add("any, ...any", *_both("without"))
def _without(budget: Budget, items: Any, *omitted: Any) -> Slice:
    return Slice([item for item in items_of(items, "find without") if not _in(budget, omitted, item)])


@LISTS.add("any, any", *_both("has"))
def _has(budget: Budget, needle: Any, items: Any) -> bool:
    return items is not None and _in(budget, items_of(items, "find has"), needle)


def _in(budget: Budget, items: Sequence[Any], needle: Any) -> bool:
    budget.reserve(len(items))
    return any(deep_equal(needle, item) for item in items)


@LISTS.add("any, ...any", *_both("slice"))
def _slice(_: Budget, items: Any, *indices: Any) -> Any:
    found = items_of(items, "slice")
    if not found:
        return None
    start = to_int(indices[0]) if indices else 0
    end = to_int(indices[1]) if len(indices) > 1 else len(found)
    if not 0 <= start <= end <= len(found):
        raise TemplateError(f"slice bounds out of range [{start}:{end}] with length {len(found)}")
    return Slice(found[start:end], items.type)


@LISTS.add("...any", "concat")
def _concat(_: Budget, *lists: Any) -> Slice:
    joined = [item for items in lists for item in items_of(items, "concat")]
    return Slice(joined, is_nil=not joined)


@LISTS.add("int, any", *_both("chunk"))
def _chunk(_: Budget, size: int, items: Any) -> Slice:
    found = items_of(items, "chunk")
    if size <= 0 and not 2 <= len(found) <= 1 - size:
        raise TemplateError("cannot chunk into pieces of no length")
    if size <= 0 or not found:
        return Slice([], f"[]{ANY_SLICE}")
    count = math.ceil(len(found) / size)
    return Slice([Slice(found[at * size : (at + 1) * size]) for at in range(count)], f"[]{ANY_SLICE}")


# dictionaries


@LISTS.add("...any", "dict")
def _dict(_: Budget, *pairs: Any) -> Map:
    made: dict[Any, Any] = {}
    for at in range(0, len(pairs), 2):
        made[to_text(pairs[at])] = pairs[at + 1] if at + 1 < len(pairs) else ""
    return Map(made)


@LISTS.add("dict, string", "get")
def _get(_: Budget, source: Map | None, key: str) -> Any:
    return _entries(source).get(key, "")


@LISTS.add("dict, string, any", "set")
def _set(_: Budget, target: Map | None, key: str, value: Any) -> Map:
    if target is None:
        raise TemplateError("assignment to entry in nil map")
    target.entries[key] = value
    return target


@LISTS.add("dict, string", "unset")
def _unset(_: Budget, target: Map | None, key: str) -> Map | None:
    _entries(target).pop(key, None)
    return target


@LISTS.add("dict, string", "hasKey")
def _has_key(_: Budget, source: Map | None, key: str) -> bool:
    return key in _entries(source)


@LISTS.add("string, ...dict", "pluck")
def _pluck(_: Budget, key: str, *sources: Map | None) -> Slice:
    return Slice([_entries(source)[key] for source in sources if key in _entries(source)])


@LISTS.add("...dict", "keys")
def _keys(_: Budget, *sources: Map | None) -> Slice:
    return strings([key for source in sources for key in sorted(_entries(source))])


@LISTS.add("dict", "values")
def _values(_: Budget, source: Map | None) -> Slice:
    return Slice([item for _key, item in sorted(_entries(source).items())])


@LISTS.add("dict, ...string", "pick")
def _pick(_: Budget, source: Map | None, *keys: str) -> Map:
    entries = _entries(source)
    return Map({key: entries[key] for key in keys if key in entries})


@LISTS.add("dict, ...string", "omit")
def _omit(_: Budget, source: Map | None, *keys: str) -> Map:
    return Map({key: item for key, item in _entries(source).items() if key not in keys})


def _entries(source: Map | None) -> dict[Any, Any]:
    return {} if source is None else source.entries


@LISTS.add("dict, ...dict", *_both("merge"))
def _merge(budget: Budget, target: Map | None, *sources: Map | None) -> Any:
    return _merged(budget, target, sources, overwrite=False)


@LISTS.add("dict, ...dict", *_both("mergeOverwrite"))
def _merge_overwrite(budget: Budget, target: Map | None, *sources: Map | None) -> Any:
    return _merged(budget, target, sources, overwrite=True)


def _merged(budget: Budget, target: Map | None, sources: Sequence[Map | None], *, overwrite: bool) -> Map:
    result = target if target is not None else Map({}, is_nil=not sources)
    for source in sources:
        _merge_into(budget, result, _entries(source), 0, overwrite=overwrite)
    return result


def _merge_into(budget: Budget, target: Map, source: dict[Any, Any], depth: int, *, overwrite: bool) -> None:
    """mergo: an empty value of the target is filled; with `overwrite`, the value of the source wins."""
    if depth > COPY_DEPTH:
        raise TemplateError("the dictionaries nest too deeply")
    for key, item in source.items():
        budget.step()
        if item is None and not overwrite:
            continue
        present = target.entries.get(key)
        if isinstance(present, Map) and isinstance(item, Map) and present.type == ANY_MAP == item.type:
            _merge_into(budget, present, item.entries, depth + 1, overwrite=overwrite)
        elif key not in target.entries or is_empty(present) or overwrite:
            target.entries[key] = item


@LISTS.add("...any", "dig")
def _dig(_: Budget, *arguments: Any) -> Any:
    if len(arguments) < 3:
        raise TemplateError("dig needs at least three arguments")
    *keys, default, value = arguments
    for key in keys:
        if not isinstance(value, Map) or value.type != ANY_MAP or not isinstance(key, str):
            raise TemplateError(f"dig goes through {ANY_MAP} by strings, not {type_name(value)}")
        if key not in value.entries:
            return default
        value = value.entries[key]
    return value


@LISTS.add("any", *_both("deepCopy"))
def _deep_copy(budget: Budget, value: Any) -> Any:
    if value is None:
        raise TemplateError("there is nothing to copy")
    return copy(budget, value, 0)


def copy(budget: Budget, value: Any, depth: int) -> Any:
    """A copy that shares nothing that can change."""
    budget.step()
    if depth > COPY_DEPTH:
        raise TemplateError("the value nests too deeply")
    if isinstance(value, Slice):
        return Slice([copy(budget, item, depth + 1) for item in value.items], value.type, value.is_nil)
    if isinstance(value, Map):
        entries = {key: copy(budget, item, depth + 1) for key, item in value.entries.items()}
        return Map(entries, value.type, value.zero, value.is_nil)
    return value
