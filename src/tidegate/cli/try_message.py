"""`tidegate try message`: the commit message that a template makes of given changes."""

from __future__ import annotations

import json

import click

from tidegate.base.errors import InvalidInput
from tidegate.cli.try_common import Request, answer_lines, field, jsonl_option, only, text_from_stdin
from tidegate.update.message import render_message
from tidegate.update.message_data import MessageData


def answer(request: Request) -> str:
    """`template` and `input` (the data) → the text."""
    only(request, "template", "input")
    return render_message(field(request, "template", str), MessageData.from_json(field(request, "input", dict)))


@click.command()
@click.option("--template", help="The template; without it, Flux's default message.")
@jsonl_option
def command(template: str | None, jsonl: bool) -> None:
    """Write the commit message for changes. Reads one JSON object: {"AutomationObject", "Changed", "Values"}."""
    if jsonl:
        answer_lines(answer)
        return
    try:
        data = json.loads(text_from_stdin())
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"stdin is no JSON: {error}") from None
    if not isinstance(data, dict):
        raise InvalidInput("stdin is no JSON object")
    click.echo(answer({"template": template or "", "input": data}))
