"""GitHub's expression language, as the npm package @actions/expressions 0.3.61 defines it. Pure."""

from tidegate.workflow.expressions.errors import ExpressionError
from tidegate.workflow.expressions.evaluator import evaluate
from tidegate.workflow.expressions.functions import Function
from tidegate.workflow.expressions.parser import parse
from tidegate.workflow.expressions.syntax import Node, calls, names
from tidegate.workflow.expressions.values import (
    Array,
    Dictionary,
    Value,
    from_python,
    kind_of,
    text_of,
    to_python,
    truthy,
)

__all__ = [
    "Array",
    "Dictionary",
    "ExpressionError",
    "Function",
    "Node",
    "Value",
    "calls",
    "evaluate",
    "from_python",
    "kind_of",
    "names",
    "parse",
    "text_of",
    "to_python",
    "truthy",
]
