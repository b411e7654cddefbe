"""The workflows of a repository as GitHub lists them: the files of its default branch, and those that have had runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from tidegate.base.errors import NotFound
from tidegate.git.repository import Repository
from tidegate.kinds.objects import Object
from tidegate.serve.github.ids import workflow_id
from tidegate.serve.github.shapes import WorkflowFile, rfc3339
from tidegate.workflow.model import Workflow
from tidegate.workflow.parse import FOLDER, workflows_in


class WorkflowFiles:
    """Reads them, once for each commit of a default branch."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[str, tuple[WorkflowFile, ...]]] = {}

    async def of(self, repository: str, git: Repository | None, runs: Iterable[Object]) -> list[WorkflowFile]:
        """The workflows, those of the default branch first; `runs` are the repository's."""
        files = list(await self._present(repository, git)) if git is not None else []
        known = {file.path for file in files}
        for run in sorted(runs, key=lambda one: str(one["spec"].get("workflow", ""))):
            path = str(run["spec"].get("workflow", ""))
            if path not in known and path.startswith(FOLDER):
                known.add(path)
                files.append(WorkflowFile(path, path, present=False))
        return files

    async def _present(self, repository: str, git: Repository) -> tuple[WorkflowFile, ...]:
        head = await git.head()
        commit = await git.resolve(head) if head else None
        if commit is None:
            return ()
        before = self._read.get(repository)
        if before is None or before[0] != commit:
            changed = rfc3339((await git.log(commit)).time)
            self._read[repository] = before = (commit, await asyncio.to_thread(_files, git, commit, changed))
        return before[1]


def file_of(run: Object, files: Sequence[WorkflowFile]) -> WorkflowFile:
    """The workflow of a run. One that is asked for, and not looked at yet, may name it by a file's or its own name."""
    wanted = str(run["spec"].get("workflow", ""))
    for file in files:
        if file.path in (wanted, f"{FOLDER}{wanted}"):
            return file
    return next((file for file in files if file.name == wanted), WorkflowFile(wanted, wanted, present=False))


def named(word: str, repository: str, files: Sequence[WorkflowFile]) -> WorkflowFile:
    """The workflow that a URL names, by its number or its file's name; NotFound."""
    for file in files:
        if word in (file.path.removeprefix(FOLDER), str(workflow_id(repository, file.path))):
            return file
    known = ", ".join(file.path.removeprefix(FOLDER) for file in files) or "none"
    raise NotFound(f"workflow {word} not found on the default branch", remedy=f"there are: {known}")


def _files(git: Repository, commit: str, changed: str) -> tuple[WorkflowFile, ...]:
    with git.files(commit) as files:
        return tuple(
            WorkflowFile(path, (one.name if isinstance(one, Workflow) else None) or path, changed=changed)
            for path, one in workflows_in(files)
        )
