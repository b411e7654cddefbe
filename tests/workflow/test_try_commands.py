from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tidegate.base.errors import InvalidInput
from tidegate.cli import try_cron, try_expr, try_triggers

WORKFLOW = "on: {push: {branches: [main], paths: ['src/**']}}\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n"


def lines(command: Any, *requests: object) -> list[Any]:
    text = "".join(json.dumps(request) + "\n" for request in requests)
    result = CliRunner().invoke(command, ["--jsonl"], input=text)
    assert result.exit_code == 0
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_expressions_line_by_line() -> None:
    answers = lines(
        try_expr.command,
        {"expr": "github.ref", "input": {"github": {"ref": "refs/heads/main"}}},
        {"expr": "0/0", "input": {}},
        {"expr": "NaN"},
        {"expr": "nope"},
    )
    assert answers[0] == {
        "ok": True,
        "result": {"kind": "string", "value": "refs/heads/main", "text": "refs/heads/main"},
    }
    assert answers[1]["ok"] is False
    assert answers[2] == {"ok": True, "result": {"kind": "number", "value": None, "text": "NaN"}}
    assert answers[3]["error"]["code"] == "InvalidExpression"
    assert answers[3]["error"]["message"] == "unrecognized named-value 'nope'"


def test_an_expression_with_contexts_on_stdin() -> None:
    result = CliRunner().invoke(try_expr.command, ["a.b"], input='{"a": {"B": [1]}}')
    assert json.loads(result.stdout) == {"kind": "array", "value": [1], "text": "Array"}


def test_triggers_line_by_line() -> None:
    base = {"workflow": WORKFLOW, "event": "push", "ref": "refs/heads/main"}
    answers = lines(
        try_triggers.command,
        {**base, "input": ["src/a"]},
        {**base, "input": ["docs/a"]},
        {**base, "ref": "dev", "input": ["src/a"]},
        {**base, "workflow": "on: push\n", "input": []},
    )
    assert answers[:3] == [
        {"ok": True, "result": {"runs": True, "pattern": "src/**", "line": 1}},
        {"ok": True, "result": {"runs": False, "pattern": None, "line": 1}},
        {"ok": True, "result": {"runs": False, "pattern": None, "line": 1}},
    ]
    assert answers[3]["error"]["code"] == "InvalidWorkflow"
    assert answers[3]["error"]["where"] == "workflow.yaml:1:1"


def test_triggers_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "ci.yaml"
    file.write_text(WORKFLOW)
    result = CliRunner().invoke(try_triggers.command, ["--workflow", str(file)], input="docs/a\nsrc/b\n")
    assert json.loads(result.stdout) == {"runs": True, "pattern": "src/**", "line": 1}
    assert result.stderr == "src/b matches src/**\n"


def test_schedules_line_by_line() -> None:
    after = "2024-01-15T10:20:30Z"
    answers = lines(
        try_cron.command,
        {"spec": "0 0 31 * *", "after": after, "tz": "UTC"},
        {"spec": "0 0 30 2 *", "after": after},
        {"spec": "x", "after": after},
        {"spec": "* * * * *", "after": "yesterday"},
    )
    assert answers[0]["result"] == ["2024-01-31T00:00:00Z", "2024-03-31T00:00:00Z", "2024-05-31T00:00:00Z"]
    assert answers[1] == {"ok": True, "result": None}
    assert [answer["ok"] for answer in answers[2:]] == [False, False]


def test_a_schedule_that_is_never_due_exits_with_1() -> None:
    result = CliRunner().invoke(try_cron.command, ["0 0 30 2 *", "--after", "2024-01-15T10:20:30Z"])
    assert result.exit_code == 1


@pytest.mark.parametrize("request_", [{"expr": 1}, {"expr": "1", "input": []}, {}, {"expr": "1", "other": 1}])
def test_a_wrong_request_is_bad_input(request_: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        try_expr.answer(request_)
