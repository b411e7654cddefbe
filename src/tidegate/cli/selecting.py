"""What the commands share that select by a policy given in options: reading it, and showing the decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from tidegate.select.advice import Rule
from tidegate.select.decision import Decision
from tidegate.select.filters import TagFilter
from tidegate.select.policy import Policy

F = TypeVar("F", bound=Callable[..., Any])
MAKERS: dict[str, Callable[[str], Policy]] = {
    "semver": Policy.by_semver,
    "alphabetical": Policy.by_alphabet,
    "numerical": Policy.by_number,
}
ONE_ORDER = "give exactly one of --semver, --alphabetical, --numerical"


def policy_options(command: F) -> F:
    """The options of a policy and its filter: semver, alphabetical, numerical, filter_, extract, exclude."""
    options = (
        click.option("--semver", metavar="RANGE", help="The highest semantic version in a range."),
        click.option("--alphabetical", metavar="asc|desc", help="The last or first in alphabetical order."),
        click.option("--numerical", metavar="asc|desc", help="The largest or smallest number."),
        click.option(
            "--filter", "filter_", metavar="P", help="Take only the tags that match a regular expression of Go's."
        ),
        click.option("--extract", metavar="E", help="Order by this part of a match: $1, $name."),
        click.option("--exclude", metavar="P", multiple=True, help="Leave out the tags that match (may be repeated)."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def rule_of(
    orders: Mapping[str, str | None], pattern: str | None, extract: str | None, exclude: Sequence[str] | None
) -> Rule:
    """The rule that options or a request name; exactly one of `orders` (by the names of MAKERS) is set. InvalidInput
    where the range, the order or a regular expression is none.
    """
    (name, value), *_ = ((name, value) for name, value in orders.items() if value is not None)
    policy = MAKERS[name](value)
    if pattern is None and extract is None and exclude is None:
        return Rule(policy)
    return Rule(policy, TagFilter(pattern, extract, exclude or ()))


def as_json(decision: Decision) -> dict[str, Any]:
    """The tag, and every other one with its reason."""
    rejected = [{"tag": tag, "reason": reason} for tag, reason in decision.rejected()]
    return {"tag": decision.tag, "rejected": rejected}


def end_without(decision: Decision) -> None:
    """Where nothing was selected, say why on stderr, and end with exit code 1."""
    if decision.tag is None:
        click.echo(f"none of {len(decision.tags)} tags qualifies: {decision.summary()}", err=True)
        raise click.exceptions.Exit(1)
