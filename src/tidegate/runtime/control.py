"""Speaks to the init of a sandbox: opens connections in its network, runs probes in it, passes signals on."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import json
import socket
from typing import Any

from tidegate.base.errors import Unavailable

_MESSAGE = 8192
AT_ONCE = 64
ANSWER_TIMEOUT = 5.0


class Control:
    """Our end of the pair; the other one is inherited by the init. Its loss ends the sandbox."""

    def __init__(self, end: socket.socket):
        self._end = end
        self._end.setblocking(False)
        self._ids = itertools.count()
        self._waiting: dict[int, asyncio.Future[tuple[dict[str, Any], list[int]]]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        asyncio.get_running_loop().add_reader(end.fileno(), self._readable)
        self._open = True

    async def dial(self, port: int) -> socket.socket:
        """A connection to a port on the sandbox's loopback. Raises Unavailable where nothing listens there."""
        answer, descriptors = await self._ask({"dial": port}, ANSWER_TIMEOUT)
        if not descriptors:
            raise Unavailable(f"port {port} does not answer: {answer.get('error', 'no connection was given')}")
        connection = socket.socket(fileno=descriptors[0])
        connection.setblocking(False)
        try:
            await _connected(connection, port)
        except BaseException:
            connection.close()
            raise
        return connection

    async def execute(self, command: tuple[str, ...], timeout: float) -> int:
        """Run a command beside the workload, as its user; its exit code (137 where it took too long)."""
        request = {"exec": list(command), "timeout": timeout}
        return int((await self._ask(request, timeout + ANSWER_TIMEOUT))[0]["exit"])

    def signal(self, number: int) -> None:
        """Send the workload a signal."""
        with contextlib.suppress(OSError):
            self._end.send(json.dumps({"signal": number}).encode())

    def close(self) -> None:
        """Let go; the sandbox's init ends with all that is in it."""
        if not self._open:
            return
        self._open = False
        asyncio.get_running_loop().remove_reader(self._end.fileno())
        self._end.close()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Unavailable("the workload has ended"))
        self._waiting.clear()

    async def _ask(self, request: dict[str, Any], timeout: float) -> tuple[dict[str, Any], list[int]]:
        async with self._places:
            if not self._open:
                raise Unavailable("the workload has ended")
            identity = next(self._ids)
            waiting = asyncio.get_running_loop().create_future()
            self._waiting[identity] = waiting
            try:
                self._end.send(json.dumps(request | {"id": identity}).encode())
                async with asyncio.timeout(timeout):
                    answer: tuple[dict[str, Any], list[int]] = await waiting
                    return answer
            except OSError as error:  # TimeoutError is one
                raise Unavailable(f"the workload's init does not answer: {error}") from None
            finally:
                self._waiting.pop(identity, None)

    def _readable(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._end, _MESSAGE, 4)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if not data:
            self.close()
            return
        answer = json.loads(data)
        waiting = self._waiting.get(answer.get("id"))
        if waiting is None or waiting.done():
            for descriptor in descriptors:
                socket.close(descriptor)
            return
        waiting.set_result((answer, list(descriptors)))


def _finish(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def _connected(connection: socket.socket, port: int) -> None:
    """Wait until a connection that was begun elsewhere stands."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_writer(connection.fileno(), _finish, ready)
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await ready
    except TimeoutError:
        raise Unavailable(f"port {port} does not answer") from None
    finally:
        loop.remove_writer(connection.fileno())
    number = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise Unavailable(f"port {port} does not answer: {errno.errorcode.get(number, number)}")
