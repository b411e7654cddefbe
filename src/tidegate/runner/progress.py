"""A run's status while it goes on: kept here, written to the object at every step's end and soon after any change."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.base.errors import Unavailable
from tidegate.engine.clock import Clock, rfc3339
from tidegate.kinds.workflow_run import COMPLETED, IN_PROGRESS, QUEUED
from tidegate.runner.pins import Pin
from tidegate.runner.request import PushedImage

WRITE_DELAY = 0.2
CROWD_DELAY = 2.0
CROWD = 24
_log = logging.getLogger("tidegate.runner-controller")

Write = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class JobProgress:
    """One job as the status shows it. `id` is its id in the workflow, `name` is its own alone in the run."""

    id: str
    name: str
    status: str = QUEUED
    conclusion: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    message: str = ""
    steps: dict[int, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> JobProgress:
        """Read the form in the status back."""
        return cls(
            id=str(value.get("id", "")),
            name=str(value["name"]),
            status=str(value.get("status", QUEUED)),
            conclusion=value.get("conclusion"),
            started_at=value.get("startedAt"),
            completed_at=value.get("completedAt"),
            message=str(value.get("message", "")),
            steps={int(step["number"]): dict(step) for step in value.get("steps") or ()},
        )

    def as_json(self) -> dict[str, Any]:
        """The form in the status."""
        value = {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "conclusion": self.conclusion,
            "startedAt": self.started_at,
            "completedAt": self.completed_at,
            "message": self.message,
            "steps": [self.steps[number] for number in sorted(self.steps)],
        }
        return {name: content for name, content in value.items() if content not in (None, "")}


class RunProgress:
    """The status of one attempt of a run. `write` merges a patch into the object's status; `interrupted` counts the
    attempts in a row that ended with the process.
    """

    def __init__(self, write: Write, clock: Clock, attempt: int, interrupted: int = 0):
        self._write_patch = write
        self._clock = clock
        self._lock = asyncio.Lock()
        self._pending: asyncio.Task[None] | None = None
        self._version = 0
        self._written = 0
        self.attempt = attempt
        self.interrupted = interrupted
        self.status = IN_PROGRESS
        self.conclusion: str | None = None
        self.message = ""
        self.started_at = self.now()
        self.completed_at: str | None = None
        self.jobs: dict[str, JobProgress] = {}
        self.images: list[PushedImage] = []
        self.pins: tuple[Pin, ...] = ()

    def now(self) -> str:
        """The present time as the status writes it."""
        return rfc3339(self._clock.now())

    def monotonic(self) -> float:
        """Seconds that only go on."""
        return self._clock.monotonic()

    def as_json(self) -> dict[str, Any]:
        """The patch of the object's status; what is None is removed by it."""
        return {
            "status": self.status,
            "conclusion": self.conclusion,
            "attempt": self.attempt,
            "interrupted": self.interrupted or None,
            "startedAt": self.started_at,
            "completedAt": self.completed_at,
            "message": self.message or self._waits() or None,
            "jobs": [job.as_json() for job in self.jobs.values()],
            "actions": [pin.as_json() for pin in self.pins] or None,
            "images": [image.as_json() for image in {one.reference: one for one in self.images}.values()],
        }

    def _waits(self) -> str:
        """What jobs that have not begun wait for."""
        waiting = (job for job in self.jobs.values() if job.message and job.status != COMPLETED)
        return "; ".join(f"{job.name}: {job.message}" for job in waiting) if self.status != COMPLETED else ""

    def changed(self) -> None:
        """Write soon."""
        self._version += 1
        if self._pending is None or self._pending.done():
            self._pending = asyncio.create_task(self._write_later())

    async def write(self) -> None:
        """Write now what was not written yet; returns when it is stored. A status of very many jobs is large, so it is
        written a little later, with what comes meanwhile.
        """
        if len(self.jobs) > CROWD and self.status != COMPLETED:
            self.changed()
            return
        self._version += 1
        await self._store(self._version)

    async def complete(self, conclusion: str, message: str = "") -> None:
        """Settle the run and write it."""
        self.status, self.conclusion, self.message = COMPLETED, conclusion, message
        self.completed_at = self.now()
        await self.close()
        await self.write()

    async def close(self) -> None:
        """Write nothing more by itself."""
        if self._pending is not None:
            self._pending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pending

    async def _write_later(self) -> None:
        while self._written < self._version:  # what changes while a write is under way is in none but the next
            await asyncio.sleep(CROWD_DELAY if len(self.jobs) > CROWD else WRITE_DELAY)
            try:
                await self._store(self._version)
            except Unavailable as error:
                _log.warning("the progress of a run can't be stored, the next write has it too: %s", error)
                return

    async def _store(self, version: int) -> None:
        async with self._lock:
            if self._written >= version:
                return
            reached = self._version
            await self._write_patch(self.as_json())
            self._written = reached
