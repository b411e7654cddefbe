"""The examples are those of GitHub's page on matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tidegate.base.errors import InvalidInput, Where
from tidegate.workflow.matrix import combine, expand, job_title
from tidegate.workflow.model import Workflow
from tidegate.workflow.resolve import Scope

Read = Callable[[str], Workflow]
NOWHERE = Where("ci.yaml", 1, 1)


def test_the_product_keeps_the_order_written() -> None:
    assert combine({"version": [10, 12], "os": ["a", "b"]}, NOWHERE) == [
        {"version": 10, "os": "a"},
        {"version": 10, "os": "b"},
        {"version": 12, "os": "a"},
        {"version": 12, "os": "b"},
    ]


def test_includes_extend_what_they_do_not_change_and_else_are_added() -> None:
    matrix = {
        "fruit": ["apple", "pear"],
        "animal": ["cat", "dog"],
        "include": [
            {"color": "green"},
            {"color": "pink", "animal": "cat"},
            {"fruit": "apple", "shape": "circle"},
            {"fruit": "banana"},
            {"fruit": "banana", "animal": "cat"},
        ],
    }
    assert combine(matrix, NOWHERE) == [
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]


def test_an_include_alone_makes_one_job_an_item() -> None:
    matrix = {"include": [{"site": "production"}, {"site": "staging"}]}
    assert combine(matrix, NOWHERE) == [{"site": "production"}, {"site": "staging"}]


def test_excludes_take_out_what_they_cover_before_includes_come_in() -> None:
    matrix = {
        "os": ["macos", "windows"],
        "version": [12, 14],
        "environment": ["staging", "production"],
        "exclude": [
            {"os": "macos", "version": 12, "environment": "production"},
            {"os": "windows", "version": "14"},
        ],
        "include": [{"os": "macos", "version": 12, "environment": "production", "again": True}],
    }
    combinations = combine(matrix, NOWHERE)
    assert len(combinations) == 6
    assert combinations[-1]["again"] is True
    assert {"os": "windows", "version": 14, "environment": "staging"} not in combinations


@pytest.mark.parametrize(
    ("matrix", "problem"),
    [
        ("text", "no mapping"),
        ({"os": "a"}, "'os' is no list"),
        ({"os": []}, "no combination"),
        ({}, "no combination"),
        ({"include": ["a"]}, "'include' is no mapping"),
        ({"a": list(range(17)), "b": list(range(17))}, "289 combinations"),
        ({f"a{n}": list(range(100)) for n in range(50)}, "combinations; 256 are the most"),
        ({"include": [{"n": n} for n in range(257)]}, "257 combinations"),
    ],
)
def test_what_makes_no_or_too_many_jobs_is_refused(matrix: Any, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        combine(matrix, NOWHERE)


def test_a_matrix_may_come_from_an_output(read: Read) -> None:
    workflow = read("""\
        jobs:
          a:
            name: Build ${{ matrix.os }} ${{ strategy.job-index }}
            runs-on: x
            strategy: {max-parallel: 2, fail-fast: false, matrix: '${{ fromJSON(needs.b.outputs.m) }}'}
            steps: [{run: x}]
          b: {runs-on: x, strategy: {matrix: {v: [1.5, x], o: [{k: [true, '']}]}}, steps: [{run: x}]}
        """)
    scope = Scope({"needs": {"b": {"outputs": {"m": '{"os": ["x", "y"]}'}}}, "github": {}, "vars": {}, "inputs": {}})
    first, second = expand(workflow.jobs["a"], scope)
    assert second.strategy == {"fail-fast": False, "job-index": 1, "job-total": 2, "max-parallel": 2}
    assert job_title(workflow.jobs["a"], first, scope) == "Build x 0"
    assert [job_title(workflow.jobs["b"], one, scope) for one in expand(workflow.jobs["b"], scope)] == [
        "b (1.5, true)",
        "b (x, true)",
    ]


def test_a_job_without_a_matrix_is_one_job(read: Read) -> None:
    job = read("jobs: {a: {runs-on: x, steps: [{run: x}]}}").jobs["a"]
    (only,) = expand(job, Scope())
    assert only.matrix == {}
    assert job_title(job, only, Scope()) == "a"
