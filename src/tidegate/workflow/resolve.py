"""Evaluates parts of a workflow in a scope: templates to values, conditions to yes or no."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen
from tidegate.workflow.expressions import ExpressionError, Function, Value, evaluate, text_of, to_python, truthy
from tidegate.workflow.expressions.errors import check_size
from tidegate.workflow.model import Condition, Listing, Literal, Scalar, Table, Template, Tree
from tidegate.workflow.templates import parse_template


@frozen
class Scope:
    """What expressions see: contexts (JSON-like data by name) and functions beside the built-in ones."""

    contexts: Mapping[str, Any] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)

    def having(self, **contexts: object) -> Scope:
        """The same scope with further contexts, or other ones in their place."""
        return replace(self, contexts={**self.contexts, **contexts})

    def calling(self, functions: Mapping[str, Function]) -> Scope:
        """The same scope with further functions."""
        return replace(self, functions={**self.functions, **functions})


def value_of(tree: Tree, scope: Scope) -> Any:
    """A tree as JSON-like data. Raises ExpressionError with the place in the file."""
    if isinstance(tree, Table):
        return {name: value_of(entry, scope) for name, entry in tree.entries.items()}
    if isinstance(tree, Listing):
        return [value_of(item, scope) for item in tree.items]
    return to_python(_value(tree, scope))


def text_value(scalar: Scalar, scope: Scope) -> str:
    """A scalar as text, as it stands in a script or an input."""
    return text_of(_value(scalar, scope))


def table_value(table: Table | Template, scope: Scope) -> dict[str, str]:
    """A mapping (`env`, `with`) as texts by name. Raises InvalidInput where an expression gives no mapping."""
    if isinstance(table, Table):
        return {name: _entry_text(entry, scope) for name, entry in table.entries.items()}
    data = value_of(table, scope)
    if not isinstance(data, Mapping):
        raise InvalidInput(f"{table.source!r} gives no mapping", where=table.where)
    return {name: text_of(value) if not isinstance(value, dict | list) else "" for name, value in _values(data)}


def _values(data: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, float(v) if isinstance(v, int) and not isinstance(v, bool) else v) for name, v in data.items()]


def _entry_text(entry: Tree, scope: Scope) -> str:
    return text_value(entry, scope) if isinstance(entry, Literal | Template) else ""


def boolean_value(scalar: Scalar, scope: Scope) -> bool:
    """A setting that is true or false. Raises InvalidInput for anything else."""
    value = _value(scalar, scope)
    if isinstance(value, bool):
        return value
    raise InvalidInput(f"{_source(scalar)!r} gives {text_of(value)!r}, not true or false", where=scalar.where)


def number_value(scalar: Scalar, scope: Scope) -> float:
    """A setting that is a number. Raises InvalidInput for anything else."""
    value = _value(scalar, scope)
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise InvalidInput(f"{_source(scalar)!r} gives {text_of(value)!r}, not a number", where=scalar.where)


def holds(condition: Condition, scope: Scope) -> bool:
    """Whether an `if:` holds. One that calls no status function itself holds only if `success()` does, too.

    The scope must bring the status functions.
    """
    if not condition.has_status and not truthy(scope.functions["success"].call(())):
        return False
    if condition.expression is None:
        return True
    if isinstance(condition.expression, Template):
        return truthy(_value(condition.expression, scope))
    try:
        return truthy(evaluate(condition.expression, scope.contexts, scope.functions))
    except ExpressionError as error:
        raise placed(error, condition.where) from error


def interpolate(source: str, scope: Scope) -> str:
    """A string from outside a workflow's model (an action's default, say) with its expressions replaced."""
    parts, errors = parse_template(source, scope.contexts, scope.functions)
    if errors:
        raise errors[0]
    return text_of(_value(Template(source, parts), scope))


def status_functions(*, failed: bool, cancelled: bool) -> Mapping[str, Function]:
    """success, failure, cancelled and always for a step, from the state of its job so far."""
    return {
        "success": _constant(not failed and not cancelled),
        "failure": _constant(failed and not cancelled),
        "cancelled": _constant(cancelled),
        "always": _constant(True),
    }


def _constant(answer: bool) -> Function:
    def call(arguments: Sequence[Value]) -> Value:
        return answer

    return Function(0, 255, call)


def placed(error: ExpressionError, where: Where) -> InvalidInput:
    """The error with the place in the workflow file of the value that held the expression."""
    return InvalidInput(error.message, where=where, remedy=error.remedy, code=error.code)


def _value(scalar: Scalar, scope: Scope) -> Value:
    if isinstance(scalar, Literal):
        return scalar.value
    try:
        if scalar.expression is not None:
            return evaluate(scalar.expression, scope.contexts, scope.functions)
        texts = [_part_text(part, scope) for part in scalar.parts]
    except ExpressionError as error:
        raise placed(error, scalar.where) from error
    check_size(sum(map(len, texts)))
    return "".join(texts)


def _part_text(part: object, scope: Scope) -> str:
    return part if isinstance(part, str) else text_of(evaluate(part, scope.contexts, scope.functions))  # type: ignore[arg-type]


def _source(scalar: Scalar) -> str:
    return scalar.source if isinstance(scalar, Template) else text_of(scalar.value)
