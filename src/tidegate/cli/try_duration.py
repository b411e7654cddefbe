"""`tidegate try duration`: a duration as Go reads it."""

from __future__ import annotations

from typing import Any

import click

from tidegate.cli.try_common import Request, answer_lines, field, jsonl_option, only, print_json
from tidegate.kinds import duration


def answer(request: Request) -> dict[str, Any]:
    """`duration` → its nanoseconds and Go's spelling of it."""
    only(request, "duration")
    nanoseconds = duration.parse(field(request, "duration", str))
    return {"nanoseconds": nanoseconds, "text": duration.render(nanoseconds)}


@click.command()
@click.argument("duration", required=False, metavar="D")
@jsonl_option
def command(duration: str | None, jsonl: bool) -> None:
    """Read the duration D (such as 1h30m) as Go does: its nanoseconds, and Go's spelling of it."""
    if jsonl:
        answer_lines(answer)
    elif duration is None:
        raise click.UsageError("give a duration, or --jsonl")
    else:
        print_json(answer({"duration": duration}))
