"""`tidegate try expr`: what an expression of a workflow comes to, given its contexts."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from tidegate.base.errors import InvalidInput
from tidegate.cli.try_common import Request, answer_lines, field, jsonl_option, only, print_json, text_from_stdin
from tidegate.workflow.expressions import evaluate, kind_of, text_of, to_python


def answer(request: Request) -> dict[str, Any]:
    """`expr` (without `${{ }}`) and the contexts as `input` → kind, value and the text inside a string."""
    only(request, "expr", "input")
    contexts = field(request, "input", dict) if request.get("input") is not None else {}
    value = evaluate(field(request, "expr", str), contexts)
    return {"kind": kind_of(value), "value": to_python(value), "text": text_of(value)}


@click.command()
@click.argument("expression", required=False, metavar="EXPR")
@jsonl_option
def command(expression: str | None, jsonl: bool) -> None:
    """Evaluate EXPR with the contexts on stdin: a JSON object such as {"github": {"ref": "refs/heads/main"}}."""
    if jsonl:
        answer_lines(answer)
    elif expression is None:
        raise click.UsageError("give an expression, or --jsonl")
    else:
        print_json(answer({"expr": expression, "input": _contexts()}))


def _contexts() -> dict[str, Any]:
    text = "" if sys.stdin.isatty() else text_from_stdin()
    if not text.strip():
        return {}
    try:
        contexts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the contexts on stdin are no JSON: {error}") from None
    if not isinstance(contexts, dict):
        raise InvalidInput("the contexts on stdin are no JSON object")
    return contexts
