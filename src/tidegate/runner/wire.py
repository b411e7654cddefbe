"""What a job in a Pod tells, as numbered lines of JSON on its standard output, and back again.

A reader who lost the connection reads from the beginning and skips what it has had.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from tidegate.engine.ports import JobEvents

STRAY = "1"
"""The step that gets lines which are no events: what a program wrote past the runner."""


class WrittenEvents:
    """JobEvents that go out as lines. `cancel` is set by whoever wants the job to end."""

    def __init__(self, write: Callable[[str], None], cancel: asyncio.Event):
        self._write = write
        self._cancel = cancel
        self._count = 0

    async def log(self, step: str, line: str) -> None:
        """One line of a step's log."""
        self._tell("log", [step, line])

    async def step(self, step: Mapping[str, Any]) -> None:
        """A step began or ended."""
        self._tell("step", dict(step))

    async def progress(self, line: str) -> None:
        """A line for whoever waits for the run."""
        self._tell("progress", line)

    async def waits(self, reason: str) -> None:
        """What tells here has begun."""

    async def summary(self, text: str) -> None:
        """Markdown for the run's summary."""
        self._tell("summary", text)

    async def cancelled(self) -> None:
        """Returns once the job is to end."""
        await self._cancel.wait()

    def result(self, outcome: Mapping[str, Any]) -> None:
        """The last line: how the job ended."""
        self._tell("result", dict(outcome))

    def _tell(self, sort: str, value: object) -> None:
        self._count += 1
        self._write(json.dumps({"n": self._count, sort: value}, ensure_ascii=False, separators=(",", ":")))


class EventReader:
    """Takes lines in and gives what they tell to `events`; `result` is there once the last one has come."""

    def __init__(self, events: JobEvents):
        self._events = events
        self._seen = 0
        self.result: Mapping[str, Any] | None = None

    async def take(self, line: str) -> None:
        """One line. What is no event of this form is a line of the log."""
        event = _parsed(line)
        if event is None:
            await self._events.log(STRAY, line)
            return
        if event["n"] <= self._seen:
            return
        self._seen = event["n"]
        match event:
            case {"log": [str(step), str(text)]}:
                await self._events.log(step, text)
            case {"step": dict(step)}:
                await self._events.step(step)
            case {"progress": str(text)}:
                await self._events.progress(text)
            case {"summary": str(text)}:
                await self._events.summary(text)
            case {"result": dict(outcome)}:
                self.result = outcome
            case _:
                await self._events.log(STRAY, line)


def readable(line: str) -> str | None:
    """A line as people read it: a step's log as it was; None for what is no part of the log."""
    event = _parsed(line)
    if event is None:
        return line
    match event:
        case {"log": [str(_), str(text)]}:
            return text
        case _:
            return None


def _parsed(line: str) -> dict[str, Any] | None:
    if not line.startswith('{"n":'):
        return None
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("n"), int) else None
