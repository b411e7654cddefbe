"""The Jobs port of a cluster: each job is a Kubernetes Job of Tidegate's own image, followed by its Pod's log."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Mapping
from typing import Any

from tidegate.base.errors import InvalidInput, NotFound, TidegateError, Unavailable
from tidegate.engine.clock import Clock
from tidegate.engine.ports import JobEvents
from tidegate.engine.secrets import read_secret
from tidegate.git.secrets import proxy_of
from tidegate.kinds.git_repository import GitRepository
from tidegate.kinds.label_selector import LabelSelector
from tidegate.kinds.objects import Object, ObjectKey, annotation, key_of
from tidegate.kinds.workflow_run import GROUP, KIND, WorkflowRun
from tidegate.kube.client import KubeClient
from tidegate.kube.store import KubeStore
from tidegate.runner.job_manifest import MANAGED, RUN_LABEL, JobPlace, job_name, job_of, secret_of
from tidegate.runner.names import RERUN
from tidegate.runner.pod_states import Beginning, begun, describe, why_ended
from tidegate.runner.repositories import runner_of, source_of
from tidegate.runner.request import CANCELLED, FAILURE, JobOutcome, JobRequest
from tidegate.runner.wire import EventReader

MANAGER = "runner-controller"
POLL = 0.5
START_TIMEOUT = 600.0
"""Seconds in which a Pod must have begun: a node may first pull the image, or have to be free."""
RECONNECT = 1.0
_JOB, _POD, _SECRET = ("batch", "Job"), ("", "Pod"), ("", "Secret")


class KubeJobs:
    """Runs jobs in the namespaces of their runs."""

    def __init__(
        self,
        client: KubeClient,
        store: KubeStore,
        clock: Clock,
        place: JobPlace,
        *,
        start_timeout: float = START_TIMEOUT,
    ):
        self._client = client
        self._store = store
        self._clock = clock
        self._place = place
        self._start_timeout = start_timeout

    async def sweep(self, selector: LabelSelector) -> None:
        """End what a process that died has left under way of the runs that are selected: they begin anew. No Secret of
        theirs is left either. Call it before the first job.
        """
        try:
            runs = {key_of(run): run for run in (await self._store.list(GROUP, KIND)).items}
        except NotFound:
            return  # where there is no such kind, nothing of it ran
        for job in (await self._store.list(*_JOB, labels=MANAGED)).items:
            run = runs.get(ObjectKey(GROUP, KIND, job["metadata"]["namespace"], annotation(job, RUN_LABEL) or ""))
            if run is not None and not selector.matches(run["metadata"].get("labels") or {}):
                continue
            await self._delete(_key(_SECRET, job))
            if not _has_ended(job):
                with contextlib.suppress(NotFound):
                    await self._store.delete(_key(_JOB, job), uid=job["metadata"]["uid"])

    async def run(self, job: Mapping[str, Any], events: JobEvents) -> Mapping[str, Any]:
        """Run a job to its end. Cancelling the task that awaits this deletes the Job, whose Pod is ended with it."""
        request = JobRequest.from_json(job)
        key = ObjectKey(*_JOB, request.namespace, job_name(request))
        try:
            _check(request)
            await self._create(request, key)
            outcome = await self._finished(key, events)
        except TidegateError as error:
            await events.log("1", f"##[error]{error.explain()}")
            await self._delete(key)
            return JobOutcome(FAILURE, message=error.explain()).as_json()
        except BaseException:
            await asyncio.shield(self._delete(key))
            raise
        finally:
            await asyncio.shield(self._delete(ObjectKey(*_SECRET, key.namespace, key.name)))
        return outcome

    async def _create(self, request: JobRequest, key: ObjectKey) -> None:
        run = await self._store.get(ObjectKey(GROUP, KIND, request.namespace, request.run))
        source = await self._source(run)
        for other in (key, ObjectKey(*_SECRET, key.namespace, key.name)):  # of an attempt that was broken off
            await self._delete(other)
        # The Job first, whose Pod waits for its Secret: so there is none that doesn't go with a Job.
        source["actions"] = await self._actions(run, request)
        job = await self._store.create(job_of(request, self._place, run), manager=MANAGER)
        await self._store.create(secret_of(request, source, self._place, job), manager=MANAGER)

    async def _source(self, obj: Object) -> dict[str, Any]:
        """Where a Pod fetches the run's commit, and with what."""
        run = WorkflowRun.from_object(obj)
        source = await source_of(self._store, await runner_of(self._store, run.key.namespace, run.repository))
        if source is None:
            raise NotFound(f"no GitRepository in {run.key.namespace} has the URL of {run.repository}")
        spec = GitRepository.from_object(source)
        found: dict[str, Any] = {"url": spec.url, "ref": run.cause.get("fetched") or run.ref}
        if spec.secret_ref is not None:
            data = await read_secret(self._store, source["metadata"]["namespace"], spec.secret_ref.name)
            found["credentials"] = {name: base64.b64encode(value).decode() for name, value in data.items()}
        if spec.proxy_secret_ref is not None:
            name = spec.proxy_secret_ref.name
            data = await read_secret(self._store, source["metadata"]["namespace"], name)
            found["proxy"] = proxy_of(data, name)
        return found

    async def _actions(self, obj: Object, request: JobRequest) -> dict[str, Any]:
        """What a Pod fetches of other repositories, and with what."""
        run = WorkflowRun.from_object(obj)
        host = (await runner_of(self._store, run.key.namespace, run.repository)).actions
        found: dict[str, Any] = {"pins": list(request.pins)}
        trusted = not run.cause.get("fork")
        if host is not None and host.secret_ref is not None and request.pins and trusted:
            data = await read_secret(self._store, run.key.namespace, host.secret_ref.name)
            found["credentials"] = {name: base64.b64encode(value).decode() for name, value in data.items()}
        return found

    async def _finished(self, key: ObjectKey, events: JobEvents) -> Mapping[str, Any]:
        cancelled = asyncio.create_task(events.cancelled())
        following = asyncio.create_task(self._follow(key, events))
        try:
            await asyncio.wait({cancelled, following}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                # The Pod gets SIGTERM and its grace period; what it still tells is followed to the end.
                await self._delete(key)
            return await following
        except NotFound:
            if cancelled.done():
                return JobOutcome(CANCELLED).as_json()
            message = f"the Job {key.name} or its Pod was deleted while it ran"
            raise Unavailable(message, remedy=f"run it again: annotate the run with {RERUN}") from None
        finally:
            for task in (cancelled, following):
                task.cancel()
            await asyncio.gather(cancelled, following, return_exceptions=True)

    async def _follow(self, key: ObjectKey, events: JobEvents) -> Mapping[str, Any]:
        """Read the log of the Pod's container to its end, again from the beginning where the connection breaks."""
        reader = EventReader(events)
        pod, container = await self._started(key, events)
        path = f"/api/v1/namespaces/{key.namespace}/pods/{pod['metadata']['name']}/log"
        while reader.result is None:
            # Looked at before the log, so that an ended container's log has been read whole.
            live = await self._store.get(_key(_POD, pod))
            try:
                async for line in self._client.lines(path, container=container, follow="true"):
                    await reader.take(line)
            except (Unavailable, InvalidInput) as error:
                # An evicted Pod has no log to read.
                if (ended := why_ended(live, container)) is not None and isinstance(error, InvalidInput):
                    return JobOutcome(FAILURE, message=ended).as_json()
                await self._clock.sleep(RECONNECT)
                continue
            if reader.result is None and (ended := why_ended(live, container)) is not None:
                return JobOutcome(FAILURE, message=ended).as_json()
            if reader.result is None:
                await self._clock.sleep(POLL)
        return reader.result

    async def _started(self, key: ObjectKey, events: JobEvents) -> tuple[Object, str]:
        """The Job's Pod once its container has begun, and the container to read. What it waits for is told."""
        beginning, told = Beginning(self._clock.monotonic(), self._start_timeout), ""
        while True:
            pod = await self._pod_of(key)
            if pod is not None and (container := begun(pod)) is not None:
                await events.waits("")
                return pod, container
            now = self._clock.monotonic()
            if pod is not None:
                beginning.look(pod, now)
            if (why := beginning.over(now)) is not None:
                remedy = describe(pod) if pod else f"kubectl describe job {key.name} -n {key.namespace}"
                raise Unavailable(f"the Job {key.name} {why}", remedy=remedy)
            if beginning.wait.text != told:
                told = beginning.wait.text
                await events.waits(told)
            job = await self._store.get(key)
            if _has_ended(job):
                raise Unavailable(f"the Job {key.name} ended before it began: {_why(job)}")
            await self._clock.sleep(POLL)

    async def _pod_of(self, key: ObjectKey) -> Object | None:
        """The Job's Pod; of several the one that has begun."""
        pods = (await self._store.list(*_POD, namespace=key.namespace, labels={"job-name": key.name})).items
        return next((pod for pod in pods if begun(pod) is not None), pods[-1] if pods else None)

    async def _delete(self, key: ObjectKey) -> None:
        """Delete it where it is there; what can't be done now is done by the sweep of the next start."""
        with contextlib.suppress(TidegateError):
            await self._store.delete(key)


def _check(request: JobRequest) -> None:
    if request.network == "none":
        label = "app.kubernetes.io/component: workflow-job"
        remedy = f"select the Pods by {label} in a NetworkPolicy, and leave spec.network of the Runner out"
        raise InvalidInput("a job's network is its Pod's in a cluster, which no Runner closes", remedy=remedy)


def _key(kind: tuple[str, str], obj: Object) -> ObjectKey:
    return ObjectKey(*kind, obj["metadata"]["namespace"], obj["metadata"]["name"])


def _has_ended(job: Object) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or []
    return any(found["type"] in ("Complete", "Failed") and found["status"] == "True" for found in conditions)


def _why(job: Object) -> str:
    conditions = (job.get("status") or {}).get("conditions") or []
    return next((str(found.get("message")) for found in conditions if found.get("message")), "it says not why")
