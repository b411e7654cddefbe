"""`tidegate login`: sets git and the registry clients up with the home's token, so that nobody types it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from pathlib import Path

import click

from tidegate.base.errors import InvalidInput
from tidegate.base.home import git_settings
from tidegate.base.process import minimal_environment
from tidegate.base.process import run as run_program
from tidegate.cli.doors import home_option, open_home


@click.command()
@click.option("--no-git", is_flag=True, help="Leave git's configuration alone.")
@click.option("--no-registry", is_flag=True, help="Leave ~/.docker/config.json alone.")
@home_option
def command(no_git: bool, no_registry: bool, home: Path | None) -> None:
    """Set up git's credential helper and the registry logins for the Tidegate of this home."""
    found = open_home(home)
    url, token = found.server().url, found.token()
    if not no_git:
        credentials = found.write_git_credentials(url)
        asyncio.run(_configure_git(url, credentials))
        click.echo(f"git uses {credentials} for {url}", err=True)
    if not no_registry:
        path = docker_config()
        _write_private(path, with_login(path.read_text() if path.exists() else "", url.partition("://")[2], token))
        click.echo(f"registry clients use {path} for {url.partition('://')[2]}", err=True)


async def _configure_git(url: str, credentials: Path) -> None:
    environment = minimal_environment(
        {name: os.environ[name] for name in ("HOME", "XDG_CONFIG_HOME") if name in os.environ}
    )
    for key, value in git_settings(url, credentials).items():
        await run_program(["git", "config", "--global", key, value], env=environment)


def docker_config() -> Path:
    """Where docker, podman, buildah and skopeo look for logins: `$DOCKER_CONFIG`, else ~/.docker."""
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "config.json"


def with_login(config: str, host: str, token: str) -> str:
    """A docker config.json with the login for `host` added; everything else in it stays. Raises InvalidInput."""
    try:
        value = json.loads(config or "{}")
        logins = value.setdefault("auths", {})
        logins[host] = {"auth": base64.b64encode(f"tidegate:{token}".encode()).decode()}
    except (ValueError, AttributeError, TypeError):
        raise InvalidInput(f"{docker_config()} is not a docker configuration", remedy="mend or remove it") from None
    return json.dumps(value, indent=2) + "\n"


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)
