"""The containers of one job while it runs: its own, its services, and those of single steps. All end with it."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tidegate.base.errors import CommandFailed, Unavailable
from tidegate.base.frozen import frozen
from tidegate.base.sandbox import UserRange
from tidegate.kinds.reference import DEFAULT_REGISTRY
from tidegate.oci.auth import Endpoint
from tidegate.oci.credentials import Login
from tidegate.runner.containers import forwarder, network, podman
from tidegate.runner.containers.engine import Podman
from tidegate.runner.containers.externals import externals
from tidegate.runner.containers.options import Health, health_of
from tidegate.runner.containers.podman import Image, Mount
from tidegate.runner.containers.wanted import Wanted
from tidegate.runner.place import Lines, Place, Program, Running, Start, interpreter
from tidegate.runner.workbench import SYSTEM_FALLBACK, Inside, Workbench

START_TIMEOUT = 300.0
FORWARDER_TIMEOUT = 30.0
LOG_LINES = 500
PEEK = 1.0
"""Seconds between looks at a service's health that do not count where it is not healthy yet."""


@dataclass(slots=True)
class _Container:
    """A container that runs: its name, image, the place in which its programs are started, what it wrote."""

    name: str
    wanted: Wanted | None
    image: Image
    place: Place
    program: Running | None = None
    written: list[str] = field(default_factory=list)


@frozen
class Ground:
    """What the containers of a job stand on: the job's own place, whose network they share, its users, the folder for
    what they find at start, where registries are asked, and the bytes of memory and the processes of each.
    """

    place: Place
    users: UserRange
    folder: Path
    sources: Mapping[str, Endpoint]
    memory: int
    pids: int


class ContainerRoom:
    """Runs containers for the job of a workbench. `aclose` removes all of them."""

    def __init__(self, engine: Podman, bench: Workbench, ground: Ground):
        self._podman = engine
        self._bench = bench
        self._ground = ground
        self._label = f"{ground.folder.name}-{secrets.token_hex(4)}"
        self._hosts: list[tuple[str, str]] = []
        self._services: list[_Container] = []
        self._own: _Container | None = None
        self._volumes: dict[str, str] = {}
        self._forwarder: Running | None = None

    async def open(self, own: Wanted | None, services: Sequence[Wanted]) -> dict[str, Any]:
        """Start the services, wait until they are healthy, then start the job's own container; what the context `job`
        tells of them. Raises what keeps one from running.
        """
        await self._podman.ready()
        ports = network.ports_of(services)
        if services:
            await self._podman.network(self._ground.place.pid, network.bridge_lines())
        for place, one in enumerate(services):
            self._hosts += [(name, network.address(place)) for name in (one.name, *one.options.names)]
        for place, one in enumerate(services):
            await self._service(place, one)
        await asyncio.gather(*(self._healthy(one) for one in self._services))
        if own is None:
            await self._forward(services, ports)
        else:
            await self._open_own(own)
        return self._context(ports)

    async def aclose(self) -> None:
        """Remove everything, and show what the services wrote."""
        for one in self._services:
            await self._show_log(one)
        if self._own is not None:
            self._bench.inside = None
        every = [*self._services, *([self._own] if self._own else [])]
        if self._forwarder is not None:
            self._forwarder = None  # it ends with the job's place
        await asyncio.gather(*(one.place.close() for one in every))
        if every or self._volumes:
            await self._podman.remove([one.name for one in every], list(self._volumes.values()))

    async def run_image(
        self,
        image: Image,
        program: Program,
        mounts: Sequence[Mount],
        lines: Lines,
    ) -> int:
        """Run one program in a fresh container of an image, which shares the job's network; its exit code."""
        name = f"{self._label}-step-{secrets.token_hex(4)}"
        start = self._start(name, image, self._shared_network, mounts, None)
        place = await self._place(start)
        try:
            running = await place.start(program, lines)
            try:
                return await running.wait()
            except asyncio.CancelledError:
                if not self._bench.abandoned:
                    await running.stop()
                raise
        finally:
            await place.close()
            await self._podman.remove([name])

    async def image(self, wanted: Wanted) -> Image:
        """An image from its registry, with the login that is given, or the job's own for that registry."""
        await self._podman.ready()
        reference = wanted.image
        login = wanted.login or self._login(reference.repository.registry)
        if wanted.login is not None:
            self._bench.masker.add(wanted.login.password)
        await self._bench.say(f"Pulling {reference}")
        return await self._podman.pull(reference, self._ground.sources, login, wanted.where)

    async def built(self, layout: Path) -> Image:
        """An image that was built here."""
        await self._podman.ready()
        return await self._podman.take(layout)

    def _login(self, host: str) -> Login | None:
        names = (host, "docker.io") if host == DEFAULT_REGISTRY else (host,)
        return next((self._bench.state.logins[name] for name in names if name in self._bench.state.logins), None)

    @property
    def _shared_network(self) -> str:
        return f"ns:/proc/{self._ground.place.pid}/ns/net"

    async def _service(self, place: int, wanted: Wanted) -> None:
        image = await self.image(wanted)
        name = f"{self._label}-{wanted.name}"
        start = self._start(name, image, "none", (), wanted)
        one = _Container(name, wanted, image, await self._place(start))
        self._services.append(one)
        pid = await self._podman.pid(name)
        await self._podman.network(self._ground.place.pid, network.job_end_lines(place, pid))
        await self._podman.network(pid, network.service_end_lines(place))

        async def keep(lines: Sequence[str]) -> None:
            one.written += lines
            del one.written[:-LOG_LINES]

        entrypoint = (wanted.options.entrypoint,) if wanted.options.entrypoint else image.entrypoint
        argv = (*entrypoint, *image.command) if not wanted.options.entrypoint else entrypoint
        if not argv:
            raise Unavailable(f"the image {wanted.image} says no program to run", where=wanted.where)
        one.program = await one.place.start(self._program(one, tuple(argv)), keep)

    def _program(self, one: _Container, argv: tuple[str, ...]) -> Program:
        wanted = one.wanted
        assert wanted is not None
        user = wanted.options.user or one.image.user
        home = "/root" if user.partition(":")[0] in ("", "0", "root") else "/"
        env = {"PATH": SYSTEM_FALLBACK, "HOME": home, "HOSTNAME": wanted.name, **one.image.env, **wanted.env}
        return Program(argv, env, wanted.options.workdir or one.image.workdir)

    async def _healthy(self, one: _Container) -> None:
        assert one.wanted is not None
        health = health_of(one.wanted.options, one.image.health, one.wanted.where)
        if health is None:
            return
        await self._bench.say(f"Waiting for the service {one.wanted.name} to be healthy")
        reason = await self._unhealthy(one, health)
        if reason:
            raise Unavailable(
                f"the service {one.wanted.name} is not healthy: {reason}",
                where=one.wanted.where,
                remedy="see what it wrote, above, and its --health-cmd",
            )

    async def _unhealthy(self, one: _Container, health: Health) -> str:
        """Why a service is not healthy, after as many tries as it has; empty once it is."""
        assert one.program is not None
        ended = asyncio.create_task(one.program.wait())
        loop = asyncio.get_running_loop()
        began, failed = loop.time(), 0
        counted = began + health.interval
        try:
            while True:
                reason = await self._ask(one, health)
                if not reason:
                    return ""
                now = loop.time()
                if now >= counted:
                    counted = now + health.interval
                    failed += 1 if now - began >= health.start_period else 0
                    if failed >= health.retries:
                        return reason
                pause = min(PEEK, max(counted - now, 0.01))
                done, _ = await asyncio.wait([ended], timeout=pause)
                if done:
                    return f"it ended with {ended.result()}"
        finally:
            ended.cancel()

    async def _ask(self, one: _Container, health: Health) -> str:
        written: list[str] = []

        async def keep(lines: Sequence[str]) -> None:
            written.extend(lines)
            del written[:-3]

        try:
            running = await one.place.start(self._program(one, health.command), keep)
            try:
                async with asyncio.timeout(health.timeout):
                    code = await running.wait()
            except TimeoutError:
                await running.stop()
                return f"its check took longer than {health.timeout:g} s"
        except Unavailable:
            return "it has ended"
        return "" if code == 0 else f"its check ended with {code}: {' '.join(written).strip()}".rstrip(": ")

    async def _open_own(self, own: Wanted) -> None:
        image = await self.image(own)
        name = f"{self._label}-job"
        layout = self._bench.layout
        mounts = [Mount(layout.outside / part, target) for part, target in layout.mounts]
        place = await self._place(self._start(name, image, self._shared_network, mounts, own))
        self._own = _Container(name, own, image, place)
        self._bench.inside = Inside(place, {"PATH": SYSTEM_FALLBACK, **image.env, **own.env})

    async def _forward(self, services: Sequence[Wanted], ports: Mapping[str, Mapping[Any, int]]) -> None:
        """Bring the services' ports to the job's localhost."""
        found = network.forwards(services, ports)
        if not found:
            return
        await self._podman.low_ports(self._ground.place.pid)
        ready = asyncio.Event()
        written: list[str] = []

        async def hear(lines: Sequence[str]) -> None:
            written.extend(lines[:5])
            if "ready" in lines:
                ready.set()

        said = json.dumps([[one.host, one.address, one.port, one.protocol] for one in found])
        script = await asyncio.to_thread(Path(forwarder.__file__).read_text)
        argv = (str(interpreter()), "-I", "-S", "-c", script, said)
        self._forwarder = await self._ground.place.start(
            Program(argv, self._bench.environment(), self._bench.layout.workspace), hear
        )
        waiting = [asyncio.create_task(ready.wait()), asyncio.create_task(self._forwarder.wait())]
        try:
            await asyncio.wait(waiting, timeout=FORWARDER_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        if not ready.is_set():
            raise Unavailable(f"the services' ports can't be brought to the job: {' '.join(written)[-300:]}")

    def _start(
        self, name: str, image: Image, shared: str, mounts: Sequence[Mount], wanted: Wanted | None
    ) -> podman.Start:
        folder = self._ground.folder
        names = [*self._hosts, *(wanted.options.hosts if wanted is not None else ())]
        own = wanted.name if wanted is not None and wanted.name else "runner"
        hosts = folder / f"hosts-{name}"
        hosts.write_text(network.hosts_text(own, names))
        files = [Mount(hosts, "/etc/hosts")]
        if (resolvers := folder.parent / "resolv.conf").exists():
            files.append(Mount(resolvers, "/etc/resolv.conf"))
        for path in [one.source for one in files]:
            path.chmod(0o644)
        return podman.Start(
            name=name,
            image=image.id,
            users=self._ground.users,
            network=shared,
            limits=replace(self._podman.limits, memory=self._ground.memory, pids=self._ground.pids),
            label=self._label,
            mounts=(*files, *mounts),
            volumes=tuple(self._volume(one.name, one.target, one.read_only) for one in wanted.volumes)
            if wanted is not None
            else (),
            wanted=wanted,
        )

    def _volume(self, name: str, target: str, read_only: bool) -> tuple[str, str, bool]:
        if name:
            self._volumes.setdefault(name, f"{self._label}-{name}")
        return (self._volumes[name] if name else ""), target, read_only

    async def _place(self, start: podman.Start) -> Place:
        what = await asyncio.to_thread(externals)
        owner = start.users.base
        python = str(interpreter())

        def make(descriptor: int, *_: int | None) -> Start:
            argv = podman.start_argv(start, what, descriptor, python)
            return Start(argv, self._podman.environment, owner, patience=START_TIMEOUT, detached=True)

        try:
            return await Place.open(make)
        except CommandFailed as error:
            await self._podman.remove([start.name])
            where = start.wanted.where if start.wanted is not None else None
            last = error.output.strip().splitlines()[-1:] or [error.message]
            raise Unavailable(f"the container can't be started: {last[0][-500:]}", where=where) from None

    def _context(self, ports: Mapping[str, Mapping[Any, int]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self._own is not None:
            found["container"] = {"id": self._own.name, "network": self._label}
        if self._services:
            found["services"] = {
                one.wanted.name: {
                    "id": one.name,
                    "network": self._label,
                    "ports": {str(port.container): str(host) for port, host in ports[one.wanted.name].items()},
                }
                for one in self._services
                if one.wanted is not None
            }
        return found

    async def _show_log(self, one: _Container) -> None:
        if one.wanted is not None and one.written:
            await self._bench.say(f"##[group]What the service {one.wanted.name} wrote", *one.written, "##[endgroup]")
