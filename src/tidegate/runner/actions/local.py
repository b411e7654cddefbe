"""Actions of the repository itself (`uses: ./path`): looked at in the commit before the run, and in the workspace when
their turn has come, since that is what the job has checked out.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.runner.actions.check import step_problems
from tidegate.runner.workbench import Workbench
from tidegate.workflow.action_file import FILE_LIMIT, MOST_DEEP, NAMES, ActionFile, parse_action
from tidegate.workflow.model import Step, Workflow
from tidegate.workflow.problems import InvalidWorkflow, Problem
from tidegate.workflow.source import Source

Read = Callable[[str], bytes | None]


def is_local(uses: str) -> bool:
    """Whether a step uses an action of the workspace."""
    return uses.startswith(("./", ".\\"))


def local_problems(workflows: Iterable[Workflow], read: Read, lacking: Collection[str] = ()) -> list[Problem]:
    """What keeps the commit's own actions that these workflows use from running here, each at its line.

    `read` gives a file of the commit, None where it is not there: a step before may put the action there, so that is
    no problem yet. `lacking` are built-in actions for which this home has no place.
    """
    found: list[Problem] = []
    waiting: list[tuple[str, int]] = []

    def look(steps: Iterable[Step], source: Source | None, depth: int) -> None:
        for step in steps:
            if step.uses is None or not is_local(step.uses):
                continue
            try:
                waiting.append((_folder(step), depth))
            except InvalidInput as error:
                found.append((source or Source(b"", "")).problem(error.message, step.uses_where))

    for workflow in workflows:
        look((step for _, step in workflow.steps()), workflow.source, 1)
    seen: set[str] = set()
    while waiting:
        folder, depth = waiting.pop(0)
        path = next((path for name in NAMES if read(path := posixpath.join(folder, name)) is not None), None)
        if folder in seen or depth > MOST_DEEP or path is None:
            continue
        seen.add(folder)
        try:
            action = parse_action(read(path) or b"", path)
        except InvalidWorkflow as error:
            found += error.problems
            continue
        found += _unsupported(action, lacking)
        look(action.steps, action.source, depth + 1)
    return found


def read_local(bench: Workbench, step: Step) -> tuple[ActionFile, str]:
    """The action that a step names, as the workspace has it, and its folder as the job sees it. Blocks.

    Raises NotFound where there is none, InvalidWorkflow where it can't run here.
    """
    uses = step.uses or ""
    path = bench.layout.in_workspace(_folder(step))
    inside = path.removeprefix(f"{bench.layout.home}/")
    for name in NAMES:
        try:
            data = bench.folder.read(f"{inside}/{name}", FILE_LIMIT)
        except NotFound:
            continue
        action = parse_action(data, posixpath.join(_folder(step), name))
        if problems := _unsupported(action):
            raise InvalidWorkflow(tuple(problems))
        return action, path
    raise NotFound(
        f"there is no action.yml in {uses} of the workspace",
        where=step.uses_where,
        remedy="check the repository out first: uses: actions/checkout@v4",
    )


def _unsupported(action: ActionFile, lacking: Collection[str] = ()) -> list[Problem]:
    say = (action.source or Source(b"", action.file)).problem
    problems = (said for one in action.steps for said in step_problems(one, lacking))
    found = [say(message, where, remedy) for message, where, remedy in problems]
    images = [step for step in action.steps if (step.uses or "").startswith("docker://")]
    remedy = "run the program in a step"
    return found + [say("actions from images are not supported yet", step.uses_where, remedy) for step in images]


def _folder(step: Step) -> str:
    """The folder that `uses` names, relative to the workspace."""
    folder = posixpath.normpath((step.uses or "").replace("\\", "/"))
    if folder.startswith(("../", "/")) or folder == "..":
        raise InvalidInput(f"{step.uses!r} is outside of the workspace", where=step.uses_where)
    return "" if folder == "." else folder
