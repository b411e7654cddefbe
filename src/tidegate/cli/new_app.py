"""`tidegate new app`: adds an application to a repository: workflow, policy, marker, manifests, and what names them."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tidegate.base.errors import Denied, NotFound, TidegateError
from tidegate.base.files import FolderFiles
from tidegate.cli.asking import confirmed
from tidegate.cli.file_changes import write_all
from tidegate.cli.output import print_error
from tidegate.cli.sources import source_of
from tidegate.lint.texts import finding_lines
from tidegate.scaffold.new_app import Plan, plan_app
from tidegate.scaffold.wish import Wish
from tidegate.update.diff import unified_diff

DIFFERS, FAILED = 1, 2


@click.command()
@click.argument("name")
@click.option("--image", help="The image, without a tag.  [default: the other images' registry and owner, and NAME]")
@click.option("--port", type=int, help="The port that it listens on.  [default: its Dockerfile's EXPOSE, else 8000]")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    help="The folder of its source: one of the repository is built where it is, another is copied.",
)
@click.option("--own-automation", is_flag=True, help="An ImageUpdateAutomation of its own; none is widened.")
@click.option("--cluster", metavar="FOLDER", help="The cluster's folder, where there are several.")
@click.option(
    "--path", "folder", type=click.Path(path_type=Path), default=Path(), help="The repository; here by default."
)
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option(
    "--diff", is_flag=True, help="Print what would change, and write nothing: 0 nothing, 1 something, 2 error."
)
def command(
    name: str,
    image: str | None,
    port: int | None,
    source: Path | None,
    own_automation: bool,
    cluster: str | None,
    folder: Path,
    yes: bool,
    diff: bool,
) -> int:
    """Add the application NAME to a repository, or what one that is there lacks: a workflow that does not loop, a
    Dockerfile, manifests, an ImageRepository, an ImagePolicy, the marker, an automation that writes it, and entries in
    kustomizations. The diff is shown first. What is there is never replaced; lint finds no error in the result.
    """
    try:
        if not folder.is_dir():
            raise NotFound(f"{folder} is no folder", remedy="name the repository's with --path")
        inside, brought, executable = source_of(folder, source)
        wanted = cluster.strip("/").removeprefix("./") if cluster else None
        wish = Wish(name, image, port, inside, brought, executable, own_automation, wanted)
        plan = plan_app(FolderFiles(folder), wish)
    except TidegateError as error:
        if not diff:
            raise
        print_error(error)
        return FAILED
    show(folder, plan)
    if diff:
        return DIFFERS if plan.files else 0
    if not plan.files:
        click.echo(f"{name} lacks nothing", err=True)
        return 0
    if not yes and not confirmed("Write this? [y/N] "):
        raise Denied("nothing was confirmed, so nothing was written", remedy="answer y, or give --yes")
    write_plan(folder, plan)
    click.echo("commit and push it: git add --all && git commit && git push", err=True)
    return 0


def show(folder: Path, plan: Plan) -> None:
    """The diff on stdout, warnings on stderr."""
    sys.stdout.buffer.writelines(unified_diff(FolderFiles(folder).read, plan.files, plan.created, plan.executable))
    sys.stdout.buffer.flush()
    for finding in plan.warnings:
        click.echo("\n".join(finding_lines(finding)), err=True)
    for note in plan.notes:
        click.echo(f"note: {note}", err=True)


def write_plan(folder: Path, plan: Plan) -> None:
    """All of a plan or nothing of it."""
    files = FolderFiles(folder)
    before = {path: files.read(path) for path in plan.files if path not in plan.created}
    write_all(folder, plan.files, before, plan.executable)
    for path in plan.files:
        click.echo(f"{'created' if path in plan.created else 'changed'} {path}", err=True)
