"""What an expression of a workflow comes to as far as that can be said before a run: its value, a text with holes, or
nothing. Whatever is not certain is open, never guessed. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any, TypeAlias

from tidegate.base.errors import TidegateError
from tidegate.base.frozen import frozen
from tidegate.lint.holes import ANY, HOLES, is_known, literal, may_be, pieces
from tidegate.workflow.expressions import Node, from_python, text_of, to_python, truthy
from tidegate.workflow.expressions.evaluator import evaluate
from tidegate.workflow.expressions.functions import BUILT_IN
from tidegate.workflow.expressions.lexer import Kind
from tidegate.workflow.expressions.syntax import Call, Comparison, Constant, Index, Logical, Name, Not, Star
from tidegate.workflow.model import Condition, Listing, Literal, Scalar, Table, Template, Tree


@frozen
class Open:
    """A value that only a run knows. `text` is what it would be written as; `fields` are those members of it that are
    known, by lower-case name.
    """

    text: str = ANY
    fields: Mapping[str, Any] = field(default_factory=dict)


OPEN = Open()
Known: TypeAlias = Any
"""JSON-like data whose leaves may be Open."""


@frozen
class Scope:
    """What is known where an expression stands: contexts by lower-case name; those that are missing are open."""

    contexts: Mapping[str, Known] = field(default_factory=dict)

    def having(self, **contexts: Known) -> Scope:
        """The same scope with further contexts, or others in their place."""
        return replace(self, contexts={**self.contexts, **contexts})


def text(tree: Tree | None, scope: Scope) -> str:
    """A scalar as a text with holes; of anything else any text."""
    if tree is None:
        return ""
    if isinstance(tree, Literal):
        return literal(text_of(from_python(tree.value)))
    if isinstance(tree, Template):
        return "".join(literal(part) if isinstance(part, str) else _text(value(part, scope)) for part in tree.parts)
    return ANY


def texts(table: Table | Template, scope: Scope) -> dict[str, str] | None:
    """A mapping (`env`, `with`) as texts by name; None where an expression gives it."""
    if isinstance(table, Template):
        return None
    return {name: text(entry, scope) for name, entry in table.entries.items()}


def data(tree: Tree, scope: Scope) -> Known:
    """A tree as JSON-like data."""
    if isinstance(tree, Table):
        return {name: data(entry, scope) for name, entry in tree.entries.items()}
    if isinstance(tree, Listing):
        return [data(item, scope) for item in tree.items]
    if isinstance(tree, Template) and tree.expression is not None:
        return value(tree.expression, scope)
    if isinstance(tree, Literal):
        return tree.value
    return as_value(text(tree, scope))


def holds(condition: Condition, scope: Scope) -> bool | None:
    """Whether an `if:` holds; None where only a run knows. Nothing is taken to fail, so `success()` is open at most."""
    if condition.expression is None:
        return True
    if isinstance(condition.expression, Template):
        return _truth_of(as_value(text(condition.expression, scope)))
    return truth(condition.expression, scope)


def says(scalar: Scalar | Tree | None, scope: Scope) -> bool | None:
    """A setting that is `true` or something else; None where only a run knows."""
    found = text(scalar, scope).strip().lower()
    if is_known(found):
        return found == "true"
    return None if may_be(found, "true") else False


def truth(node: Node, scope: Scope) -> bool | None:
    """Whether an expression counts as true, by what is known of its parts."""
    match node:
        case Not(operand):
            found = truth(operand, scope)
            return None if found is None else not found
        case Logical(operator, operands):
            deciding = operator is Kind.OR
            answers = [truth(operand, scope) for operand in operands]
            if deciding in answers:
                return deciding
            return None if None in answers else not deciding
        case _:
            return _truth_of(value(node, scope))


def value(node: Node, scope: Scope) -> Known:
    """An expression's value, or Open."""
    match node:
        case Constant(found):
            return as_value(literal(found)) if isinstance(found, str) else found
        case Name(name, _):
            return scope.contexts.get(name.lower(), OPEN)
        case Index(of, index):
            return OPEN if isinstance(index, Star) else _member(value(of, scope), value(index, scope))
        case Call(name, arguments, _):
            return _called(name.lower(), [value(argument, scope) for argument in arguments])
        case Comparison(first, rest):
            return _compared(node, value(first, scope), [(op, value(other, scope)) for op, other in rest])
        case Logical():
            return _logical(node, scope)
        case Not():
            found = truth(node, scope)
            return OPEN if found is None else found


def _logical(node: Logical, scope: Scope) -> Known:
    """The first operand that decides; open from the first one on that may."""
    found: Known = None
    for place, operand in enumerate(node.operands):
        found = value(operand, scope)
        if place + 1 == len(node.operands):
            return found
        decides = truth(operand, scope)
        if decides is None:
            return OPEN
        if decides == (node.operator is Kind.OR):
            return found
    return found


def _member(of: Known, index: Known) -> Known:
    if isinstance(index, Open):
        return OPEN
    name = text_of(from_python(index)).lower() if not isinstance(index, list | dict) else ""
    if isinstance(of, Open):
        return of.fields.get(name, OPEN)
    if isinstance(of, Mapping):
        return next((entry for key, entry in of.items() if key.lower() == name), None)
    if isinstance(of, list):
        return of[int(name)] if name.isdecimal() and int(name) < len(of) else None
    return None


def _called(name: str, arguments: Sequence[Known]) -> Known:
    if name == "always":
        return True
    if name in BUILT_IN and not any(map(_is_open, arguments)):
        try:
            return to_python(BUILT_IN[name].call([from_python(argument) for argument in arguments]))
        except TidegateError:
            return OPEN
    if name in ("contains", "startswith", "endswith") and len(arguments) == 2:
        return _searched(name, _text(arguments[0]), _text(arguments[1]))
    if name == "format" and arguments and not isinstance(arguments[0], Open):
        try:
            found = BUILT_IN[name].call([_text(argument) for argument in arguments])
        except TidegateError:
            return OPEN
        return as_value(text_of(found))
    return OPEN


def _searched(name: str, whole: str, part: str) -> Known:
    """Certain only where what is known of the text already holds the part, or begins or ends with it."""
    whole, part = whole.lower(), part.lower()
    if not is_known(part) or not part:
        return OPEN
    known = pieces(whole)
    if name == "contains":
        return True if any(part in piece for piece in known) else OPEN
    end = known[0] if name == "startswith" else known[-1]
    if len(end) >= len(part):
        return end.startswith(part) if name == "startswith" else end.endswith(part)
    return OPEN


def _compared(node: Comparison, first: Known, rest: Sequence[tuple[Kind, Known]]) -> Known:
    if not _is_open(first) and not any(_is_open(other) for _, other in rest):
        constants = [Constant(_primitive(other)) for _, other in rest]
        pairs = tuple((op, other) for (op, _), other in zip(rest, constants, strict=True))
        return evaluate(Comparison(Constant(_primitive(first)), pairs), {})
    if len(rest) == 1 and rest[0][0] in (Kind.EQUAL, Kind.NOT_EQUAL):
        sides = (first, rest[0][1])
        if all(isinstance(side, str | Open) for side in sides) and _differ(*map(_text, sides)):
            return rest[0][0] is Kind.NOT_EQUAL
    return OPEN


def _differ(one: str, other: str) -> bool:
    """Whether two texts differ for certain; what may be anything may be no text at all."""
    return ANY not in (one, other) and not may_be(one.lower(), other.lower())


def _truth_of(found: Known) -> bool | None:
    if isinstance(found, Open):
        certain = any(pieces(found.text)) or any(hole in found.text for hole in HOLES[1:])
        return True if certain else None
    return True if isinstance(found, list | Mapping) else truthy(from_python(found))


def _text(found: Known) -> str:
    if isinstance(found, Open):
        return found.text
    if isinstance(found, list | Mapping):
        return ANY
    return literal(text_of(from_python(found))) if not isinstance(found, str) else found


def as_value(found: str) -> Known:
    """A text with holes as a value: itself where nothing is open."""
    return found if is_known(found) else Open(found)


def _is_open(found: Known) -> bool:
    if isinstance(found, Mapping):
        return any(map(_is_open, found.values()))
    if isinstance(found, list):
        return any(map(_is_open, found))
    return isinstance(found, Open)


def _primitive(found: Known) -> bool | float | str | None:
    return found if found is None or isinstance(found, bool | int | float | str) else ANY
