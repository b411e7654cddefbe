"""Whoever may not act any more sends nothing, even where it found out while its request waited for a connection."""

import asyncio

import pytest

from tidegate.engine.leader import LeadershipLost
from tidegate.kube.access import plain
from tidegate.kube.client import KubeClient
from tidegate.kube.pacing import Limits

pytestmark = pytest.mark.integration


class Guard:
    """Lets as many questions pass as it is told."""

    def __init__(self, passes):
        self.passes = passes

    def __call__(self):
        if self.passes == 0:
            raise LeadershipLost("another leads")
        self.passes -= 1


@pytest.fixture
async def server():
    """A port that keeps what is sent to it; the answer to anything is an empty object."""
    received = bytearray()

    async def serve(reader, writer):
        while data := await reader.read(65536):
            received.extend(data)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield listener.sockets[0].getsockname()[1], received
    listener.close()


@pytest.mark.parametrize("passes", [0, 1])
async def test_not_a_byte_of_a_write_is_sent_without_leave(server, passes):
    port, received = server
    async with client(port, Guard(passes)) as kube:
        with pytest.raises(LeadershipLost):
            await kube.merge("/api/v1/namespaces/web/configmaps/a", {"data": {}})
    assert received == b""


async def test_with_leave_it_is_sent_and_reading_needs_none(server):
    port, received = server
    async with client(port, Guard(2)) as kube:
        await kube.merge("/api/v1/namespaces/web/configmaps/a", {"data": {}})
        await kube.get("/api/v1/namespaces/web/configmaps/a")
    assert received.startswith(b"PATCH /api/v1/namespaces/web/configmaps/a")
    assert b"GET /api/v1/namespaces/web/configmaps/a" in received


def client(port, guard):
    return KubeClient(plain(f"http://127.0.0.1:{port}", None), guard=guard, limits=Limits(attempts=1))
