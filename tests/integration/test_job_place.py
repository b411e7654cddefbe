"""A job's place beside everything else that the server has open."""

import asyncio
import os

import pytest

from tidegate.base import process
from tidegate.runner.place import AGENT, Place, Start, agent_argv, interpreter

pytestmark = pytest.mark.integration


def on_the_host(descriptor: int) -> Start:
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
