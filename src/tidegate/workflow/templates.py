"""Strings with `${{ }}` in them: where each expression begins and ends, as GitHub's template reader finds them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tidegate.base.frozen import frozen
from tidegate.workflow.expressions import ExpressionError, Function, Node, parse

_END = re.compile(r"'(?:[^']|'')*'?|\}\}")


@frozen
class Fragment:
    """A piece of a string: plain text, or an expression's text without its braces. `start` counts from 0."""

    text: str
    start: int
    is_expression: bool


def split(source: str) -> list[Fragment]:
    """The fragments of a string in order; braces inside a quoted text of an expression do not end it.

    Raises ExpressionError where a `${{` is not closed.
    """
    fragments: list[Fragment] = []
    place = 0
    while (start := source.find("${{", place)) >= 0:
        if start > place:
            fragments.append(Fragment(source[place:start], place, False))
        end = _closing(source, start + 3)
        fragments.append(Fragment(source[start + 3 : end], start + 3, True))
        place = end + 2
    if place < len(source):
        fragments.append(Fragment(source[place:], place, False))
    return fragments


def _closing(source: str, place: int) -> int:
    for found in _END.finditer(source, place):
        if found[0] == "}}":
            return found.start()
    raise ExpressionError("'${{' is not closed", position=place - 3, length=3, remedy="end the expression with }}")


def parse_template(
    source: str, contexts: Iterable[str], functions: Mapping[str, Function]
) -> tuple[tuple[str | Node, ...], list[ExpressionError]]:
    """The texts and expression trees of a string, and every error in it, placed within `source`."""
    parts: list[str | Node] = []
    errors: list[ExpressionError] = []
    try:
        fragments = split(source)
    except ExpressionError as error:
        return (), [error]
    for fragment in fragments:
        if not fragment.is_expression:
            parts.append(fragment.text)
            continue
        try:
            parts.append(parse(fragment.text, contexts, functions))
        except ExpressionError as error:
            errors.append(moved(error, fragment.start))
    return tuple(parts), errors


def moved(error: ExpressionError, by: int) -> ExpressionError:
    """The same error, its position counted from `by` characters earlier."""
    return ExpressionError(error.message, position=error.position + by, length=error.length, remedy=error.remedy)
