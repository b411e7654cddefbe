"""`tidegate try filter`: which tags a regular expression matches, and what it extracts from them."""

from __future__ import annotations

import click

from tidegate.cli.try_common import (
    Request,
    answer_lines,
    field,
    jsonl_option,
    lines_from_stdin,
    only,
    optional_text,
    print_json,
    tags_of,
)
from tidegate.select.filters import TagFilter


def answer(request: Request) -> list[dict[str, str]]:
    """`pattern`, perhaps `extract`, and the tags as `input` → the tags that match, with what is extracted from each."""
    only(request, "input", "pattern", "extract")
    field(request, "pattern", str)
    pattern, extract = optional_text(request, "pattern"), optional_text(request, "extract")
    tag_filter = TagFilter(pattern, extract, fields=("pattern", ""))
    return [{"tag": tag, "extracted": value} for value, tag in tag_filter.extracted(tags_of(request))]


@click.command()
@click.option("--pattern", metavar="P", help="A regular expression of Go's (RE2).")
@click.option("--extract", metavar="E", help="What to take from a tag: $1, $name, ${name}. By default the whole tag.")
@jsonl_option
def command(pattern: str | None, extract: str | None, jsonl: bool) -> None:
    """Show which of the tags on stdin (one a line) a pattern matches, and what is extracted from them."""
    if jsonl:
        answer_lines(answer)
        return
    if pattern is None:
        raise click.UsageError("give --pattern, or --jsonl")
    print_json(answer({"pattern": pattern, "extract": extract, "input": lines_from_stdin()}))
