"""Inputs of workflow_dispatch and workflow_call, beside what GitHub's documentation says of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tidegate.workflow.inputs import called_inputs, dispatched_inputs, event_inputs
from tidegate.workflow.model import CallTrigger, Workflow
from tidegate.workflow.problems import InvalidWorkflow
from tidegate.workflow.resolve import Scope

Read = Callable[[str], Workflow]
SCOPE = Scope({"github": {"ref_name": "main"}, "vars": {}, "inputs": {}})

# The example of "on.workflow_dispatch.inputs" in GitHub's workflow syntax, word for word.
GITHUBS = """
on:
  workflow_dispatch:
    inputs:
      logLevel:
        description: 'Log level'
        required: true
        default: 'warning'
        type: choice
        options:
          - info
          - warning
          - debug
      print_tags:
        description: 'True to print to STDOUT'
        required: true
        type: boolean
      tags:
        description: 'Test scenario tags'
        required: true
        type: string
      environment:
        description: 'Environment to run tests against'
        type: environment
        required: true

jobs:
  print-tag:
    runs-on: ubuntu-latest
    if: ${{ inputs.print_tags }}
    steps:
      - name: Print the input tag to STDOUT
        run: echo  The tags are ${{ inputs.tags }}
"""
JOB = "jobs: {a: {runs-on: x, steps: [{run: x}]}}\n"


def one(declared: str) -> str:
    return f"on: {{workflow_dispatch: {{inputs: {{it: {declared}}}}}}}\n{JOB}"


def test_the_inputs_context_preserves_booleans_and_the_event_has_texts(read: Read) -> None:
    """The information in the `inputs` context and `github.event.inputs` context is identical except that the `inputs`
    context preserves Boolean values as Booleans instead of converting them to strings."""
    given = {"print_tags": "true", "tags": "a,b", "environment": "staging"}
    values = dispatched_inputs(read(GITHUBS), given, SCOPE)
    assert values == {"logLevel": "warning", "print_tags": True, "tags": "a,b", "environment": "staging"}
    assert event_inputs(values)["print_tags"] == "true"


@pytest.mark.parametrize(
    ("declared", "given", "expected"),
    [
        ("{type: string}", {"it": "a b"}, "a b"),
        ("{type: string}", {}, ""),
        ("{}", {"IT": "any case"}, "any case"),
        ("", {"it": "x"}, "x"),
        ("{type: boolean}", {"it": "false"}, False),
        ("{type: boolean}", {"it": True}, True),
        ("{type: boolean}", {}, False),
        ("{type: boolean, default: 'true'}", {}, True),
        ("{type: number}", {"it": "-3.5"}, -3.5),
        ("{type: number}", {"it": 7}, 7.0),
        ("{type: number}", {}, 0.0),
        ("{type: number, default: 3}", {}, 3.0),
        ("{type: choice, options: [a, b]}", {"it": "b"}, "b"),
        ("{type: choice, options: [a, b], default: a}", {}, "a"),
        ("{type: environment}", {"it": "production"}, "production"),
        ("{required: true, default: d}", {}, "d"),
        ("{default: 'on ${{ github.ref_name }}'}", {}, "on main"),
    ],
)
def test_what_is_given_is_read_by_the_type(
    read: Read, declared: str, given: dict[str, object], expected: object
) -> None:
    found = dispatched_inputs(read(one(declared)), given, SCOPE)["it"]
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("declared", "given", "message"),
    [
        ("{type: boolean}", {"it": "yes"}, "'yes' is no value of the input 'it'"),
        ("{type: number}", {"it": "many"}, "'many' is no value of the input 'it'"),
        ("{type: number}", {"it": ""}, "'' is no value of the input 'it'"),
        ("{type: choice, options: [a, b]}", {"it": "c"}, "one of: a, b"),
        ("{required: true}", {}, "the input 'it' is required"),
        ("{}", {"at": "x"}, "there is no input 'at'"),
        ("{}", {"it": "x" * 65_535}, "more than 65535 characters"),
    ],
)
def test_what_does_not_fit_is_refused_at_the_line_of_the_input(
    read: Read, declared: str, given: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidWorkflow) as refused:
        dispatched_inputs(read(one(declared)), given, SCOPE)
    assert message in str(refused.value)
    assert str(refused.value).startswith("ci.yaml:1:")


def test_every_problem_of_a_dispatch_is_shown_at_once(read: Read) -> None:
    with pytest.raises(InvalidWorkflow) as refused:
        dispatched_inputs(read(GITHUBS), {"logLevel": "loud", "tag": "x"}, SCOPE)
    assert [problem.message for problem in refused.value.problems] == [
        "there is no input 'tag'",
        "'loud' is no value of the input 'logLevel'",
        "the input 'print_tags' is required",
        "the input 'tags' is required",
        "the input 'environment' is required",
    ]
    assert "ci.yaml:14:7: the input 'print_tags' is required" in str(refused.value)


def test_a_workflow_without_the_trigger_is_not_dispatched(read: Read) -> None:
    with pytest.raises(InvalidWorkflow, match="no 'workflow_dispatch' trigger"):
        dispatched_inputs(read(JOB), {}, SCOPE)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            "{type: boolean, default: maybe}",
            "the default 'maybe' is no value of the input 'it', which must be true or false",
        ),
        ("{type: number, default: many}", "which must be a number"),
        ("{type: choice, options: [a, b], default: c}", "which must be one of: a, b"),
    ],
)
def test_a_default_of_another_type_is_a_problem_of_the_file(
    refused: Callable[[str], str], declared: str, message: str
) -> None:
    assert message in refused(one(declared))


def test_the_maximum_number_of_top_level_properties_for_inputs_is_25(read: Read, refused: Callable[[str], str]) -> None:
    text = "on: {workflow_dispatch: {inputs: {%s}}}\n" + JOB
    assert "26 inputs; 25 are the most" in refused(text % ", ".join(f"i{n}: {{}}" for n in range(26)))
    read(text % ", ".join(f"i{n}: {{}}" for n in range(25)))


CALLED = """
on:
  workflow_call:
    inputs:
      flag: {type: boolean}
      count: {type: number}
      word: {type: string}
      must: {type: string, required: true}
"""


def called(read: Read) -> CallTrigger:
    trigger = read(CALLED + JOB).triggers["workflow_call"]
    assert isinstance(trigger, CallTrigger)
    return trigger


def test_what_a_called_workflow_is_not_given_is_false_zero_or_empty(read: Read) -> None:
    """If a `default` parameter is not set, the default value of the input is `false` for a boolean, `0` for a number,
    and `""` for a string."""
    values, wrong = called_inputs(called(read), {"must": "x"}, SCOPE)
    assert (values, wrong) == ({"flag": False, "count": 0.0, "word": "", "must": "x"}, [])


def test_what_a_called_workflow_is_given_keeps_its_kind(read: Read) -> None:
    values, wrong = called_inputs(called(read), {"flag": True, "count": 2, "word": 3, "must": True}, SCOPE)
    assert (values, wrong) == ({"flag": True, "count": 2.0, "word": "3", "must": "true"}, [])
    values, wrong = called_inputs(called(read), {"flag": "true", "count": "2", "word": [1]}, SCOPE)
    assert wrong == [
        "the input 'flag' is 'true'; it must be true or false",
        "the input 'count' is '2'; it must be a number",
        "the input 'word' is 'Array'; it must be a text",
        "the input 'must' is required",
    ]
