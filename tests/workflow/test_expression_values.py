"""Each answer in data/expressions.jsonl is what the npm package @actions/expressions 0.3.61 said."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tidegate.base.errors import LimitExceeded, TidegateError
from tidegate.workflow.expressions import ExpressionError, Function, evaluate, kind_of, parse, text_of, to_python

ROWS = [json.loads(line) for line in (Path(__file__).parent / "data/expressions.jsonl").read_text("ascii").splitlines()]
CONTEXTS: dict[str, Any] = ROWS[0]["contexts"]


@pytest.mark.parametrize("row", ROWS[1:], ids=lambda row: row["expr"][:40])
def test_the_library_says_the_same(row: dict[str, Any]) -> None:
    if "error" in row:
        with pytest.raises(TidegateError):
            evaluate(row["expr"], CONTEXTS)
        return
    value = evaluate(row["expr"], CONTEXTS)
    answer = {"kind": kind_of(value), "value": to_python(value), "text": text_of(value)}
    assert json.loads(json.dumps(answer), parse_int=float) == json.loads(json.dumps(row["out"]), parse_int=float)
    assert list(_names(answer)) == list(_names(row["out"])), "the order of names"


def _names(data: object) -> Any:
    if isinstance(data, dict):
        for name, value in data.items():
            yield name
            yield from _names(value)
    elif isinstance(data, list):
        for item in data:
            yield from _names(item)


def test_every_doubled_quote_is_one_quote() -> None:
    """GitHub: "escape the literal single quote using an additional single quote". The package replaces only one."""
    assert evaluate("'it''s Bob''s'", {}) == "it's Bob's"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1e21, "1e+21"),
        (123456789012345680000.0, "123456789012345680000"),
        (1e-7, "1e-7"),
        (0.1 + 0.2, "0.3"),
        (5e-324, "0"),
        (2**-16, "0.000015258789063"),
        (-(2**-16), "-0.000015258789063"),
        (math.inf, "Infinity"),
        (-0.0, "0"),
    ],
)
def test_numbers_are_written_as_javascript_writes_them(number: float, text: str) -> None:
    assert text_of(number) == text


def test_unknown_names_are_refused_with_their_place() -> None:
    with pytest.raises(ExpressionError) as refused:
        parse("github.ref == nope.x", ["github"])
    assert refused.value.position == 14
    assert refused.value.length == 4
    assert refused.value.remedy == "known here: github; write a text in single quotes"


def test_functions_from_outside_are_called_with_evaluated_arguments() -> None:
    seen: list[object] = []

    def hash_files(arguments: object) -> str:
        seen.append(arguments)
        return "abc"

    functions = {"hashfiles": Function(1, 255, hash_files)}
    assert evaluate("format('{0}', hashFiles('**/x', s))", CONTEXTS, functions) == "abc"
    assert seen == [["**/x", "text"]]


def test_a_long_chain_of_comparisons_does_not_nest() -> None:
    assert evaluate("1" + "==1" * 6000, {}) is True


def test_an_expression_is_at_most_21000_characters_long_and_50_levels_deep() -> None:
    assert evaluate("!" * 48 + "1", {}) is True
    for text in ("1" * 21_001, "!" * 51 + "1", "(" * 51 + "1" + ")" * 51):
        with pytest.raises(ExpressionError):
            evaluate(text, {})


def test_a_result_that_would_fill_the_memory_is_refused() -> None:
    text = "'x'"
    for _ in range(12):
        text = f"format('{'{0}' * 10}', {text})"
    with pytest.raises(LimitExceeded):
        evaluate(text, {})
    with pytest.raises(LimitExceeded):
        evaluate("join(fromJSON(format('[{0}0]', long)), big)", {"long": "0," * 30_000, "big": "y" * 1000})


def test_data_that_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(TidegateError):
        evaluate("fromJSON(x)", {"x": "[" * 100_000})
    with pytest.raises(LimitExceeded):
        evaluate("fromJSON(x)", {"x": "[" * 150 + "]" * 150})


def test_a_number_that_is_huge_or_looks_like_python_is_no_trap() -> None:
    assert evaluate("x == 0", {"x": "1_0"}) is False
    assert evaluate("x == Infinity", {"x": 10**400}) is True
    assert evaluate("x == 'nan'", {"x": "NaN"}) is True
    assert text_of(evaluate("fromJSON('1e999')", {})) == "Infinity"
