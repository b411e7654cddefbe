"""Work that many ask for at the same moment, done once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Shared(Generic[K, T]):
    """Calls with one key run one after the other. Whoever calls while one is under way shares the next one with all who
    do: it begins after their calls, so nobody gets an answer that is older than the question.
    """

    def __init__(self) -> None:
        self._running: dict[K, asyncio.Task[T]] = {}
        self._next: dict[K, asyncio.Task[T]] = {}

    async def call(self, key: K, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` answers, or raises, for this key. A caller that is cancelled does not end it for the others."""
        task = self._next.get(key)
        if task is None:
            before = self._running.get(key)
            task = asyncio.create_task(self._turn(key, before, work))
            if before is None:
                self._running[key] = task
            else:
                self._next[key] = task
        return await asyncio.shield(task)

    async def _turn(self, key: K, before: asyncio.Task[T] | None, work: Callable[[], Awaitable[T]]) -> T:
        if before is not None:
            await asyncio.wait({before})
            self._running[key] = self._next.pop(key)
        try:
            return await work()
        finally:
            if key not in self._next:
                del self._running[key]
