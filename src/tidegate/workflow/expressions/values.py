"""The values of expressions and their coercions. Arrays and objects compare by identity, as the language says."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from tidegate.base.errors import LimitExceeded
from tidegate.workflow.expressions.numbers import expression_text, number_of_text

_DEEPEST = 100


class Array:
    """A list of values."""

    __slots__ = ("items",)

    def __init__(self, items: Iterable[Value]):
        self.items: tuple[Value, ...] = tuple(items)


class FilteredArray(Array):
    """What `.*` gives: a further dereference goes into each item."""

    __slots__ = ()


class Dictionary:
    """Names and values, found whatever the case; of names that differ in case only, the first counts."""

    __slots__ = ("_places", "names", "values")

    def __init__(self, pairs: Iterable[tuple[str, Value]]):
        self._places: dict[str, int] = {}
        names: list[str] = []
        values: list[Value] = []
        for name, value in pairs:
            if self._places.setdefault(name.lower(), len(names)) == len(names):
                names.append(name)
                values.append(value)
        self.names = tuple(names)
        self.values = tuple(values)

    def __iter__(self) -> Iterator[tuple[str, Value]]:
        return iter(zip(self.names, self.values, strict=True))

    def get(self, name: str) -> Value:
        """The value under `name`, or null."""
        place = self._places.get(name.lower())
        return None if place is None else self.values[place]

    def has(self, name: str) -> bool:
        return name.lower() in self._places


Value: TypeAlias = "bool | float | str | Array | Dictionary | None"
Primitive: TypeAlias = "bool | float | str | None"


def from_python(data: object, depth: int = 0) -> Value:
    """JSON-like data as a value. Names that are array indices come first, as in a JavaScript object.

    Raises LimitExceeded where it is nested more than 100 deep.
    """
    if depth > _DEEPEST:
        raise LimitExceeded(f"the data is nested more than {_DEEPEST} deep")
    if data is None or isinstance(data, bool | str | Array | Dictionary):
        return data
    if isinstance(data, int | float):
        return _number(data)
    if isinstance(data, Mapping):
        return Dictionary((name, from_python(data[name], depth + 1)) for name in _javascript_order(data))
    if isinstance(data, Sequence):
        return Array(from_python(item, depth + 1) for item in data)
    raise TypeError(f"{type(data).__name__} is no JSON value")


def _number(data: float) -> float:
    try:
        return float(data)
    except OverflowError:
        return math.inf if data > 0 else -math.inf


def _javascript_order(data: Mapping[str, object]) -> list[str]:
    names = [str(name) for name in data]
    indices = sorted((name for name in names if _is_index(name)), key=int)
    return indices + [name for name in names if not _is_index(name)] if indices else names


def _is_index(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) <= 10 and str(int(name)) == name and int(name) < 2**32 - 1


def to_python(value: Value) -> Any:
    """A value as JSON-like data: whole numbers as int; NaN and the infinities, which JSON lacks, as None."""
    if isinstance(value, Array):
        return [to_python(item) for item in value.items]
    if isinstance(value, Dictionary):
        return {name: to_python(item) for name, item in value}
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value


def kind_of(value: Value) -> str:
    """The kind's name: string, number, boolean, null, array or object."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, Array):
        return "array"
    return "object" if isinstance(value, Dictionary) else "number"


def is_primitive(value: Value) -> bool:
    return not isinstance(value, Array | Dictionary)


def text_of(value: Value) -> str:
    """A value's spelling inside a string: null is empty, an array is `Array`, an object `Object`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, Array):
        return "Array"
    return "Object" if isinstance(value, Dictionary) else expression_text(value)


def number_of(value: Value) -> float:
    """A value as a number: null and false are 0, true is 1, arrays, objects and most texts are NaN."""
    if value is None:
        return 0.0
    if isinstance(value, str):
        return number_of_text(value)
    if isinstance(value, Array | Dictionary):
        return math.nan
    return float(value)


def truthy(value: Value) -> bool:
    """Whether a condition of this value holds: not so null, false, 0, NaN and the empty text."""
    if isinstance(value, Array | Dictionary):
        return True
    return bool(value) and value == value  # noqa: PLR0124 - NaN is the one value that differs from itself


def upper(text: str) -> str:
    """Upper case as the language compares with it: the dotless i stays."""
    return "ı".join(part.upper() for part in text.split("ı"))


def _paired(left: Value, right: Value) -> tuple[Value, Value]:
    """Coerce two values of different kinds: booleans and null to numbers, then a text beside a number to a number."""
    if kind_of(left) == kind_of(right):
        return left, right
    if left is None or isinstance(left, bool):
        left = number_of(left)
    if right is None or isinstance(right, bool):
        right = number_of(right)
    if _is_number(left) and isinstance(right, str):
        right = number_of(right)
    elif _is_number(right) and isinstance(left, str):
        left = number_of(left)
    return left, right


def _is_number(value: Value) -> bool:
    return isinstance(value, float) and not isinstance(value, bool)


def equal(left: Value, right: Value) -> bool:
    """`==`: loose as in JavaScript, texts whatever the case, arrays and objects only if they are the same one."""
    left, right = _paired(left, right)
    if kind_of(left) != kind_of(right):
        return False
    if isinstance(left, str) and isinstance(right, str):
        return upper(left) == upper(right)
    if isinstance(left, Array | Dictionary):
        return left is right
    return left == right


def less(left: Value, right: Value) -> bool:
    """`<`: false between kinds that do not compare, and with NaN."""
    left, right = _paired(left, right)
    if isinstance(left, bool) and isinstance(right, bool):
        return not left and right
    if isinstance(left, str) and isinstance(right, str):
        return _units(upper(left)) < _units(upper(right))
    if isinstance(left, float) and isinstance(right, float):
        return left < right
    return False


def _units(text: str) -> bytes:
    """JavaScript compares UTF-16 units, not characters."""
    return text.encode("utf-16-be", "surrogatepass")
