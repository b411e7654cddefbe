"""Waiting for one of several things, without leaving a task behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any


async def unless(event: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Await `work`, unless the event is set before it is done: then it is cancelled. Whether it was done."""
    doing, waiting = asyncio.create_task(work), asyncio.create_task(event.wait())
    try:
        await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(waiting)
        if not doing.done():
            await end(doing)
    if doing.cancelled():
        return False
    doing.result()
    return True


@asynccontextmanager
async def either(events: Sequence[asyncio.Event]) -> AsyncIterator[asyncio.Event]:
    """An event that is set as soon as one of several is."""
    merged = asyncio.Event()

    async def pass_on(event: asyncio.Event) -> None:
        await event.wait()
        merged.set()

    if any(event.is_set() for event in events):
        merged.set()
    tasks = [asyncio.create_task(pass_on(event)) for event in events]
    try:
        yield merged
    finally:
        for task in tasks:
            await end(task)


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it has ended, whatever it raises then."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
