"""The way in: a TCP port on loopback whose connections go to a ready pod; one made while none is ready waits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Mapping

from tidegate.base.errors import Unavailable
from tidegate.base.frozen import frozen
from tidegate.runtime.container import Container
from tidegate.runtime.fleet import Fleet

ADDRESS = "127.0.0.1"
BACKLOG = 512
CONNECTIONS = 512
"""Connections of one port at once; more wait in the kernel's queue."""
WAIT = 30.0
"""Seconds that a connection waits for a ready pod."""
WAIT_FOR_NONE = 5.0
"""… where there is not even a pod that could become ready."""
_RETRY = 0.05
_PIECE = 64 * 1024
_log = logging.getLogger("tidegate.proxy")


@frozen
class Target:
    """Where a port's connections go: pods by namespace and labels, and their port by number or name."""

    namespace: str
    selector: Mapping[str, str]
    port: int | str


class Proxy:
    """One listening port."""

    def __init__(self, listener: socket.socket, fleet: Fleet, target: Target):
        self.target = target
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        self._fleet = fleet
        self._turn = 0
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.create_task(self._accept(), name=f"port {self.port}")

    @classmethod
    def listen(cls, port: int, fleet: Fleet, target: Target) -> Proxy:
        """Open a port on loopback, 0 for any. OSError where it is taken."""
        listener = socket.create_server((ADDRESS, port), backlog=BACKLOG)
        listener.setblocking(False)
        return cls(listener, fleet, target)

    async def close(self) -> None:
        """Close the port and its connections."""
        for task in (self._accepting, *self._tasks):
            task.cancel()
        await asyncio.gather(self._accepting, *self._tasks, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._places.acquire()
            try:
                client, _ = await loop.sock_accept(self._listener)
            except OSError as error:  # too many open files, or the client is gone already
                self._places.release()
                _log.warning("port %s: %s", self.port, error)
                await asyncio.sleep(_RETRY)
                continue
            task = asyncio.create_task(self._serve(client))
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._places.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("port %s: %s", self.port, error, exc_info=error)

    async def _serve(self, client: socket.socket) -> None:
        with client:
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                container, server = await self._connect()
            except Unavailable as error:
                _log.warning("port %s: a connection was given up: %s", self.port, error)
                return
            container.connections += 1
            try:
                with server:
                    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    await _join(client, server)
            finally:
                container.connections -= 1

    async def _connect(self) -> tuple[Container, socket.socket]:
        """A connection to the pod whose turn it is. Nothing was read from the client yet, so another may be tried."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            pods = self._fleet.selected(self.target.namespace, self.target.selector)
            ready = [(worker, worker.backend) for worker in pods if worker.backend is not None]
            self._turn += 1
            for at in range(len(ready)):
                worker, container = ready[(self._turn + at) % len(ready)]
                port = worker.port(self.target.port)
                if port is None or container is None:
                    continue
                with contextlib.suppress(Unavailable):
                    return container, await container.dial(port)
            left = began + (WAIT if pods else WAIT_FOR_NONE) - loop.time()
            if left <= 0:
                raise Unavailable("no pod is ready" if pods else "no pod is selected")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RETRY if ready else left):
                    await self._fleet.change()


async def _join(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until both sides have said all; when one breaks, both end."""
    tasks = [asyncio.create_task(_carry(one, other)), asyncio.create_task(_carry(other, one))]
    try:
        await asyncio.gather(*tasks)
    except OSError:
        return
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _carry(source: socket.socket, target: socket.socket) -> None:
    """One way: a piece is read only once the one before is sent, so nothing piles up."""
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, _PIECE):
        await loop.sock_sendall(target, data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
