"""How many jobs of a Runner run at once: whoever waits longest is next, by the order of the runs."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Group:
    limit: int
    taken: int = 0
    waiting: list[tuple[str, int, asyncio.Future[None]]] = field(default_factory=list)


class Places:
    """Places by Runner. `order` (a run's creation time) decides who comes first; equal ones in the order they asked."""

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}
        self._count = itertools.count()

    @asynccontextmanager
    async def one(self, group: str, limit: int, order: str) -> AsyncIterator[None]:
        """Hold a place of `group`, of which there are `limit` as far as was said last."""
        found = self._groups.setdefault(group, _Group(limit))
        found.limit = limit
        await self._take(found, order)
        try:
            yield
        finally:
            found.taken -= 1
            self._hand_out(found)
            if not found.taken and not found.waiting:
                self._groups.pop(group, None)

    async def _take(self, group: _Group, order: str) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(group.waiting, (order, next(self._count), place))
        self._hand_out(group)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                group.taken -= 1
            self._hand_out(group)
            raise

    def _hand_out(self, group: _Group) -> None:
        while group.waiting and group.taken < group.limit:
            _, _, place = heapq.heappop(group.waiting)
            if not place.done():
                group.taken += 1
                place.set_result(None)
