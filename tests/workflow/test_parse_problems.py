from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

from tidegate.workflow.parse import parse_workflow
from tidegate.workflow.problems import InvalidWorkflow

Refused = Callable[[str], str]


def test_all_problems_are_shown_at_once_each_with_line_caret_and_help() -> None:
    text = """\
        name: x
        on:
          push:
            branches: [main]
            branches-ignore: [dev]
            paths: ['+a']
          pussh:
        env:
          A: ${{ secretz.x }}
        jobs:
          a:
            needs: [b, nope]
            runs-on: ubuntu-latest
            if: github.ref == "x"
            stepz: []
            steps:
              - run: |
                  echo hi
                    echo ${{ github.ref }} ${{ foo.bar }}
                with: {a: 1}
              - run: x
                if: ${{ success( }}
          b:
            needs: a
            runs-on: x
            steps: []
        """
    with pytest.raises(InvalidWorkflow) as invalid:
        parse_workflow(textwrap.dedent(text).encode(), ".github/workflows/ci.yaml")
    assert len(invalid.value.problems) == 12
    assert invalid.value.where == invalid.value.problems[0].where
    expected = """\
        .github/workflows/ci.yaml:5:5: 'branches' and 'branches-ignore' can't both be set for one event
          5 |     branches-ignore: [dev]
            |     ^^^^^^^^^^^^^^^
          help: keep 'branches', and exclude with a pattern that begins with !
        .github/workflows/ci.yaml:6:13: pattern '+a', character 1: '+' must follow a character that it can repeat
          6 |     paths: ['+a']
            |             ^^^^
          help: to mean it literally, write \\ before it
        .github/workflows/ci.yaml:7:3: unknown event 'pussh'
          7 |   pussh:
            |   ^^^^^
          help: did you mean 'push'?
        .github/workflows/ci.yaml:9:10: unrecognized named-value 'secretz'
          9 |   A: ${{ secretz.x }}
            |          ^^^^^^^
          help: known here: github, inputs, secrets, vars; write a text in single quotes
        .github/workflows/ci.yaml:11:3: jobs need each other in a circle: a → b → a
          11 |   a:
             |   ^
        .github/workflows/ci.yaml:12:16: the job 'a' needs 'nope', which is no job
          12 |     needs: [b, nope]
             |                ^^^^
          help: jobs here: a, b
        .github/workflows/ci.yaml:14:23: unexpected symbol '"x"'
          14 |     if: github.ref == "x"
             |                       ^^^
          help: write texts in single quotes: 'text'
        .github/workflows/ci.yaml:15:5: unexpected key 'stepz'
          15 |     stepz: []
             |     ^^^^^
          help: did you mean 'steps'?
        .github/workflows/ci.yaml:19:40: unrecognized named-value 'foo'
          19 |             echo ${{ github.ref }} ${{ foo.bar }}
             |                                        ^^^
          help: known here: env, github, inputs, job, matrix, needs, runner, secrets, steps, strategy, vars; \
write a text in single quotes
        .github/workflows/ci.yaml:20:9: 'with' goes with 'uses' only
          20 |         with: {a: 1}
             |         ^^^^
        .github/workflows/ci.yaml:22:26: unexpected end of the expression
          22 |         if: ${{ success( }}
             |                          ^
        .github/workflows/ci.yaml:26:5: a job needs at least one step
          26 |     steps: []
             |     ^^^^^
        """
    assert str(invalid.value) == textwrap.dedent(expected).rstrip("\n")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "ci.yaml:1:1: the key 'jobs' is missing here"),
        ("jobs: {}", "a workflow needs at least one job"),
        ("jobs: []", "'jobs' must be a mapping, not a list"),
        ("jobs: {a: 1}", "'a' must be a mapping, not a number"),
        ("jobs: {a: {steps: [{run: x}]}}", "the key 'runs-on' is missing here"),
        ("jobs: {a: {runs-on: x}}", "the key 'steps' is missing here"),
        ("jobs: {a b: {runs-on: x, steps: [{run: x}]}}", "'a b' is no id of a job"),
        ("jobs: {a: {runs-on: x, steps: [{run: x}]}, A: {runs-on: x, steps: [{run: x}]}}", "'A' is used twice"),
        ("jobs: {a: {runs-on: x, steps: [{id: s, run: x}, {id: S, run: x}]}}", "the step id 'S' is used twice"),
        ("jobs: {a: {runs-on: x, steps: [{id: __s, run: x}]}}", "'__s' is no id of a step"),
        ("jobs: {a: {runs-on: x, steps: [{run: x, uses: a/b@c}]}}", "either 'uses' or 'run', not both"),
        ("jobs: {a: {runs-on: x, steps: [{name: x}]}}", "a step needs 'uses' or 'run'"),
        ("jobs: {a: {runs-on: x, steps: [{uses: checkout}]}}", "'checkout' names no action"),
        ("jobs: {a: {runs-on: x, steps: [{uses: a/b@c, shell: sh}]}}", "'shell' goes with 'run' only"),
        ("jobs: {a: {runs-on: x, steps: [{run: x, timeout-minutes: ten}]}}", "must be a number, not a text"),
        ("jobs: {a: {runs-on: x, steps: [{run: x, continue-on-error: 1}]}}", "must be a boolean, not a number"),
        ("jobs: {a: {runs-on: x, steps: [{run: '${{ github.ref'}]}}", "'${{' is not closed"),
        ("jobs: {a: {runs-on: x, steps: [{run: '${{ }}'}]}}", "an expression is missing here"),
        ("jobs: {a: {runs-on: x, steps: [{run: '${{ always() }}'}]}}", "unrecognized function 'always'"),
        ("jobs: {a: {runs-on: x, if: secrets.x, steps: [{run: x}]}}", "unrecognized named-value 'secrets'"),
        ("jobs: {a: {runs-on: x, if: matrix.x, steps: [{run: x}]}}", "unrecognized named-value 'matrix'"),
        ("jobs: {a: {runs-on: x, steps: [{run: x, env: }]}}", "'env' must be a mapping, not nothing"),
        ("jobs: {a: {runs-on: x, steps: [{run: x, env: {A: [1]}}]}}", "'A' must be a text, not a list"),
        ("jobs: {a: {runs-on: x, steps: [{uses: '${{ env.x }}'}]}}", "no expression can stand in 'uses'"),
        ("jobs: {a: {runs-on: x, permissions: {package: write}, steps: [{run: x}]}}", "did you mean 'packages'?"),
        ("jobs: {a: {runs-on: x, permissions: {packages: all}, steps: [{run: x}]}}", "'all' is not known here"),
        ("jobs: {a: {runs-on: x, permissions: write, steps: [{run: x}]}}", "did you mean 'write-all'?"),
        ("jobs: {a: {runs-on: x, strategy: {matrix: {os: a}}, steps: [{run: x}]}}", "'os' must be a list"),
        ("jobs: {a: {runs-on: x, strategy: {matrix: {include: [a]}}, steps: [{run: x}]}}", "'0' must be a mapping"),
        ("jobs: {a: {uses: ./x, runs-on: y}}", "unexpected key 'runs-on'"),
        ("jobs: {a: {uses: ./x}}", "'./x' names no reusable workflow"),
        ("on: {}\njobs: {a: {runs-on: x, steps: [{run: x}]}}", "no event is named here"),
        ("on: schedule\njobs: {a: {runs-on: x, steps: [{run: x}]}}", "'schedule' needs its own settings"),
        ("on: {push: {branches: ['!a']}}\njobs: {a: {runs-on: x, steps: [{run: x}]}}", "only patterns that exclude"),
        ("on: {push: {branch: a}}\njobs: {a: {runs-on: x, steps: [{run: x}]}}", "did you mean 'branches'?"),
        ("on: {pull_request: {types: [open]}}\njobs: {a: {runs-on: x, steps: [{run: x}]}}", "did you mean 'opened'?"),
        ("on: {schedule: [{cron: '0 0 * *'}]}\njobs: {a: {runs-on: x, steps: [{run: x}]}}", "4 fields, not five"),
        ("on: {schedule: [{cron: '@daily'}]}\njobs: {a: {runs-on: x, steps: [{run: x}]}}", "1 fields, not five"),
        ("on: {schedule: [{cron: '0 0 * * *', timezone: Mars/A}]}\njobs: {a: {runs-on: x, steps: [{run: x}]}}", "Mars"),
        ("a: [", "ci.yaml:"),
        ("jobs: {a: {runs-on: x, steps: [{run: x}]}}\n---\na: 1\n", "holds more than one document"),
        ("jobs: {a: {runs-on: x, runs-on: y, steps: [{run: x}]}}", "the key 'runs-on' is given twice"),
    ],
)
def test_each_fault_is_named(refused: Refused, text: str, problem: str) -> None:
    assert problem in refused(text)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"\x00", b"&a [*a]", b"!!python/object:os.system x"])
def test_what_is_no_yaml_is_one_problem(data: bytes) -> None:
    with pytest.raises(InvalidWorkflow) as invalid:
        parse_workflow(data, "ci.yaml")
    assert str(invalid.value).startswith("ci.yaml:")


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(InvalidWorkflow):
        parse_workflow("\n".join(lines).encode(), "ci.yaml")


def test_the_place_inside_a_folded_or_quoted_text_is_found(refused: Refused) -> None:
    said = refused("""\
        jobs:
          a:
            runs-on: x
            steps:
              - run: >
                  echo one
                  two ${{ github.ref }}
                  three ${{ nope }}
              - run: "a ${{ github.ref }} ${{ nada }}"
        """)
    assert "ci.yaml:9:17: unrecognized named-value 'nope'" in said
    assert "ci.yaml:10:39: unrecognized named-value 'nada'" in said
