"""Reconciles WorkflowRun: a queued run runs, one that a killed process left under way runs again, old ones go.

The run itself is the reconciliation of its object, so the same run never runs twice at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from tidegate.base.disk import disk_error, is_full
from tidegate.base.errors import Conflict, LimitExceeded, NotFound, TidegateError
from tidegate.base.steps import Step, reach
from tidegate.engine.outcome import Context, Handled, Outcome, Trigger
from tidegate.engine.ports import Jobs
from tidegate.kinds.objects import Object, ObjectKey, annotation, key_of
from tidegate.kinds.workflow_run import COMPLETED, GROUP, IN_PROGRESS, KIND, TITLE
from tidegate.runner.artifacts import Artifacts
from tidegate.runner.asking import is_asked_again, keeps_what_succeeded
from tidegate.runner.borrowing import Borrowing
from tidegate.runner.called import with_token
from tidegate.runner.cancelling import cancellation, is_cancelled
from tidegate.runner.containers.check import Lack
from tidegate.runner.feed import Progress, RunFeed
from tidegate.runner.groups import Groups
from tidegate.runner.logs import RunLogs
from tidegate.runner.names import RERUN, of_repository
from tidegate.runner.pins import Pin
from tidegate.runner.places import Places
from tidegate.runner.preparing import Prepared, Preparing
from tidegate.runner.progress import JobProgress, RunProgress
from tidegate.runner.report import JobReport
from tidegate.runner.repositories import Repositories, runner_of
from tidegate.runner.request import CANCELLED, FAILURE, SUCCESS, JobOutcome, JobRequest, PushedImage
from tidegate.runner.request_watch import RequestWatch
from tidegate.runner.requested import is_admitted
from tidegate.runner.retention import KEPT, superfluous
from tidegate.runner.run import Carry, JobOrder, RunExecution
from tidegate.runner.token import scopes
from tidegate.workflow.plan import Group

TOKEN_MARGIN = 900.0
# A run that brings the process down each time must not do so for ever.
MOST_INTERRUPTIONS = 30
_INTERRUPTED = "see why Tidegate ended (memory?), then annotate the run with tidegate.dev/rerun"
_log = logging.getLogger("tidegate.runner-controller")


class Tokens(Protocol):
    """Where a run's own token comes from."""

    def issue(self, subject: str, scopes: Sequence[str], lifetime_s: float) -> str: ...

    def revoke(self, token: str) -> None: ...


class WorkflowRunController:
    """Runs WorkflowRuns, each job through the port `jobs`, with a token of its own from `tokens`. `artifacts` go with
    their runs; `borrowing` brings what they take from other repositories; `lacking` are built-in actions for which
    this home has no place, `lack` says why it runs no containers.
    """

    name = "runner-controller"
    group = GROUP
    kind = KIND
    triggers: Sequence[Trigger] = ()

    def __init__(
        self,
        *,
        jobs: Jobs,
        logs: RunLogs,
        feed: RunFeed,
        tokens: Tokens,
        repositories: Repositories,
        borrowing: Borrowing,
        server_url: str = "https://github.com",
        kept: int = KEPT,
        artifacts: Artifacts | None = None,
        lacking: Collection[str] = (),
        watch: RequestWatch | None = None,
        lack: Lack | None = None,
    ):
        self._jobs = jobs
        self._logs = logs
        self._feed = feed
        self._tokens = tokens
        self._borrowing = borrowing
        self._kept = kept
        self._artifacts = artifacts
        self._preparing = Preparing(repositories, borrowing, server_url, lacking, watch, lack)
        self._places = Places()
        self._groups = Groups()

    async def reconcile(self, obj: Object, ctx: Context) -> Outcome:
        """Run it, where it is neither over nor to be deleted. Returns when the run is over."""
        key, status = key_of(obj), obj.get("status") or {}
        if obj["metadata"].get("deletionTimestamp"):
            await asyncio.to_thread(self._logs.delete, key.name)
            if self._artifacts is not None:
                await asyncio.to_thread(self._artifacts.delete_all, key.name)
            return Handled()
        rerun = annotation(obj, RERUN)
        if status.get("status") == COMPLETED and not is_asked_again(obj):
            self._feed.close(key.name)
            return Handled()
        if await _waits_for_its_runner(obj, ctx):
            return Handled()
        interrupted = int(status.get("interrupted") or 0) + 1 if status.get("status") == IN_PROGRESS else 0
        progress = RunProgress(_writer(ctx, obj, rerun), ctx.clock, int(status.get("attempt") or 0) + 1, interrupted)
        progress.pins = tuple(map(Pin.from_json, status.get("actions") or ()))
        self._feed.open(key.name)
        try:
            await self._attempt(obj, ctx, progress)
        except Exception as error:
            cause = cause_of(error)
            self._say(obj, f"{_title(obj)}: interrupted, and tried again soon: {cause}", "error")
            if cause is error:
                raise
            raise cause from error
        finally:
            await progress.close()
            self._feed.close(key.name)
        await self._retire(key, str(obj["spec"].get("repository", "")), ctx)
        return Handled()

    async def _attempt(self, obj: Object, ctx: Context, progress: RunProgress) -> None:
        """One attempt from its beginning to its end."""
        title = _title(obj)
        self._say(obj, f"{title}: run {key_of(obj).name}")
        begun = ctx.clock.monotonic()
        async with cancellation(obj, ctx) as cancelled:
            try:
                if progress.interrupted > MOST_INTERRUPTIONS:
                    raise LimitExceeded(f"it was interrupted {progress.interrupted} times", remedy=_INTERRUPTED)
                known = {pin.key: pin for pin in progress.pins}
                wanted = is_admitted(obj) or not cancelled.is_set()
                prepared = await self._preparing.prepare(obj, ctx, known) if wanted else None
            except TidegateError as error:
                await progress.complete(FAILURE, error.explain())
            else:
                conclusion = await self._execute(obj, prepared, ctx, progress, cancelled) if prepared else CANCELLED
                await progress.complete(conclusion, _why(progress))
        reach(Step.RUN_FINISHED)
        seconds = ctx.clock.monotonic() - begun
        level = "info" if progress.conclusion == SUCCESS else "error"
        if progress.message:
            self._say(obj, f"{title}: {progress.message}", level)
        self._say(obj, f"{title}: {progress.conclusion} after {seconds:.1f} s", level)
        await self._record(obj, ctx, progress, seconds)

    async def _record(self, obj: Object, ctx: Context, progress: RunProgress, seconds: float) -> None:
        text = f"{_title(obj)}: {progress.conclusion} after {seconds:.1f} s"
        if progress.conclusion == SUCCESS:
            await ctx.events.normal(obj, "Succeeded", text)
        else:
            await ctx.events.warning(obj, "Failed", f"{text}. {progress.message}".strip())

    def _say(self, obj: Object, text: str, level: str = "info") -> None:
        name = key_of(obj).name
        for line in text.splitlines():
            self._feed.say(Progress(name, line, level=level))

    async def _execute(
        self, obj: Object, prepared: Prepared, ctx: Context, progress: RunProgress, cancelled: asyncio.Event
    ) -> str:
        progress.pins = prepared.pins
        await progress.write()
        order = str(obj["metadata"].get("creationTimestamp", ""))
        group = f"{prepared.runner.key}"

        async def run_job(one: JobOrder) -> JobOutcome:
            return await self._job(prepared, one, progress)

        execution = RunExecution(
            plan=prepared.plan,
            contexts=prepared.contexts,
            progress=progress,
            run_job=run_job,
            grouped=lambda group, ended: self._groups.one(
                f"{prepared.run.repository}/{group.name}", ended, cancel_in_progress=group.cancel_in_progress
            ),
            place=lambda: self._places.one(group, prepared.runner.max_jobs, order),
            cancelled=cancelled,
            secrets=prepared.secrets,
            carry=self._carrying(obj, progress),
            most_minutes=prepared.runner.timeout_seconds / 60,
        )
        with self._borrowing.holding(prepared.pins):
            return await self._in_group(prepared.plan.group, prepared.run.repository, execution)

    def _carrying(self, obj: Object, progress: RunProgress) -> Carry | None:
        """How jobs of the attempt before are taken over, where only those that failed are to run again."""
        if not keeps_what_succeeded(obj):
            return None
        status, name, before = obj["status"], key_of(obj).name, progress.attempt - 1
        succeeded = {job["name"]: job for job in status.get("jobs") or () if job.get("conclusion") == SUCCESS}
        progress.images += [PushedImage.from_json(image) for image in status.get("images") or ()]

        def carry(job: str) -> tuple[JobProgress, Mapping[str, str]] | None:
            if job not in succeeded:
                return None
            outputs = self._logs.carry(name, before, progress.attempt, job)
            return (JobProgress.from_json(succeeded[job]), outputs) if outputs is not None else None

        return carry

    async def _in_group(self, group: Group | None, repository: str, execution: RunExecution) -> str:
        """Run it, once its concurrency group lets it."""
        if group is None:
            return await execution.run()
        name = f"{repository}/{group.name}"
        async with self._groups.one(name, execution.cancelled, cancel_in_progress=group.cancel_in_progress) as entered:
            return await execution.run() if entered else CANCELLED

    async def _job(self, prepared: Prepared, order: JobOrder, progress: RunProgress) -> JobOutcome:
        """One job with a token of its own, which ends with it."""
        run, permissions = prepared.run, order.planned.permissions
        token = self._tokens.issue(
            f"run:{run.key.name}", scopes(permissions, run.repository), order.timeout_minutes * 60 + TOKEN_MARGIN
        )
        request = JobRequest(
            run=run.key.name,
            namespace=run.key.namespace,
            attempt=progress.attempt,
            job=order.planned.job.id,
            name=order.progress.name,
            file=order.workflow.file,
            workflow=order.workflow.source.text if order.workflow.source else "",
            contexts=order.contexts,
            secrets=with_token(order.secrets, token),
            permissions=permissions,
            isolation=prepared.runner.isolation,
            network=prepared.runner.network,
            image=prepared.runner.image,
            timeout_minutes=order.timeout_minutes,
            limits=prepared.runner.limits.as_json() | {"jobs": prepared.runner.max_jobs},
            pins=tuple(pin.as_json() for pin in prepared.pins),
        )
        reach(Step.JOB_STARTED)
        try:
            report = JobReport(run.key.name, order.progress, progress, self._logs, self._feed, order.cancelled)
            try:
                outcome = JobOutcome.from_json(await self._jobs.run(request.as_json(), report))
            finally:
                report.close()
            if outcome.conclusion == SUCCESS:
                await self._keep_outputs(request, outcome)
            return outcome
        finally:
            self._tokens.revoke(token)

    async def _keep_outputs(self, request: JobRequest, outcome: JobOutcome) -> None:
        """Keep a job's outputs for an attempt that does not run it again; without them it runs again, too."""
        try:
            await asyncio.to_thread(
                self._logs.keep_outputs, request.run, request.attempt, request.name, outcome.outputs
            )
        except OSError as error:
            _log.warning("the outputs of the job %s of %s are not kept: %s", request.name, request.run, error)

    async def _retire(self, key: ObjectKey, repository: str, ctx: Context) -> None:
        """Delete runs beyond what is kept, and logs that no run has any more."""
        runs = (await ctx.store.list(GROUP, KIND)).items
        for old in superfluous([run for run in runs if of_repository(run, repository)], self._kept):
            try:
                await ctx.store.delete(key_of(old), uid=old["metadata"].get("uid"))
            except (NotFound, Conflict):
                continue
        names = {key_of(run).name for run in (await ctx.store.list(GROUP, KIND)).items}
        await asyncio.to_thread(self._logs.keep_only, names)
        if self._artifacts is not None:
            await asyncio.to_thread(self._artifacts.keep_only, names)
        await self._borrowing.retire()


async def _waits_for_its_runner(obj: Object, ctx: Context) -> bool:
    """Whether a run that was asked for is still to be admitted. Where there is no Runner, it goes on, and says so."""
    if is_admitted(obj) or is_cancelled(obj):
        return False
    try:
        await runner_of(ctx.store, key_of(obj).namespace, str(obj["spec"].get("repository", "")))
    except NotFound:
        return False
    return True


def _writer(ctx: Context, obj: Object, rerun: str | None) -> Callable[[Mapping[str, Any]], Any]:
    """Writes a run's status; what was asked for by the rerun annotation counts as handled from the first write on."""
    key, uid = key_of(obj), obj["metadata"].get("uid")

    async def write(patch: Mapping[str, Any]) -> None:
        handled = {"lastHandledRerun": rerun} if rerun else {}
        try:
            await ctx.store.patch_status(key, {**patch, **handled}, manager=WorkflowRunController.name, uid=uid)
        except (NotFound, Conflict):
            _log.info("%s was deleted while it ran", key)  # its watch cancels it

    return write


def _title(obj: Object) -> str:
    """`smartbiz-ci.yaml #3 (Add a page)`."""
    spec = obj["spec"]
    subject = annotation(obj, TITLE)
    name = f"{str(spec.get('workflow', '')).rpartition('/')[2]} #{spec.get('runNumber', '?')}"
    return f"{name} ({subject})" if subject else name


def cause_of(error: Exception) -> Exception:
    """The first error of a group, and what a disk without room means, in our words."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return disk_error(error) if isinstance(error, OSError) and is_full(error) else error


def _why(progress: RunProgress) -> str:
    """What a person should read first, where the run did not succeed."""
    return "; ".join(f"{job.name}: {job.message}" for job in progress.jobs.values() if job.message)
