"""Actions of the workspace (`uses: ./path`), read when their turn has come: that is what the job has checked out. What
the commit has there was looked at before the run.
"""

from __future__ import annotations

import posixpath

from tidegate.base.errors import NotFound
from tidegate.runner.actions.uses import action_file_problems, folder_of
from tidegate.runner.workbench import Workbench
from tidegate.workflow.action_file import FILE_LIMIT, NAMES, ActionFile, parse_action
from tidegate.workflow.model import Step
from tidegate.workflow.problems import InvalidWorkflow


def read_local(bench: Workbench, step: Step) -> tuple[ActionFile, str]:
    """The action that a step names, as the workspace has it, and its folder as the job sees it. Blocks.

    Raises NotFound where there is none, InvalidWorkflow where it can't run here.
    """
    uses = step.uses or ""
    path = bench.layout.in_workspace(folder_of(step))
    inside = bench.layout.relative(path)
    for name in NAMES:
        try:
            data = bench.folder.read(f"{inside}/{name}", FILE_LIMIT)
        except NotFound:
            continue
        action = parse_action(data, posixpath.join(folder_of(step), name))
        if problems := action_file_problems(action):
            raise InvalidWorkflow(tuple(problems))
        return action, path
    raise NotFound(
        f"there is no action.yml in {uses} of the workspace",
        where=step.uses_where,
        remedy="check the repository out first: uses: actions/checkout@v4",
    )
