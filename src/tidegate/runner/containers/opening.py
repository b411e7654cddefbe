"""Brings up what a job says of containers, within the job's time and as long as nobody cancels it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tidegate.engine.ports import JobEvents
from tidegate.runner.containers.room import ContainerRoom
from tidegate.runner.containers.wanted import Wanted, of_runner, wanted_of
from tidegate.runner.evaluation import Evaluator
from tidegate.runner.request import CANCELLED, TIMED_OUT, StoppedError
from tidegate.runner.waiting import end


async def begun(room: ContainerRoom, evaluator: Evaluator, image: str, events: JobEvents, minutes: float) -> Evaluator:
    """The job's expressions once its containers run; `image` is its Runner's. Raises StoppedError, or what keeps a
    container from running.
    """
    own, services = await asyncio.to_thread(_wanted, evaluator, image)
    opening = asyncio.create_task(room.open(own, services))
    asked = asyncio.create_task(events.cancelled())
    try:
        done, _ = await asyncio.wait({opening, asked}, timeout=minutes * 60, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(asked)
        if not opening.done():
            await end(opening)
    if opening in done:
        return replace(evaluator, base=evaluator.base.having(job=opening.result()))
    if done:
        raise StoppedError(CANCELLED, "it was cancelled while its containers were started")
    raise StoppedError(TIMED_OUT, f"its containers were not there after {minutes:g} minutes")


def _wanted(evaluator: Evaluator, image: str) -> tuple[Wanted | None, tuple[Wanted, ...]]:
    """The job's container and its services."""
    scope = evaluator.base.having(env=evaluator.job_env(), job={})
    own, services = wanted_of(evaluator.job, scope)
    return own or (of_runner(image) if image else None), services
