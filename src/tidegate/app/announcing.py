"""Which workflows a new commit of a source starts that may push an image: whether a tag of it is to be expected."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tidegate.base.errors import CommandFailed
from tidegate.git.files import CommitFiles
from tidegate.git.repository import Repository
from tidegate.git.sharing import Shared
from tidegate.workflow.model import Workflow, WorkflowRunTrigger
from tidegate.workflow.parse import FOLDER, workflows_in
from tidegate.workflow.problems import InvalidWorkflow
from tidegate.workflow.publishing import may_push_image
from tidegate.workflow.triggers import Event, matches

Asked = tuple[str, str | None, str]


class Announcements:
    """Answers once for all sources of a repository, which all see its new commit at the same moment."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[Asked, Sequence[str] | None]] = {}
        self._shared: Shared[tuple[str, Asked], Sequence[str] | None] = Shared()

    async def of_push(self, repository: Repository, ref: str, old: str | None, new: str) -> Sequence[str] | None:
        """The paths of the workflows that may push an image when `ref` goes from `old` (None: not known) to `new`; None
        where the commit has no workflows, so that whatever builds is not described there.
        """
        asked, name = (ref, old, new), str(repository.path)

        async def answer() -> Sequence[str] | None:
            if self._last.get(name, (None,))[0] != asked:
                self._last[name] = asked, await _of_push(repository, asked)
            return self._last[name][1]

        return await self._shared.call((name, asked), answer)


async def _of_push(repository: Repository, asked: Asked) -> Sequence[str] | None:
    ref, old, new = asked
    workflows = await asyncio.to_thread(_workflows, repository.files(new))
    if not workflows:
        return None
    building = {path: one for path, one in workflows.items() if one is None or may_push_image(one)}
    if not building:
        return ()
    event = Event(
        "push",
        ref=ref,
        after=new,
        changed=await _changed(repository, old, new),
        message=(await repository.log(new)).message,
    )
    started = [path for path, one in workflows.items() if one is None or matches(one, event).runs]
    return [path for path, one in building.items() if path in started or (started and _follows(one))]


def _follows(workflow: Workflow | None) -> bool:
    """Whether a workflow runs after another, which may be one of those that are started."""
    return workflow is not None and any(isinstance(one, WorkflowRunTrigger) for one in workflow.triggers.values())


async def _changed(repository: Repository, old: str | None, new: str) -> list[str] | None:
    """The files that differ; None, with which every filter of paths is passed, where that can't be told."""
    try:
        return None if old is None else await repository.changed(old, new)
    except CommandFailed:
        return None


def _workflows(files: CommitFiles) -> dict[str, Workflow | None]:
    """The workflows of a commit; None for one that can't be read here, which may well run elsewhere. Blocks."""
    with files:
        if not files.is_dir(FOLDER.rstrip("/")):
            return {}  # found without listing everything
        return {
            path: one if isinstance(one, Workflow) else None
            for path, one in workflows_in(files)
            if isinstance(one, Workflow | InvalidWorkflow)
        }
