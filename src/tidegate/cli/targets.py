"""What `get` is asked for, as kubectl reads it: `KIND[,KIND…] [NAME…]`, `KIND/NAME…`, or a category (`all`). Pure."""

from __future__ import annotations

import click

from tidegate.base.frozen import frozen
from tidegate.cli.doors import resource_named
from tidegate.kinds.resources import KNOWN, Resource


@frozen
class Target:
    """A kind, and one of its objects or (None) all. `by_category` where no word named the kind itself."""

    resource: Resource
    name: str | None = None
    by_category: bool = False


def targets_of(arguments: tuple[str, ...]) -> list[Target]:
    """What the arguments name, in order. Raises click.UsageError, and NotFound for an unknown kind."""
    if any("/" in argument for argument in arguments):
        return [_one(argument) for argument in arguments]
    kinds = list(dict.fromkeys(target for word in arguments[0].split(",") if word for target in _kinds(word)))
    if not kinds:
        raise click.UsageError("give KIND, KIND NAME or KIND/NAME")
    names = arguments[1:]
    if names and any(target.by_category for target in kinds):
        raise click.UsageError(f"{arguments[0]} names a category: give no names with it")
    return [Target(target.resource, name) for target in kinds for name in names] if names else kinds


def _one(argument: str) -> Target:
    kind, slash, name = argument.partition("/")
    if not (slash and kind and name):
        raise click.UsageError(f"{argument!r} is not KIND/NAME, as the others are")
    return Target(resource_named(kind), name)


def _kinds(word: str) -> list[Target]:
    listed = [Target(resource, by_category=True) for resource in KNOWN if word.lower() in resource.categories]
    return listed or [Target(resource_named(word))]
