"""What can be done at this door: start a workflow, end a run, run it again, delete it. Each changes an object."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from tidegate.base.errors import Conflict, Denied, InvalidInput, NotFound
from tidegate.engine.clock import Clock
from tidegate.engine.ports import Store
from tidegate.git.repository import Repository
from tidegate.kinds.objects import Object, annotation, key_of
from tidegate.kinds.runner import KIND as RUNNER_KIND
from tidegate.kinds.workflow_run import GROUP
from tidegate.runner.artifacts import Artifacts
from tidegate.runner.asking import cancel_patch, is_over, rerun_patch
from tidegate.runner.names import PROBLEMS, of_repository
from tidegate.runner.requested import admission, requested_run
from tidegate.serve.github.call import Call, answer
from tidegate.serve.github.failures import Unprocessable
from tidegate.serve.github.reading import Reading
from tidegate.workflow.inputs import dispatched_inputs
from tidegate.workflow.parse import parse_workflow
from tidegate.workflow.resolve import Scope

MANAGER = "github-api"


class Acting:
    """The handlers of POST and DELETE; whoever calls them may."""

    def __init__(self, store: Store, clock: Clock, reading: Reading, artifacts: Artifacts | None = None):
        self._store = store
        self._clock = clock
        self._reading = reading
        self._artifacts = artifacts

    async def dispatch(self, call: Call) -> Response:
        """Start a workflow on a branch or tag with inputs (workflow_dispatch). What is wrong with them is said now."""
        body = await call.body()
        ref, inputs = body.get("ref"), body.get("inputs") or {}
        if not isinstance(ref, str) or not ref:
            raise Unprocessable("ref is missing: name a branch or tag", remedy='as {"ref": "main"}')
        if not isinstance(inputs, Mapping) or any(isinstance(value, dict | list) for value in inputs.values()):
            raise Unprocessable("inputs must be an object of names and plain values")
        runner = await self._runner(call)
        if call.git is None:
            raise NotFound(f"the files of {call.repository} are not here")
        wanted = requested_run(runner, (await self._reading.find_workflow(call)).path, ref=ref, inputs=inputs)
        found = await admission(call.git, wanted)
        if problems := annotation(found, PROBLEMS):
            raise Unprocessable(" ".join(problems.splitlines()))
        try:
            await asyncio.to_thread(_check, call.git, found["spec"], inputs)
        except InvalidInput as error:
            raise Unprocessable(str(error), remedy=error.remedy) from error
        await self._store.create(wanted, manager=MANAGER)
        return Response(None, 204)

    async def cancel(self, call: Call) -> Response:
        """End a run."""
        run = await self._reading.find_run(call)
        try:
            patch = cancel_patch(run)
        except InvalidInput as error:
            raise Conflict("Cannot cancel a workflow run that is completed.", remedy=str(error)) from error
        await self._store.patch(key_of(run), patch, manager=MANAGER)
        return answer({}, 202)

    async def rerun(self, call: Call) -> Response:
        """Run all jobs of a run that is over again, as its next attempt."""
        return await self._rerun(call)

    async def rerun_failed(self, call: Call) -> Response:
        """Run the jobs again that did not succeed, and those that need them."""
        return await self._rerun(call, failed=True)

    async def delete(self, call: Call) -> Response:
        """Delete a run that is over, its logs and its artifacts."""
        run = await self._reading.find_run(call)
        if not is_over(run):
            raise Denied("the run is not over yet", remedy="cancel it first")
        await self._store.delete(key_of(run), uid=run["metadata"].get("uid"))
        await self._reading.forget_logs(run)
        if self._artifacts is not None:
            await asyncio.to_thread(self._artifacts.delete_all, str(run["metadata"]["name"]))
        return Response(None, 204)

    async def _rerun(self, call: Call, *, failed: bool = False) -> Response:
        run, body = await self._reading.find_run(call), await call.body()
        if body.get("enable_debug_logging"):
            raise Unprocessable("debug logging can't be turned on for a run", remedy="run it again without")
        try:
            patch = rerun_patch(run, self._clock.now(), failed=failed)
        except InvalidInput as error:
            # GitHub's own answer to this, by which gh knows it.
            raise Denied(str(error), remedy=error.remedy) from error
        await self._store.patch(key_of(run), patch, manager=MANAGER)
        return answer({}, 201)

    async def _runner(self, call: Call) -> Object:
        for one in (await self._store.list(GROUP, RUNNER_KIND)).items:
            if of_repository(one, call.repository):
                return one
        raise Unprocessable(f"no Runner is for {call.repository}: nothing of it runs here", remedy="create a Runner")


def _check(git: Repository, spec: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
    """Raise InvalidInput with everything that keeps a workflow from being dispatched with these inputs. Blocks."""
    with git.files(spec["commit"]) as files:
        workflow = parse_workflow(files.read(spec["workflow"]), spec["workflow"])
    dispatched_inputs(workflow, inputs, Scope({"github": {}, "inputs": {}, "vars": {}}))
