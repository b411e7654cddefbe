"""`tidegate try triggers`: whether an event starts a workflow, and by which pattern on which line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tidegate.cli.try_common import (
    Request,
    answer_lines,
    field,
    jsonl_option,
    lines_from_stdin,
    only,
    print_json,
    texts,
)
from tidegate.workflow.parse import parse_workflow
from tidegate.workflow.triggers import Event, Match, matches

_FIELDS = ("workflow", "event", "ref", "message", "action", "source", "input")


def answer(request: Request) -> dict[str, Any]:
    """`workflow` (the file's text), `event`, `ref` and the changed files as `input` → whether it runs, and why.

    `message` is the head commit's, `action` the activity type, `source` the cron line or the workflow that ran before.
    """
    only(request, *_FIELDS)
    match = _decide(request, "workflow.yaml")
    return {"runs": match.runs, "pattern": match.pattern, "line": match.line}


def _decide(request: Request, file: str) -> Match:
    workflow = parse_workflow(field(request, "workflow", str).encode(), file)
    event = field(request, "event", str) if request.get("event") is not None else "push"
    ref = _optional(request, "ref")
    if ref and not ref.startswith("refs/"):
        ref = f"refs/heads/{ref}"
    return matches(
        workflow,
        Event(
            event,
            ref=ref,
            changed=texts(request, "input") if request.get("input") is not None else None,
            message=_optional(request, "message"),
            branch=ref.removeprefix("refs/heads/"),
            action=_optional(request, "action"),
            source=_optional(request, "source"),
        ),
    )


def _optional(request: Request, name: str) -> str:
    return field(request, name, str) if request.get(name) is not None else ""


@click.command()
@click.option("--workflow", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The workflow file.")
@click.option("--event", default="push", show_default=True, help="The event's name.")
@click.option("--ref", default="refs/heads/main", show_default=True, help="The ref pushed; a pull request's base.")
@click.option("--message", help="The head commit's message, in which skip words are looked for.")
@click.option("--action", help="The activity type, such as opened.")
@click.option("--source", help="The cron line (schedule), or the workflow that ran before (workflow_run).")
@jsonl_option
def command(
    workflow: Path | None,
    event: str,
    ref: str,
    message: str | None,
    action: str | None,
    source: str | None,
    jsonl: bool,
) -> None:
    """Say whether an event starts a workflow, given the changed files on stdin (one a line)."""
    if jsonl:
        answer_lines(answer)
        return
    if workflow is None:
        raise click.UsageError("give --workflow FILE, or --jsonl")
    request = {
        "workflow": workflow.read_text("utf-8", "replace"),
        "event": event,
        "ref": ref,
        "message": message,
        "action": action,
        "source": source,
        "input": lines_from_stdin(),
    }
    match = _decide(request, str(workflow))
    print_json({"runs": match.runs, "pattern": match.pattern, "line": match.line})
    click.echo(match.reason, err=True)
