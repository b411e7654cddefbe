"""JSON as JavaScript's JSON.parse reads it and JSON.stringify writes it, two spaces an indentation."""

from __future__ import annotations

import json
import math
import re

from tidegate.workflow.expressions.errors import ExpressionError, check_size
from tidegate.workflow.expressions.numbers import WHITESPACE, javascript_text
from tidegate.workflow.expressions.values import Array, Dictionary, Value, from_python

_ESCAPED = re.compile('[\x00-\x1f"\\\\\ud800-\udfff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def parse_json(text: str) -> Value:
    """The value that a JSON text holds. Raises ExpressionError, or LimitExceeded where it is nested too deep."""
    if not text.strip(WHITESPACE):
        raise ExpressionError("fromJSON was given an empty text", remedy="check that the output it reads was set")
    try:
        data = json.loads(text, parse_constant=_refuse, parse_int=float)
    except (ValueError, RecursionError) as error:
        raise ExpressionError(f"fromJSON was given a text that is not JSON: {error}") from error
    return from_python(data)


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def write_json(value: Value) -> str:
    """The pretty-printed JSON of a value; NaN and the infinities become null."""
    parts: list[str] = []
    _write(value, "", parts)
    check_size(sum(map(len, parts)))
    return "".join(parts)


def _write(value: Value, indent: str, parts: list[str]) -> None:
    if isinstance(value, Array):
        items = [("", item) for item in value.items]
        _write_block("[]", items, indent, parts)
    elif isinstance(value, Dictionary):
        _write_block("{}", [(f"{_quote(name)}: ", item) for name, item in value], indent, parts)
    elif isinstance(value, str):
        parts.append(_quote(value))
    elif isinstance(value, bool):
        parts.append("true" if value else "false")
    elif value is None or not math.isfinite(value):
        parts.append("null")
    else:
        parts.append(javascript_text(value))


def _write_block(brackets: str, items: list[tuple[str, Value]], indent: str, parts: list[str]) -> None:
    if not items:
        parts.append(brackets)
        return
    inner = indent + "  "
    for place, (label, item) in enumerate(items):
        parts.append(f"{',' if place else brackets[0]}\n{inner}{label}")
        _write(item, inner, parts)
    parts.append(f"\n{indent}{brackets[1]}")


def _quote(text: str) -> str:
    check_size(len(text))
    return '"' + _ESCAPED.sub(lambda found: _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}", text) + '"'
