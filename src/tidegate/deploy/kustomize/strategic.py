"""Strategic merge patches as kustomize merges them: lists of known kinds by key, patched items first. Pure.

It changes the object in place and uses up the patch, as kustomize does: give it a copy of the patch.
"""

from __future__ import annotations

from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.deploy.kustomize.merge_keys import MergeType
from tidegate.deploy.kustomize.resource import text_of

DIRECTIVE = "$patch"
DIRECTIVES = ("replace", "delete", "merge")
MISSING: Any = object()
"""No value at all; None is a value that was written as null."""


def merge(target: Any, patch: Any, schema: MergeType | None) -> Any:
    """`target` with `patch` merged in; MISSING where the patch deletes it. InvalidInput where their kinds differ."""
    known = next((value for value in (target, patch) if value is not MISSING and value is not None), None)
    _check_kinds(target, patch, known)
    if isinstance(known, list):
        if schema is not None and schema.keys is not None:
            return _merge_keyed(target, patch, schema)
        return target if patch is MISSING else patch
    if known is None or isinstance(known, dict):
        return _merge_map(target, patch, schema)
    return target if patch is MISSING else patch


def _check_kinds(target: Any, patch: Any, known: Any) -> None:
    for value in (target, patch):
        if value is MISSING or value is None:
            continue
        if _kind(value) != _kind(known):
            raise InvalidInput(f"the patch has {_kind(patch)} where the object has {_kind(target)}")


def _kind(value: Any) -> str:
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else "a scalar"


def _merge_map(target: Any, patch: Any, schema: MergeType | None) -> Any:
    merged = _begin_map(target, patch)
    if merged is MISSING or not isinstance(merged, dict):
        return merged
    others = patch if isinstance(patch, dict) else {}
    for name in sorted({*merged, *others}):
        below = schema.field(name) if schema else None
        value = merge(merged.get(name, MISSING), others.get(name, MISSING), below)
        if value is MISSING or (value is None and name in others):
            merged.pop(name, None)
        else:
            merged[name] = value
    return merged


def _begin_map(target: Any, patch: Any) -> Any:
    """What the fields are merged into: the target, or the patch where it is new or replaces."""
    if target is MISSING or target is None:
        return _new_map(target, patch)
    directive = _map_directive(patch)
    if patch is None or directive == "delete":
        return MISSING
    return patch if directive == "replace" else target


def _new_map(target: Any, patch: Any) -> Any:
    """Where there was nothing, a directive that is none stays what it is: a field."""
    if isinstance(patch, dict) and patch.get(DIRECTIVE) in DIRECTIVES and patch.pop(DIRECTIVE) == "delete":
        return MISSING
    return target if patch is MISSING else patch


def _map_directive(patch: Any) -> str:
    if not isinstance(patch, dict) or DIRECTIVE not in patch:
        return "merge"
    return _known_directive(patch.pop(DIRECTIVE))


def _list_directive(patch: Any) -> str:
    """A list's directive is an item that holds nothing else."""
    found = next((item for item in patch if isinstance(item, dict) and DIRECTIVE in item), None)
    if found is None or len(found) > 1:
        return "merge"
    directive = _known_directive(found[DIRECTIVE])
    patch[:] = [item for item in patch if not (isinstance(item, dict) and item.get(DIRECTIVE) == directive)]
    return directive


def _known_directive(value: Any) -> str:
    if value not in DIRECTIVES:
        raise InvalidInput(f"there is no patch directive {value!r}", remedy="write replace, delete or merge")
    return str(value)


def _merge_keyed(target: Any, patch: Any, schema: MergeType) -> Any:
    merged = _begin_list(target, patch)
    if merged is MISSING or merged is None:
        return merged
    keys = schema.keys or ("",)
    sources = [merged, patch]
    identities = _identities(sources, keys)
    if not identities:
        return merged
    if len(keys) > 1:
        identities = _joined(identities)
    added: list[Any] = []
    used_keys: tuple[str, ...] = keys
    for identity in identities:
        used_keys, values = _used(identities, identity, keys)
        found = [_find(source, *_used([identity], list(values), used_keys)) for source in sources]
        item = merge(found[0], found[1], schema.items)
        if item is MISSING or item is None or item == {}:
            _set_item(merged, used_keys, values, None)
            continue
        for key, value in zip(used_keys, values, strict=False):
            if isinstance(item, dict) and key not in item and value:
                item[key] = value
        _set_item(added, used_keys, values, item)
    return _append_rest(added, merged, used_keys)


def _begin_list(target: Any, patch: Any) -> Any:
    if target is MISSING or target is None:
        return patch
    if patch is None:
        return MISSING
    directive = "merge" if patch is MISSING else _list_directive(patch)
    if directive == "delete":
        return MISSING
    return patch if directive == "replace" else target


def _identities(sources: list[Any], keys: tuple[str, ...]) -> list[list[str]]:
    """The key values of all items, those of the patch first, each once."""
    found: list[list[str]] = []
    for source in reversed(sources):
        for item in source if isinstance(source, list) else []:
            identity = [_text(item, key) for key in keys]
            if identity not in found:
                found.append(identity)
    return found


def _text(item: Any, key: str) -> str:
    if not key:
        return text_of(item)
    return text_of(item.get(key)) if isinstance(item, dict) else ""


def _joined(identities: list[list[str]]) -> list[list[str]]:
    """Identities of which one leaves out what the other has are one: port 80 and port 80/TCP."""
    result = [list(identity) for identity in identities]
    for first in range(len(result)):
        for second in range(len(result)):
            joined = _join(result[first], result[second])
            if joined is not None:
                result[first] = result[second] = joined
    return result


def _join(one: list[str], other: list[str]) -> list[str] | None:
    if any(a != b and a and b for a, b in zip(one, other, strict=True)):
        return None
    if not any(a == b for a, b in zip(one, other, strict=True)):
        return None
    return [a or b for a, b in zip(one, other, strict=True)]


def _used(
    identities: list[list[str]], identity: list[str], keys: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys that at least one item has, and this item's values of them."""
    given = {keys[at] for other in identities for at, value in enumerate(other) if value}
    if not given:
        return keys, tuple(identity)
    values = tuple(value for at, value in enumerate(identity) if value or keys[at] in given)
    return tuple(key for key in keys if key in given), values


def _find(source: Any, keys: tuple[str, ...], values: tuple[str, ...]) -> Any:
    for item in source if isinstance(source, list) else []:
        if not keys[0]:
            if text_of(item) == values[0]:
                return item
        elif isinstance(item, dict) and all(
            key in item and text_of(item[key]) == value for key, value in zip(keys, values, strict=True)
        ):
            return item
    return MISSING


def _set_item(items: list[Any], keys: tuple[str, ...], values: tuple[str, ...], new: Any) -> None:
    """Put `new` in the place of the items that match, or at the end; without it, remove them."""
    kept: list[Any] = []
    matched = False
    by_field = bool(keys and keys[0] and values and values[0])
    for item in items:
        if item is None or item == {}:
            continue
        if by_field and not isinstance(item, dict):
            kept.append(item)
        elif not _matches(item, keys, values):
            if values:
                kept.append(item)
        else:
            matched = True
            if new is not None:
                kept.append(new)
    if new is not None and not matched:
        kept.append(new)
    items[:] = kept


def _matches(item: Any, keys: tuple[str, ...], values: tuple[str, ...]) -> bool:
    found = False
    for at, key in enumerate(keys):
        if at < len(values):
            if key:
                found = isinstance(item, dict) and key in item and values[at] in ("", text_of(item[key]))
            else:
                found = not isinstance(item, (dict, list)) and text_of(item) == values[at]
        if not found:
            return False
    return found


def _append_rest(added: list[Any], rest: list[Any], keys: tuple[str, ...]) -> list[Any]:
    """The merged items, then those of the object that the patch does not name."""
    for item in list(rest):
        if not keys[0]:
            _set_item(added, ("",), (text_of(item),), item)
            continue
        values = []
        for key in keys:
            value = item.get(key) if isinstance(item, dict) else None
            if value is None:
                added.append(item)
            else:
                values.append(text_of(value))
        if len(keys) > 1:
            _set_item(added, keys, tuple(values), None)
        _set_item(added, keys, tuple(values), item)
    return added
