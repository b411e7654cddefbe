from __future__ import annotations

from collections.abc import Callable

from tidegate.workflow.model import Workflow
from tidegate.workflow.support import notices, unsupported

Read = Callable[[str], Workflow]


def test_what_is_not_supported_is_named_at_its_line(read: Read) -> None:
    workflow = read("""\
        on: [push, pull_request_target]
        jobs:
          a:
            runs-on: x
            steps: [{run: x}]
        """)
    problems = unsupported(workflow)
    assert [(problem.where.line, problem.message) for problem in problems] == [
        (1, "the event 'pull_request_target' is refused"),
    ]
    assert problems[0].render().splitlines()[1:3] == [
        "  1 | on: [push, pull_request_target]",
        "    |            ^^^^^^^^^^^^^^^^^^^",
    ]


def test_an_ordinary_workflow_is_supported(read: Read) -> None:
    workflow = read("jobs: {a: {runs-on: x, steps: [{run: x}, {uses: actions/checkout@v4}]}}")
    assert unsupported(workflow) == []
    assert notices(workflow) == []


def test_surprises_are_noticed(read: Read) -> None:
    workflow = read("on: [push, issues]\njobs: {a: {runs-on: x, if: 'x ${{ false }}', steps: [{run: x}]}}")
    assert [problem.message for problem in notices(workflow)] == [
        "the event 'issues' never happens here",
        "a condition with text outside ${{ }} always holds",
    ]


def test_activities_of_a_request_that_are_not_seen_are_told(read: Read) -> None:
    workflow = read("on: {pull_request: {types: [opened, labeled]}}\njobs: {a: {runs-on: x, steps: [{run: x}]}}")
    (notice,) = notices(workflow)
    assert notice.message == "the activity 'labeled' never happens here"
    assert notice.help == "what is seen of a request is opened, synchronize, reopened"
