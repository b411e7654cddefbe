"""What one job may use: what its Runner says, else what a machine can give, and how that is told. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from tidegate.base.cgroups import Group, Limits
from tidegate.base.frozen import frozen
from tidegate.kinds.quantity import shown

MIB, GIB = 1024**2, 1024**3
MOST_STORAGE = 10 * GIB
MOST_PIDS = 1024
LEAST_MEMORY = 256 * MIB
BYTES_PER_FILE = 16 * 1024
"""As many files as a new ext4 has for its size."""
LEFT_FREE = GIB
"""Bytes of the disk that no job may fill, or a tenth of a small one."""
NICE = 10
_SYSTEM = {"core": 0, "nofile": 65_536}


@frozen
class Machine:
    """What there is: bytes of memory, bytes that are free on the disk of the job's folders, and its size."""

    memory: int
    disk_free: int
    disk_size: int

    @property
    def floor(self) -> int:
        """Bytes of the disk that are to stay free."""
        return min(LEFT_FREE, self.disk_size // 10)


@frozen
class Bounds:
    """What all processes of a job may use together: cores (None is all), bytes, processes and threads; on disk bytes
    and files, and how many bytes of the disk are to stay free. `said` are those that the Runner names.
    """

    cpu: float | None
    memory: int
    pids: int
    storage: int
    floor: int
    said: frozenset[str] = frozenset()

    @property
    def files(self) -> int:
        """Files and folders that it may make."""
        return max(self.storage // BYTES_PER_FILE, 10_000)

    @property
    def group(self) -> Limits:
        """The part that control groups hold."""
        return Limits(self.cpu, self.memory, self.pids)


def bounds(said: Mapping[str, Any], machine: Machine) -> Bounds:
    """What a job may use, from what its Runner says (`JobLimits.as_json`, and `jobs`: how many run at once)."""
    share = machine.memory * 3 // 4 // max(int(said.get("jobs") or 1), 1)
    room = max(machine.disk_free - machine.floor, 0)
    return Bounds(
        cpu=said.get("cpu"),
        memory=said.get("memory") or max(share // MIB * MIB, LEAST_MEMORY),
        pids=said.get("pids") or MOST_PIDS,
        storage=said.get("storage") or max(min(MOST_STORAGE, room // 2 // MIB * MIB), MIB),
        floor=machine.floor,
        said=frozenset(name for name in ("cpu", "memory", "pids", "storage") if said.get(name)),
    )


def of_processes(bounds: Bounds, group: Group, machine: Machine) -> dict[str, int]:
    """What each process may use (names of setrlimit(2)): the net below the group's limits, or in their place."""
    data = max(machine.memory * 3 // 4, GIB // 2)
    if not group.holds("memory"):
        data = min(data, bounds.memory)
    return _SYSTEM | {"nproc": bounds.pids, "fsize": bounds.storage, "data": data}


def introduction(bounds: Bounds, group: Group, minutes: float) -> list[str]:
    """The lines of a job's log that say what it may use, and what of that nothing enforces here."""
    cores = f"{bounds.cpu:g} cores" if bounds.cpu else f"{os.cpu_count() or 1} cores (all)"
    held = f"{shown(bounds.memory)} of memory, {bounds.pids} processes, {shown(bounds.storage)} on disk"
    lines = [f"Limits: {cores}, {held}, {minutes:g} minutes"]
    instead = {
        "cpu": f"a job only gives way to others (nice {NICE})",
        "memory": "each process is limited, and all of them are looked at several times a second",
        "pids": "the job's user is limited",
    }
    for name, missing in group.lacking.items():
        if name == "cpu" and bounds.cpu is None:
            continue
        lines.append(
            f"No control group holds {name}, so {instead[name]}: {missing.why}. To have one, {missing.remedy}."
        )
    return lines


def memory_spent(bounds: Bounds, ended: int) -> str:
    """What is said where processes were ended for want of memory."""
    what = "a process of the job was" if ended == 1 else f"{ended} processes of the job were"
    return f"{what} ended: it has used all of its {shown(bounds.memory)} of memory. {_more('memory')}"


def pids_spent(bounds: Bounds) -> str:
    """What is said where a process was refused."""
    return f"the job was refused more than its {bounds.pids} processes. {_more('pids')}"


def storage_spent(bounds: Bounds, used: int, files: int) -> str | None:
    """Why a job with this many bytes and files on disk is ended, or None."""
    if used > bounds.storage:
        return f"the job has put more than its {shown(bounds.storage)} on the disk. {_more('ephemeral-storage')}"
    if files > bounds.files:
        return f"the job has made more than its {bounds.files} files. {_more('ephemeral-storage')}"
    return None


def floor_reached(bounds: Bounds) -> str:
    """What is said where the disk itself is nearly full."""
    left = shown(max(bounds.floor // MIB, 1) * MIB)
    return f"the disk has less than {left} left, which no job may take: free some space"


def _more(name: str) -> str:
    return f"The Runner's spec.resources.limits.{name} gives another amount"
