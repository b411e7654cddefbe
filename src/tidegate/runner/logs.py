"""The logs of runs on disk: a file for each job with a time before every line, bounded, readable while it grows.

What is written here is masked already. Layout: `<root>/<run>/<attempt>/<job>.log`, beside it `<job>.summary.md`,
`<job>.steps` (the number of each step with the byte at which its lines begin), and `<job>.outputs.json`, which nothing
shows: it is for an attempt that does not run the job again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from tidegate.base.errors import NotFound
from tidegate.base.frozen import frozen
from tidegate.engine.clock import Clock
from tidegate.runner.folder import remove

LOG_LIMIT = 16 * 1024 * 1024
TAIL_LIMIT = 64 * 1024
SUMMARY_LIMIT = 1024 * 1024
READ_CHUNK = 64 * 1024
NAME_LIMIT = 200  # a file system takes 255 bytes, and a suffix follows
ORDER = "jobs"
STEPS, SUMMARY, OUTPUTS = ".steps", ".summary.md", ".outputs.json"
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


def timestamp(moment: datetime) -> str:
    """A time as GitHub's logs show it: UTC, seven digits of a second."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "0Z"


def file_name(job: str) -> str:
    """A job's name as a file name: `test (3.11)` → `test_3.11`."""
    name = _UNSAFE.sub("_", job).strip("_.") or "job"
    if len(name) <= NAME_LIMIT:
        return name
    return f"{name[:NAME_LIMIT]}-{hashlib.sha256(job.encode()).hexdigest()[:16]}"


@frozen
class LogPart:
    """Lines of one step: the bytes of a job's log from `start` up to `end`."""

    step: int
    start: int
    end: int


class JobLog:
    """One job's log while it is written. Past `limit` bytes only the last `TAIL_LIMIT` bytes of the rest are kept."""

    def __init__(self, path: Path, clock: Clock, limit: int = LOG_LIMIT):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._marks = path.with_suffix(STEPS)
        self._marks.unlink(missing_ok=True)
        self._file: IO[bytes] = path.open("wb")
        self._clock = clock
        self._limit = limit
        self._size = 0
        self._step = ""
        self._tail: deque[tuple[str, bytes]] = deque()
        self._tail_size = 0
        self._dropped = 0

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._size

    @property
    def full(self) -> bool:
        """Whether the limit was reached: what comes now is only seen if it is among the last lines."""
        return self._dropped > 0 or bool(self._tail)

    def write(self, lines: Sequence[str], step: str = "") -> None:
        """Add lines of a step (its number); they are readable after the next `flush`."""
        prefix = timestamp(self._clock.now())
        for line in lines:
            data = f"{prefix} {line}\n".encode()
            if self._size + len(data) > self._limit or self.full:
                self._keep_in_tail(step, data)
            else:
                self._mark(step)
                self._file.write(data)
                self._size += len(data)

    def flush(self) -> None:
        """Make readable what was written."""
        self._file.flush()

    def close(self) -> None:
        """Write what was kept of the end, and close the file."""
        if self.full:
            note = f"… {self._dropped} bytes are not kept here: the log of a job is limited to {self._limit} bytes …"
            self._file.write(f"{timestamp(self._clock.now())} ##[warning]{note}\n".encode())
            for step, data in self._tail:
                self._mark(step)
                self._file.write(data)
        self._file.close()

    def _mark(self, step: str) -> None:
        """Note where a step's lines begin."""
        if step != self._step:
            self._step = step
            with self._marks.open("a") as file:
                file.write(f"{step} {self._file.tell()}\n")

    def _keep_in_tail(self, step: str, data: bytes) -> None:
        self._tail.append((step, data))
        self._tail_size += len(data)
        while self._tail_size > TAIL_LIMIT:
            gone = len(self._tail.popleft()[1])
            self._tail_size -= gone
            self._dropped += gone


class RunLogs:
    """All logs below `root`."""

    def __init__(self, root: Path, clock: Clock, limit: int = LOG_LIMIT):
        self._root = root
        self._clock = clock
        self._limit = limit

    def open(self, run: str, attempt: int, job: str) -> JobLog:
        """A job's log, to be written from its beginning."""
        log = JobLog(self.path(run, attempt, job), self._clock, self._limit)
        with (self._folder(run, attempt) / ORDER).open("a") as file:
            file.write(f"{job}\n")
        return log

    def attempts(self, run: str) -> list[int]:
        """The attempts of a run that have logs, in order."""
        folder = self._root / file_name(run)
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        return sorted(int(name) for name in names if name.isdecimal())

    def jobs(self, run: str, attempt: int) -> list[str]:
        """The jobs of an attempt that have logs, in the order in which they began."""
        with contextlib.suppress(FileNotFoundError):
            text = (self._folder(run, attempt) / ORDER).read_text()
            return list(dict.fromkeys(text.splitlines()))
        return []

    def runs(self) -> list[str]:
        """Names of runs that have logs."""
        return sorted(path.name for path in self._root.iterdir()) if self._root.is_dir() else []

    def path(self, run: str, attempt: int, job: str) -> Path:
        """The file of a job's log."""
        return self._folder(run, attempt) / f"{file_name(job)}.log"

    def add_summary(self, run: str, attempt: int, job: str, text: str) -> None:
        """Add to a job's summary (GITHUB_STEP_SUMMARY), up to SUMMARY_LIMIT bytes in all."""
        path = self._summary(run, attempt, job)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("ab") as file:
            room = SUMMARY_LIMIT - file.tell()
            file.write(text.encode()[: max(room, 0)])

    def summary(self, run: str, attempt: int, job: str) -> str:
        """A job's summary in Markdown; empty where it wrote none."""
        with contextlib.suppress(FileNotFoundError):
            return self._summary(run, attempt, job).read_text("utf-8", "replace")
        return ""

    def lines(self, run: str, attempt: int, job: str) -> list[str]:
        """All lines of a job's log, with their times. NotFound. Reads in the calling thread."""
        try:
            return self.path(run, attempt, job).read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            raise NotFound(f"no log of job {job!r} in run {run}, attempt {attempt}") from None

    def parts(self, run: str, attempt: int, job: str) -> list[LogPart]:
        """Which bytes of a job's log belong to which step, in order; NotFound without a log. A step may come again."""
        path = self.path(run, attempt, job)
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            raise NotFound(f"no log of job {job!r} in run {run}, attempt {attempt}") from None
        marks: list[tuple[int, int]] = []
        with contextlib.suppress(FileNotFoundError):
            words = [line.split() for line in path.with_suffix(STEPS).read_text().splitlines()]
            marks = [(int(one[0]), int(one[1])) for one in words if len(one) == 2 and all(map(str.isdecimal, one))]
        if not marks or marks[0][1] > 0:
            marks.insert(0, (1, 0))
        ends = [*(start for _, start in marks[1:]), size]
        found = [LogPart(step, start, min(end, size)) for (step, start), end in zip(marks, ends, strict=True)]
        return [part for part in found if part.start < part.end]

    async def follow(
        self, run: str, attempt: int, job: str, *, wait: Callable[[], AsyncIterator[bool]]
    ) -> AsyncIterator[bytes]:
        """A job's log in chunks, from its beginning to its end, as it grows.

        `wait` gives True each time there may be more, and ends when the job has ended.
        """
        path = self.path(run, attempt, job)
        offset = 0
        async for _ in _and_once_more(wait()):
            while chunk := _read(path, offset):
                offset += len(chunk)
                yield chunk

    def keep_outputs(self, run: str, attempt: int, job: str, outputs: Mapping[str, str]) -> None:
        """Keep what a job that succeeded gives to others, for an attempt in which it does not run again."""
        path = self._outputs(run, attempt, job)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(json.dumps(dict(outputs)))

    def carry(self, run: str, old: int, new: int, job: str) -> dict[str, str] | None:
        """Take a job that succeeded over from one attempt into another: its log, its summary, and its outputs, which
        are the answer. None where they are not kept.
        """
        try:
            outputs = json.loads(self._outputs(run, old, job).read_text())
        except (FileNotFoundError, ValueError):
            return None
        self._folder(run, new).mkdir(mode=0o700, parents=True, exist_ok=True)
        here, there = self.path(run, new, job), self.path(run, old, job)
        for suffix in (there.suffix, STEPS, SUMMARY, OUTPUTS):
            with contextlib.suppress(FileNotFoundError, FileExistsError):
                here.with_suffix(suffix).hardlink_to(there.with_suffix(suffix))
        with (self._folder(run, new) / ORDER).open("a") as file:
            file.write(f"{job}\n")
        return {str(name): str(value) for name, value in outputs.items()}

    def keep_only(self, runs: Collection[str]) -> None:
        """Delete the logs of all other runs."""
        names = {file_name(run) for run in runs}
        for name in self.runs():
            if name not in names:
                remove(self._root / name)

    def delete(self, run: str) -> None:
        """Delete all logs of a run."""
        remove(self._root / file_name(run))

    def _folder(self, run: str, attempt: int) -> Path:
        return self._root / file_name(run) / str(attempt)

    def _outputs(self, run: str, attempt: int, job: str) -> Path:
        return self.path(run, attempt, job).with_suffix(OUTPUTS)

    def _summary(self, run: str, attempt: int, job: str) -> Path:
        return self.path(run, attempt, job).with_suffix(SUMMARY)


async def _and_once_more(changes: AsyncIterator[bool]) -> AsyncIterator[bool]:
    yield True
    async for change in changes:
        yield change
    yield False


def _read(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(READ_CHUNK)
    except FileNotFoundError:
        return b""
