"""Which templates are so plain that they cannot take long: text, fields and one `range`. Pure."""

from __future__ import annotations

from typing import Any

from tidegate.update.gotemplate.nodes import Action, Branch, Command, Dot, Field, Identifier, Pipe, Text, Variable
from tidegate.update.gotemplate.parser import parse
from tidegate.update.gotemplate.render import FUNCTIONS
from tidegate.update.gotemplate.values import TemplateError

_PRINTING = ("print", "println")


def is_simple(template: str) -> bool:
    """Whether a template is text, fields, printing and at most one `range`; one that does not parse is simple too."""
    try:
        parsed = parse(template, FUNCTIONS)
    except TemplateError:
        return True
    return not parsed.defined and _ranges(parsed.body) <= 1


def _ranges(body: list[Any]) -> float:
    """How many ranges, infinitely many where there is anything else."""
    total = 0.0
    for node in body:
        if isinstance(node, Branch) and node.keyword == "range" and _is_plain(node.pipe):
            total += 1 + _ranges(node.body) + _ranges(node.otherwise or [])
        elif not isinstance(node, Text) and not (isinstance(node, Action) and _is_plain(node.pipe)):
            return float("inf")
    return total


def _is_plain(pipe: Pipe) -> bool:
    return all(_is_plain_command(command) for command in pipe.commands)


def _is_plain_command(command: Command) -> bool:
    first, *rest = command.arguments
    if isinstance(first, Identifier) and first.name not in _PRINTING:
        return False
    return isinstance(first, Field | Dot | Variable | Identifier) and all(
        isinstance(argument, Field | Dot | Variable) for argument in rest
    )
