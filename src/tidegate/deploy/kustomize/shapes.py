"""The shape of kustomize's own YAML: fields by name and type; anything else is an error at its line. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen
from tidegate.base.yaml import Path


class Places(Protocol):
    """Knows where a value and its key were written: a document does."""

    def where(self, path: Path = ()) -> Where: ...

    def where_key(self, path: Path) -> Where: ...


@frozen
class Shape:
    """A value's shape: a scalar type by name, or a list or mapping of another shape, or an object of named fields."""

    kind: str
    item: Shape | None = None
    fields: Mapping[str, Shape] | None = None


TEXT, FLAG, INTEGER, ANY = Shape("text"), Shape("flag"), Shape("integer"), Shape("any")
_WORDS = {"text": "a string", "flag": "true or false", "integer": "a whole number", "list": "a list"}


def list_of(item: Shape) -> Shape:
    """A list."""
    return Shape("list", item)


def map_of(item: Shape) -> Shape:
    """A mapping with any keys."""
    return Shape("map", item)


def record(**fields: Shape) -> Shape:
    """An object with these fields; none is required."""
    return Shape("record", None, fields)


TEXTS, TEXT_MAP = list_of(TEXT), map_of(TEXT)


def fit(value: Any, shape: Shape, document: Places, path: Path = ()) -> Any:
    """`value` with its fields' names as the shape spells them (their case does not matter, and of two spellings the one
    that sorts last counts); null ones are left out.

    InvalidInput, with file and line, for an unknown field or a value of another type.
    """
    if value is None or shape.kind == "any":
        return value
    if shape.kind == "record" and isinstance(value, dict):
        return _fit_record(value, shape.fields or {}, document, path)
    if shape.kind == "map" and isinstance(value, dict):
        return {key: fit(item, shape.item or ANY, document, (*path, key)) for key, item in value.items()}
    if shape.kind == "list" and isinstance(value, list):
        return [fit(item, shape.item or ANY, document, (*path, index)) for index, item in enumerate(value)]
    if _is_scalar(value, shape.kind):
        return value
    raise InvalidInput(f"must be {_WORDS.get(shape.kind, 'a mapping')}", where=document.where(path))


def _fit_record(value: dict[str, Any], fields: Mapping[str, Shape], document: Places, path: Path) -> dict[str, Any]:
    names = {name.lower(): name for name in fields}
    result = {}
    for key, item in sorted(value.items()):
        name = names.get(key.lower())
        if name is None:
            remedy = f"known here: {', '.join(sorted(fields))}"
            raise InvalidInput(f"unknown field {key!r}", where=document.where_key((*path, key)), remedy=remedy)
        if item is not None:
            result[name] = fit(item, fields[name], document, (*path, key))
    return result


def _is_scalar(value: Any, kind: str) -> bool:
    if kind == "flag":
        return isinstance(value, bool)
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return kind == "text" and isinstance(value, str)
