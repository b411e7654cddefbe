"""A live view of stored objects of some kinds, and waiting until they say something."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self, TypeVar

from tidegate.base.errors import Conflict, TidegateError, Unavailable
from tidegate.engine.ports import Listing, WatchEvent
from tidegate.kinds.objects import Object, ObjectKey, key_of

T = TypeVar("T")
RETRY, ABSENT_RETRY = 0.5, 10.0
CHECK_EVERY = 1.0
START_TIMEOUT = 30.0
Objects = Mapping[str, Sequence[Object]]


class Reader(Protocol):
    """The reading half of the Store port."""

    async def list(self, group: str, kind: str) -> Listing: ...

    def watch(self, group: str, kind: str, *, since: str | None = None) -> AsyncIterator[WatchEvent]: ...


class View:
    """Use as an async context manager: inside, `objects` is what the watches last said. `check` is called while
    waiting and may raise, where waiting has become useless.
    """

    def __init__(self, reader: Reader, kinds: Sequence[tuple[str, str]], check: Callable[[], None] = lambda: None):
        self._reader = reader
        self._kinds = kinds
        self._check = check
        self._found: dict[str, dict[ObjectKey, Object]] = {kind: {} for _, kind in kinds}
        self._listed: set[str] = set()
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._follow(group, kind)) for group, kind in self._kinds]
        try:
            await self.until(lambda _: len(self._listed) == len(self._found) or None, timeout=START_TIMEOUT)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def objects(self) -> Objects:
        """All objects of the followed kinds, by kind."""
        return {kind: list(found.values()) for kind, found in self._found.items()}

    async def until(self, find: Callable[[Objects], T | None], *, timeout: float) -> T:
        """Wait until `find` finds something in the objects, and return it; TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            while True:
                self._changed.clear()
                if (found := find(self.objects)) is not None:
                    return found
                self._check()
                try:
                    async with asyncio.timeout(CHECK_EVERY):
                        await self._changed.wait()
                except TimeoutError:
                    continue

    async def _follow(self, group: str, kind: str) -> None:
        """Until the end of the view: also a kind that is not there, or may not be read, may come to be."""
        while True:
            try:
                await self._watch(group, kind, self._found[kind])
            except Conflict:
                continue  # the position is no longer kept: list again
            except Unavailable:
                await asyncio.sleep(RETRY)
            except TidegateError:
                await asyncio.sleep(ABSENT_RETRY)

    async def _watch(self, group: str, kind: str, found: dict[ObjectKey, Object]) -> None:
        listing = await self._reader.list(group, kind)
        found.clear()
        found.update((key_of(item), item) for item in listing.items)
        self._listed.add(kind)
        self._changed.set()
        async for event in self._reader.watch(group, kind, since=listing.resource_version):
            if event.type == "DELETED":
                found.pop(key_of(event.object), None)
            else:
                found[key_of(event.object)] = event.object
            self._changed.set()
