"""Runs one pod as a kubelet does: starts its container, asks it, starts it again when it ends, ends it in order."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path

from tidegate.base.errors import TidegateError
from tidegate.base.sandbox import CANNOT_EXECUTE, NOT_FOUND, SETUP_FAILED
from tidegate.base.steps import Step, reach
from tidegate.engine.clock import rfc3339
from tidegate.kinds.objects import Object
from tidegate.runtime import probing
from tidegate.runtime.container import Container
from tidegate.runtime.layers import remove
from tidegate.runtime.machine import Machine
from tidegate.runtime.podspec import Action, PodSpec, Probe, port_number
from tidegate.runtime.preparing import Prepared, prepare, pull
from tidegate.runtime.states import PodState, Running, Terminated, Waiting

CRASH_DELAYS = (0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""Seconds before a restart, as the kubelet's: the first at once, then doubling; a long run starts the row anew."""
LONG_RUN = 600.0
START_DELAYS = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""Seconds before another try where the image or a ConfigMap is missing."""
DRAIN_LIMIT = 5.0
"""Seconds that open connections get to end by themselves before the container is told to."""
_DRAIN_POLL = 0.05
_LAST_LINES = 5
_log = logging.getLogger("tidegate.kubelet")


class PodWorker:
    """One pod's life. `changed` is called after every change of `state`."""

    def __init__(self, machine: Machine, pod: Object, spec: PodSpec, changed: Callable[[PodWorker], None]):
        self.pod = pod
        self.spec = spec
        self.state = PodState(began=rfc3339(machine.clock.now()))
        self.stopping = False
        self._machine = machine
        self._changed = changed
        self._container: Container | None = None
        self._layers: frozenset[str] = frozenset()
        self._task = asyncio.create_task(self._run(), name=f"pod {pod['metadata']['name']}")
        self._ended: asyncio.Task[None] | None = None

    @property
    def uid(self) -> str:
        return str(self.pod["metadata"]["uid"])

    @property
    def layers(self) -> frozenset[str]:
        """The layer folders that it stands on."""
        return self._layers

    @property
    def backend(self) -> Container | None:
        """Where connections may go now."""
        return self._container if self.state.ready and not self.stopping else None

    def port(self, target: int | str) -> int | None:
        """The number of a Service's targetPort."""
        return port_number(self.spec.container.ports, target)

    # Its life

    async def _run(self) -> None:
        run = self._machine.logs.last_run(self.pod, self.spec.container.name) + 1
        crashes = failures = 0
        await asyncio.to_thread(_remove_runs, self._machine.pod_folder(self.uid))
        while not self.stopping:
            try:
                prepared = await self._prepare(run)
                container = await self._start(prepared, run)
            except (TidegateError, OSError) as error:
                delay = START_DELAYS[min(failures, len(START_DELAYS) - 1)]
                failures += 1
                await self._hold(_reason(error, failures, pulled=bool(self._layers)), _explain(error), delay)
                continue
            failures, began = 0, self._machine.clock.monotonic()
            await self._attend(container, prepared.folder)
            run += 1
            crashes = 0 if self._machine.clock.monotonic() - began > LONG_RUN else crashes
            await self._back_off(crashes)
            crashes += 1

    async def _back_off(self, crashes: int) -> None:
        delay = CRASH_DELAYS[min(crashes, len(CRASH_DELAYS) - 1)]
        if delay and not self.stopping:
            name = f"{self.spec.container.name} pod={self.pod['metadata']['name']}"
            await self._hold("CrashLoopBackOff", f"back-off {delay:g}s restarting failed container={name}", delay)

    async def _prepare(self, run: int) -> Prepared:
        self._set(restarts=run)
        self._layers = frozenset()
        began = self._machine.clock.monotonic()
        image = await pull(self._machine, self.pod, self.spec)
        took = self._machine.clock.monotonic() - began
        await self._tell("Normal", "Pulled", f'Image "{image.reference}" is ready after {took:.1f} s: {image.image_id}')
        self._layers = frozenset(image.layers)
        self._set(image_id=image.image_id)
        return await prepare(self._machine, self.pod, self.spec, image, run)

    async def _start(self, prepared: Prepared, run: int) -> Container:
        log = self._machine.logs.writer(self.pod, self.spec.container.name, run)
        try:
            container = await Container.start(
                prepared.spec, self._machine.capabilities, prepared.command, log, prepared.outside
            )
        except BaseException:
            log.close()
            raise
        reach(Step.REPLICA_STARTED)
        self._container = container
        self._set(current=Running(self._now()))
        await self._tell("Normal", "Started", f"Started container {self.spec.container.name}")
        return container

    async def _attend(self, container: Container, folder: Path) -> None:
        """Watch a container until it has ended, and note how."""
        probes = asyncio.create_task(self._probe(container))
        try:
            code = await container.wait()
        finally:
            probes.cancel()
            await container.kill()
            self._container = None
            await asyncio.gather(probes, return_exceptions=True)
            await asyncio.to_thread(remove, folder)
        started = self.state.current.started if isinstance(self.state.current, Running) else self._now()
        ended = Terminated(code, _ending(code), started, self._now(), self._last_words(code))
        self._set(current=ended, last=ended, ready=False)

    def _last_words(self, code: int) -> str:
        if code == 0:
            return ""
        return "\n".join(self._machine.logs.tail(self.pod, self.spec.container.name, _LAST_LINES))[-1024:]

    async def _hold(self, reason: str, message: str, delay: float) -> None:
        self._set(current=Waiting(reason, message))
        await self._tell("Warning", "BackOff" if reason == "CrashLoopBackOff" else "Failed", message)
        await self._machine.clock.sleep(delay)

    # Its probes

    async def _probe(self, container: Container) -> None:
        wanted, ports = self.spec.container, self.spec.container.ports
        sleep = self._machine.clock.sleep
        if wanted.startup is not None and not await self._has_started(wanted.startup, container):
            return
        ready = wanted.readiness or (Probe(Action("tcp", ports[0].number)) if ports else None)
        if ready is None:
            self._set(ready=True)
        async with asyncio.TaskGroup() as group:
            if ready is not None:
                group.create_task(
                    probing.watch(ready, container, ports, eager=True, sleep=sleep, changed=self._on_readiness)
                )
            if wanted.liveness is not None:
                dead = asyncio.Event()
                group.create_task(
                    probing.watch(
                        wanted.liveness,
                        container,
                        ports,
                        eager=False,
                        sleep=sleep,
                        changed=lambda good, why: None if good else dead.set(),
                    )
                )
                group.create_task(self._end_when(dead, container, "Liveness"))

    async def _has_started(self, probe: Probe, container: Container) -> bool:
        answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def on_startup(good: bool, _why: str) -> None:
            if not answered.done():
                answered.set_result(good)

        ports, sleep = self.spec.container.ports, self._machine.clock.sleep
        asking = asyncio.create_task(
            probing.watch(probe, container, ports, eager=True, sleep=sleep, changed=on_startup)
        )
        try:
            good = await answered
        finally:
            asking.cancel()
        if not good:
            failed = asyncio.Event()
            failed.set()
            await self._end_when(failed, container, "Startup")
        return good

    async def _end_when(self, dead: asyncio.Event, container: Container, which: str) -> None:
        await dead.wait()
        name = self.spec.container.name
        await self._tell("Warning", "Unhealthy", f"{which} probe failed")
        await self._tell("Normal", "Killing", f"Container {name} failed {which.lower()} probe, will be restarted")
        container.terminate()
        await self._machine.clock.sleep(self.spec.grace)
        await container.kill()

    def _on_readiness(self, good: bool, why: str) -> None:
        self._set(ready=good)
        if not good:
            _log.info("%s is not ready: %s", self.pod["metadata"]["name"], why)

    # Its end

    async def stop(self) -> None:
        """End it in order: no new connections, open ones end or wait, preStop, SIGTERM, after the grace SIGKILL."""
        if self._ended is None:
            self.stopping = True
            self._changed(self)
            self._ended = asyncio.create_task(self._stop())
        await asyncio.shield(self._ended)

    async def _stop(self) -> None:
        grace = self.spec.grace
        container = self._container
        if container is not None and grace:
            try:
                async with asyncio.timeout(grace):
                    await self._drain(container)
                    if self.spec.container.pre_stop is not None:
                        with contextlib.suppress(TidegateError):
                            ports = self.spec.container.ports
                            await probing.act(self.spec.container.pre_stop, container, ports, grace)
                    container.terminate()
                    await asyncio.wait({self._task})
            except TimeoutError:
                name = self.pod["metadata"]["name"]
                _log.info("%s did not end within its grace of %s s and is killed", name, grace)
        await self.abandon()
        reach(Step.REPLICA_STOPPED)

    async def _drain(self, container: Container) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(DRAIN_LIMIT, self.spec.grace / 2)):
                while container.connections:  # noqa: ASYNC110 - the count is the proxy's, which has no end to tell of
                    await asyncio.sleep(_DRAIN_POLL)

    async def abandon(self) -> None:
        """End it now, without notice."""
        self.stopping = True
        if self._container is not None:
            await self._container.kill()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._container is not None:
            await self._container.kill()
            self._container = None

    def _set(self, **changes: object) -> None:
        state = dataclasses.replace(self.state, **changes)  # type: ignore[arg-type]
        if state != self.state:
            self.state = state
            self._changed(self)

    async def _tell(self, kind: str, reason: str, message: str) -> None:
        tell = self._machine.events.normal if kind == "Normal" else self._machine.events.warning
        with contextlib.suppress(TidegateError):
            await tell(self.pod, reason, message)

    def _now(self) -> str:
        return rfc3339(self._machine.clock.now())


def _remove_runs(folder: Path) -> None:
    """What a killed server left of earlier runs."""
    for path in folder.glob("run-*"):
        remove(path)


def _ending(code: int) -> str:
    if code in (SETUP_FAILED, CANNOT_EXECUTE, NOT_FOUND):
        return "StartError"
    return "Completed" if code == 0 else "Error"


def _explain(error: Exception) -> str:
    return error.explain() if isinstance(error, TidegateError) else f"{type(error).__name__}: {error}"


def _reason(error: Exception, failures: int, *, pulled: bool) -> str:
    """A container's waiting reason, in Kubernetes' words."""
    code = error.code if isinstance(error, TidegateError) else ""
    if code in ("CreateContainerConfigError", "RunContainerError", "ErrImageNeverPull"):
        return code
    if pulled or isinstance(error, OSError):
        return "CreateContainerError"
    return "ErrImagePull" if failures == 1 else "ImagePullBackOff"
