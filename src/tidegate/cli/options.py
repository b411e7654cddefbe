"""Options that several commands take in the same form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from tidegate.base.errors import InvalidInput
from tidegate.engine.clock import rfc3339
from tidegate.kinds.controllers import kinds_of

F = TypeVar("F", bound=Callable[..., Any])


def base_option(command: F) -> F:
    """`--base NAME=BASE`, repeatable; the command gets a mapping `bases`."""
    text = "Build FROM NAME on BASE instead (python:3.11-slim=debian:bookworm). Repeatable."
    return click.option("--base", "bases", multiple=True, metavar="NAME=BASE", callback=_pairs, help=text)(command)


def mirror_option(command: F) -> F:
    """`--registry-mirror HOST=URL`, repeatable; the command gets a mapping `mirrors`."""
    text = "Ask URL for the registry HOST (ghcr.io=https://mirror.example). Repeatable."
    option = click.option("--registry-mirror", "mirrors", multiple=True, metavar="HOST=URL", callback=_pairs, help=text)
    return option(command)


def hook_option(command: F) -> F:
    """`--hook-address HOST:PORT`; the command gets a pair `hook_address`, or None."""
    text = "Answer the hooks of Receivers here, and nothing else; :PORT is every address of this machine."
    return click.option("--hook-address", metavar="HOST:PORT", callback=_address, help=text)(command)


def host_and_port(text: str, option: str) -> tuple[str, int]:
    """`HOST:PORT`, or `:PORT` for every address of this machine; a usage error names the option."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise click.BadParameter(f"{text!r} is not HOST:PORT", param_hint=option)
    return host or "0.0.0.0", int(port)


def _address(_context: click.Context, _parameter: click.Parameter, given: str | None) -> tuple[str, int] | None:
    return host_and_port(given, "--hook-address") if given else None


def _pairs(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> Mapping[str, str]:
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise click.BadParameter(f"{text!r} is not {parameter.make_metavar(context)}")
        found[name] = value
    return found


def adopt_option(command: F) -> F:
    """`--adopt`, or `--adopt=MOMENT` (RFC 3339); the command gets the moment, or None."""
    text = "Take over the status of objects that others have written until now, or until MOMENT (RFC 3339)."
    option = click.option(
        "--adopt", is_flag=False, flag_value="now", default=None, metavar="[MOMENT]", callback=_moment, help=text
    )
    return option(command)


def _moment(_context: click.Context, _parameter: click.Parameter, given: str | None) -> datetime | None:
    """A moment, not a switch: a controller that starts again must not take over what others have written since."""
    if given is None or given == "now":
        return None if given is None else datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise click.BadParameter(f"{given!r} is no moment like {rfc3339(datetime.now(UTC))}")
    return moment


def kinds_option(command: F) -> F:
    """`--kinds`, repeatable or with commas; the command gets the kinds as a tuple."""
    text = "What to reconcile: source, kustomize, image, runner, or kinds; commas or repeated.  [default: all]"
    return click.option("--kinds", multiple=True, metavar="KINDS", callback=_kinds, help=text)(command)


def _kinds(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    words = [word for text in given for word in text.split(",") if word.strip()]
    if given and not words:
        raise click.BadParameter("names no kind")  # an empty variable must not mean all of them
    try:
        return kinds_of(words)
    except InvalidInput as error:
        raise click.BadParameter(f"{error.message}; one of: {error.remedy}") from None
