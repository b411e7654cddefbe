"""Go's values as templates see them: what a value's type, kind and truth are. Pure.

Strings that hold bytes which are no UTF-8 carry them as surrogate escapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.base.frozen import frozen

ANY_MAP = "map[string]interface {}"
STRING_MAP = "map[string]string"
ANY_SLICE = "[]interface {}"
STRING_SLICE = "[]string"


class TemplateError(InvalidInput):
    """A template that does not parse, or fails when it runs."""


class _Nothing(Enum):
    MISSING = "<no value>"


SIZE_LIMIT = 100_000
DEPTH_LIMIT = 100
MISSING = _Nothing.MISSING
"""No value at all: an absent key of a map. A nil is None."""


class Int64(int):
    """Go's int64; a plain int is Go's int."""


class Uint64(int):
    """Go's uint64."""


class Uint8(int):
    """Go's byte."""


@dataclass(slots=True, eq=False)
class Slice:
    """A slice; `type` as Go writes it (`[]string`)."""

    items: list[Any]
    type: str = ANY_SLICE
    is_nil: bool = False


@dataclass(slots=True, eq=False)
class Map:
    """A map; `type` as Go writes it. Keys are strings or structs."""

    entries: dict[Any, Any]
    type: str = ANY_MAP
    zero: Any = None
    is_nil: bool = False

    def sorted_items(self) -> list[tuple[Any, Any]]:
        """Its entries in the order in which templates and fmt go through them."""
        return sorted(self.entries.items(), key=lambda entry: sort_key(entry[0]))


@frozen
class Method:
    """A method that takes arguments beside its receiver, of these Go types."""

    parameters: tuple[str, ...]
    call: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        return self.call(*arguments)


@frozen
class Struct:
    """A struct: fields in order, those of `embedded` ones reachable as its own; `methods` take it, and those that are a
    Method also arguments.
    """

    type: str
    fields: tuple[tuple[str, Any], ...]
    methods: Mapping[str, Callable[..., Any]] = field(default_factory=dict, compare=False, hash=False)
    embedded: frozenset[str] = frozenset()
    json_names: Mapping[str, str] = field(default_factory=dict, compare=False, hash=False)
    is_pointer: bool = False

    def lookup(self, name: str) -> Any:
        """A field, or one promoted from an embedded struct; MISSING where there is none."""
        for present, value in self.fields:
            if present == name:
                return value
        for present, value in self.fields:
            if present in self.embedded:
                found = value.lookup(name)
                if found is not MISSING:
                    return found
        return MISSING

    def method(self, name: str) -> Method | None:
        """A method, bound; None where there is none."""
        found = self.methods.get(name)
        if found is None:
            return None
        return Method(found.parameters if isinstance(found, Method) else (), partial(found, self))


_SCALARS: dict[type, str] = {
    str: "string", bool: "bool", int: "int", float: "float64", complex: "complex128",
    Int64: "int64", Uint64: "uint64", Uint8: "uint8",
}  # fmt: skip


def type_name(value: Any) -> str:
    """`%T`."""
    if isinstance(value, Struct):
        return f"*{value.type}" if value.is_pointer else value.type
    if isinstance(value, Slice | Map):
        return value.type
    return _SCALARS.get(type(value), "<nil>")


def kind_name(value: Any) -> str:
    """reflect.Kind.String."""
    if isinstance(value, Struct):
        return "ptr" if value.is_pointer else "struct"
    if isinstance(value, Slice):
        return "slice"
    if isinstance(value, Map):
        return "map"
    return _SCALARS.get(type(value), "invalid")


def is_true(value: Any) -> bool:
    """A template's truth: not the zero value, not empty; a struct is always true."""
    if isinstance(value, Slice):
        return bool(value.items)
    if isinstance(value, Map):
        return bool(value.entries)
    return value is not MISSING and (isinstance(value, Struct) or bool(value))


def is_empty(value: Any) -> bool:
    """Sprig's emptiness, which is the same for our values."""
    return not is_true(value)


def is_integer(value: Any) -> bool:
    """Whether a value is of one of Go's integer types."""
    return isinstance(value, int) and not isinstance(value, bool)


def sort_key(value: Any) -> Any:
    """fmt's order of map keys: strings by their bytes, structs by their fields."""
    if isinstance(value, Struct):
        return tuple(sort_key(item) for _, item in value.fields)
    return encode(value) if isinstance(value, str) else value


def deep_equal(one: Any, other: Any) -> bool:
    """reflect.DeepEqual: types count."""
    check_size(one)
    check_size(other)
    return _deep_equal(one, other)


def _deep_equal(one: Any, other: Any) -> bool:
    if type_name(one) != type_name(other):
        return False
    if isinstance(one, Slice):
        same_length = len(one.items) == len(other.items) and one.is_nil == other.is_nil
        return same_length and all(_deep_equal(a, b) for a, b in zip(one.items, other.items, strict=True))
    if isinstance(one, Map):
        same_keys = one.entries.keys() == other.entries.keys() and one.is_nil == other.is_nil
        return same_keys and all(_deep_equal(value, other.entries[key]) for key, value in one.entries.items())
    if isinstance(one, Struct):
        pairs = zip(one.fields, other.fields, strict=True)
        return all(_deep_equal(a, b) for (_, a), (_, b) in pairs)
    return bool(one == other)


def check_size(value: Any) -> None:
    """LimitExceeded where a value holds more than SIZE_LIMIT others, counted as often as they are met: one list in
    another twice, and so on sixty times, is small in memory and endless to go through, and so is one in itself.
    """
    left, waiting = SIZE_LIMIT, [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        inside = _inside(item)
        left -= len(inside)
        if left < 0 or depth > DEPTH_LIMIT:
            raise LimitExceeded("the template goes through too large a value")
        waiting += [(one, depth + 1) for one in inside]


def _inside(value: Any) -> list[Any]:
    if isinstance(value, Slice):
        return value.items
    if isinstance(value, Map):
        return [*value.entries.keys(), *value.entries.values()]
    return [item for _, item in value.fields] if isinstance(value, Struct) else []


def wrap_int(value: int, bits: int = 64) -> int:
    """A signed integer as it overflows."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def encode(text: str) -> bytes:
    """A string's bytes."""
    return text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    """A string of bytes."""
    return data.decode("utf-8", "surrogateescape")


def printable(text: str) -> str:
    """A string as it leaves us: each byte that is no UTF-8 becomes U+FFFD."""
    text = decode(encode(text))
    return "".join("\ufffd" if "\udc80" <= char <= "\udcff" else char for char in text) if not text.isascii() else text


def strings(items: list[str]) -> Slice:
    """A []string."""
    return Slice(list(items), STRING_SLICE)
