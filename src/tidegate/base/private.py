"""Files that hold secrets, and the folders in which they lie for as long as a program needs them.

A process has one such folder, in the machine's temporary directory, and holds a lock on it. One that a killed process
has left is recognised by its lock, which ended with the process, and removed by the next one that needs a folder.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tidegate.base.frozen import frozen

PREFIX = "tidegate-private-"


def write_private(path: Path, content: bytes) -> Path:
    """A new file of mode 0600; its path. FileExistsError where something is there already."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return path


@contextmanager
def private_folder() -> Iterator[Path]:
    """An empty folder of mode 0700, which is gone afterwards; after a kill it is once another process calls this."""
    with tempfile.TemporaryDirectory(dir=_process_folder()) as folder:
        yield Path(folder)


@frozen
class _Held:
    pid: int
    path: Path


_held: _Held | None = None


def _process_folder() -> Path:
    """This process's folder: made at the first call, and anew in a fork of it or where somebody has cleared it away."""
    global _held  # noqa: PLW0603 - there is one for each process, as there is one temporary directory
    place = Path(tempfile.gettempdir())
    if _held is None or (_held.pid, _held.path.parent) != (os.getpid(), place) or not _held.path.is_dir():
        _sweep(place)
        _held = _Held(os.getpid(), _locked_folder(place))
        atexit.register(_remove, _held)
    return _held.path


def _locked_folder(place: Path) -> Path:
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        # Kept until the process ends: with the descriptor goes the lock.
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if path.is_dir():
            return path
        os.close(descriptor)  # Another process took it for one that was left, just before it was locked.


def _sweep(place: Path) -> None:
    """Remove what processes of this user that have ended have left."""
    for path in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(descriptor).st_uid == os.geteuid():
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)


def _remove(held: _Held) -> None:
    if held.pid == os.getpid():
        shutil.rmtree(held.path, ignore_errors=True)
