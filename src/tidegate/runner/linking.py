"""Reads a commit's workflow with all that it calls and uses, and says at once whatever keeps it from running here."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from tidegate.base.errors import NotFound, TidegateError
from tidegate.base.files import Files
from tidegate.git.repository import Repository
from tidegate.runner.actions.check import action_problems, borrowed
from tidegate.runner.actions.uses import used_problems
from tidegate.runner.containers.check import Lack, container_problems
from tidegate.workflow.calls import Linked, NotLooked, link
from tidegate.workflow.elsewhere import Lookup, elsewhere, nothing_known
from tidegate.workflow.model import Workflow
from tidegate.workflow.parse import parse_workflow, workflows_in
from tidegate.workflow.problems import InvalidWorkflow, Problem, in_order
from tidegate.workflow.source import Source
from tidegate.workflow.support import unsupported

WORKFLOWS_LIMIT = 500


def linked_workflow(
    repository: Repository,
    commit: str,
    path: str,
    lacking: Collection[str] = (),
    lookup: Lookup = nothing_known,
    name: str = "",
    lack: Lack | None = None,
) -> Linked:
    """The workflow at `path` of a commit, and those that it calls. `lacking` are built-in actions for which this home
    has no place, `lookup` gives the files of other repositories, `name` is the run's own, OWNER/NAME,
    `lack` says why no container runs here. Blocks.

    Raises InvalidWorkflow with everything in any of them, and in the actions that they use, that keeps it from running
    here; NotFound.
    """
    with repository.files(commit) as files:
        return linked_in(files, path, lacking, lookup, name, lack)


def linked_in(
    files: Files,
    path: str,
    lacking: Collection[str] = (),
    lookup: Lookup = nothing_known,
    name: str = "",
    lack: Lack | None = None,
) -> Linked:
    """The same from a tree of files."""

    def read(name: str) -> bytes | None:
        try:
            return files.read(name)
        except NotFound:
            return None

    def called(name: str) -> Workflow | None:
        if (place := elsewhere(name)) is None:
            data = read(name)
        else:
            found = lookup(place)
            if isinstance(found, TidegateError):
                raise found
            if found is None:
                raise NotLooked(f"{name} was not looked at")
            data = found(place.path)
        return parse_workflow(data, name) if data is not None else None

    linked, problems = link(parse_workflow(files.read(path), path), called, name)
    workflows = list(linked.every())
    found = [*problems, *used_problems(workflows, read, lacking, lookup, lack)]
    found += [said for one in workflows for said in (*unsupported(one), *action_problems(one, lacking))]
    found += [said for one in workflows for said in container_problems(one, lack)]
    if found:
        raise InvalidWorkflow(in_order(found, [one.file for one in workflows]))
    return linked


def not_looked_at(workflow: Workflow) -> list[Problem]:
    """What a workflow takes from other repositories, where nobody asks for them: what they hold is not known."""
    say = (workflow.source or Source(b"", workflow.file)).problem
    remedy = "what it does, and whether it can run here, is looked at when a run is planned"
    uses = [(step.uses, step.uses_where) for _, step in workflow.steps() if borrowed(step.uses) is not None]
    calls = [job.calls for job in workflow.jobs.values() if job.calls is not None]
    uses += [(call.uses, call.uses_where) for call in calls if elsewhere(call.uses) is not None]
    return [say(f"{name} is of another repository, and was not asked for", where, remedy) for name, where in uses]


def workflows_at(repository: Repository, commit: str) -> dict[str, Workflow | str]:
    """The workflows of a commit by file; a text says what is wrong with one that can't be read. Blocks."""
    with repository.files(commit) as files:
        return {path: _or_words(path, one) for path, one in islice(workflows_in(files), WORKFLOWS_LIMIT)}


def _or_words(path: str, found: Workflow | TidegateError) -> Workflow | str:
    if isinstance(found, Workflow):
        return found
    return str(found) if isinstance(found, InvalidWorkflow) else f"{path}: {found}"
