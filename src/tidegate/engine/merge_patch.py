"""JSON merge patch (RFC 7396) and JSON patch (RFC 6902) on plain JSON. Pure: new values out, what is given stays."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.base.errors import InvalidInput, LimitExceeded, Where
from tidegate.base.json_size import Copier
from tidegate.engine.merge_fields import same

_PLACE = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
OPERATIONS_LIMIT = 10_000
"""How many operations one JSON patch may hold, as in the Kubernetes API."""


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396: maps merge, null removes, anything else replaces."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch) if isinstance(patch, list) else patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def json_patch(target: Any, operations: object) -> Any:
    """RFC 6902: all operations in order, or InvalidInput at the first that can't be done."""
    if not isinstance(operations, Sequence) or isinstance(operations, (str, bytes)):
        raise InvalidInput("a JSON patch is a list of operations")
    if len(operations) > OPERATIONS_LIMIT:
        raise LimitExceeded(f"a JSON patch may hold {OPERATIONS_LIMIT} operations, not {len(operations)}")
    document, copier = copy.deepcopy(target), Copier()
    for index, operation in enumerate(operations):
        if not isinstance(operation, Mapping):
            raise _invalid(index, "an operation is a map")
        document = _apply(document, operation, index, copier)
    return document


def _apply(document: Any, operation: Mapping[str, Any], index: int, copier: Copier) -> Any:
    path = _pointer(operation.get("path"), index, "path")
    match operation.get("op"):
        case "add":
            return _add(document, path, copy.deepcopy(_value(operation, index)), index)
        case "remove":
            return _remove(document, path, index)
        case "replace":
            value = copy.deepcopy(_value(operation, index))
            return value if not path else _add(_remove(document, path, index), path, value, index)
        case "test":
            if not same(_find(document, path, index, absent_is_null=True), _value(operation, index)):
                raise _invalid(index, f"testing value {operation['path']} failed")
            return document
        case "move":
            source = _pointer(operation.get("from"), index, "from")
            if path[: len(source)] == source and len(path) > len(source):
                raise _invalid(index, "a value can't move into itself")
            value = _find(document, source, index)
            return _add(_remove(document, source, index), path, value, index)
        case "copy":
            source = _pointer(operation.get("from"), index, "from")
            return _add(document, path, copier.copy(_find(document, source, index)), index)
        case other:
            raise _invalid(index, f"there is no operation {other!r}")


def _value(operation: Mapping[str, Any], index: int) -> Any:
    if "value" not in operation:
        raise _invalid(index, "the operation needs a value")
    return operation["value"]


def _pointer(text: object, index: int, field: str) -> list[str]:
    """RFC 6901: reference tokens after each `/`, with `~1` for `/` and `~0` for `~`."""
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise _invalid(index, f"{field!r} is a JSON pointer, as /spec/suspend")
    return [token.replace("~1", "/").replace("~0", "~") for token in text.split("/")[1:]]


def _position(container: list[Any], place: str, index: int, *, limit: int) -> int:
    if not _PLACE.fullmatch(place) or int(place) > limit:
        raise _invalid(index, f"there is no item {place!r} in a list of {len(container)}")
    return int(place)


def _find(document: Any, path: Sequence[str], index: int, *, absent_is_null: bool = False) -> Any:
    for depth, token in enumerate(path):
        if isinstance(document, dict) and token in document:
            document = document[token]
        elif isinstance(document, list):
            document = document[_position(document, token, index, limit=len(document) - 1)]
        elif absent_is_null and isinstance(document, dict) and depth == len(path) - 1:
            return None
        else:
            raise _invalid(index, f"there is nothing at /{'/'.join(path)}")
    return document


def _add(document: Any, path: Sequence[str], value: Any, index: int) -> Any:
    if not path:
        return value
    container = _find(document, path[:-1], index)
    if isinstance(container, dict):
        container[path[-1]] = value
    elif isinstance(container, list):
        end = len(container)
        container.insert(end if path[-1] == "-" else _position(container, path[-1], index, limit=end), value)
    else:
        raise _invalid(index, f"/{'/'.join(path[:-1])} is neither a map nor a list")
    return document


def _remove(document: Any, path: Sequence[str], index: int) -> Any:
    if not path:
        return None
    _find(document, path, index)
    container = _find(document, path[:-1], index)
    if isinstance(container, list):
        del container[_position(container, path[-1], index, limit=len(container) - 1)]
    else:
        del container[path[-1]]
    return document


def _invalid(index: int, why: str) -> InvalidInput:
    return InvalidInput(f"the JSON patch fails at its operation {index}: {why}", where=Where(field=f"[{index}]"))
