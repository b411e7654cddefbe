"""Work that is cheaper done for many at once: whoever comes while it is being done is in the next group."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
W = TypeVar("W")
R = TypeVar("R")


class Groups(Generic[K, W, R]):
    """Does the work of one key in groups, one after the other, of at most `most`; a group of one begins at once.

    `do` answers for each work of a group, in order, with its result or its own error; what it raises is everybody's.
    """

    def __init__(self, do: Callable[[Sequence[W]], Awaitable[Sequence[R | Exception]]], *, most: int):
        self._do = do
        self._most = most
        self._waiting: dict[K, list[tuple[W, asyncio.Future[R]]]] = {}
        self._running: dict[K, asyncio.Task[None]] = {}

    async def add(self, key: K, work: W) -> R:
        """What comes of `work`, once its group is done. A caller that is cancelled ends it for itself alone; when
        nobody is left, the group ends too.
        """
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append((work, future))
        if key not in self._running:
            self._running[key] = asyncio.create_task(self._run(key))
        return await future

    async def _run(self, key: K) -> None:
        try:
            while waiting := [pair for pair in self._waiting.pop(key, []) if not pair[1].done()]:
                group, later = waiting[: self._most], waiting[self._most :]
                if later:
                    self._waiting[key] = later
                await self._serve(group)
        finally:
            del self._running[key]

    async def _serve(self, group: Sequence[tuple[W, asyncio.Future[R]]]) -> None:
        futures = [future for _, future in group]
        works = [work for work, _ in group]
        doing = asyncio.ensure_future(self._do(works))

        def left(_: asyncio.Future[R]) -> None:
            if all(future.done() for future in futures):
                doing.cancel()

        for future in futures:
            future.add_done_callback(left)
        try:
            await asyncio.wait({doing})
        except asyncio.CancelledError:
            doing.cancel()
            raise
        if doing.cancelled():
            return
        error = doing.exception()
        results: Sequence[R | BaseException] = doing.result() if error is None else [error] * len(group)
        for future, result in zip(futures, results, strict=True):
            if future.done():
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
