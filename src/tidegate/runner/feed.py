"""What runs say while they go on, for whoever listens in this process: a push that waits, a log that is followed.

It only repeats what is stored elsewhere (objects, log files) and keeps a bounded past, so nothing is lost with it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from tidegate.base.frozen import frozen
from tidegate.base.showing import showable, without_escapes

TEXT_LIMIT = 4096
K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
ENTRIES_KEPT = 300
RUNS_KEPT = 32
PUSHES_KEPT = 64
HANDLING_PATIENCE = 30.0


@frozen
class Progress:
    """One line about a run for people. `job` is its name where it is about one; `level` is info, warning or error."""

    run: str
    text: str
    job: str | None = None
    level: str = "info"


@frozen
class PushKey:
    """One ref that a push moved: `OWNER/NAME`, the full ref, the new commit."""

    repository: str
    ref: str
    commit: str


@dataclass(slots=True)
class _Topic:
    """A bounded past, and those who wait for more."""

    entries: deque[Progress] = field(default_factory=lambda: deque(maxlen=ENTRIES_KEPT))
    count: int = 0
    version: int = 0
    closed: bool = False
    ended: set[str] = field(default_factory=set)
    waiters: set[asyncio.Future[None]] = field(default_factory=set)

    def add(self, entry: Progress) -> None:
        # Jobs and commits have their say here, and a pusher's terminal would obey them.
        self.entries.append(replace(entry, text=showable(without_escapes(entry.text), TEXT_LIMIT)))
        self.count += 1
        self.wake()

    def close(self) -> None:
        self.closed = True
        self.wake()

    def wake(self) -> None:
        self.version += 1
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def changed(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self.waiters.add(waiter)
        try:
            await waiter
        finally:
            self.waiters.discard(waiter)

    async def follow(self) -> AsyncIterator[Progress]:
        seen = 0
        while True:
            missed = self.count - seen
            seen = self.count
            for entry in list(self.entries)[-missed:] if missed else ():
                yield entry
            if self.count == seen:
                if self.closed:
                    return
                await self.changed()


@dataclass(slots=True)
class _Push:
    topic: _Topic = field(default_factory=_Topic)
    runs: set[str] = field(default_factory=set)
    handled: bool = False
    begun: asyncio.Event = field(default_factory=asyncio.Event)


class RunFeed:
    """All runs' progress. Everything but the two iterators returns at once."""

    def __init__(self) -> None:
        self._runs: OrderedDict[str, _Topic] = OrderedDict()
        self._pushes: OrderedDict[PushKey, _Push] = OrderedDict()

    def open(self, run: str) -> None:
        """A run (or a further attempt of it) goes on from here."""
        topic = self._topic(run)
        topic.closed = False
        topic.ended.clear()

    def say(self, entry: Progress) -> None:
        """Add a line to a run and to the pushes that caused it."""
        self._topic(entry.run).add(entry)
        for push in self._pushes.values():
            if entry.run in push.runs:
                push.topic.add(entry)

    def grew(self, run: str, job: str, *, ended: bool = False) -> None:
        """A job's log is longer now, or complete."""
        topic = self._topic(run)
        if ended:
            topic.ended.add(job)
        else:
            topic.ended.discard(job)
        topic.wake()

    def close(self, run: str) -> None:
        """The run is over."""
        self._topic(run).close()
        for push in self._pushes.values():
            if run in push.runs:
                push.runs.discard(run)
                _close_if_over(push)

    def expect(self, key: PushKey, run: str) -> None:
        """The push causes this run, which is about to be created."""
        push = self._open_push(key)
        push.runs.add(run)
        push.begun.set()

    def handled(self, key: PushKey, notes: Iterable[str] = ()) -> None:
        """All runs of the push are created; `notes` are lines of its own, such as why nothing runs."""
        push = self._open_push(key)
        for note in notes:
            push.topic.add(Progress("", note))
        push.handled = True
        push.begun.set()
        _close_if_over(push)

    def put_off(self, key: PushKey, notes: Iterable[str]) -> None:
        """The runs of the push can't be created now, and nobody who pushed is to wait until they can. `notes` say why,
        as errors of no run.
        """
        push = self._open_push(key)
        for note in notes:
            push.topic.add(Progress("", note, level="error"))
        push.runs.clear()
        self.handled(key)

    def follow(self, run: str) -> AsyncIterator[Progress]:
        """What a run said, then what it says, until it is over. For a run that is not known it waits for its start."""
        return self._topic(run).follow()

    async def push(self, key: PushKey, *, patience: float = HANDLING_PATIENCE) -> AsyncIterator[Progress]:
        """What the runs of a push say, until all of them are over.

        Ends with a note where nobody has looked at the push after `patience` seconds: its Runner may be suspended.
        """
        push = self._push(key)
        if not push.handled and not push.runs:
            try:
                async with asyncio.timeout(patience):
                    await push.begun.wait()
            except TimeoutError:
                yield Progress("", f"the Runner of {key.repository} has not looked at this push yet")
                return
        async for entry in push.topic.follow():
            yield entry

    async def growth(self, run: str) -> AsyncIterator[bool]:
        """True each time anything of the run may have changed; ends with the run."""
        topic, seen = self._topic(run), -1
        while not topic.closed:
            if topic.version == seen:
                await topic.changed()
            seen = topic.version
            yield True

    async def growth_of(self, run: str, job: str) -> AsyncIterator[bool]:
        """True each time the log of one job may have grown; ends with the job, or the run."""
        topic, seen = self._topic(run), -1
        while not topic.closed and job not in topic.ended:
            if topic.version == seen:
                await topic.changed()
            seen = topic.version
            yield True

    def _topic(self, run: str) -> _Topic:
        if run not in self._runs:
            self._runs[run] = _Topic()
            _forget(self._runs, RUNS_KEPT, lambda topic: topic.closed and not topic.waiters)
        return self._runs[run]

    def _open_push(self, key: PushKey) -> _Push:
        """The push, begun anew where all of it is over: the ref has come back to that commit."""
        if key in self._pushes and self._pushes[key].topic.closed:
            del self._pushes[key]
        return self._push(key)

    def _push(self, key: PushKey) -> _Push:
        if key not in self._pushes:
            self._pushes[key] = _Push()
            _forget(self._pushes, PUSHES_KEPT, lambda push: push.topic.closed and not push.topic.waiters)
        return self._pushes[key]


def _close_if_over(push: _Push) -> None:
    if push.handled and not push.runs:
        push.topic.close()


def _forget(entries: OrderedDict[K, T], most: int, idle: Callable[[T], bool]) -> None:
    """Drop the oldest entries that nobody needs, beyond `most`."""
    for key in list(entries):
        if len(entries) <= most:
            return
        if idle(entries[key]):
            del entries[key]
