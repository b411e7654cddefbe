"""`tidegate try cron`: when a schedule is due next."""

from __future__ import annotations

import itertools
from datetime import datetime

import click

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.zones import rfc3339, zone_named
from tidegate.cli.try_common import Request, answer_lines, field, jsonl_option, only, print_json
from tidegate.workflow.cron import parse_cron

_COUNT = 3


def answer(request: Request) -> list[str] | None:
    """`spec`, `after` (RFC 3339) and `tz` → the next three times; null where none comes within five years."""
    only(request, "spec", "after", "tz")
    cron = parse_cron(field(request, "spec", str))
    zone = zone_named(field(request, "tz", str) if request.get("tz") is not None else "UTC")
    times = cron.times(_time(field(request, "after", str)), zone)
    return [rfc3339(time) for time in itertools.islice(times, _COUNT)] or None


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None or "T" not in text:
        raise InvalidInput(f"{text!r} is no RFC 3339 time such as 2024-01-15T10:20:30Z", where=Where(field="after"))
    return time


@click.command()
@click.argument("spec", required=False, metavar="SPEC")
@click.option("--after", metavar="TIME", help="The time after which to look (RFC 3339).")
@click.option("--tz", default="UTC", show_default=True, help="The schedule's time zone.")
@jsonl_option
def command(spec: str | None, after: str | None, tz: str, jsonl: bool) -> None:
    """Print the next three times at which the schedule SPEC (five fields, quoted) is due. Exit code 1 if never."""
    if jsonl:
        answer_lines(answer)
        return
    if spec is None or after is None:
        raise click.UsageError("give a schedule and --after TIME, or --jsonl")
    times = answer({"spec": spec, "after": after, "tz": tz})
    if times is None:
        click.echo("the schedule is not due within five years", err=True)
        raise click.exceptions.Exit(1)
    print_json(times)
