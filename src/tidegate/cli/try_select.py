"""`tidegate try select`: which tag a policy selects, and why not the others."""

from __future__ import annotations

from typing import Any

import click

from tidegate.base.errors import InvalidInput
from tidegate.cli.selecting import MAKERS, ONE_ORDER, as_json, end_without, policy_options, rule_of
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
    texts,
)
from tidegate.select.decision import Decision
from tidegate.select.policy import select

FILTERS = ("filter", "extract", "exclude")


def answer(request: Request) -> dict[str, Any] | None:
    """One of `semver`, `alphabetical`, `numerical`, perhaps `filter`, `extract` and `exclude` (one pattern or several),
    and the tags as `input` → the tag and the rejected ones.
    """
    only(request, "input", *MAKERS, *FILTERS)
    decision = _decide(request)
    return None if decision.tag is None else as_json(decision)


def _decide(request: Request) -> Decision:
    given = [name for name in MAKERS if request.get(name) is not None]
    if len(given) != 1:
        raise InvalidInput(f"exactly one of {', '.join(MAKERS)} is needed, not {' and '.join(given) or 'none'}")
    exclude = request.get("exclude")
    several = [exclude] if isinstance(exclude, str) else None if exclude is None else texts(request, "exclude")
    orders = {given[0]: field(request, given[0], str)}
    rule = rule_of(orders, optional_text(request, "filter"), optional_text(request, "extract"), several)
    return select(rule.policy, tags_of(request), rule.tag_filter)


@click.command()
@policy_options
@click.option("-o", "--output", type=click.Choice(["json"]), help="The tag and every other one's reason, as JSON.")
@jsonl_option
def command(
    semver: str | None,
    alphabetical: str | None,
    numerical: str | None,
    filter_: str | None,
    extract: str | None,
    exclude: tuple[str, ...],
    output: str | None,
    jsonl: bool,
) -> None:
    """Select one of the tags on stdin (one a line). Exit code 1 where none qualifies.

    Where tags count the same, their order decides: as in an ImagePolicy, if it is that of LC_ALL=C sort -r.
    """
    if jsonl:
        answer_lines(answer)
        return
    orders = {"semver": semver, "alphabetical": alphabetical, "numerical": numerical}
    if sum(value is not None for value in orders.values()) != 1:
        raise click.UsageError(ONE_ORDER)
    filters = {"filter": filter_, "extract": extract, "exclude": list(exclude) or None}
    decision = _decide({**orders, **filters, "input": lines_from_stdin()})
    if output == "json":
        print_json(as_json(decision))
    elif decision.tag is not None:
        click.echo(decision.tag)
    end_without(decision)
