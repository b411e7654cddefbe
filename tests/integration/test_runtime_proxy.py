"""The way in to a pod: bytes both ways, half-closed connections, pressure, waiting, bounds."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from tidegate.base.errors import Unavailable
from tidegate.runtime import proxy as proxies
from tidegate.runtime.fleet import Fleet
from tidegate.runtime.proxy import Proxy, Target

pytestmark = pytest.mark.integration


class Backend:
    """Plays a container: dialling connects to a server of the test."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections = 0
        self.refuse = 0
        self.dialled = 0

    async def dial(self, port: int) -> socket.socket:
        self.dialled += 1
        if self.refuse:
            self.refuse -= 1
            raise Unavailable("refused")
        connection = socket.socket()
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self.port))
        return connection


def worker(name: str, backend: Backend | None) -> Any:
    metadata = {"uid": name, "name": name, "namespace": "shop", "labels": {"app": "web"}}
    return SimpleNamespace(
        uid=name, pod={"metadata": metadata}, backend=backend, stopping=False, port=lambda target: 8000
    )


@pytest.fixture
async def server() -> AsyncIterator[Any]:
    """A server whose handler a test sets."""
    box = SimpleNamespace(handler=None)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await box.handler(reader, writer)
        writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    box.port = listening.sockets[0].getsockname()[1]
    yield box
    listening.close()
    await listening.wait_closed()


@pytest.fixture
async def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
async def proxy(fleet: Fleet) -> AsyncIterator[Proxy]:
    made = Proxy.listen(0, fleet, Target("shop", {"app": "web"}, "http"))
    yield made
    await made.close()


async def test_a_half_closed_connection_still_gets_its_answer(server: Any, fleet: Fleet, proxy: Proxy) -> None:
    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read()
        writer.write(f"{len(data)} bytes".encode())
        await writer.drain()

    server.handler = count
    backend = Backend(server.port)
    fleet.add(worker("a", backend))
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"x" * 3_000_000)
    writer.write_eof()
    assert await reader.read() == b"3000000 bytes"
    writer.close()
    await writer.wait_closed()
    for _ in range(100):
        if not backend.connections:
            break
        await asyncio.sleep(0.01)
    assert backend.connections == 0


async def test_a_slow_reader_slows_the_sender_and_nothing_piles_up(server: Any, fleet: Fleet, proxy: Proxy) -> None:
    sent = 0

    async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    server.handler = flood
    fleet.add(worker("a", Backend(server.port)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port, limit=65536)
    await reader.readexactly(10)
    stalled = -1
    while stalled != sent:
        stalled = sent
        await asyncio.sleep(0.2)
    assert sent < 32 * 1024 * 1024, "only what the kernel's buffers hold"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 * 1024
    writer.transport.abort()


async def test_a_refusal_is_tried_again_before_the_client_notices(server: Any, fleet: Fleet, proxy: Proxy) -> None:
    async def hello(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await writer.drain()

    server.handler = hello
    backend = Backend(server.port)
    backend.refuse = 3
    fleet.add(worker("a", backend))
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await reader.read() == b"hello"
    writer.close()


async def test_a_connection_waits_for_a_ready_pod(server: Any, fleet: Fleet, proxy: Proxy) -> None:
    async def hello(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await writer.drain()

    server.handler = hello
    starting = worker("a", None)
    fleet.add(starting)
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    reading = asyncio.create_task(reader.read())
    await asyncio.sleep(0.1)
    assert not reading.done()
    starting.backend = Backend(server.port)
    fleet.tell()
    assert await reading == b"hello"
    writer.close()


async def test_where_no_pod_is_there_it_gives_up(fleet: Fleet, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "WAIT_FOR_NONE", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_connections_are_bounded_and_the_rest_wait(
    server: Any, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxies, "CONNECTIONS", 2)

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(1))
        await writer.drain()

    server.handler = echo
    backend = Backend(server.port)
    fleet.add(worker("a", backend))
    proxy = Proxy.listen(0, fleet, Target("shop", {"app": "web"}, "http"))
    try:
        clients = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(5)]
        await asyncio.sleep(0.1)
        assert backend.connections == 2
        for reader, writer in clients:
            writer.write(b"x")
            assert await asyncio.wait_for(reader.read(), 5) == b"x"
            writer.close()
    finally:
        await proxy.close()


async def test_a_pod_that_is_ending_gets_no_new_connection(server: Any, fleet: Fleet, proxy: Proxy) -> None:
    async def hello(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await writer.drain()

    server.handler = hello
    old, new = Backend(server.port), Backend(server.port)
    ending = worker("a", old)
    fleet.add(ending)
    fleet.add(worker("b", new))
    ending.stopping = True
    for _ in range(4):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await reader.read() == b"hello"
        writer.close()
    assert (old.dialled, new.dialled) == (0, 4)
