"""`tidegate init`: lays out a whole repository, ready to push: Flux's objects, a workflow, and one application."""

from __future__ import annotations

import asyncio
import re
import shlex
from pathlib import Path

import click

from tidegate.base.errors import InvalidInput
from tidegate.base.files import FolderFiles
from tidegate.base.process import minimal_environment, run
from tidegate.cli.new_app import write_plan
from tidegate.lint.texts import finding_lines
from tidegate.scaffold.new_repository import plan_repository
from tidegate.scaffold.wish import Wish

BRANCH = "main"
_REMOTE = re.compile(r"[/:](?P<owner>[\w.\-]+)/(?P<name>[\w.\-]+?)(?:\.git)?/?$", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_][\w.\-]*", re.ASCII)
_TIMEOUT = 30.0


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--owner", help="The account of the repository and its images.  [default: that of the remote origin]")
@click.option("--name", help="The repository's name.  [default: that of the remote origin, else of DIR]")
@click.option("--registry", default="ghcr.io", show_default=True, help="The host of the images' registry.")
@click.option("--app", default="hello", show_default=True, help="The first application's name.")
@click.option("--port", type=int, help="The port that it listens on.  [default: its Dockerfile's EXPOSE, else 8000]")
def command(folder: Path, owner: str | None, name: str | None, registry: str, app: str, port: int | None) -> None:
    """Lay out a repository in DIR (here by default), ready to push: README, workflow, manifests, Flux's objects, and
    one application. Runs `git init` where DIR is no repository; replaces no file; commits nothing.
    """
    asyncio.run(_init(folder, owner, name, registry, Wish(app, port=port)))


async def _init(folder: Path, owner: str | None, name: str | None, registry: str, wish: Wish) -> None:
    is_repository = (folder / ".git").exists()
    if not is_repository:
        await run(["git", "--version"], timeout=_TIMEOUT)  # before anything is written
    remote = _REMOTE.search(await _git(folder, "remote", "get-url", "origin")) if is_repository else None
    owner = owner or (remote["owner"] if remote else None)
    name = name or (remote["name"] if remote else folder.resolve().name)
    if owner is None:
        raise InvalidInput(
            "no remote says whose repository this is",
            remedy="name the account: --owner OWNER (on one machine, with no GitHub, any name will do)",
        )
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} is no repository's name", remedy="name it: --name NAME")
    branch = (await _git(folder, "symbolic-ref", "--short", "HEAD") if is_repository else "") or BRANCH
    plan = plan_repository(FolderFiles(folder), owner, name, registry, branch, wish)
    write_plan(folder, plan)
    if not is_repository:
        await run(["git", "init", "--quiet", f"--initial-branch={BRANCH}", "--", str(folder)], timeout=_TIMEOUT)
    for finding in plan.warnings:
        click.echo("\n".join(finding_lines(finding)), err=True)
    place = shlex.quote(str(folder))
    click.echo(
        f"next: cd {place} && git add --all && git commit -m 'Lay out {name}', then push as README.md says", err=True
    )


async def _git(folder: Path, *arguments: str) -> str:
    """What git says, empty where it fails."""
    done = await run(["git", "-C", str(folder), *arguments], env=minimal_environment({}), timeout=_TIMEOUT, check=False)
    return done.text.strip() if done.exit_code == 0 else ""
