"""Several streams as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

T = TypeVar("T")


async def merged(*streams: AsyncIterator[T]) -> AsyncIterator[T]:
    """What the streams say, each thing as soon as it is said, until all of them end. An error of one ends all; closed
    early, it ends them too.
    """
    said: asyncio.Queue[tuple[T] | asyncio.Task[None]] = asyncio.Queue()

    async def listen(stream: AsyncIterator[T]) -> None:
        async for one in stream:
            said.put_nowait((one,))

    listeners = [asyncio.create_task(listen(stream)) for stream in streams]
    for listener in listeners:
        listener.add_done_callback(said.put_nowait)
    try:
        going_on = len(listeners)
        while going_on:
            heard = await said.get()
            if isinstance(heard, asyncio.Task):
                heard.result()
                going_on -= 1
            else:
                yield heard[0]
    finally:
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
