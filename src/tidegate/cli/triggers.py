"""`tidegate triggers`: which workflows the push of what is committed here would start, and by which pattern."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import click

from tidegate.base.errors import InvalidInput, TidegateError
from tidegate.base.frozen import frozen
from tidegate.cli.output import print_error
from tidegate.cli.tables import print_table
from tidegate.git.checkout import Checkout
from tidegate.git.names import branch_ref, check_ref
from tidegate.runner.linking import linked_in, not_looked_at
from tidegate.runner.pushes import RefChange, push_event
from tidegate.workflow.model import Workflow
from tidegate.workflow.parse import workflows_in
from tidegate.workflow.problems import Problem
from tidegate.workflow.support import notices
from tidegate.workflow.triggers import Event, Match, matches

BRANCHES = "refs/heads/"


@frozen
class Answer:
    """What a push does to one workflow."""

    path: str
    match: Match


@click.command()
@click.argument("folder", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--since", metavar="REV", help="What the remote has; by default the branch's upstream.")
@click.option("--ref", help="The branch or tag that is pushed; by default the branch that is checked out.")
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True)
def command(folder: Path, since: str | None, ref: str | None, form: str) -> int:
    """Say which workflows would run if the commits of the repository in FOLDER were pushed now: those between REV and
    HEAD. A branch without an upstream is pushed as a new one.

    Decides as the Runner does, on what is committed, and says at its line what would keep one that starts from
    running here. Warns of what will surprise, and of what was not looked at: no other repository is asked. Exits with
    1 where one can't be read, or can't run here.
    """
    event, answers, errors, noticed = asyncio.run(_decided(folder, since, ref))
    if form == "json":
        click.echo(json.dumps([_as_json(answer) for answer in answers], indent=2))
    else:
        click.echo(_pushed(event))
        rows = [(one.path, "yes" if one.match.runs else "no", _why(one)) for one in answers]
        print_table(("WORKFLOW", "STARTS", "WHY"), rows)
    for problem in noticed:
        click.echo(f"Warning: {problem.render()}", err=True)
    for error in errors:
        print_error(error)
    return 1 if errors else 0


async def _decided(
    folder: Path, since: str | None, ref: str | None
) -> tuple[Event, list[Answer], list[TidegateError], list[Problem]]:
    checkout = await Checkout.at(folder)
    change = await _change(checkout, since, ref)
    event = await push_event(checkout.repository, change, name="OWNER/NAME", known=await checkout.remote_default())
    answers, errors, noticed = await asyncio.to_thread(_answers, checkout, change.new, event)
    return event, answers, errors, noticed


async def _change(checkout: Checkout, since: str | None, ref: str | None) -> RefChange:
    new = await checkout.commit("HEAD")
    ref = _full(ref) if ref else await checkout.repository.head()
    if ref is None:
        raise InvalidInput("no branch is checked out", remedy="say which is pushed: --ref main")
    if since is not None:
        return RefChange(ref, await checkout.commit(since), new)
    branch = ref.removeprefix(BRANCHES)
    return RefChange(ref, await checkout.pushed(branch) if ref.startswith(BRANCHES) else None, new)


def _full(ref: str) -> str:
    return check_ref(ref) if ref.startswith("refs/") else branch_ref(ref)


def _answers(checkout: Checkout, commit: str, event: Event) -> tuple[list[Answer], list[TidegateError], list[Problem]]:
    answers: list[Answer] = []
    errors: list[TidegateError] = []
    noticed: dict[Problem, None] = {}
    with checkout.repository.files(commit) as files:
        for path, found in workflows_in(files):
            if not isinstance(found, Workflow):
                errors.append(found)
                continue
            answers.append(Answer(path, matches(found, event)))
            try:
                if answers[-1].match.runs:
                    for one in linked_in(files, path).every():
                        noticed.update(dict.fromkeys([*notices(one), *not_looked_at(one)]))
            except TidegateError as error:
                errors.append(error)
    return answers, errors, list(noticed)


def _pushed(event: Event) -> str:
    changed = "files that are not known" if event.changed is None else _counted(event.changed)
    new = not (event.before or "").strip("0")
    begin = "new" if new else f"{(event.before or '')[:12]} →"
    return f"a push of {event.ref} ({begin} {(event.after or '')[:12]}) with {changed}"


def _counted(paths: Sequence[str]) -> str:
    return f"{len(paths)} changed file{'s' * (len(paths) != 1)}"


def _why(answer: Answer) -> str:
    line = f" ({answer.path}:{answer.match.line})" if answer.match.line else ""
    return f"{answer.match.reason}{line}"


def _as_json(answer: Answer) -> dict[str, object]:
    match = answer.match
    return {
        "workflow": answer.path,
        "runs": match.runs,
        "pattern": match.pattern,
        "line": match.line,
        "reason": match.reason,
    }
