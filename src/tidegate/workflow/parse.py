"""Reads a workflow file into the model, and says everything that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.base.errors import InvalidInput, LimitExceeded, TidegateError, Where
from tidegate.base.files import Files, paths_below
from tidegate.base.yaml import Schema, load_documents
from tidegate.workflow.cursor import Cursor, Reading, table_or_empty
from tidegate.workflow.model import Workflow
from tidegate.workflow.parse_jobs import read_concurrency, read_defaults, read_jobs, read_permissions
from tidegate.workflow.parse_on import read_triggers
from tidegate.workflow.problems import InvalidWorkflow, Problem
from tidegate.workflow.scopes import NOTHING, WORKFLOW, WORKFLOW_ENV
from tidegate.workflow.source import Source

FOLDER = ".github/workflows/"
_KEYS = ("name", "description", "run-name", "on", "permissions", "env", "defaults", "concurrency", "jobs")


def is_workflow(path: str) -> bool:
    """Whether GitHub takes a file of a repository for a workflow, by its path."""
    return path.startswith(FOLDER) and "/" not in path.removeprefix(FOLDER) and path.endswith((".yml", ".yaml"))


def workflows_in(files: Files) -> Iterator[tuple[str, Workflow | TidegateError]]:
    """The workflows of a tree by path, in its order; for one that can't be read what is wrong with it: InvalidWorkflow,
    or what reading the file raised.
    """
    for path in filter(is_workflow, paths_below(files, FOLDER.rstrip("/"))):
        try:
            yield path, parse_workflow(files.read(path), path)
        except TidegateError as error:
            yield path, error


def parse_workflow(data: bytes, file: str) -> Workflow:
    """The workflow that a file holds; `file` is its path in the repository.

    Follows GitHub's workflow syntax. Raises InvalidWorkflow with every problem, each at its line: a key or an event
    that GitHub does not define, a wrong type, an expression that cannot be read or reads what is not available there.
    """
    source = Source(data, file)
    reading = opened(data, file, source, "a workflow")
    workflow = _workflow(Cursor(reading), file, source)
    reading.finish()
    return workflow


def opened(data: bytes, file: str, source: Source, what: str) -> Reading:
    """The one document of a file that holds `what`. Raises InvalidWorkflow where it is no YAML, or not one document."""
    try:
        documents = load_documents(data, file=file, schema=Schema.YAML_1_2)
    except (InvalidInput, LimitExceeded) as error:
        where = error.where or Where(file, 1, 1)
        raise InvalidWorkflow((Problem(error.message, where, error.remedy, source.line(where.line)),)) from error
    if len(documents) != 1:
        found = "is empty" if not documents else "holds more than one document"
        raise InvalidWorkflow((Problem(f"the file {found}; {what} is one document", Where(file, 1, 1)),))
    return Reading(documents[0], source)


def _workflow(cursor: Cursor, file: str, source: Source) -> Workflow:
    fields = cursor.fields(_KEYS, ("on", "jobs"))
    get = fields.get
    return Workflow(
        file=file,
        name=fields["name"].text() if fields.get("name") and fields["name"].value is not None else None,
        run_name=fields["run-name"].scalar(WORKFLOW) if "run-name" in fields else None,
        triggers=read_triggers(fields["on"]) if "on" in fields else {},
        env=table_or_empty(get("env"), WORKFLOW_ENV),
        defaults=read_defaults(get("defaults"), NOTHING),
        permissions=read_permissions(get("permissions")),
        concurrency=read_concurrency(get("concurrency"), WORKFLOW),
        jobs=read_jobs(fields["jobs"]) if "jobs" in fields else {},
        source=source,
    )
