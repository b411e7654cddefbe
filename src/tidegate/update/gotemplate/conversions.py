"""Sprig's conversions: any value to an integer, a float, a string or a list of strings; and Go's JSON. Pure."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any

from tidegate.update.gotemplate.formatting import text_of
from tidegate.update.gotemplate.literals import parse_float, parse_integer
from tidegate.update.gotemplate.numbers import shortest
from tidegate.update.gotemplate.values import (
    ANY_SLICE,
    MISSING,
    Map,
    Slice,
    Struct,
    TemplateError,
    check_size,
    is_integer,
    printable,
    sort_key,
    wrap_int,
)

_ZERO_FRACTION = re.compile(r"\.0+\Z")
_SMALLEST = -(2**63)
_JSON_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_JSON_ALWAYS = {"\u2028": "\\u2028", "\u2029": "\\u2029"}
_JSON_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def to_int(value: Any) -> int:
    """spf13/cast's ToInt: 0 for what is no number."""
    if isinstance(value, bool) or is_integer(value):
        return wrap_int(int(value))
    if isinstance(value, float):
        return _SMALLEST if math.isnan(value) or not -(2.0**63) <= value < 2.0**63 else int(value)
    if isinstance(value, str):
        number = parse_integer(_ZERO_FRACTION.sub("", value))
        return number if number is not None and _SMALLEST <= number < 2**63 else 0
    return 0


def to_float(value: Any) -> float:
    """spf13/cast's ToFloat64: 0 for what is no number."""
    if isinstance(value, bool) or is_integer(value):
        return float(value)
    if isinstance(value, float):
        return value
    if isinstance(value, str):
        return parse_float(value) or 0.0
    return 0.0


def to_text(value: Any) -> str:
    """Sprig's strval."""
    return value if isinstance(value, str) else "<nil>" if value is None else text_of(value)


def to_texts(value: Any) -> list[str]:
    """Sprig's strslice: a list's elements without nils, or the value alone."""
    if isinstance(value, Slice):
        return [to_text(item) for item in value.items if item is not None]
    return [] if value is None else [to_text(value)]


def from_json(text: str) -> Any:
    """encoding/json's Unmarshal into an interface: numbers are floats. TemplateError."""
    try:
        return _from_python(json.loads(text, parse_int=_json_float, parse_float=_json_float, parse_constant=_refuse))
    except (ValueError, RecursionError) as error:
        raise TemplateError(f"invalid JSON: {error}") from None


def _json_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} does not fit")
    return value


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def _from_python(value: Any) -> Any:
    if isinstance(value, dict):
        return Map({_whole(key): _from_python(item) for key, item in value.items()})
    if isinstance(value, list):
        return Slice([_from_python(item) for item in value], ANY_SLICE)
    return _whole(value) if isinstance(value, str) else value


def _whole(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def to_json(value: Any, *, escape_html: bool = True) -> str:
    """encoding/json's Marshal. TemplateError for what JSON cannot hold."""
    check_size(value)
    return _json(value, escape_html=escape_html)


def indent_json(compact: str, step: str = "  ") -> str:
    """encoding/json's Indent."""
    parts: list[str] = []
    depth, quoted, escaped = 0, False, False
    for number, char in enumerate(compact):
        if quoted:
            parts.append(char)
            quoted, escaped = char != '"' or escaped, char == "\\" and not escaped
        elif char in "{[":
            depth += 1
            empty = compact[number + 1] in "}]"
            parts.append(char if empty else f"{char}\n{step * depth}")
        elif char in "}]":
            depth -= 1
            parts.append(char if compact[number - 1] in "{[" else f"\n{step * depth}{char}")
        elif char == ",":
            parts.append(f",\n{step * depth}")
        else:
            quoted = char == '"'
            parts.append(": " if char == ":" else char)
    return "".join(parts)


def _json(value: Any, *, escape_html: bool) -> str:
    if isinstance(value, str):
        return _json_text(value, escape_html=escape_html)
    if isinstance(value, float):
        return _json_number(value)
    if isinstance(value, bool | int):
        return str(value).lower() if isinstance(value, bool) else str(int(value))
    if value is None or value is MISSING or (isinstance(value, Slice | Map) and value.is_nil):
        return "null"
    if isinstance(value, Slice):
        return "[" + ",".join(_json(item, escape_html=escape_html) for item in value.items) + "]"
    if isinstance(value, Map):
        return _object(_entries(value), escape_html=escape_html)
    if isinstance(value, Struct):
        if "MarshalJSON" in value.methods:
            return _json(value.methods["MarshalJSON"](value), escape_html=escape_html)
        return _object(_members(value), escape_html=escape_html)
    raise TemplateError("json: unsupported type")


def _entries(value: Map) -> list[tuple[str, Any]]:
    if not all(isinstance(key, str) for key in value.entries):
        raise TemplateError(f"json: unsupported type: {value.type}")
    return sorted(value.entries.items(), key=lambda entry: sort_key(entry[0]))


def _members(value: Struct) -> list[tuple[str, Any]]:
    members: list[tuple[str, Any]] = []
    for name, item in value.fields:
        if name in value.embedded:
            members += _members(item)
        else:
            members.append((value.json_names.get(name, name), item))
    return members


def _object(members: list[tuple[str, Any]], *, escape_html: bool) -> str:
    pairs = (
        f"{_json_text(key, escape_html=escape_html)}:{_json(item, escape_html=escape_html)}" for key, item in members
    )
    return "{" + ",".join(pairs) + "}"


def _json_text(text: str, *, escape_html: bool) -> str:
    escapes = _JSON_ESCAPES | _JSON_ALWAYS | (_JSON_HTML if escape_html else {})
    return '"' + "".join(escapes.get(char) or _json_char(char) for char in printable(text)) + '"'


def _json_char(char: str) -> str:
    return f"\\u{ord(char):04x}" if char < " " else char


def _json_number(value: float) -> str:
    if math.isnan(value) or math.isinf(value):
        raise TemplateError("json: unsupported value")
    if value != 0 and not 1e-6 <= abs(value) < 1e21:
        text = shortest(value, limit=-400)
        return re.sub(r"e-0([0-9])\Z", r"e-\1", text)
    return _plain_number(value)


def _plain_number(value: float) -> str:
    text = f"{value:.0f}" if value.is_integer() else repr(value)
    if "e" in text:
        text = f"{Decimal(text):f}"
    return "-0" if value == 0 and math.copysign(1, value) < 0 else text
