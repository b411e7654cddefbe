"""The work queue of one controller: serial per object, parallel across objects, each key due at a time."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Hashable
from typing import Generic, TypeVar

from tidegate.engine.clock import Clock

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """Keys wait until they are due. A key that is being worked on is never handed out a second time; added meanwhile,
    it comes again once `done` is called for it.
    """

    def __init__(self, clock: Clock):
        self._clock = clock
        self._due: dict[K, float] = {}
        # What may be handed out, the soonest first; an entry that `_due` says otherwise of is out of date.
        self._soonest: list[tuple[float, int, K]] = []
        self._entries = itertools.count()
        self._busy: set[K] = set()
        self._changed = asyncio.Event()

    def add(self, key: K, delay: float = 0.0) -> None:
        """Make `key` due in `delay` seconds, or earlier where it already is."""
        due = self._clock.monotonic() + delay
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            if key not in self._busy:
                self._offer(key, due)

    def due(self) -> int:
        """How many keys are due now. May be called from another thread."""
        now = self._clock.monotonic()
        return sum(1 for due in list(self._due.values()) if due <= now)

    def forget(self, key: K) -> None:
        """Drop whatever is planned for `key`."""
        self._due.pop(key, None)

    def done(self, key: K) -> None:
        """Say that the work on `key` has ended."""
        self._busy.discard(key)
        if key in self._due:
            self._offer(key, self._due[key])

    async def get(self) -> K:
        """The next key that is due; waits for one. Call `done` with it afterwards."""
        while True:
            self._changed.clear()
            key, wait = self._next()
            if key is not None and wait <= 0:
                heapq.heappop(self._soonest)
                del self._due[key]
                self._busy.add(key)
                return key
            await self._until_changed(wait if key is not None else None)

    def _offer(self, key: K, due: float) -> None:
        """An entry more; whoever waits looks again only where it is the first of all."""
        entry = (due, next(self._entries), key)
        heapq.heappush(self._soonest, entry)
        if self._soonest[0] is entry:
            self._changed.set()

    def _next(self) -> tuple[K | None, float]:
        while self._soonest:
            due, _, key = self._soonest[0]
            if key not in self._busy and self._due.get(key) == due:
                return key, due - self._clock.monotonic()
            heapq.heappop(self._soonest)
        return None, 0.0

    async def _until_changed(self, seconds: float | None) -> None:
        if seconds is None:
            await self._changed.wait()
            return
        timer = asyncio.create_task(self._clock.sleep(seconds))
        timer.add_done_callback(self._wake)
        try:
            await self._changed.wait()
        finally:
            timer.remove_done_callback(self._wake)
            timer.cancel()

    def _wake(self, _: object) -> None:
        self._changed.set()
