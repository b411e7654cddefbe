"""Objects of a repository, asked of a `git cat-file --batch` that is kept a little while for whoever reads next.

Calls block for as long as git takes (well under a millisecond an object): use them in a thread, one thread at a time.
"""

from __future__ import annotations

import os
import select
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tidegate.base.errors import CommandFailed, MissingTool, NotFound
from tidegate.base.files import FILE_LIMIT
from tidegate.base.frozen import frozen
from tidegate.git import command
from tidegate.git.names import is_object_id

ANSWER_TIMEOUT = 60.0
WINDOW = 64
"""How many objects are asked for ahead of their answers: their names fit into a pipe, so writing them can't block."""
KEPT_SECONDS = 10.0
KEPT = 4
_PIECE = 1 << 20


def batch_argv(git_dir: Path) -> list[str]:
    """Read objects whose names come on stdin."""
    return command.argv("cat-file", "--batch", git_dir=git_dir)


@frozen
class Found:
    """An object. `data` is None past FILE_LIMIT."""

    id: str
    type: str
    data: bytes | None


class Batch:
    """The child. It ends by itself when its stdin closes, so a killed server leaves none behind."""

    def __init__(self, git_dir: Path):
        try:
            self._process = subprocess.Popen(
                batch_argv(git_dir),
                env=command.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,
            )
        except FileNotFoundError:
            remedy = "install it: apt-get install git"
            raise MissingTool("the program 'git' is not installed", remedy=remedy) from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._answers = self._process.stdin, _Answers(self._process.stdout.fileno())
        self._owes = 0
        self.close = weakref.finalize(self, _end, self._process)

    @property
    def lives(self) -> bool:
        """Whether it can be asked: it runs, and owes no answer to whoever asked before."""
        return not self._owes and self.close.alive and self._process.poll() is None

    def ask(self, names: Sequence[str]) -> list[Found | None]:
        """Up to WINDOW objects by their ids (or by what git resolves, without blanks); None for what is not there.

        CommandFailed where git ends or is silent; then it is of no more use.
        """
        question = "".join(f"{name}\n" for name in names).encode("utf-8", "surrogateescape")
        self._owes = len(names)
        try:
            self._stdin.write(question)
        except BrokenPipeError:
            raise _ended() from None
        return [self._answer(name) for name in names]

    def _answer(self, name: str) -> Found | None:
        found = self._read()
        if found is not None and is_object_id(name) and found.id != name:
            raise CommandFailed(f"git cat-file was asked for {name} and answered {found.id}", exit_code=None)
        self._owes -= 1
        return found

    def _read(self) -> Found | None:
        words = self._answers.line().split()
        if len(words) != 3 or not words[2].isdigit():
            return None
        size = int(words[2])
        data = None
        if size <= FILE_LIMIT:
            data = self._answers.exactly(size)
        else:
            self._answers.skip(size)
        self._answers.exactly(1)
        return Found(words[0].decode("ascii"), words[1].decode("ascii"), data)


class _Answers:
    """What comes through a pipe, with a limit to how long it is waited for."""

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._held = bytearray()

    def line(self) -> bytes:
        while (end := self._held.find(b"\n")) < 0:
            self._fill()
        return self._taken(end + 1)

    def exactly(self, size: int) -> bytes:
        while len(self._held) < size:
            self._fill()
        return self._taken(size)

    def skip(self, size: int) -> None:
        while size:
            if not self._held:
                self._fill()
            size -= len(self._taken(min(size, len(self._held))))

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken

    def _fill(self) -> None:
        if not self._poll.poll(ANSWER_TIMEOUT * 1000):
            raise CommandFailed(f"git cat-file said nothing for {ANSWER_TIMEOUT:g} s", exit_code=None)
        piece = os.read(self._descriptor, _PIECE)
        if not piece:
            raise _ended()
        self._held += piece


class Batches:
    """Children that nobody uses at the moment, for whoever reads the same repository next; those that wait for longer
    than KEPT_SECONDS are ended, and the oldest ones where there are more than KEPT. May be used by any thread.
    """

    def __init__(self, start: Callable[[Path], Batch] = Batch, now: Callable[[], float] = time.monotonic):
        self._start = start
        self._now = now
        self._idle: list[tuple[float, tuple[object, ...], Batch]] = []
        self._lock = threading.Lock()
        self._sweeper: threading.Timer | None = None

    def take(self, git_dir: Path) -> Batch:
        """A child for a repository, which the caller gives back or closes; NotFound where there is no repository."""
        place = _place(git_dir)
        with self._lock:
            for position in range(len(self._idle) - 1, -1, -1):
                if self._idle[position][1] == place:
                    batch = self._idle.pop(position)[2]
                    if batch.lives:
                        return batch
        return self._start(git_dir)

    def give(self, git_dir: Path, batch: Batch) -> None:
        """Say that a child is not needed any more; all that it was asked has been answered."""
        try:
            place = _place(git_dir)
        except NotFound:
            batch.close()
            return
        if not batch.lives:
            batch.close()
            return
        with self._lock:
            self._idle.append((self._now(), place, batch))
            over = [self._idle.pop(0)[2] for _ in range(len(self._idle) - KEPT)]
            self._sweep_later()
        for old in over:
            old.close()

    @contextmanager
    def lent(self, git_dir: Path) -> Iterator[Batch]:
        """A child as long as the context lasts; after an error of its own it is not used again."""
        batch = self.take(git_dir)
        try:
            yield batch
        except CommandFailed:
            batch.close()
            raise
        self.give(git_dir, batch)

    def sweep(self) -> None:
        """End those that have waited for too long."""
        with self._lock:
            limit = self._now() - KEPT_SECONDS
            old = [batch for since, _, batch in self._idle if since <= limit]
            self._idle = [kept for kept in self._idle if kept[0] > limit]
        for batch in old:
            batch.close()

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            self._sweeper = threading.Timer(KEPT_SECONDS, self._swept)
            self._sweeper.daemon = True
            self._sweeper.start()

    def _swept(self) -> None:
        self.sweep()
        with self._lock:
            self._sweeper = None
            if self._idle:
                self._sweep_later()


BATCHES = Batches()
"""Those of this process."""


def _place(git_dir: Path) -> tuple[object, ...]:
    """A repository's path, and what tells it from one that was there before under the same path."""
    try:
        head = (git_dir / "HEAD").stat()
    except OSError:
        raise NotFound(f"there is no repository at {git_dir}") from None
    return str(git_dir), head.st_dev, head.st_ino, head.st_mtime_ns


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    process.wait()


def _ended() -> CommandFailed:
    return CommandFailed("git cat-file ended before it answered", exit_code=None)
