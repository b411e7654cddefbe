"""The values of a workflow's inputs, by workflow_dispatch and workflow_call: kinds, defaults, and what is wrong. Pure.

What a person gives to a dispatch is text and is read by the input's type; what a workflow gives to another one has a
kind already, and it must be the right one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tidegate.base.errors import Where
from tidegate.workflow.cursor import suggest
from tidegate.workflow.expressions import from_python, text_of
from tidegate.workflow.expressions.numbers import number_of_text
from tidegate.workflow.model import CallTrigger, DispatchTrigger, Input, Workflow
from tidegate.workflow.problems import InvalidWorkflow
from tidegate.workflow.resolve import Scope, value_of
from tidegate.workflow.source import Source

PAYLOAD_LIMIT = 65_535
"""The most characters of all inputs of a dispatch together, as GitHub has it."""
InputValue = bool | float | str
_EMPTY: Mapping[str, InputValue] = {"boolean": False, "number": 0.0}
_WRONG = object()


def dispatched_inputs(workflow: Workflow, given: Mapping[str, Any], scope: Scope) -> dict[str, InputValue]:
    """The `inputs` context of a workflow_dispatch, from what was given by name (letter case aside).

    Booleans and numbers have their own kinds, everything else is text. Raises InvalidWorkflow with every problem: the
    workflow cannot be dispatched, an input is missing, not known, or of the wrong type.
    """
    trigger = workflow.triggers.get("workflow_dispatch")
    say = (workflow.source or Source(b"", workflow.file)).problem
    if not isinstance(trigger, DispatchTrigger):
        remedy = "add workflow_dispatch to its `on:`"
        raise InvalidWorkflow((say("the workflow has no 'workflow_dispatch' trigger", _on(workflow), remedy),))
    if sum(len(name) + len(_text(value)) for name, value in given.items()) > PAYLOAD_LIMIT:
        message = f"the inputs have more than {PAYLOAD_LIMIT} characters"
        raise InvalidWorkflow((say(message, trigger.where, "pass a file or a commit instead"),))
    known = tuple(one.name for one in trigger.inputs)
    problems = [
        say(f"there is no input {name!r}", trigger.where, suggest(name, known) if known else "it takes none")
        for name in given
        if name.lower() not in {other.lower() for other in known}
    ]
    values: dict[str, InputValue] = {}
    texts = {name.lower(): _text(value) for name, value in given.items()}
    for one in trigger.inputs:
        text = texts.get(one.name.lower())
        if text is None and one.default is None and one.required:
            problems.append(say(f"the input {one.name!r} is required", one.where, f"give it: -f {one.name}=…"))
            continue
        value = default_of(one, scope) if text is None else _read(one, text)
        if value is _WRONG:
            problems.append(say(f"{text!r} is no value of the input {one.name!r}", one.where, _wanted(one)))
        else:
            values[one.name] = value  # type: ignore[assignment]
    if problems:
        raise InvalidWorkflow(tuple(problems))
    return values


def event_inputs(values: Mapping[str, InputValue]) -> dict[str, str]:
    """`github.event.inputs`: the same values, all of them text."""
    return {name: text_of(value) for name, value in values.items()}


def called_inputs(
    trigger: CallTrigger, given: Mapping[str, Any], scope: Scope
) -> tuple[dict[str, InputValue], list[str]]:
    """The `inputs` context of a called workflow, and what is wrong with what its caller gave.

    `scope` is the one of the called workflow's defaults. Of what is wrong only what depends on values:
    names and literals are looked at before the run, where the caller's lines are known.
    """
    values: dict[str, InputValue] = {}
    wrong: list[str] = []
    passed = {name.lower(): value for name, value in given.items()}
    for one in trigger.inputs:
        value = passed.get(one.name.lower(), _WRONG)
        if value is _WRONG and one.required and one.default is None:
            wrong.append(f"the input {one.name!r} is required")
        elif value is _WRONG:
            values[one.name] = default_of(one, scope)
        elif (fitting := fits(one, value)) is None:
            wrong.append(f"the input {one.name!r} is {_text(value)!r}; it must be {_wanted(one)}")
        else:
            values[one.name] = fitting
    return values, wrong


def fits(one: Input, value: object) -> InputValue | None:
    """A value that has a kind already as the input's; None where it is of another kind. A text takes any scalar."""
    if one.type == "boolean":
        return value if isinstance(value, bool) else None
    if one.type == "number":
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    return None if isinstance(value, dict | list) else _text(value)


def default_of(one: Input, scope: Scope) -> InputValue:
    """What an input is where nothing is given: its default, else false, 0 or the empty text."""
    if one.default is None:
        return _EMPTY.get(one.type, "")
    value = value_of(one.default, scope)
    found = _read(one, _text(value))
    return _EMPTY.get(one.type, "") if found is _WRONG else found  # type: ignore[return-value]


def default_problem(one: Input) -> str | None:
    """What is wrong with a default that holds no expression; None where nothing is."""
    value = getattr(one.default, "value", None)
    if value is None or _read(one, _text(value)) is not _WRONG:
        return None
    return f"the default {_text(value)!r} is no value of the input {one.name!r}, which must be {_wanted(one)}"


def _read(one: Input, text: str) -> object:
    if one.type == "boolean":
        return {"true": True, "false": False}.get(text.strip().lower(), _WRONG)
    if one.type == "number":
        number = number_of_text(text) if text.strip() else math.nan
        return number if math.isfinite(number) else _WRONG
    return text if one.type != "choice" or text in one.options or (not text and not one.required) else _WRONG


def _wanted(one: Input) -> str:
    kinds = {"boolean": "true or false", "number": "a number", "choice": f"one of: {', '.join(one.options)}"}
    return kinds.get(one.type, "a text")


def _text(value: object) -> str:
    return text_of(from_python(value))


def _on(workflow: Workflow) -> Where:
    """The line of the first trigger, for what is wrong with `on:` as a whole."""
    return next((trigger.where for trigger in workflow.triggers.values()), Where(workflow.file, 1, 1))
