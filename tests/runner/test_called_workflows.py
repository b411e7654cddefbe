"""What a called workflow is given: inputs, secrets, and the token of whichever job it is."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.runner.called import prepare_call, with_token
from tidegate.workflow.calls import link
from tidegate.workflow.parse import parse_workflow
from tidegate.workflow.plan import JobResult, plan
from tidegate.workflow.triggers import Event

CALLED = """
on:
  workflow_call:
    inputs: {word: {type: string, default: 'of ${{ github.actor }}'}}
    outputs: {said: {value: "${{ jobs.a.outputs.said }} ${{ jobs.a.result }} ${{ inputs.word }}"}}
    secrets: {key: {}, token: {}}
jobs: {a: {runs-on: x, steps: [{run: x}]}}
"""
CONTEXTS = {"github": {"actor": "ada"}, "vars": {}, "inputs": {}, "needs": {}}


def prepared(said="", secrets=None):
    text = f"on: push\njobs:\n  call:\n    uses: ./.github/workflows/called.yaml\n{said}"
    caller = parse_workflow(text.encode(), ".github/workflows/ci.yaml")
    linked, problems = link(caller, lambda path: parse_workflow(CALLED.encode(), path))
    assert problems == ()
    made = plan(linked, Event("push"), CONTEXTS)
    return prepare_call(made, made.jobs[0], CONTEXTS, secrets or {})


def test_its_contexts_are_its_own_and_outputs_are_mapped():
    call = prepared()
    assert call.contexts == {"github": {"actor": "ada"}, "vars": {}, "inputs": {"word": "of ada"}}
    assert call.outputs({"a": JobResult("success", {"said": "hi"})}) == {"said": "hi success of ada"}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", {"GITHUB_TOKEN": "own"}),
        ("    secrets: inherit\n", {"KEY": "k", "GITHUB_TOKEN": "own"}),
        (
            "    secrets: {key: 'x ${{ secrets.KEY }}', token: 'Bearer ${{ secrets.GITHUB_TOKEN }}'}\n",
            {"key": "x k", "token": "Bearer own", "GITHUB_TOKEN": "own"},
        ),
        ("    secrets: {key: '${{ secrets.NONE }}'}\n", {"key": "", "GITHUB_TOKEN": "own"}),
    ],
)
@pytest.mark.parametrize("issued", [True, False])
def test_secrets_are_those_passed_on_with_the_jobs_own_token(said, expected, issued):
    secrets = {"KEY": "k"} if issued else {"KEY": "k", "GITHUB_TOKEN": "own"}
    assert with_token(prepared(said, secrets).secrets, "own" if issued else "") == expected


def test_an_expression_that_gives_no_mapping_or_other_names_can_not_be_called():
    with pytest.raises(InvalidInput, match="gives no mapping"):
        prepared("    with: ${{ github.actor }}\n")
    with pytest.raises(InvalidInput, match="there is no input 'actor'"):
        prepared("    with: ${{ github }}\n")
