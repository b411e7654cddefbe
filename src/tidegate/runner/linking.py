"""Reads a commit's workflow with all that it calls and uses, and says at once whatever keeps it from running here."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from tidegate.base.errors import NotFound, TidegateError
from tidegate.base.files import Files
from tidegate.git.repository import Repository
from tidegate.runner.actions.check import action_problems
from tidegate.runner.actions.local import local_problems
from tidegate.workflow.calls import Linked, link
from tidegate.workflow.model import Workflow
from tidegate.workflow.parse import parse_workflow, workflows_in
from tidegate.workflow.problems import InvalidWorkflow, in_order
from tidegate.workflow.support import unsupported

WORKFLOWS_LIMIT = 500


def linked_workflow(repository: Repository, commit: str, path: str, lacking: Collection[str] = ()) -> Linked:
    """The workflow at `path` of a commit, and those that it calls. `lacking` are built-in actions for which this home
    has no place. Blocks.

    Raises InvalidWorkflow with everything in any of them, and in the actions of the repository that they use, that
    keeps it from running here; NotFound.
    """
    with repository.files(commit) as files:
        return linked_in(files, path, lacking)


def linked_in(files: Files, path: str, lacking: Collection[str] = ()) -> Linked:
    """The same from a tree of files."""

    def read(name: str) -> bytes | None:
        try:
            return files.read(name)
        except NotFound:
            return None

    def called(name: str) -> Workflow | None:
        data = read(name)
        return parse_workflow(data, name) if data is not None else None

    linked, problems = link(parse_workflow(files.read(path), path), called)
    workflows = list(linked.every())
    found = [*problems, *local_problems(workflows, read, lacking)]
    found += [said for one in workflows for said in (*unsupported(one), *action_problems(one, lacking))]
    if found:
        raise InvalidWorkflow(in_order(found, [one.file for one in workflows]))
    return linked


def workflows_at(repository: Repository, commit: str) -> dict[str, Workflow | str]:
    """The workflows of a commit by file; a text says what is wrong with one that can't be read. Blocks."""
    with repository.files(commit) as files:
        return {path: _or_words(path, one) for path, one in islice(workflows_in(files), WORKFLOWS_LIMIT)}


def _or_words(path: str, found: Workflow | TidegateError) -> Workflow | str:
    if isinstance(found, Workflow):
        return found
    return str(found) if isinstance(found, InvalidWorkflow) else f"{path}: {found}"
