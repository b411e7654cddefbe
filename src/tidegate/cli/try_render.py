"""`tidegate try render`: the objects that a folder comes to, as kustomize builds it."""

from __future__ import annotations

from pathlib import Path

import click

from tidegate.base.files import FolderFiles, MemoryFiles
from tidegate.cli.try_common import Request, answer_lines, field, jsonl_option, only, print_json, text_map
from tidegate.deploy.kustomize.build import build
from tidegate.deploy.render import Wish, render
from tidegate.kinds.objects import Object


def answer(request: Request) -> list[Object]:
    """`files` (path → text) and `path` → the objects, in order."""
    only(request, "files", "path")
    files = MemoryFiles({path: text.encode() for path, text in text_map(request, "files").items()})
    return build(files, field(request, "path", str))


@click.command()
@click.argument("path", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--root", type=click.Path(exists=True, file_okay=False, path_type=Path), help="What PATH may reach into.")
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@click.option("--flux", is_flag=True, help="As Flux: plain folders too, and files from anywhere below --root.")
@jsonl_option
def command(path: Path | None, root: Path | None, output: str, flux: bool, jsonl: bool) -> None:
    """Build the folder PATH as kustomize does. It may refer to others below --root: PATH's repository by default."""
    if jsonl:
        answer_lines(answer)
        return
    if path is None:
        raise click.UsageError("give a folder, or --jsonl")
    folder = path.resolve()
    top = root.resolve() if root else _repository_of(folder)
    if not folder.is_relative_to(top):
        raise click.UsageError(f"{path} is not below {root}")
    name = folder.relative_to(top).as_posix().removeprefix(".")
    objects = render(FolderFiles(top), Wish(name)) if flux else build(FolderFiles(top), name)
    if output == "json":
        print_json(objects)
    else:
        from tidegate.cli.documents import yaml_documents  # noqa: PLC0415 - only this form of output needs it

        click.echo(yaml_documents(objects, sort_keys=True), nl=False)


def _repository_of(folder: Path) -> Path:
    """The nearest folder above that holds `.git`, else the folder itself."""
    return next((above for above in (folder, *folder.parents) if (above / ".git").exists()), folder)
