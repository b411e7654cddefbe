from __future__ import annotations

from collections.abc import Callable

import pytest

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.workflow.model import Workflow
from tidegate.workflow.resolve import (
    Scope,
    boolean_value,
    holds,
    interpolate,
    number_value,
    status_functions,
    table_value,
    text_value,
    value_of,
)

Read = Callable[[str], Workflow]
SCOPE = Scope({"github": {"event": {"n": 3, "list": [1, "a"]}}, "env": {"A": "x"}, "vars": {}, "steps": {}})


def test_texts_and_expressions_are_joined(read: Read) -> None:
    step = read("jobs: {a: {runs-on: x, steps: [{run: 'a ${{ env.A }}-${{ github.event.n }}${{ env.B }}.'}]}}")
    run = step.jobs["a"].steps[0].run
    assert run is not None
    assert text_value(run, SCOPE) == "a x-3."


def test_an_expression_alone_keeps_its_kind(read: Read) -> None:
    job = read("jobs: {a: {runs-on: '${{ github.event.list }}', steps: [{run: x}]}}").jobs["a"]
    assert job.runs_on is not None
    assert value_of(job.runs_on, SCOPE) == [1, "a"]


def test_inputs_are_texts(read: Read) -> None:
    text = "{uses: a/b@c, with: {n: 1.50, t: true, z: , e: '${{ github.event.n }}', hex: 0x10, big: 1e21}}"
    inputs = read(f"jobs: {{a: {{runs-on: x, steps: [{text}]}}}}").jobs["a"].steps[0].inputs
    assert table_value(inputs, SCOPE) == {"n": "1.5", "t": "true", "z": "", "e": "3", "hex": "16", "big": "1e+21"}


def test_env_may_be_one_expression(read: Read) -> None:
    job = read("jobs: {a: {runs-on: x, steps: [{run: x, env: '${{ fromJSON(env.J) }}'}]}}").jobs["a"]
    scope = SCOPE.having(env={"J": '{"A": 1, "B": "b"}'})
    assert table_value(job.steps[0].env, scope) == {"A": "1", "B": "b"}
    with pytest.raises(InvalidInput, match="gives no mapping"):
        table_value(job.steps[0].env, SCOPE.having(env={"J": "[]"}))


def test_settings_must_come_to_their_kind(read: Read) -> None:
    step = read(
        "jobs: {a: {runs-on: x, steps: [{run: x, timeout-minutes: '${{ env.T }}', continue-on-error: '${{ env.T }}'}]}}"
    )
    job = step.jobs["a"].steps[0]
    assert job.timeout_minutes is not None
    with pytest.raises(InvalidInput, match=r"gives 'x', not a number") as refused:
        number_value(job.timeout_minutes, SCOPE.having(env={"T": "x"}))
    assert str(refused.value).startswith("ci.yaml:2:")
    with pytest.raises(InvalidInput, match="not true or false"):
        boolean_value(job.continue_on_error, SCOPE)


def test_an_expression_that_fails_names_its_place(read: Read) -> None:
    run = read("jobs: {a: {runs-on: x, steps: [{run: '${{ fromJSON(env.A) }}'}]}}").jobs["a"].steps[0].run
    assert run is not None
    with pytest.raises(InvalidInput, match=r"^ci.yaml:2:.*fromJSON was given a text that is not JSON"):
        text_value(run, SCOPE)


@pytest.mark.parametrize(
    ("condition", "failed", "cancelled", "expected"),
    [
        ("", False, False, True),
        ("", True, False, False),
        ("if: always(),", True, True, True),
        ("if: failure(),", True, False, True),
        ("if: failure(),", False, False, False),
        ("if: cancelled(),", False, True, True),
        ("if: env.A == 'X',", False, False, True),
        ("if: env.A == 'X',", True, False, False),
        ("if: \"failure() && steps.s.outcome == 'failure'\",", True, False, False),
    ],
)
def test_a_step_runs_by_its_condition(
    read: Read, condition: str, failed: bool, cancelled: bool, expected: bool
) -> None:
    step = read(f"jobs: {{a: {{runs-on: x, steps: [{{{condition} run: x}}]}}}}").jobs["a"].steps[0]
    scope = SCOPE.calling(status_functions(failed=failed, cancelled=cancelled))
    assert holds(step.condition, scope) is expected


def test_texts_from_outside_are_interpolated() -> None:
    assert interpolate("a ${{ env.A }}", SCOPE) == "a x"
    assert interpolate("plain", SCOPE) == "plain"
    with pytest.raises(InvalidInput):
        interpolate("${{ nope }}", SCOPE)


def test_a_text_that_grows_without_bound_is_refused() -> None:
    with pytest.raises(LimitExceeded):
        interpolate("${{ env.A }}" * 20, SCOPE.having(env={"A": "x" * 1024 * 1024}))
