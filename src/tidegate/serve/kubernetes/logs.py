"""Pod logs as the API serves them: of workloads, and of the controllers that show themselves as Pods."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from tidegate.base.frozen import frozen
from tidegate.engine.clock import Clock
from tidegate.serve.kubernetes.status import BadRequest
from tidegate.serve.kubernetes.target import Options

FOLLOW_SECONDS = 0.5
BEGIN_SECONDS = 1.0
NANOSECONDS = "%Y-%m-%dT%H:%M:%S.%f000Z"
READ_SIZE = 64 * 1024
READ_ATTEMPTS = 5


@frozen
class LogLine:
    """A line without its end, and when it was written (None: not known)."""

    text: str
    time: datetime | None = None


@frozen
class LogOptions:
    """What of a log is wanted. `container` is empty for a Pod's only one; `tail` None means from the beginning."""

    container: str = ""
    follow: bool = False
    tail: int | None = None
    since: datetime | None = None
    previous: bool = False


class PodLogs(Protocol):
    """Where workloads' logs are."""

    async def exists(self, namespace: str, pod: str) -> bool:
        """Whether there is a log under that name, though no Pod of it may be stored: a workflow run's."""
        ...

    def lines(self, namespace: str, pod: str, options: LogOptions) -> AsyncIterator[LogLine]:
        """The lines that `options` ask for, oldest first; with `follow`, until the container ends. NotFound where
        the Pod or container is unknown, InvalidInput where it has several and none is named.
        """
        ...


class ControllerLogs(Protocol):
    """Where the controllers' logs are: JSON lines in files that are rotated."""

    def lines(self, name: str) -> Iterator[str]: ...

    def path(self, name: str) -> Path: ...


@frozen
class Shown:
    """How lines are written: with times, and cut off after so many bytes."""

    timestamps: bool = False
    limit: int | None = None


def read_options(options: Options, now: datetime) -> tuple[LogOptions, Shown]:
    """The query of a log request. Raises BadRequest."""
    since, seconds = options.text("sinceTime"), options.number("sinceSeconds")
    if since and seconds is not None:
        raise BadRequest("at most one of sinceTime and sinceSeconds may be given")
    wanted = LogOptions(
        container=options.text("container"),
        follow=options.flag("follow"),
        tail=options.number("tailLines"),
        previous=options.flag("previous"),
    )
    if seconds is not None:
        wanted = replace(wanted, since=now - timedelta(seconds=min(seconds, 10**9)))
    elif since:
        wanted = replace(wanted, since=_moment(since))
    return wanted, Shown(options.flag("timestamps"), options.number("limitBytes"))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"{text!r} is no RFC 3339 time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def begun(lines: AsyncIterator[LogLine], clock: Clock) -> AsyncIterator[LogLine]:
    """The same lines, once it is known that they come: an error before the first of them is raised here.

    A log that stays silent is taken for one that comes after BEGIN_SECONDS.
    """
    first = asyncio.ensure_future(_first(lines))
    waiting = asyncio.ensure_future(clock.sleep(BEGIN_SECONDS))
    try:
        await asyncio.wait({first, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if first.done():
        first.result()
    return _resumed(first, lines)


async def _first(lines: AsyncIterator[LogLine]) -> LogLine | None:
    return await anext(lines, None)


async def _resumed(first: asyncio.Future[LogLine | None], lines: AsyncIterator[LogLine]) -> AsyncIterator[LogLine]:
    try:
        line = await first
    finally:
        first.cancel()
    if line is not None:
        yield line
        async for following in lines:
            yield following


async def as_text(lines: AsyncIterator[LogLine], shown: Shown, now: datetime) -> AsyncIterator[bytes]:
    """The bytes of a log."""
    left = shown.limit
    async for line in lines:
        moment = (line.time or now).astimezone(UTC).strftime(NANOSECONDS)
        data = (f"{moment} {line.text}\n" if shown.timestamps else f"{line.text}\n").encode("utf-8", "replace")
        if left is not None:
            data = data[:left]
            left -= len(data)
        yield data
        if left == 0:
            return


async def controller_lines(
    logs: ControllerLogs, name: str, options: LogOptions, clock: Clock
) -> AsyncIterator[LogLine]:
    """A controller's log. Only the end of what is kept is held in memory; a rotated file is followed into its heir."""
    if options.previous:
        return
    kept, position = await asyncio.to_thread(_kept, logs, name, options)
    for text in kept:
        yield _line(text)
    if not options.follow:
        return
    identity, rest = await asyncio.to_thread(_identity, logs.path(name)), b""
    while True:
        await clock.sleep(FOLLOW_SECONDS)
        found = await asyncio.to_thread(_identity, logs.path(name))
        if found != identity:
            identity, position, rest = found, 0, b""
        data = await asyncio.to_thread(_read_from, logs.path(name), position)
        position += len(data)
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield _line(line.decode("utf-8", "replace"))


def _kept(logs: ControllerLogs, name: str, options: LogOptions) -> tuple[list[str], int]:
    """The lines there are, and the size of the file up to which they were read."""
    for _ in range(READ_ATTEMPTS):
        before = _size(logs.path(name))
        wanted = (text for text in logs.lines(name) if options.since is None or _is_since(text, options.since))
        found = list(deque(wanted, maxlen=options.tail))
        if _size(logs.path(name)) == before:
            break
    return found, before


def _is_since(text: str, since: datetime) -> bool:
    moment = _line(text).time
    return moment is None or moment >= since


def _line(text: str) -> LogLine:
    try:
        value = json.loads(text)
        return LogLine(text, datetime.fromisoformat(value["ts"]))
    except (ValueError, TypeError, KeyError):
        return LogLine(text)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _identity(path: Path) -> int | None:
    return path.stat().st_ino if path.exists() else None


def _read_from(path: Path, position: int) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as file:
        file.seek(position)
        return file.read(READ_SIZE)
