"""`tidegate try reference`: an image reference in its canonical form."""

from __future__ import annotations

from typing import Any

import click

from tidegate.cli.try_common import Request, answer_lines, field, jsonl_option, only, print_json
from tidegate.kinds.reference import parse


def answer(request: Request) -> dict[str, Any]:
    """`reference` → its parts; `tag` or `digest` is null."""
    only(request, "reference")
    found = parse(field(request, "reference", str))
    return {
        "registry": found.repository.registry,
        "repository": found.repository.path,
        "tag": found.tag,
        "digest": found.digest,
        "name": str(found),
    }


@click.command()
@click.argument("reference", required=False, metavar="REF")
@jsonl_option
def command(reference: str | None, jsonl: bool) -> None:
    """Read the image reference REF: its registry, repository, tag or digest, and canonical name."""
    if jsonl:
        answer_lines(answer)
    elif reference is None:
        raise click.UsageError("give an image reference, or --jsonl")
    else:
        print_json(answer({"reference": reference}))
