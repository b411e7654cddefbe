"""The functions that every Go template has: comparison, logic, indexing, printing and escaping. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote_plus

from tidegate.update.gotemplate.budget import Budget
from tidegate.update.gotemplate.formatting import is_print, sprint, sprintf, sprintln, text_of
from tidegate.update.gotemplate.functions import Registry
from tidegate.update.gotemplate.values import (
    MISSING,
    Map,
    Slice,
    Struct,
    TemplateError,
    Uint8,
    encode,
    is_integer,
    is_true,
    kind_name,
    type_name,
)

BUILTINS = Registry()
_HTML = str.maketrans({"'": "&#39;", '"': "&#34;", "&": "&amp;", "<": "&lt;", ">": "&gt;", "\0": "\ufffd"})
_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}
_NO_VALUE = "<no value>"
_EVEN = {"int": "integer", "int64": "integer", "uint64": "integer", "uint8": "integer"}


@BUILTINS.add("value, ...value", "and", "or")
def _and_or(_: Budget, *values: Any) -> Any:
    raise AssertionError("the executor evaluates these itself, argument by argument")


@BUILTINS.add("value", "not")
def _not(_: Budget, value: Any) -> bool:
    return not is_true(value)


@BUILTINS.add("value, ...value", "call")
def _call(_: Budget, value: Any, *_rest: Any) -> Any:
    raise TemplateError(f"non-function {text_of(value)} of type {type_name(value)}")


@BUILTINS.add("value", "len")
def _len(_: Budget, value: Any) -> int:
    if isinstance(value, str):
        return len(encode(value))
    if isinstance(value, Slice):
        return len(value.items)
    if isinstance(value, Map):
        return len(value.entries)
    raise TemplateError(f"len of type {type_name(value)}")


@BUILTINS.add("value, ...value", "index")
def _index(_: Budget, item: Any, *indexes: Any) -> Any:
    if item is MISSING or item is None:
        raise TemplateError("index of untyped nil")
    for index in indexes:
        item = _element(item, index)
    return item


def _element(item: Any, index: Any) -> Any:
    if isinstance(item, Map):
        if isinstance(index, str) or (isinstance(index, Struct) and not item.type.startswith("map[string]")):
            if isinstance(index, str) and not item.type.startswith("map[string]"):
                raise TemplateError(f"value has type string; should be {item.type}'s key")
            return item.entries.get(index, item.zero)
        raise TemplateError(f"value has type {type_name(index)}; should be the map's key")
    if isinstance(item, Slice):
        return item.items[_position(index, len(item.items))]
    if isinstance(item, str):
        data = encode(item)
        return Uint8(data[_position(index, len(data))])
    raise TemplateError(f"can't index item of type {type_name(item)}")


def _position(index: Any, length: int) -> int:
    if not is_integer(index):
        raise TemplateError(f"cannot index slice/array with type {type_name(index)}")
    if not 0 <= index < length:
        raise TemplateError(f"index out of range: {index}")
    return int(index)


@BUILTINS.add("value, ...value", "eq")
def _eq(_: Budget, first: Any, *others: Any) -> bool:
    if not others:
        raise TemplateError("missing argument for comparison")
    return any(_equal(first, other) for other in others)


@BUILTINS.add("value, value", "ne")
def _ne(_: Budget, first: Any, other: Any) -> bool:
    return not _equal(first, other)


def _equal(one: Any, other: Any) -> bool:
    kinds = _basic_kind(one), _basic_kind(other)
    if kinds[0] != kinds[1]:
        if one in (MISSING, None) or other in (MISSING, None):
            return False
        raise TemplateError(f"incompatible types for comparison: {type_name(one)} and {type_name(other)}")
    if kinds[0] is not None:
        return bool(one == other)
    if _is_nil(one) or _is_nil(other):
        return _is_nil(one) and _is_nil(other)
    for value in (one, other):
        if isinstance(value, Slice | Map):
            raise TemplateError(f"non-comparable type {text_of(value)}: {type_name(value)}")
    return bool(_comparable(one) == _comparable(other))


def _is_nil(value: Any) -> bool:
    return value is MISSING or value is None or (isinstance(value, Slice | Map) and value.is_nil)


def _comparable(value: Any) -> Any:
    return (type_name(value), value.fields) if isinstance(value, Struct) else (type_name(value), None)


def _basic_kind(value: Any) -> str | None:
    kind = kind_name(value)
    kind = _EVEN.get(kind, kind)
    return kind if kind in ("integer", "string", "bool", "float64", "complex128") else None


def _less(one: Any, other: Any) -> bool:
    kinds = _basic_kind(one), _basic_kind(other)
    if None in kinds or "bool" in kinds or "complex128" in kinds:
        raise TemplateError("invalid type for comparison")
    if kinds[0] != kinds[1]:
        raise TemplateError(f"incompatible types for comparison: {type_name(one)} and {type_name(other)}")
    if isinstance(one, str):
        return encode(one) < encode(other)
    return bool(one < other)


@BUILTINS.add("value, value", "lt")
def _lt(_: Budget, one: Any, other: Any) -> bool:
    return _less(one, other)


@BUILTINS.add("value, value", "le")
def _le(_: Budget, one: Any, other: Any) -> bool:
    return _less(one, other) or _equal(one, other)


@BUILTINS.add("value, value", "gt")
def _gt(_: Budget, one: Any, other: Any) -> bool:
    return not (_less(one, other) or _equal(one, other))


@BUILTINS.add("value, value", "ge")
def _ge(_: Budget, one: Any, other: Any) -> bool:
    return not _less(one, other)


@BUILTINS.add("...any", "print")
def _print(_: Budget, *values: Any) -> str:
    return sprint(values)


@BUILTINS.add("...any", "println")
def _println(_: Budget, *values: Any) -> str:
    return sprintln(values)


@BUILTINS.add("string, ...any", "printf")
def _printf(budget: Budget, template: str, *values: Any) -> str:
    return sprintf(template, values, budget)


@BUILTINS.add("...any", "html")
def _html(_: Budget, *values: Any) -> str:
    return _joined(values).translate(_HTML)


@BUILTINS.add("...any", "js")
def _js(_: Budget, *values: Any) -> str:
    return "".join(_escape_js(char) for char in _joined(values))


def _escape_js(char: str) -> str:
    if char in _JS:
        return _JS[char]
    code = ord(char)
    if code < 0x20 or (code > 0x7F and not is_print(char)):
        return f"\\u{code:04X}"
    return char


@BUILTINS.add("...any", "urlquery")
def _urlquery(_: Budget, *values: Any) -> str:
    return quote_plus(encode(_joined(values)), safe="-_.~")


def _joined(values: Sequence[Any]) -> str:
    if len(values) == 1 and isinstance(values[0], str):
        return values[0]
    return sprint([_NO_VALUE if value is MISSING or value is None else value for value in values])
