"""`tidegate lint`: the static proof that nothing loops, and other checks, from a repository's files alone."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tidegate.base.errors import TidegateError
from tidegate.base.files import FolderFiles
from tidegate.cli.output import print_error
from tidegate.lint.check import lint
from tidegate.lint.findings import Report
from tidegate.lint.fixing import fixes
from tidegate.lint.sarif import as_sarif
from tidegate.lint.texts import as_github, as_json, as_text

FORMATS = ("text", "json", "sarif", "github")
UNREADABLE = 2


@click.command()
@click.argument("path", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--fix", is_flag=True, help="Change what can be changed safely, and only these bytes; then look again.")
def command(path: Path, form: str, fix: bool) -> None:
    """Prove from the files of the repository PATH that no automation's commit starts the build that caused it, and look
    for other mistakes. Exits with 0 for none (or warnings), 1 for errors, 2 where something can't be read.
    """
    try:
        if fix:
            _fix(path)
        report = lint(FolderFiles(path))
    except (OSError, TidegateError) as error:
        print_error(error if isinstance(error, TidegateError) else TidegateError(f"{path} can't be read: {error}"))
        raise click.exceptions.Exit(UNREADABLE) from None
    click.echo(written(report, form), nl=False)
    raise click.exceptions.Exit(report.exit_code)


def _fix(path: Path) -> None:
    for name, content in fixes(FolderFiles(path)).items():
        (path / name).write_bytes(content)
        click.echo(f"fixed {name}", err=True)


def written(report: Report, form: str) -> str:
    """A report in one of FORMATS."""
    if form == "text":
        return as_text(report)
    if form == "github":
        return as_github(report)
    return json.dumps(as_sarif(report) if form == "sarif" else as_json(report), indent=2, ensure_ascii=False) + "\n"
