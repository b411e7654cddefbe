"""The functions that every expression may call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from tidegate.base.frozen import frozen
from tidegate.workflow.expressions.errors import ExpressionError, check_size
from tidegate.workflow.expressions.json_text import parse_json, write_json
from tidegate.workflow.expressions.values import Array, Value, equal, is_primitive, text_of, upper


@frozen
class Function:
    """A function by its number of arguments; `call` gets them evaluated."""

    minimum: int
    maximum: int
    call: Callable[[Sequence[Value]], Value]


_BRACE = re.compile(r"[{}]")
_PLACE = re.compile(r"\{([0-9]+)[^}]*\}", re.ASCII)


def _contains(arguments: Sequence[Value]) -> Value:
    search, item = arguments
    if isinstance(search, Array):
        return any(equal(item, member) for member in search.items)
    if not is_primitive(search) or not is_primitive(item):
        return False
    return text_of(item).lower() in text_of(search).lower()


def _starts_with(arguments: Sequence[Value]) -> Value:
    text, start = arguments
    return is_primitive(text) and is_primitive(start) and upper(text_of(text)).startswith(upper(text_of(start)))


def _ends_with(arguments: Sequence[Value]) -> Value:
    text, end = arguments
    return is_primitive(text) and is_primitive(end) and upper(text_of(text)).endswith(upper(text_of(end)))


def _join(arguments: Sequence[Value]) -> Value:
    value = arguments[0]
    if is_primitive(value):
        return text_of(value)
    if not isinstance(value, Array):
        return ""
    separator = text_of(arguments[1]) if len(arguments) > 1 and is_primitive(arguments[1]) else ","
    texts = [text_of(item) for item in value.items]
    check_size(sum(map(len, texts)) + len(separator) * max(len(texts) - 1, 0))
    return separator.join(texts)


def _format(arguments: Sequence[Value]) -> Value:
    template = text_of(arguments[0])
    parts: list[str] = []
    size = start = 0
    while found := _BRACE.search(template, start):
        place = found.start()
        parts.append(template[start:place])
        if template.startswith(found[0] * 2, place):
            parts.append(found[0])
            start = place + 2
        else:
            replaced = _PLACE.match(template, place)
            if replaced is None:
                raise _bad_format("the format is invalid", template)
            parts.append(_argument(arguments, replaced[1], template))
            start = replaced.end()
        size += len(parts[-2]) + len(parts[-1])
        check_size(size)
    parts.append(template[start:])
    return "".join(parts)


def _argument(arguments: Sequence[Value], digits: str, template: str) -> str:
    digits = digits.lstrip("0") or "0"
    if len(digits) > 3 or int(digits) + 1 >= len(arguments):
        raise _bad_format("the format names more arguments than it was given", template)
    return text_of(arguments[int(digits) + 1])


def _bad_format(why: str, template: str) -> ExpressionError:
    return ExpressionError(f"{why}: {template[:80]!r}", remedy="write {0}, {1}, …; double a brace to mean itself")


def _case(arguments: Sequence[Value]) -> Value:
    for condition, value in zip(arguments[:-1:2], arguments[1::2], strict=True):
        if not isinstance(condition, bool):
            raise ExpressionError("a condition of case() must be a boolean", remedy="compare it: x == 'value', x != ''")
        if condition:
            return value
    return arguments[-1]


BUILT_IN: Mapping[str, Function] = {
    "case": Function(3, 2**53 - 1, _case),
    "contains": Function(2, 2, _contains),
    "endswith": Function(2, 2, _ends_with),
    "format": Function(1, 255, _format),
    "fromjson": Function(1, 1, lambda arguments: parse_json(text_of(arguments[0]))),
    "join": Function(1, 2, _join),
    "startswith": Function(2, 2, _starts_with),
    "tojson": Function(1, 1, lambda arguments: write_json(arguments[0])),
}
"""Functions by name in lower case."""
