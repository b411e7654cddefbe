"""A container's log: written line by line with its time, cut to a bounded size, read and followed by the doors.

Files lie as the kubelet lays them, `NAMESPACE_POD_UID/CONTAINER/RESTARTS.log`, each line as CRI writes it:
`2026-01-15T12:00:00.123456789Z stdout F text`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from tidegate.base.errors import NotFound
from tidegate.kinds.objects import Object
from tidegate.runtime.layers import remove

FILE_LIMIT = 5 * 1024 * 1024
"""Bytes of one file; one older file is kept beside it."""
LINE_LIMIT = 16 * 1024
JOINED_LIMIT = 64
"""Parts of one line that are put together again for a reader."""
KEPT_RUNS = 2
FOLLOW_POLL = 0.2
_PIECE = 64 * 1024


class LogWriter:
    """Appends what a container writes. `close` it when the container has ended."""

    def __init__(self, path: Path, writing: set[Path]):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._writing = writing
        self._file: BinaryIO = path.open("ab", buffering=0)
        self._size = self._file.tell()
        self._rest = b""
        writing.add(path)

    def write(self, data: bytes) -> None:
        """Take bytes as they come from the pipe; whole lines go to the file at once."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._emit(lines, b"F")
        while len(rest) >= LINE_LIMIT:
            self._emit([rest[:LINE_LIMIT]], b"P")
            rest = rest[LINE_LIMIT:]
        self._rest = rest

    def _emit(self, lines: list[bytes], tag: bytes) -> None:
        if not lines:
            return
        prefix = _stamp().encode() + b" stdout "
        out = []
        for line in lines:
            while len(line) > LINE_LIMIT:
                out.append(prefix + b"P " + line[:LINE_LIMIT] + b"\n")
                line = line[LINE_LIMIT:]  # noqa: PLW2901 - what is left of it
            out.append(prefix + tag + b" " + line + b"\n")
        block = b"".join(out)
        if self._size + len(block) > FILE_LIMIT and self._size:
            self._rotate()
        with contextlib.suppress(OSError):  # a full disk loses log lines, not the workload
            self._size += self._file.write(block)

    def _rotate(self) -> None:
        self._file.close()
        self._path.replace(self._path.with_suffix(".log.1"))
        self._file = self._path.open("ab", buffering=0)
        self._size = 0

    def close(self) -> None:
        """Write what is left of an unfinished line, and say that no more comes."""
        if self._rest:
            self._emit([self._rest], b"F")
            self._rest = b""
        self._file.close()
        self._writing.discard(self._path)


class PodLogs:
    """The logs of all containers that run here, below the folder `root`."""

    def __init__(self, root: Path):
        self._root = root
        self._writing: set[Path] = set()

    def _folder(self, pod: Object) -> Path:
        metadata = pod["metadata"]
        return self._root / f"{metadata.get('namespace', 'default')}_{metadata['name']}_{metadata['uid']}"

    def writer(self, pod: Object, container: str, run: int) -> LogWriter:
        """The log of a container's run (0, then one more with each restart); the runs before the last are removed."""
        folder = self._folder(pod) / container
        for path in _runs(folder)[: -(KEPT_RUNS - 1)] if KEPT_RUNS > 1 else []:
            path.unlink(missing_ok=True)
            path.with_suffix(".log.1").unlink(missing_ok=True)
        return LogWriter(folder / f"{run}.log", self._writing)

    def last_run(self, pod: Object, container: str) -> int:
        """The number of the newest run that has a log, or -1."""
        runs = _runs(self._folder(pod) / container)
        return int(runs[-1].stem) if runs else -1

    def tail(self, pod: Object, container: str, lines: int) -> list[str]:
        """The last lines of the newest run, without their times: for messages."""
        runs = _runs(self._folder(pod) / container)
        if not runs:
            return []
        with runs[-1].open("rb") as file:
            file.seek(max(0, runs[-1].stat().st_size - _PIECE))
            kept = file.read(_PIECE).splitlines()[-lines:]
        return [line.partition(b" stdout ")[2][2:].decode("utf-8", "replace") for line in kept]

    def remove(self, pod: Object) -> None:
        """Remove all logs of a pod."""
        remove(self._folder(pod))

    async def read(
        self,
        pod: Object,
        container: str | None = None,
        *,
        previous: bool = False,
        follow: bool = False,
        tail: int | None = None,
        since: datetime | None = None,
        timestamps: bool = False,
        limit: int | None = None,
    ) -> AsyncIterator[bytes]:
        """The log as `kubectl logs` gets it, in pieces; with `follow` until the container's run ends.

        `container` None is the pod's first; `limit` is in bytes. NotFound where the pod has no such log.
        """
        path = self._path(pod, container, previous=previous)
        left = limit if limit is not None else 2**63
        position = 0
        lines: Iterable[tuple[bytes, int]] = _selected(path, since)
        if tail is not None:
            position = path.stat().st_size
            # A whole file may have to be read for its end.
            lines = await asyncio.to_thread(deque, lines, tail)
        for at, (line, after) in enumerate(lines):
            position = after
            piece = (line if timestamps else line.partition(b" ")[2])[:left]
            left -= len(piece)
            yield piece
            if left <= 0:
                return
            if at % 512 == 511:
                await asyncio.sleep(0)
        if not follow:
            return
        async for line in self._follow(path, position):
            piece = (line if timestamps else line.partition(b" ")[2])[:left]
            left -= len(piece)
            yield piece
            if left <= 0:
                return

    def _path(self, pod: Object, container: str | None, *, previous: bool) -> Path:
        names = [str(item["name"]) for item in pod["spec"]["containers"]]
        container = names[0] if container is None else container
        if container not in names:
            raise NotFound(f"container {container} is not valid for pod {pod['metadata']['name']}")
        runs = _runs(self._folder(pod) / container)
        wanted = runs[:-1] if previous else runs
        if not wanted:
            name, what = (
                pod["metadata"]["name"],
                "previous terminated container" if previous else "log of the container",
            )
            raise NotFound(f'{what} "{container}" in pod "{name}" not found')
        return wanted[-1]

    async def _follow(self, path: Path, position: int) -> AsyncIterator[bytes]:
        file, joiner = path.open("rb"), _Joiner()
        try:
            file.seek(position)
            while True:
                ended = path not in self._writing
                while line := file.readline():
                    if (whole := joiner.take(line)) is not None:
                        yield whole
                if ended:
                    if rest := joiner.rest():
                        yield rest
                    return
                if file.tell() > path.stat().st_size:
                    file.close()
                    file = path.open("rb")
                    continue
                await asyncio.sleep(FOLLOW_POLL)
        finally:
            file.close()


class _Joiner:
    """From kept lines to lines as they are shown, `TIME text`; the parts of a long one are put together again."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def take(self, kept: bytes) -> bytes | None:
        """A whole line, once its last part is there."""
        stamp, _, rest = kept.partition(b" stdout ")
        self._parts.append(rest[2:] if self._parts else stamp + b" " + rest[2:])
        if rest[:1] == b"P" and len(self._parts) < JOINED_LIMIT:
            self._parts[-1] = self._parts[-1].rstrip(b"\n")
            return None
        return self.rest()

    def rest(self) -> bytes:
        """What there is of a line that never ended."""
        line, self._parts = b"".join(self._parts), []
        return line


def _runs(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.log"), key=lambda path: int(path.stem)) if folder.is_dir() else []


def _selected(path: Path, since: datetime | None) -> Iterator[tuple[bytes, int]]:
    """Lines as they are shown, each with the place in the newest file after it."""
    oldest = since.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "").encode() if since else b""
    older, joiner, position = path.with_suffix(".log.1"), _Joiner(), 0
    for part in (older, path) if older.exists() else (path,):
        with part.open("rb") as file:
            for line in file:
                position += len(line) if part == path else 0
                if line >= oldest and (whole := joiner.take(line)) is not None:
                    yield whole, position
    if rest := joiner.rest():
        yield rest, position


def _stamp() -> str:
    nanoseconds = time.time_ns()
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 1_000_000_000:09d}Z"
