"""The logs behind `pods/NAME/log`: of workloads, and of workflow runs, which are read under their own name."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from datetime import datetime

from tidegate.base.errors import NotFound
from tidegate.engine.ports import Store
from tidegate.kinds.objects import Object, ObjectKey
from tidegate.kinds.workflow_run import COMPLETED
from tidegate.runner.feed import RunFeed
from tidegate.runner.logs import RunLogs
from tidegate.runner.reading import run_lines
from tidegate.runtime.logs import PodLogs as WorkloadLogs
from tidegate.serve.kubernetes.logs import LogLine, LogOptions

RUN = ("tidegate.dev", "WorkflowRun")


class Logs:
    """Both kinds of log, by namespace and name."""

    def __init__(self, store: Store, workloads: WorkloadLogs, runs: RunLogs, feed: RunFeed):
        self._store = store
        self._workloads = workloads
        self._runs = runs
        self._feed = feed

    async def lines(self, namespace: str, pod: str, options: LogOptions) -> AsyncIterator[LogLine]:
        """The lines that `options` ask for; NotFound where no pod and no run has that name."""
        found = await self._pod(namespace, pod)
        lines = self._run_lines(namespace, pod, options) if found is None else self._workload_lines(found, options)
        async for line in lines:
            yield line

    async def exists(self, namespace: str, pod: str) -> bool:
        """Whether there is something to read under that name."""
        return await self._pod(namespace, pod) is not None or await self._run(namespace, pod) is not None

    def of_run(self, run: str) -> AsyncIterator[str]:
        """All lines of a run's last attempt as it is now; NotFound."""
        return run_lines(self._runs, self._feed, run, is_over=lambda: True)

    async def _pod(self, namespace: str, name: str) -> Object | None:
        try:
            return await self._store.get(ObjectKey("", "Pod", namespace, name))
        except NotFound:
            return None

    async def _run(self, namespace: str, name: str) -> Object | None:
        try:
            return await self._store.get(ObjectKey(*RUN, namespace, name))
        except NotFound:
            return None

    async def _workload_lines(self, pod: Object, options: LogOptions) -> AsyncIterator[LogLine]:
        pieces = self._workloads.read(
            pod,
            options.container or None,
            previous=options.previous,
            follow=options.follow,
            tail=options.tail,
            since=options.since,
            timestamps=True,
        )
        async for piece in pieces:
            yield _timed(piece.decode("utf-8", "replace").rstrip("\n"))

    async def _run_lines(self, namespace: str, name: str, options: LogOptions) -> AsyncIterator[LogLine]:
        run = await self._run(namespace, name)
        if run is None:
            raise NotFound(f'pods "{name}" not found')
        over = (run.get("status") or {}).get("status") == COMPLETED
        if options.tail is not None:
            kept = deque([_timed(line) async for line in self.of_run(name)], maxlen=options.tail)
            for line in kept:
                yield line
            if over or not options.follow:
                return
        lines = run_lines(self._runs, self._feed, name, is_over=lambda: over, follow=options.follow)
        async for text in lines:
            line = _timed(text)
            if options.since is None or line.time is None or line.time >= options.since:
                yield line


def _timed(line: str) -> LogLine:
    stamp, _, text = line.partition(" ")
    try:
        return LogLine(text, datetime.fromisoformat(stamp))
    except ValueError:
        return LogLine(line)
