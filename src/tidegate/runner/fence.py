"""Holds one job to its limits: a control group where the machine gives one, and a watch over what no group counts, its
files on disk and, without a group, its memory. It ends a job that takes more.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tidegate.base.cgroups import Group
from tidegate.runner.limits import (
    Bounds,
    Machine,
    floor_reached,
    memory_spent,
    pids_spent,
    storage_spent,
)

TICK = 0.25
# A look at all files costs time: no more than a twentieth of it.
LOOK_EVERY = 1.0
LOOK_SHARE = 20.0
_PAGE = os.sysconf("SC_PAGE_SIZE")


def machine(folder: Path) -> Machine:
    """What this machine has, and the disk of a folder."""
    disk = shutil.disk_usage(folder)
    return Machine(_PAGE * os.sysconf("SC_PHYS_PAGES"), disk.free, disk.total)


class Fence:
    """One job's. `folder` holds all that the job writes."""

    def __init__(self, bounds: Bounds, group: Group, folder: Path):
        self.bounds = bounds
        self.group = group
        self._folder = folder
        self._next_look = 0.0
        self._free_then = 0
        self._used_then = 0
        self._told_kills = 0
        self._told_refusals = 0

    @asynccontextmanager
    async def watching(self, pid: int, end: Callable[[str], None]) -> AsyncIterator[None]:
        """Watch the job whose first process is `pid`; `end` gets the reason for which it is to be ended."""
        task = asyncio.create_task(self._watch(pid, end))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _watch(self, pid: int, end: Callable[[str], None]) -> None:
        while (reason := await asyncio.to_thread(self._look, pid)) is None:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(TICK)
        end(reason)

    def _look(self, pid: int) -> str | None:
        """Why the job is to be ended now, or None."""
        if not self.group.holds("memory") and memory_of(pid) > self.bounds.memory:
            return memory_spent(self.bounds, 1)
        disk = os.statvfs(self._folder)
        free = disk.f_bavail * disk.f_frsize
        now = time.monotonic()
        # What a job has written since the last look is no more than what the disk has lost since.
        doubtful = self._used_then + max(self._free_then - free, 0) > self.bounds.storage
        if free < self.bounds.floor or (disk.f_files and disk.f_favail == 0):
            used, _ = measure(self._folder, self.bounds.files)
            return storage_spent(self.bounds, used, 0) or floor_reached(self.bounds)
        if now < self._next_look and not doubtful:
            return None
        used, files = measure(self._folder, self.bounds.files)
        taken = time.monotonic() - now
        self._next_look = now + max(LOOK_EVERY, taken * LOOK_SHARE)
        self._used_then, self._free_then = used, free
        return storage_spent(self.bounds, used, files)

    def said(self) -> list[str]:
        """What the limits have done since this was asked last, for the log of the step that felt it."""
        lines = []
        if (kills := self.group.memory_kills()) > self._told_kills:
            lines.append(memory_spent(self.bounds, kills - self._told_kills))
            self._told_kills = kills
        if (refusals := self.group.refused_processes()) > self._told_refusals:
            lines.append(pids_spent(self.bounds))
            self._told_refusals = refusals
        return lines


def measure(folder: Path, most: int) -> tuple[int, int]:
    """The bytes that a folder takes on disk, and its files and folders, of which no more than one over `most` are
    counted. What goes away meanwhile does not count; a folder too deep to be reached counts as too many files.
    """
    used = files = 0
    seen: set[int] = set()
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):
                        found = entry.stat(follow_symlinks=False)
                        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
                            if found.st_ino in seen:
                                continue
                            seen.add(found.st_ino)
                        used += found.st_blocks * 512
                        files += 1
                        if files > most:
                            return used, files
                        if stat.S_ISDIR(found.st_mode):
                            waiting.append(entry.path)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return used, most + 1
    return used, files


def memory_of(pid: int) -> int:
    """Bytes of memory of a process and all that it has started, as far as no file is behind them."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - several times a second
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(name))
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        waiting += children.get(one, [])
        with contextlib.suppress(OSError, ValueError, IndexError):
            pages = Path(f"/proc/{one}/statm").read_bytes().split()
            total += max(int(pages[1]) - int(pages[2]), 0) * _PAGE
    return total
