"""Everything that a run needs to begin: its commit, its workflow with all that this uses, its event, its secrets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from tidegate.base.errors import Denied, InvalidInput, NotFound
from tidegate.base.frozen import frozen
from tidegate.engine.outcome import Context
from tidegate.engine.secrets import read_secret
from tidegate.kinds.objects import Object, annotation
from tidegate.kinds.runner import Runner
from tidegate.kinds.workflow_run import WorkflowRun
from tidegate.runner.borrowing import Borrowing, host_of, planned
from tidegate.runner.containers.check import Lack
from tidegate.runner.contexts import RunFacts, github_context
from tidegate.runner.names import PROBLEMS, run_id
from tidegate.runner.occasions import occasion
from tidegate.runner.pins import Pin, Pins
from tidegate.runner.repositories import Repositories, runner_of
from tidegate.runner.request_runs import is_of_forge
from tidegate.runner.request_watch import RequestWatch
from tidegate.workflow.model import Workflow
from tidegate.workflow.plan import Plan, plan
from tidegate.workflow.resolve import Scope

SECRET_LIMIT = 64 * 1024


@frozen
class Prepared:
    """A run that can begin."""

    run: WorkflowRun
    runner: Runner
    plan: Plan
    contexts: Mapping[str, Any]
    secrets: Mapping[str, str]
    pins: tuple[Pin, ...] = ()


class Preparing:
    """Prepares runs. `server_url` is what `github.server_url` says; the rest is as WorkflowRunController has it."""

    def __init__(
        self,
        repositories: Repositories,
        borrowing: Borrowing,
        server_url: str,
        lacking: Collection[str],
        watch: RequestWatch | None,
        lack: Lack | None = None,
    ):
        self._repositories = repositories
        self._borrowing = borrowing
        self._server_url = server_url
        self._lacking = lacking
        self._lack = lack
        self._watch = watch

    async def prepare(self, obj: Object, ctx: Context, known: Pins) -> Prepared:
        """Everything that a run needs to begin; `known` are the commits that an attempt before has taken from other
        repositories. Raises what keeps it from running.
        """
        if problems := annotation(obj, PROBLEMS):
            raise InvalidInput(problems)
        run = WorkflowRun.from_object(obj)
        runner = await runner_of(ctx.store, run.key.namespace, run.repository)
        repository = await self._repositories(runner)
        if repository is None:
            raise NotFound(f"the repository {run.repository} is not here: neither hosted nor a GitRepository's mirror")
        if run.cause.get("fork") and runner.isolation == "none":
            message = "the request of a fork is a stranger's program, and does not run without isolation"
            raise Denied(message, remedy=f"leave spec.isolation of the Runner {runner.key.name} out")
        if is_of_forge(run) and self._watch is not None:
            await self._watch.restore(ctx.store, runner, run, repository)
        linked, pins = await planned(
            repository,
            run.commit,
            run.workflow,
            borrowing=self._borrowing,
            host=await host_of(runner, ctx.store, self._borrowing.default_url, trusted=not run.cause.get("fork")),
            known=known,
            name=run.repository,
            lacking=self._lacking,
            lack=self._lack,
        )
        workflow = linked.workflow
        facts, variables = self._facts(obj, run, workflow), dict(runner.variables)
        scope = Scope({"github": github_context(facts), "inputs": {}, "vars": variables})
        found = await occasion(repository, run, workflow, scope)
        github = {**github_context(replace(facts, event=found.event.payload)), **found.github}
        contexts = {"github": github, "inputs": dict(found.inputs), "vars": variables}
        # What a request brings is somebody's proposal: it gets nothing to give away.
        secrets = {} if run.event == "pull_request" else await _secrets(runner, ctx)
        return Prepared(run, runner, plan(linked, found.event, contexts), contexts, secrets, pins)

    def _facts(self, obj: Object, run: WorkflowRun, workflow: Workflow) -> RunFacts:
        return RunFacts(
            repository=run.repository,
            workflow=workflow.title,
            workflow_file=run.workflow,
            event_name=run.event,
            ref=run.ref,
            sha=run.commit,
            # On a forge this is a login, and so a part of names and URLs; whoever pushes here acts for the owner.
            actor=run.cause.get("user") or run.repository.partition("/")[0],
            run_id=run_id(run.key.name),
            run_number=run.run_number,
            run_attempt=int((obj.get("status") or {}).get("attempt") or 0) + 1,
            server_url=self._server_url,
            event={},
        )


async def _secrets(runner: Runner, ctx: Context) -> dict[str, str]:
    if runner.secret_ref is None:
        return {}
    data = await read_secret(ctx.store, runner.key.namespace, runner.secret_ref.name)
    return {name: value.decode("utf-8", "replace") for name, value in data.items() if len(value) <= SECRET_LIMIT}
