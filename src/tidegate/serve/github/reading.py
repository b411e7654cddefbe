"""What can be read at this door: repositories, workflows, runs, jobs and their logs."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import IO, Any

from starlette.responses import Response, StreamingResponse

from tidegate.base.errors import NotFound
from tidegate.engine.ports import Store
from tidegate.git.repository import Repository
from tidegate.git.values import Commit
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.kinds.workflow_run import GROUP, KIND
from tidegate.runner.logs import RunLogs
from tidegate.runner.names import of_repository
from tidegate.serve.github import shapes
from tidegate.serve.github.archive import CHUNK, JobFile, pack
from tidegate.serve.github.call import Call, answer
from tidegate.serve.github.failures import Unprocessable
from tidegate.serve.github.filters import matching, page_of
from tidegate.serve.github.shapes import Json, WorkflowFile, attempt_of, id_of, newest_first
from tidegate.serve.github.workflows import WorkflowFiles, file_of, named

CONTENT_LIMIT = 1024 * 1024
"""Bytes of a file that are given with it, as on GitHub."""
ARCHIVES_AT_ONCE = 2
COMMITS_KEPT = 512
PLACES_KEPT = 1024


class Reading:
    """The handlers of GET."""

    def __init__(self, store: Store, logs: RunLogs):
        self._store = store
        self._logs = logs
        self._files = WorkflowFiles()
        self._commits: dict[str, Commit] = {}
        self._places: dict[int, ObjectKey] = {}
        self._packing = asyncio.Semaphore(ARCHIVES_AT_ONCE)

    # Repositories

    async def repository(self, call: Call) -> Response:
        """The repository itself."""
        return answer(shapes.repository(call.links, await default_branch(call)))

    async def contents(self, call: Call) -> Response:
        """A file of a commit, as the workflow file that `gh workflow view --yaml` shows."""
        if call.git is None:
            raise NotFound(f"the files of {call.repository} are not here")
        commit, path = await _commit_at(call.git, call.query.get("ref") or "HEAD"), call.parts["path"]
        data = await asyncio.to_thread(_read_file, call.git, commit, path)
        if len(data) > CONTENT_LIMIT:
            raise Unprocessable(f"{path} is larger than {CONTENT_LIMIT} bytes", remedy="fetch it with git")
        text = base64.encodebytes(data).decode()
        name = path.rpartition("/")[2]
        shown = {"type": "file", "encoding": "base64", "size": len(data), "name": name, "path": path, "content": text}
        return answer(shown | {"url": call.url})

    # Workflows

    async def workflows(self, call: Call) -> Response:
        """All workflows."""
        files = await self._files.of(call.repository, call.git, await self.runs_of(call))
        page = page_of(call.query)
        shown = [shapes.workflow(call.links, file) for file in page.of(files)]
        links = page.links(call.url, call.query, len(files))
        return answer({"total_count": len(files), "workflows": shown}, Link=links)

    async def workflow(self, call: Call) -> Response:
        """One workflow, by its number or its file's name."""
        return answer(shapes.workflow(call.links, await self.find_workflow(call)))

    async def find_workflow(self, call: Call) -> WorkflowFile:
        """The workflow that a URL names; NotFound."""
        word = call.parts["workflow"]
        try:
            return named(word, call.repository, await self._files.of(call.repository, call.git, []))
        except NotFound:  # its file may be gone
            runs = await self.runs_of(call)
            return named(word, call.repository, await self._files.of(call.repository, call.git, runs))

    # Runs

    async def runs(self, call: Call) -> Response:
        """The runs of the repository, or of the workflow that the path names."""
        objects = newest_first(await self.runs_of(call))
        files = await self._files.of(call.repository, call.git, objects)
        if word := call.parts.get("workflow"):
            path = named(word, call.repository, files).path
            objects = [one for one in objects if file_of(one, files).path == path]
        found = matching(objects, call.query, partial(shapes.outline, call.links))
        page = page_of(call.query)
        shown = [await self._shown(call, one, file_of(one, files)) for one in page.of(found)]
        links = page.links(call.url, call.query, len(found))
        return answer({"total_count": len(found), "workflow_runs": shown}, Link=links)

    async def run(self, call: Call) -> Response:
        """One run, as its last attempt is."""
        obj = await self.find_run(call)
        files = await self._files.of(call.repository, call.git, [obj])
        return answer(await self._shown(call, obj, file_of(obj, files)))

    async def _shown(self, call: Call, obj: Object, file: WorkflowFile) -> Json:
        place = shapes.repository(call.links, await default_branch(call))
        head = await self._head(call, str(obj["spec"].get("commit") or ""))
        return shapes.run(call.links, obj, file, place, head)

    async def _head(self, call: Call, commit: str) -> Json | None:
        """A commit as runs show it; None where it is not here (any more)."""
        if call.git is None or not commit:
            return None
        if commit not in self._commits:
            try:
                found = await call.git.log(commit)
            except NotFound:
                return None
            if len(self._commits) >= COMMITS_KEPT:
                self._commits.clear()
            self._commits[commit] = found
        return shapes.head_commit(self._commits[commit])

    async def jobs(self, call: Call) -> Response:
        """The jobs of a run's last attempt."""
        obj = await self.find_run(call)
        found = shapes.jobs(call.links, obj, await self._workflow_name(call, obj))
        page = page_of(call.query)
        links = page.links(call.url, call.query, len(found))
        return answer({"total_count": len(found), "jobs": list(page.of(found))}, Link=links)

    async def job(self, call: Call) -> Response:
        """One job."""
        obj, one = await self.find_job(call)
        return answer(shapes.job(call.links, obj, one, await self._workflow_name(call, obj)))

    async def annotations(self, call: Call) -> Response:
        """What a job says beyond its steps."""
        return answer(shapes.notes((await self.find_job(call))[1]))

    async def _workflow_name(self, call: Call, obj: Object) -> str:
        return file_of(obj, await self._files.of(call.repository, call.git, [obj])).name

    # Logs

    async def run_logs(self, call: Call) -> Response:
        """The logs of a run's last attempt, or the one that the path names, as a zip archive."""
        obj = await self.find_run(call, any_attempt=True)
        attempt = int(call.parts.get("attempt") or attempt_of(obj))
        files = await asyncio.to_thread(self._job_files, obj, attempt)
        if not files:
            raise NotFound(f"attempt {attempt} of run {id_of(obj)} has no log")
        async with self._packing:
            archive = await asyncio.to_thread(pack, files)
        headers = {"Content-Disposition": f'attachment; filename="logs_{id_of(obj)}.zip"'}
        return StreamingResponse(pieces(archive), media_type="application/zip", headers=headers)

    async def job_log(self, call: Call) -> Response:
        """The log of a job as text, every line with its time."""
        obj, one = await self.find_job(call)
        run, attempt, job = str(obj["metadata"]["name"]), attempt_of(obj), str(one.get("name", ""))
        try:
            file = await asyncio.to_thread(self._logs.path(run, attempt, job).open, "rb")
        except FileNotFoundError:
            raise NotFound(f"the job {job!r} has no log") from None
        return StreamingResponse(pieces(file), media_type="text/plain; charset=utf-8")

    async def forget_logs(self, obj: Object) -> None:
        """Delete the logs of a run that is deleted."""
        await asyncio.to_thread(self._logs.delete, str(obj["metadata"]["name"]))

    def _job_files(self, obj: Object, attempt: int) -> list[JobFile]:
        run = str(obj["metadata"]["name"])
        told = (obj.get("status") or {}).get("jobs") or [] if attempt == attempt_of(obj) else []
        steps = {one.get("name"): {step["number"]: step["name"] for step in one.get("steps") or ()} for one in told}
        return [
            JobFile(job, self._logs.path(run, attempt, job), self._logs.parts(run, attempt, job), steps.get(job, {}))
            for job in self._logs.jobs(run, attempt)
        ]

    # Finding

    async def runs_of(self, call: Call) -> list[Object]:
        """The objects of all runs of the repository, those that are to run again as their next attempt."""
        found = (await self._store.list(GROUP, KIND)).items
        return [shapes.as_asked(one) for one in found if of_repository(one, call.repository)]

    async def find_run(self, call: Call, *, any_attempt: bool = False) -> Object:
        """The run that the path names by its number. NotFound, also where the path names an attempt of which nothing
        but the log is left.
        """
        number = int(call.parts["run"])
        found = await self._found(call, number, lambda run: id_of(run) == number)
        if found is None:
            raise NotFound(f"no run of {call.repository} has the id {number}")
        asked = call.parts.get("attempt")
        if asked and int(asked) != attempt_of(found) and not any_attempt:
            raise NotFound(f"of the attempts of run {number} only the last one is kept: {attempt_of(found)}")
        return found

    async def find_job(self, call: Call) -> tuple[Object, Mapping[str, Any]]:
        """The job of a run's last attempt that the path names by its number; NotFound."""
        number = int(call.parts["job"])

        def job_of(run: Object) -> Mapping[str, Any] | None:
            jobs: Sequence[Mapping[str, Any]] = (run.get("status") or {}).get("jobs") or ()
            return next((one for one in jobs if shapes.job_number(run, one) == number), None)

        found = await self._found(call, number, lambda run: job_of(run) is not None)
        job = job_of(found) if found is not None else None
        if found is None or job is None:
            raise NotFound(f"no job of {call.repository} has the id {number}")
        return found, job

    async def _found(self, call: Call, number: int, is_meant: Callable[[Object], bool]) -> Object | None:
        """The run of the repository that is meant by a number: of itself, or of a job. Whoever follows a run asks for
        the same one again and again, so where it was found is remembered.
        """
        if (key := self._places.get(number)) is not None:
            with contextlib.suppress(NotFound):
                run = shapes.as_asked(await self._store.get(key))
                if of_repository(run, call.repository) and is_meant(run):
                    return run
        for run in await self.runs_of(call):
            if is_meant(run):
                if len(self._places) >= PLACES_KEPT:
                    self._places.clear()
                self._places[number] = key_of(run)
                return run
        return None


async def default_branch(call: Call) -> str:
    """The branch that HEAD names."""
    head = await call.git.head() if call.git is not None else None
    return shapes.branch_of(head or "refs/heads/main")


async def _commit_at(git: Repository, ref: str) -> str:
    for name in (ref, f"refs/heads/{ref}", f"refs/tags/{ref}"):
        if commit := await git.resolve(name):
            return commit
    raise NotFound(f"No commit found for the ref {ref}")


def _read_file(git: Repository, commit: str, path: str) -> bytes:
    with git.files(commit) as files:
        return files.read(path)


async def pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    """An open file from where it stands to its end, in pieces; then it is closed."""
    try:
        while piece := await asyncio.to_thread(file.read, CHUNK):
            yield piece
    finally:
        file.close()
