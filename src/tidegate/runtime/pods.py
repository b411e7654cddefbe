"""The kubelet of this machine: every Pod of a Deployment of ours has a worker, and its status says how it goes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from tidegate.base.errors import Conflict, InvalidInput, NotFound, TidegateError, Unavailable
from tidegate.engine.clock import rfc3339
from tidegate.engine.outcome import Context, Handled, Outcome, Trigger
from tidegate.engine.status import changes
from tidegate.kinds.objects import Object, ObjectKey, annotation, key_of
from tidegate.runtime.fleet import Fleet
from tidegate.runtime.layers import remove
from tidegate.runtime.machine import Machine
from tidegate.runtime.pod_worker import PodWorker
from tidegate.runtime.podspec import read_pod
from tidegate.runtime.states import PodState, Waiting, pod_status

MANAGER = "kubelet"
FINALIZER = "tidegate.dev/runtime"
DEPLOYMENT = "tidegate.dev/deployment"
"""The annotation by which a Pod names its Deployment."""
STORE_RETRY = 5.0
"""Seconds until something is written again that the store did not take."""
CLOSE_LIMIT = 10.0
"""Seconds that all workloads together get to end when the server does."""
_log = logging.getLogger("tidegate.kubelet")


class PodController:
    """Starts and ends the workers of Pods."""

    name = MANAGER
    group = ""
    kind = "Pod"
    triggers: Sequence[Trigger] = ()

    def __init__(self, machine: Machine, fleet: Fleet):
        self._machine = machine
        self._fleet = fleet
        self._reporters: dict[str, _Reporter] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def reconcile(self, obj: Object, ctx: Context) -> Outcome:
        """Give the Pod a worker, or end it; the worker goes on by itself."""
        if annotation(obj, DEPLOYMENT) is None:
            return Handled()
        uid = str(obj["metadata"]["uid"])
        worker = self._fleet.get(uid)
        if obj["metadata"].get("deletionTimestamp"):
            if worker is None or not worker.stopping:
                self._end(obj, worker)
            return Handled()
        if worker is None:
            await self._begin(obj, ctx)
        return Handled()

    async def _begin(self, pod: Object, ctx: Context) -> None:
        try:
            spec = read_pod(pod["spec"])
        except InvalidInput as error:
            state = PodState(Waiting("CreateContainerConfigError", error.explain()))
            now = rfc3339(ctx.clock.now())
            await ctx.store.patch_status(key_of(pod), pod_status(pod, state, now), manager=MANAGER)
            return
        uid = str(pod["metadata"]["uid"])
        reporter = self._reporters[uid] = _Reporter(self._machine, pod)
        worker = PodWorker(self._machine, pod, spec, lambda worker: self._on_change(worker, reporter))
        self._fleet.add(worker)
        reporter.report(worker.state)

    def _on_change(self, worker: PodWorker, reporter: _Reporter) -> None:
        self._fleet.tell()
        reporter.report(worker.state)

    def _end(self, pod: Object, worker: PodWorker | None) -> None:
        task = asyncio.create_task(self._finish(pod, worker))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _finish(self, pod: Object, worker: PodWorker | None) -> None:
        """Stop the worker, remove what the pod had on disk, and let the object go."""
        uid = str(pod["metadata"]["uid"])
        if worker is not None:
            await worker.stop()
            self._fleet.remove(uid)
        if (reporter := self._reporters.pop(uid, None)) is not None:
            await reporter.close()
        await asyncio.to_thread(remove, self._machine.pod_folder(uid))
        await asyncio.to_thread(self._machine.logs.remove, pod)
        others = [name for name in pod["metadata"].get("finalizers") or [] if name != FINALIZER]
        with contextlib.suppress(NotFound, Conflict):
            await self._let_go(pod, {"metadata": {"uid": uid, "finalizers": others}})

    async def _let_go(self, pod: Object, patch: Object) -> None:
        """Take our finalizer away, and try until the store takes it."""
        while True:
            try:
                await self._machine.store.patch(key_of(pod), patch, manager=MANAGER)
            except Unavailable as error:
                _log.warning("%s is gone, and the store can't be told: %s", key_of(pod), error)
                await self._machine.clock.sleep(STORE_RETRY)
            else:
                return

    async def sweep(self) -> None:
        """End workers whose Pod is gone without notice; remove folders and layers that nobody needs."""
        stored = {str(pod["metadata"]["uid"]) for pod in (await self._machine.store.list("", "Pod")).items}
        for worker in self._fleet:
            if worker.uid not in stored and not worker.stopping:
                self._end(worker.pod, worker)
        live = {worker.uid for worker in self._fleet}
        await asyncio.to_thread(_remove_orphans, self._machine, stored | live)
        in_use = {name for worker in self._fleet for name in worker.layers}
        # A worker that is still pulling names no layers yet: then nothing is swept.
        if all(worker.layers for worker in self._fleet):
            await self._machine.images.sweep(in_use)

    async def close(self) -> None:
        """End all workers in order, within CLOSE_LIMIT; their Pods stay, and run again at the next start."""
        ending = [asyncio.create_task(worker.stop()) for worker in self._fleet]
        if ending or self._ending:
            await asyncio.wait([*ending, *self._ending], timeout=CLOSE_LIMIT)
        await asyncio.gather(*(worker.abandon() for worker in self._fleet))
        await asyncio.gather(*ending, *self._ending, return_exceptions=True)
        for reporter in self._reporters.values():
            await reporter.close()


def _remove_orphans(machine: Machine, kept: set[str]) -> None:
    folder = machine.root / "pods"
    for path in folder.iterdir() if folder.exists() else ():
        if path.name not in kept:
            remove(path)


class _Reporter:
    """Writes a Pod's status, one write at a time, and of several waiting states only the newest. What the store does
    not take is written later.
    """

    def __init__(self, machine: Machine, pod: Object):
        self._machine = machine
        self._key: ObjectKey = key_of(pod)
        self._uid = str(pod["metadata"]["uid"])
        self._next: PodState | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def report(self, state: PodState) -> None:
        """Have a state written."""
        self._next = state
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while (state := self._next) is not None:
            self._next = None
            try:
                pod = await self._machine.store.get(self._key)
                patch = pod_status(pod, state, rfc3339(self._machine.clock.now()))
                if changes(pod.get("status") or {}, patch):
                    await self._machine.store.patch_status(self._key, patch, manager=MANAGER, uid=self._uid)
            except (NotFound, Conflict):
                return
            except TidegateError as error:
                _log.warning("the status of %s can't be written: %s", self._key, error)
                if self._closing.is_set():
                    return
                self._next = self._next or state
                await self._pause()

    async def _pause(self) -> None:
        sleeping = asyncio.create_task(self._machine.clock.sleep(STORE_RETRY))
        closing = asyncio.create_task(self._closing.wait())
        await asyncio.wait((sleeping, closing), return_when=asyncio.FIRST_COMPLETED)
        sleeping.cancel()
        closing.cancel()

    async def close(self) -> None:
        """Wait for the last write."""
        self._closing.set()
        if self._task is not None:
            await self._task
