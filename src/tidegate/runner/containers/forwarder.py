"""Runs in a job's place: what connects to a port of its localhost is led to a service. As the job's own user, with the
standard library only (`python -I -S`); the argument is a list of forwards as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any

CHUNK = 64 * 1024
CONNECT_TIMEOUT = 10.0
MOST_PEERS = 1000
LOCAL = ("127.0.0.1", "::1")


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes of one direction, until its end."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def leading_to(address: str, port: int) -> Any:
    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                there, back = await asyncio.open_connection(address, port)
        except (OSError, TimeoutError):
            writer.transport.abort()
            return
        try:
            await asyncio.gather(pump(reader, back), pump(there, writer))
        finally:
            for one in (writer, back):
                one.close()

    return lead


class Answers(asyncio.DatagramProtocol):
    """What a service sends back to one sender."""

    def __init__(self, listening: asyncio.DatagramTransport, sender: Any):
        self.listening, self.sender = listening, sender

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.listening.sendto(data, self.sender)


class Datagrams(asyncio.DatagramProtocol):
    """A port for datagrams: one socket for each sender."""

    def __init__(self, address: str, port: int):
        self.target = (address, port)
        self.peers: dict[Any, asyncio.DatagramTransport] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if addr in self.peers:
            self.peers[addr].sendto(data)
            return
        task = asyncio.get_running_loop().create_task(self.meet(addr, data))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def meet(self, sender: Any, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: Answers(self.transport, sender), remote_addr=self.target
        )
        while len(self.peers) >= MOST_PEERS:
            self.peers.pop(next(iter(self.peers))).close()
        self.peers[sender] = transport
        transport.sendto(data)


async def listen(host: int, address: str, port: int, protocol: str) -> None:
    loop = asyncio.get_running_loop()
    for place in LOCAL:
        try:
            if protocol == "udp":
                await loop.create_datagram_endpoint(lambda: Datagrams(address, port), local_addr=(place, host))
            else:
                await asyncio.start_server(leading_to(address, port), place, host)
        except OSError:
            if place == LOCAL[0]:
                raise


async def main() -> None:
    for one in json.loads(sys.argv[1]):
        await listen(*one)
    print("ready", flush=True)  # noqa: T201 - whoever started it waits for this line
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
