"""From a tree and contexts to a value."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tidegate.workflow.expressions.functions import BUILT_IN, Function
from tidegate.workflow.expressions.lexer import Kind
from tidegate.workflow.expressions.parser import parse
from tidegate.workflow.expressions.syntax import Call, Comparison, Constant, Index, Logical, Name, Node, Not, Star
from tidegate.workflow.expressions.values import (
    Array,
    Dictionary,
    FilteredArray,
    Value,
    equal,
    from_python,
    is_primitive,
    less,
    number_of,
    text_of,
    truthy,
)


def evaluate(
    expression: str | Node, contexts: Mapping[str, object], functions: Mapping[str, Function] | None = None
) -> Value:
    """The value of an expression (its text without `${{ }}`, or its tree).

    `contexts` are JSON-like data by name; `functions`, by lower-case name, are what may be called beside the built-in
    ones: hashFiles and the status functions come in here. Raises ExpressionError, and LimitExceeded for huge results.
    """
    node = parse(expression, contexts, functions) if isinstance(expression, str) else expression
    return _Evaluation(contexts, functions or {}).value(node)


class _Evaluation:
    def __init__(self, contexts: Mapping[str, object], functions: Mapping[str, Function]):
        self._data = {name.lower(): data for name, data in reversed(list(contexts.items()))}
        self._contexts: dict[str, Value] = {}
        self._functions = {**BUILT_IN, **functions}

    def value(self, node: Node) -> Value:
        match node:
            case Constant(value):
                return value
            case Name(name, _):
                return self._context(name.lower())
            case Index(of, index):
                return self._dereference(of, index)
            case Call(name, arguments, _):
                return self._functions[name.lower()].call([self.value(argument) for argument in arguments])
            case Not(operand):
                return not truthy(self.value(operand))
            case Comparison(first, rest):
                return self._compare(first, rest)
            case Logical(operator, operands):
                return self._logical(operator, operands)

    def _context(self, name: str) -> Value:
        """Converted once, so that an object stays the same object throughout an expression."""
        if name not in self._contexts:
            self._contexts[name] = from_python(self._data.get(name))
        return self._contexts[name]

    def _compare(self, first: Node, rest: tuple[tuple[Kind, Node], ...]) -> Value:
        left = self.value(first)
        for operator, operand in rest:
            left = _compared(operator, left, self.value(operand))
        return left

    def _logical(self, operator: Kind, operands: tuple[Node, ...]) -> Value:
        value: Value = None
        for operand in operands:
            value = self.value(operand)
            if truthy(value) == (operator is Kind.OR):
                break
        return value

    def _dereference(self, of: Node, index: Node | Star) -> Value:
        if isinstance(index, Star):
            return FilteredArray(_members(self.value(of)))
        wanted = self.value(index)
        value = self.value(of)
        if isinstance(value, FilteredArray):
            return FilteredArray(_each(value, wanted))
        found = _lookup(value, wanted)
        return found[0] if found else None


def _compared(operator: Kind, left: Value, right: Value) -> bool:
    match operator:
        case Kind.EQUAL:
            return equal(left, right)
        case Kind.NOT_EQUAL:
            return not equal(left, right)
        case Kind.LESS:
            return less(left, right)
        case Kind.LESS_EQUAL:
            return equal(left, right) or less(left, right)
        case Kind.GREATER:
            return less(right, left)
        case _:
            return equal(left, right) or less(right, left)


def _members(value: Value) -> list[Value]:
    """What `.*` gives: the members; of something filtered already, the members of each member."""
    if isinstance(value, FilteredArray):
        return [member for item in value.items for member in _direct(item)]
    return _direct(value)


def _direct(value: Value) -> list[Value]:
    if isinstance(value, Array):
        return list(value.items)
    return list(value.values) if isinstance(value, Dictionary) else []


def _each(value: FilteredArray, wanted: Value) -> list[Value]:
    return [found[0] for item in value.items if (found := _lookup(item, wanted)) is not None]


def _lookup(value: Value, wanted: Value) -> tuple[Value] | None:
    """The member under an index, or nothing. An array is indexed by a number from 0, cut to a whole one."""
    if isinstance(value, Dictionary):
        if is_primitive(wanted) and value.has(text_of(wanted)):
            return (value.get(text_of(wanted)),)
        return None
    if isinstance(value, Array):
        number = number_of(wanted)
        if math.isfinite(number) and 0 <= number < len(value.items):
            return (value.items[math.floor(number)],)
    return None
