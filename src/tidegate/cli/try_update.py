"""`tidegate try update`: marked values brought to given references, and no other byte changed."""

from __future__ import annotations

import json
from typing import Any

import click

from tidegate.base.errors import InvalidInput
from tidegate.cli.try_common import Request, answer_lines, jsonl_option, only, print_json, text_from_stdin, text_map
from tidegate.update.edit import edit_files


def answer(request: Request) -> dict[str, Any]:
    """`files` (path → text) and `set` (NS:NAME → reference) → the files that change, and each change."""
    only(request, "files", "set")
    files = {path: text.encode() for path, text in text_map(request, "files").items()}
    edited = edit_files(files, text_map(request, "set"))
    changes = [
        {"path": change.path, "line": change.line, "old": change.old, "new": change.new} for change in edited.changes
    ]
    return {"files": {path: data.decode() for path, data in edited.files.items()}, "changes": changes}


@click.command()
@jsonl_option
def command(jsonl: bool) -> None:
    """Edit the marked values of files. Reads one JSON object, {"files": {PATH: TEXT}, "set": {NS:NAME: REFERENCE}}."""
    if jsonl:
        answer_lines(answer)
        return
    try:
        request = json.loads(text_from_stdin())
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"stdin is no JSON: {error}") from None
    if not isinstance(request, dict):
        raise InvalidInput("stdin is no JSON object")
    print_json(answer(request))
