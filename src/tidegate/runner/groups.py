"""Concurrency groups as GitHub has them: one at a time, one more may wait, and a newer one takes its place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tidegate.runner.waiting import unless


@dataclass(slots=True)
class _Member:
    """Who runs or waits; `cancelled` ends it, `begins` lets it run."""

    cancelled: asyncio.Event
    begins: asyncio.Event


@dataclass(slots=True)
class _Group:
    running: _Member | None = None
    pending: _Member | None = None


class Groups:
    """Groups by name; letter case does not matter."""

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}

    @asynccontextmanager
    async def one(
        self, name: str, cancelled: asyncio.Event, *, cancel_in_progress: bool = False
    ) -> AsyncIterator[bool]:
        """Wait for the group, then hold it; False where `cancelled` was set first, by others of the group too."""
        group = self._groups.setdefault(name.lower(), _Group())
        member = _Member(cancelled, asyncio.Event())
        if group.running is None:
            group.running = member
        else:
            if group.pending is not None:
                group.pending.cancelled.set()
            group.pending = member
            if cancel_in_progress:
                group.running.cancelled.set()
        try:
            began = group.running is member or await unless(cancelled, _set(member.begins))
            yield began
        finally:
            self._leave(name.lower(), group, member)

    def _leave(self, name: str, group: _Group, member: _Member) -> None:
        if group.pending is member:
            group.pending = None
        if group.running is member:
            group.running, group.pending = group.pending, None
            if group.running is not None:
                group.running.begins.set()
            else:
                self._groups.pop(name, None)


async def _set(event: asyncio.Event) -> None:
    await event.wait()
