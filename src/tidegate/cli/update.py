"""`tidegate update`: brings the marked values of a folder to references, with no server at all (CI, pre-commit)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from tidegate.base.errors import InvalidInput, TidegateError
from tidegate.base.files import FolderFiles
from tidegate.cli.file_changes import replace_file
from tidegate.cli.output import as_shown, print_error, said
from tidegate.kinds.reference import has_version
from tidegate.update.automation import plan_update
from tidegate.update.diff import unified_diff
from tidegate.update.edit import Change, Edited

DIFFERS, FAILED = 1, 2


@click.command()
@click.option("--path", "folder", type=click.Path(path_type=Path), default=Path(), help="The folder; here by default.")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    required=True,
    metavar="NAMESPACE:NAME=REFERENCE",
    help="What a policy has selected: flux-system:web=ghcr.io/me/web:1.2.3. May be given several times.",
)
@click.option(
    "--diff", is_flag=True, help="Print what would change, and write nothing: 0 nothing, 1 something, 2 error."
)
def command(folder: Path, assignments: tuple[str, ...], diff: bool) -> int:
    """Bring the values that markers name to references, and change no other byte.

    Looks at *.yaml, *.yml and Kustomization below the folder, hidden folders too, and follows no symlink.
    """
    try:
        edited = _planned(folder, _references(assignments))
    except TidegateError as error:
        if not diff:
            raise
        print_error(error)
        return FAILED
    for problem in edited.problems:
        click.echo(said(f"Warning: {problem}"), err=True)
    if diff:
        lines = unified_diff(lambda path: (folder / path).read_bytes(), edited.files)
        sys.stdout.buffer.writelines(as_shown(line, terminal=sys.stdout.isatty()) for line in lines)
        sys.stdout.buffer.flush()
        return DIFFERS if edited.files else 0
    for path, data in edited.files.items():
        replace_file(folder / path, data)
    for change in edited.changes:
        click.echo(said(_line(change)))
    return 0


def _references(assignments: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in assignments:
        policy, separator, reference = text.partition("=")
        if not separator or policy.count(":") != 1 or not all(policy.split(":")) or not reference:
            raise InvalidInput(f"--set {text!r} is not NAMESPACE:NAME=REFERENCE")
        if not has_version(reference):
            raise InvalidInput(
                f"--set {text!r} has neither a tag nor a digest", remedy=f"write {policy}=IMAGE:TAG or IMAGE@sha256:…"
            )
        if found.get(policy, reference) != reference:
            raise InvalidInput(f"--set gives {policy} two references: {found[policy]} and {reference}")
        found[policy] = reference
    return found


def _planned(folder: Path, references: Mapping[str, str]) -> Edited:
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is no folder")
    edited = plan_update(FolderFiles(folder), "./", references)
    if unnamed := sorted(references.keys() - edited.policies):
        raise InvalidInput(
            f"no marker below {folder} names {', '.join(unnamed)}",
            remedy=f'mark a value: image: … # {{"$imagepolicy": "{unnamed[0]}"}}',
        )
    return edited


def _line(change: Change) -> str:
    return f"{change.path}:{change.line}: {change.old} -> {change.new}"
