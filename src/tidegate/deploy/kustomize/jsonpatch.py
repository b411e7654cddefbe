"""JSON patches (RFC 6902) with the tolerance of the library that kustomize uses, evanphx/json-patch v4. Pure."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.base.json_size import Copier

OPERATIONS = ("add", "remove", "replace", "move", "copy", "test")
_INDEX = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)


def apply_patch(target: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    """A copy of `target` with the operations applied in order; InvalidInput names the one that fails.

    Unlike the RFC, `replace` may set a field that is not there, and a list's index may count from its end.
    """
    result, copier = copy.deepcopy(target), Copier()
    for operation in operations:
        result = _apply(result, operation, copier)
    return result


def _apply(root: Any, operation: Mapping[str, Any], copier: Copier) -> Any:
    kind, path = operation.get("op"), operation.get("path")
    if kind not in OPERATIONS:
        raise InvalidInput(f"there is no patch operation {kind!r}", remedy=f"one of: {', '.join(OPERATIONS)}")
    if not isinstance(path, str):
        raise InvalidInput(f"the operation {kind} needs a path")
    value = copy.deepcopy(operation.get("value"))
    if path == "" and kind in ("replace", "test"):
        return _whole(root, kind, value)
    if kind == "remove":
        _remove(root, path, kind)
    elif kind == "test":
        if not same(_get(root, path, kind), value):
            raise InvalidInput(f"the test of {path} in the patch failed")
    elif kind == "replace":
        _replace(root, path, value)
    elif kind == "add":
        _add(root, path, kind, value)
    else:
        _transfer(root, path, kind, operation.get("from"), copier)
    return root


def _whole(root: Any, kind: str, value: Any) -> Any:
    if kind == "test":
        if not same(root, value):
            raise InvalidInput("the test of the whole object in the patch failed")
        return root
    if not isinstance(value, dict):
        raise InvalidInput("an object can only be replaced by another one")
    return value


def _transfer(root: Any, path: str, kind: str, source: Any, copier: Copier) -> None:
    if not isinstance(source, str):
        raise InvalidInput(f"the operation {kind} needs from")
    value = _get(root, source, kind)
    if kind == "move":
        _remove(root, source, kind)
    _add(root, path, kind, copier.copy(value))


def _holder(root: Any, path: str, kind: str) -> tuple[Any, str]:
    """The mapping or list that holds the last part of the path, and that part."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]
    if not parts:
        raise _bad(kind, path, "it names no place in the object")
    node = root
    for part in parts[:-1]:
        node = node.get(part) if isinstance(node, dict) else node[_index(node, part, kind, path)]
        if not isinstance(node, (dict, list)):
            raise _bad(kind, path, f"there is no {part!r} to hold it")
    return node, parts[-1]


def _index(items: list[Any], part: str, kind: str, path: str, *, past_end: int = 0) -> int:
    if not _INDEX.fullmatch(part):
        raise _bad(kind, path, f"{part!r} is no index")
    index, size = int(part), len(items) + past_end
    if not -size <= index < size:
        raise _bad(kind, path, f"the list has {len(items)} items")
    return index + size if index < 0 else index


def _add(root: Any, path: str, kind: str, value: Any) -> None:
    holder, part = _holder(root, path, kind)
    if isinstance(holder, dict):
        holder[part] = value
    elif part == "-":
        holder.append(value)
    else:
        holder.insert(_index(holder, part, kind, path, past_end=1), value)


def _remove(root: Any, path: str, kind: str) -> None:
    holder, part = _holder(root, path, kind)
    if isinstance(holder, list):
        del holder[_index(holder, part, kind, path)]
    elif part in holder:
        del holder[part]
    else:
        raise _bad(kind, path, "it is not there")


def _replace(root: Any, path: str, value: Any) -> None:
    holder, part = _holder(root, path, "replace")
    holder[part if isinstance(holder, dict) else _index(holder, part, "replace", path)] = value


def _get(root: Any, path: str, kind: str) -> Any:
    """The value at a path; what a mapping does not hold is null."""
    holder, part = _holder(root, path, kind)
    return holder.get(part) if isinstance(holder, dict) else holder[_index(holder, part, kind, path)]


def same(one: Any, other: Any) -> bool:
    """Equality of JSON values: true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and bool(one == other)


def _bad(kind: str, path: str, why: str) -> InvalidInput:
    return InvalidInput(f"the patch cannot {kind} {path}: {why}")
