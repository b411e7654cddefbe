"""`tidegate up`: the whole of Tidegate on one machine, in this process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import click

from tidegate.base.errors import TidegateError
from tidegate.cli.doors import home_option, open_home
from tidegate.cli.options import base_option, hook_option
from tidegate.network.choices import AUTO, CHOICES

DEFAULT_PORT = 8420
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?")


@click.command()
@home_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="The loopback port of the doors; HTTPS answers on the next one. With 0, both take free ones.",
)
@click.option(
    "--stand-in",
    "stand_ins",
    multiple=True,
    metavar="HOST",
    help="Answer for this host: a registry (ghcr.io) or a Git host (github.com). Repeatable.",
)
@base_option
@click.option(
    "--repo",
    metavar="URL",
    callback=lambda _context, _option, url: _without_credential(url),
    help="Follow this Git repository instead of a pushed one: https, or http on this machine.",
)
@click.option("--branch", default="main", show_default=True, help="The branch of --repo.")
@click.option("--path", metavar="FOLDER", help="The folder to deploy.  [default: the only clusters/*/]")
@hook_option
@click.option(
    "--actions-from",
    metavar="URL",
    default="",
    callback=lambda _context, _option, url: _git_host(url),
    help="The Git host from which workflows take actions of repositories that are not hosted here, as "
    "https://github.com, for Runners that name none in spec.actions.  [default: none]",
)
@click.option(
    "--network",
    type=click.Choice(CHOICES),
    default=AUTO,
    show_default=True,
    help="How jobs and workloads reach the outside; none: not at all. auto: veth as root, else slirp4netns or pasta.",
)
@click.option("--poll-only", is_flag=True, help="No events: only polling, every 5 s or more often.")
def command(
    home: Path | None, port: int, stand_ins: tuple[str, ...], bases: Mapping[str, str], repo: str | None, branch: str,
    path: str | None, actions_from: str, poll_only: bool, hook_address: tuple[str, int] | None, network: str,
) -> None:  # fmt: skip
    """Run Tidegate on this machine: Git hosting, registry, runner, builder, controllers and workloads."""
    from tidegate.app.machine import Settings, up  # noqa: PLC0415 - `--help` must not load the server

    settings = Settings(
        home=open_home(home).make(),
        port=port,
        stand_ins=tuple(_host(text) for text in stand_ins),
        bases=bases,
        repo=repo,
        branch=branch,
        path=path,
        poll_only=poll_only,
        hook_address=hook_address,
        actions_from=actions_from,
        network=network,
    )
    asyncio.run(up(settings, lambda line: click.echo(line, err=True)))


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise click.BadParameter(f"{text!r} is no host's name", param_hint="--stand-in")
    return text.lower()


def _git_host(url: str) -> str:
    """Refuse what could not be fetched from, before it is kept."""
    from tidegate.git.remote import check_url  # noqa: PLC0415 - rarely given

    try:
        if url:
            check_url(url)
    except TidegateError as error:
        raise click.BadParameter(error.message) from None
    return url


def _without_credential(url: str | None) -> str | None:
    """Refuse a credential in a URL before it is stored and shown; whatever else is wrong is told by the source."""
    try:
        parts = urlsplit(url or "")
        given = parts.password is not None or (parts.scheme in ("http", "https") and parts.username is not None)
    except ValueError:
        given = False
    if given:
        remedy = "leave it out, and name a Secret in spec.secretRef of the GitRepository flux-system"
        raise click.BadParameter(f"the URL holds a credential: {remedy}")
    return url
