"""A job's place beside everything else that the server has open."""

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from tidegate.base import process, sandbox
from tidegate.base.errors import MissingTool, Unavailable
from tidegate.base.sandbox import Sandbox
from tidegate.base.sandbox_probe import probe
from tidegate.network.gate import Link
from tidegate.runner.place import AGENT, Place, Start, agent_argv, interpreter

pytestmark = pytest.mark.integration


def on_the_host(descriptor: int, gate: int | None = None) -> Start:
    argv = agent_argv(descriptor=descriptor, agent=str(AGENT), interpreter=str(interpreter()), on_host=True)
    return Start(argv, process.minimal_environment(), os.geteuid(), on_host=True)


async def heard(pipe: tuple[int, int], word: bytes) -> bytes:
    """What comes out of a pipe into which `word` goes."""
    reader, loop = asyncio.StreamReader(), asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe[0], "rb", buffering=0)
    )
    with os.fdopen(pipe[1], "wb") as writer:
        writer.write(word)
    try:
        return await asyncio.wait_for(reader.read(), timeout=10)
    finally:
        transport.close()


async def test_what_is_opened_while_a_place_closes_is_heard_to_its_end():
    """A descriptor's number is given to the next file: the loop must have let go of it by then."""
    place = await Place.open(on_the_host)
    closing = asyncio.create_task(place.close())
    await asyncio.sleep(0)
    pipes = [os.pipe() for _ in range(8)]
    words = [b"word %d" % number for number in range(8)]
    assert await asyncio.gather(*map(heard, pipes, words)) == words
    await closing


def descriptors() -> set[str]:
    """The sockets that this process has open, by the kernel's names."""
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(str(path.readlink()))
    return {target for target in found if target.startswith("socket:")}


async def test_a_place_that_can_not_be_described_leaves_nothing_open():
    before = descriptors()

    def fails(_descriptor: int, _gate: int | None) -> Start:
        raise MissingTool("no sandbox on this machine")

    with pytest.raises(MissingTool):
        await Place.open(fails)
    assert descriptors() == before


async def test_a_close_that_is_cancelled_lets_go_of_everything():
    before = descriptors()
    place = await Place.open(on_the_host)
    assert descriptors() > before
    closing = asyncio.create_task(place.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert descriptors() == before
    await place.close()  # as whoever was cancelled may do once more


class NoNetwork:
    """A machine that has no more links."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def link(self, pid: int) -> Link:
        self.asked.append(pid)
        raise Unavailable("no link is left")


async def test_a_place_without_the_network_that_it_needs_does_not_begin():
    """Nothing of the job has run, and its processes have ended."""
    capabilities = await probe()
    network, before = NoNetwork(), descriptors()

    def start(descriptor: int, gate: int | None) -> Start:
        spec = Sandbox(gate=gate)
        argv = sandbox.argv(spec, capabilities, ["sh", "-c", f"echo begun >&{descriptor}"])
        return Start(argv, sandbox.environment(spec, capabilities), sandbox.host_uid(spec, capabilities))

    with pytest.raises(Unavailable, match="no link is left"):
        await Place.open(start, network)
    (pid,) = network.asked
    assert not Path(f"/proc/{pid}").exists()
    assert descriptors() == before
