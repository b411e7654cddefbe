"""Work in a thread that lets go of what it was given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """As asyncio.to_thread, for arguments that are large: once the answer is there, the thread holds them no more.

    An executor's thread keeps its last arguments until it runs again, which on a busy machine is after whoever waited
    has gone on, and has made the next large thing.
    """
    given = [(args, kwargs)]
    del args, kwargs

    def run() -> T:
        positional, named = given.pop()
        return work(*positional, **named)

    return await asyncio.to_thread(run)
