"""Puts the parts of this room together: what the app makes, runs and closes."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Self

from tidegate.base import process
from tidegate.base.errors import Conflict, TidegateError
from tidegate.base.sandbox import NOT_FOUND, Capabilities, OverlayRoot, Sandbox, argv, environment
from tidegate.base.sandbox_probe import probe
from tidegate.engine.clock import Clock
from tidegate.engine.events import EventRecorder
from tidegate.engine.outcome import Controller
from tidegate.engine.ports import Applied, Store
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.network.outside import Outside
from tidegate.runtime import supported
from tidegate.runtime.deployments import DeploymentController
from tidegate.runtime.fleet import Fleet
from tidegate.runtime.images import ImageStore, Registry
from tidegate.runtime.layers import remove
from tidegate.runtime.logs import PodLogs
from tidegate.runtime.machine import Machine, RegistryFor, owners
from tidegate.runtime.pods import MANAGER, PodController
from tidegate.runtime.services import ServiceController

SWEEP_INTERVAL = 300.0
FOLLOW_DELAY = 1.0
_log = logging.getLogger("tidegate.runtime")


class LocalRuntime:
    """Workloads of this machine. Make it with `open`, give its `controllers` to the manager, `run` it beside, `close`
    it at the end.
    """

    def __init__(self, machine: Machine):
        self._machine = machine
        self._fleet = Fleet()
        self._pods = PodController(machine, self._fleet)
        self._services = ServiceController(self._fleet)
        self._deployments = DeploymentController(machine.capabilities, self._fleet, machine.outside)

    @classmethod
    async def open(
        cls,
        root: Path,
        store: Store,
        clock: Clock,
        registry: Registry,
        *,
        registry_for: RegistryFor | None = None,
        host_roots: tuple[Path, ...] = (),
        capabilities: Capabilities | None = None,
        outside: Outside | None = None,
    ) -> Self:
        """Everything lies below the folder `root`. `host_roots` are where hostPath volumes may lead; `registry_for`
        gives a client with the credentials of imagePullSecrets; without `outside` no workload reaches anything outside
        of its namespaces. Never raises for what the machine lacks: the
        Deployments' conditions say it.
        """
        root.mkdir(parents=True, exist_ok=True)
        capabilities = capabilities or await probe()
        machine = Machine(
            root=root.resolve(),
            store=store,
            clock=clock,
            events=EventRecorder(store, clock, MANAGER),
            capabilities=capabilities,
            images=ImageStore(root.resolve(), owners(capabilities)),
            registry=registry,
            registry_for=registry_for,
            logs=PodLogs(root.resolve() / "logs"),
            host_roots=host_roots,
            overlay=await can_stack(root.resolve(), capabilities),
            outside=outside,
        )
        return cls(machine)

    @property
    def controllers(self) -> tuple[Controller, ...]:
        """For the manager."""
        return (self._deployments, self._pods, self._services)

    @property
    def logs(self) -> PodLogs:
        """The logs of the pods."""
        return self._machine.logs

    @property
    def capabilities(self) -> Capabilities:
        """What this machine allows."""
        return self._machine.capabilities

    async def run(self) -> None:
        """Close the ports of deleted Services, and sweep, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_services())
            group.create_task(self._sweep())

    async def _follow_services(self) -> None:
        store = self._machine.store
        while True:
            try:
                listing = await store.list("", "Service")
                await self._services.sweep({key_of(service) for service in listing.items})
                async for event in store.watch("", "Service", since=listing.resource_version):
                    if event.type == "DELETED":
                        await self._services.forget(key_of(event.object))
            except Conflict:
                continue
            except (TidegateError, OSError) as error:
                _log.warning("the Services are looked at again in %g s: %s", FOLLOW_DELAY, error)
                await self._machine.clock.sleep(FOLLOW_DELAY)

    async def _sweep(self) -> None:
        while True:
            await self._machine.clock.sleep(SWEEP_INTERVAL)
            try:
                await self._pods.sweep()
            except (TidegateError, OSError) as error:
                _log.warning("sweeping failed: %s", error)

    async def close(self) -> None:
        """End all workloads in order; they run again at the next start."""
        await self._pods.close()
        await self._services.close()


async def can_stack(root: Path, capabilities: Capabilities) -> bool:
    """Whether overlayfs works below `root`: tried with empty layers and a command that isn't there."""
    if not capabilities.isolation:
        return False
    folder = root / ".overlay"
    for name in ("lower", "upper", "work", "root"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    spec = Sandbox(OverlayRoot(folder, ("lower",), "upper", "work", "root"), network="host", users=None)
    try:
        command, given = argv(spec, capabilities, ["/none"]), environment(spec, capabilities)
        done = await process.run(command, env=given, check=False, timeout=10)
    except TidegateError:
        return False
    finally:
        await asyncio.to_thread(remove, folder)
    return done.exit_code == NOT_FOUND


class LocalWorkloads:
    """The Workloads port of one machine: objects in the Store, run by the controllers of this room."""

    def __init__(self, store: Store):
        self._store = store

    async def apply(self, obj: Object, *, manager: str, force: bool = False, dry_run: bool = False) -> Applied:
        """Server-side apply of one object; what others have set otherwise is taken back. No field is fixed here, so
        nothing needs to be made anew for `force`.
        """
        return await self._store.apply(obj, manager=manager, force=True, dry_run=dry_run)

    async def get(self, key: ObjectKey) -> Object:
        """The live object with its status; NotFound."""
        return await self._store.get(key)

    async def pods(self, namespace: str) -> list[Object]:
        """The Pods of a namespace."""
        return [*(await self._store.list("", "Pod", namespace=namespace)).items]

    async def delete(self, key: ObjectKey) -> None:
        """Delete it; what it owns goes with it. NotFound."""
        await self._store.delete(key)

    def unsupported(self, obj: Object) -> str | None:
        """Why this machine keeps an object but can't run it."""
        return supported.unsupported(obj)
