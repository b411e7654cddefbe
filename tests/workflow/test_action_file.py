"""An action's own file, beside what GitHub's "Metadata syntax reference" says."""

from __future__ import annotations

import textwrap

import pytest

from tidegate.workflow.action_file import ActionFile, parse_action
from tidegate.workflow.problems import InvalidWorkflow


def read(text: str) -> ActionFile:
    return parse_action(textwrap.dedent(text).encode(), "a/action.yml")


def refused(text: str) -> str:
    with pytest.raises(InvalidWorkflow) as invalid:
        read(text)
    return str(invalid.value)


# "Example: Specifying inputs" and "Example: Declaring outputs for composite actions".
GITHUBS = """
name: Random
inputs:
  num-octocats:
    description: 'Number of Octocats'
    required: false
    default: '1'
  octocat-eye-color:
    description: 'Eye color of the Octocats'
    required: true
outputs:
  random-number:
    description: "Random number"
    value: ${{ steps.random-number-generator.outputs.random-id }}
runs:
  using: "composite"
  steps:
    - id: random-number-generator
      run: echo "random-id=$(echo $RANDOM)" >> $GITHUB_OUTPUT
      shell: bash
    - run: ${{ github.action_path }}/test/script.sh
      shell: ${{ inputs.octocat-eye-color }}
"""


def test_a_composite_action_is_read_with_its_inputs_outputs_and_steps() -> None:
    action = read(GITHUBS)
    assert [(one.name, one.required, one.default is None) for one in action.inputs] == [
        ("num-octocats", False, False),
        ("octocat-eye-color", True, True),
    ]
    assert list(action.outputs) == ["random-number"]
    assert [(step.id, step.shell, step.shell_template is None) for step in action.steps] == [
        ("random-number-generator", "bash", True),
        (None, None, False),
    ]


STEPS = "steps: [{run: x, shell: bash}]}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x", "the key 'runs' is missing here"),
        ("runs: {main: x}", "the key 'using' is missing here"),
        ("runs: {using: node24}", "the key 'main' is missing here"),
        ("runs: {using: node20, main: a.js, steps: []}", "unexpected key 'steps'"),
        ("runs: {using: node20, main: a.js, post-if: secrets.a}", "secrets"),
        ("runs: {using: docker}", "the key 'image' is missing here"),
        ("runs: {using: docker, image: ../Dockerfile}", "'../Dockerfile' is not beside the action"),
        ("runs: {using: docker, image: Dockerfile, args: x}", "a list"),
        ("runs: {using: docker, image: Dockerfile, env: {A: '${{ secrets.A }}'}}", "secrets"),
        ("runs: {using: node99}", "'node99' is not known here"),
        ("runs: {using: composite}", "the key 'steps' is missing here"),
        ("runs: {using: composite, steps: []}", "an action needs at least one step"),
        ("runs: {using: composite, main: x, " + STEPS, "unexpected key 'main'"),
        ("runs: {using: composite, steps: [{run: x}]}", "a 'run' step of an action needs a 'shell'"),
        (
            "runs: {using: composite, steps: [{run: x, shell: sh, timeout-minutes: 1}]}",
            "'timeout-minutes'",
        ),
        ("runs: {using: composite, steps: [{uses: ./x, run: y}]}", "either 'uses' or 'run', not both"),
        ("runs: {using: composite, steps: [{run: '${{ secrets.A }}', shell: sh}]}", "secrets"),
        ("runs: {using: composite, steps: [{run: '${{ vars.A }}', shell: sh}]}", "vars"),
        ("runs: {using: composite, steps: [{run: '${{ needs.a }}', shell: sh}]}", "needs"),
        ("inputs: {a: {default: '${{ inputs.b }}'}}\nruns: {using: composite, " + STEPS, "inputs"),
        ("outputs: {a: {}}\nruns: {using: composite, " + STEPS, "the key 'value' is missing here"),
        ("", "the file is empty; an action is one document"),
    ],
)
def test_what_is_wrong_or_not_supported_is_named_at_its_line(text: str, message: str) -> None:
    said = refused(text)
    assert message in said
    assert said.startswith("a/action.yml:")


def test_every_problem_is_shown_at_once_in_order() -> None:
    said = refused("""
        inputs: {a: {defult: x}}
        runs:
          using: composite
          steps:
            - run: echo
            - uses: nothing
        """)
    assert [line for line in said.splitlines() if line.startswith("a/action.yml")] == [
        "a/action.yml:2:14: unexpected key 'defult'",
        "a/action.yml:6:7: a 'run' step of an action needs a 'shell'",
        "a/action.yml:7:13: 'nothing' names no action",
    ]


# "Example: Using Node.js v20" and "Example: Using runs.post" of the same page.
SCRIPTS = """
name: Node
inputs: {who: {default: tide}}
outputs: {said: {description: What was said}}
runs:
  using: 'node20'
  pre: 'setup.js'
  main: 'main.js'
  post: 'cleanup.js'
  post-if: runner.os == 'linux'
"""


def test_a_javascript_action_is_read_with_its_scripts() -> None:
    action = read(SCRIPTS)
    scripts = action.scripts
    assert scripts is not None
    assert (scripts.node, scripts.main, scripts.post, scripts.pre) == (20, "main.js", "cleanup.js", "setup.js")
    assert (scripts.post_condition.source, scripts.post_condition.has_status) == ("runner.os == 'linux'", True)
    assert (action.steps, dict(action.outputs)) == ((), {})
    always = read("runs: {using: node24, main: a.js, post: b.js}").scripts
    assert always is not None
    assert always.post_condition.source == "always()"


OTHERS = b"""
name: Release
env: {GITHUB_TOKEN: as it is provided}
inputs:
  kind: {description: Which, options: [a, b], default: a}
runs: {using: node12, main: dist/index.js}
"""


def test_of_others_is_passed_over_what_github_passes_over():
    action = parse_action(OTHERS, "action.yml", others=True)
    assert action.scripts is not None
    assert (action.scripts.node, [one.name for one in action.inputs]) == (12, ["kind"])
    with pytest.raises(InvalidWorkflow) as error:
        parse_action(OTHERS, "action.yml")
    assert [problem.message for problem in error.value.problems] == [
        "unexpected key 'env'",
        "unexpected key 'options'",
        "'node12' is not known here",
    ]


def test_of_others_too_what_would_not_run_is_told():
    with pytest.raises(InvalidWorkflow, match="a 'run' step of an action needs a 'shell'"):
        parse_action(b"runs: {using: composite, more: x, steps: [{run: x}]}", "action.yml", others=True)
