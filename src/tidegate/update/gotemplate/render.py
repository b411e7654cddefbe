"""The template engine's one door: text in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.update.gotemplate.budget import Budget
from tidegate.update.gotemplate.builtins import BUILTINS
from tidegate.update.gotemplate.executor import execute
from tidegate.update.gotemplate.functions import Function
from tidegate.update.gotemplate.parser import parse
from tidegate.update.gotemplate.sprig_lists import LISTS
from tidegate.update.gotemplate.sprig_numbers import NUMBERS
from tidegate.update.gotemplate.sprig_regex import REGEXES
from tidegate.update.gotemplate.sprig_semver import SEMVER
from tidegate.update.gotemplate.sprig_strings import STRINGS
from tidegate.update.gotemplate.sprig_values import VALUES
from tidegate.update.gotemplate.values import printable

FUNCTIONS = {**BUILTINS, **STRINGS, **LISTS, **NUMBERS, **VALUES, **REGEXES, **SEMVER}
"""What a template may call: Go's own functions, and those of sprig that always give the same answer."""


def render(
    template: str, data: Any, *, budget: Budget | None = None, more: Mapping[str, Function] | None = None
) -> str:
    """The template's text over `data`; `more` are further functions.

    Raises TemplateError where Go would refuse the template or fail in it, and LimitExceeded past the budget.
    """
    functions = {**FUNCTIONS, **(more or {})}
    return printable(execute(parse(template, functions), data, functions, budget or Budget()))
