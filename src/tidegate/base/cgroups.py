"""Control groups, of both versions: which limits this process may set for what it starts, and setting them.

    group = Cgroups().make("job-1", Limits(memory=512 * 1024**2))
    # the child writes "0" to each of group.entries, before it becomes anything else
    group.remove()

Nobody has to give us a group: where none can be made, `lacking` says of each limit why, and what would bring it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from tidegate.base.frozen import frozen

CONTROLLERS = ("cpu", "memory", "pids")
PERIOD_US = 100_000
PREFIX = "tidegate-"
SERVER = "tidegate-server"
REMOVE_PATIENCE = 2.0
# Half of what a process has by default: a busy job leaves the server, and whatever else is here, the first word.
_WEIGHT, _SHARES = 50, 512
_DELEGATE = (
    "run Tidegate in a group of its own: systemd-run --scope -p Delegate=yes tidegate up (--user as a user), "
    "or Delegate=yes in its unit"
)
_NO_MEMORY = (
    "on a Raspberry Pi add cgroup_enable=memory cgroup_memory=1 to the line in /boot/firmware/cmdline.txt and restart"
)


@frozen
class Limits:
    """What all processes of a group may use together: cores, bytes, processes (threads count). None is no limit."""

    cpu: float | None = None
    memory: int | None = None
    pids: int | None = None


@frozen
class Lacking:
    """Why a limit can't be set, and what would help."""

    why: str
    remedy: str


@frozen
class Mounted:
    """Where this process's own group of a controller is. `version` is 1 or 2."""

    version: int
    folder: Path


def own_groups(membership: str, mounts: str) -> dict[str, Mounted]:
    """The group of this process, by controller (`unified` is version 2's), from /proc/self/cgroup and
    /proc/self/mountinfo. Pure.
    """
    roots: dict[str, tuple[int, str, str]] = {}
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or len(kind) < 3 or kind[0] not in ("cgroup", "cgroup2"):
            continue
        version = 2 if kind[0] == "cgroup2" else 1
        for name in ("unified",) if version == 2 else kind[2].split(","):
            roots.setdefault(name, (version, fields[3], fields[4]))
    found: dict[str, Mounted] = {}
    for line in membership.splitlines():
        _, names, path = [*line.split(":", 2), "", ""][:3]
        for name in names.split(",") if names else ("unified",):
            if name in roots:
                version, root, mount = roots[name]
                # Of a container only a part of the tree may be mounted.
                below = path.removeprefix(root.rstrip("/")) if path.startswith(root) else path
                found[name] = Mounted(version, Path(mount) / below.lstrip("/"))
    return found


def settings(version: int, limits: Limits) -> dict[str, list[tuple[str, str, bool]]]:
    """What is to be written for each controller: the file, the text, whether the limit depends on it. Pure."""
    asked: dict[str, list[tuple[str, str, bool]]] = {}
    quota = max(int((limits.cpu or 0) * PERIOD_US), 1000)
    if version == 2:
        asked["cpu"] = [("cpu.weight", str(_WEIGHT), False)]
        asked["cpu"] += [("cpu.max", f"{quota} {PERIOD_US}", True)] if limits.cpu else []
        if limits.memory:
            asked["memory"] = [("memory.max", str(limits.memory), True), ("memory.swap.max", "0", False)]
    else:
        asked["cpu"] = [("cpu.shares", str(_SHARES), False)]
        if limits.cpu:
            asked["cpu"] += [("cpu.cfs_period_us", str(PERIOD_US), True), ("cpu.cfs_quota_us", str(quota), True)]
        if limits.memory:
            value = str(limits.memory)
            asked["memory"] = [("memory.limit_in_bytes", value, True), ("memory.memsw.limit_in_bytes", value, False)]
    if limits.pids:
        asked["pids"] = [("pids.max", str(limits.pids), True)]
    return asked


@frozen
class Group:
    """A group that was made. `lacking` are the limits that it does not hold, by controller."""

    folders: Mapping[str, Path] = field(default_factory=dict)
    lacking: Mapping[str, Lacking] = field(default_factory=dict)

    @property
    def entries(self) -> tuple[str, ...]:
        """The files to which a process writes "0" in order to be in the group."""
        return tuple(sorted({f"{folder}/cgroup.procs" for folder in self.folders.values()}))

    def holds(self, controller: str) -> bool:
        """Whether this group limits it."""
        return controller in self.folders and controller not in self.lacking

    def add(self, pid: int) -> None:
        """Put a process into the group that has started nothing yet."""
        for entry in self.entries:
            with contextlib.suppress(OSError):
                Path(entry).write_text(str(pid))

    def memory_kills(self) -> int:
        """How many processes were ended since the memory was full."""
        return self._count("memory", ("memory.events", "memory.oom_control"), "oom_kill")

    def refused_processes(self) -> int:
        """How often a process was refused since there were too many."""
        return self._count("pids", ("pids.events",), "max")

    def _count(self, controller: str, files: tuple[str, ...], name: str) -> int:
        for file in files:
            with contextlib.suppress(OSError, KeyError):
                for line in (self.folders[controller] / file).read_text().splitlines():
                    key, _, value = line.partition(" ")
                    if key == name and value.isdecimal():
                        return int(value)
        return 0

    def remove(self) -> None:
        """End what is left in the group, and take it away. Blocks for REMOVE_PATIENCE seconds at most."""
        deadline = time.monotonic() + REMOVE_PATIENCE
        for folder in set(self.folders.values()):
            while not _removed(folder) and time.monotonic() < deadline:
                for pid in _members(folder):
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.005)


class Cgroups:
    """Makes groups below this process's own. All of it blocks, for less than a millisecond."""

    def __init__(self, membership: str | None = None, mounts: str | None = None):
        text = _read(Path("/proc/self/cgroup")) if membership is None else membership
        self._own = own_groups(text, _read(Path("/proc/self/mountinfo")) if mounts is None else mounts)
        self._shared: dict[str, Lacking] = {}
        if (unified := self._own.get("unified")) is not None:
            if unified.folder.name == SERVER:  # moved there before
                self._own["unified"] = unified = Mounted(2, unified.folder.parent)
            self._shared = _share(unified.folder, [name for name in CONTROLLERS if name not in self._own])

    def sweep(self) -> None:
        """Take away what processes that died have left: groups without members."""
        for mounted in self._own.values():
            for folder in mounted.folder.glob(f"{PREFIX}[0-9]*-*"):
                if not Path("/proc", folder.name.removeprefix(PREFIX).partition("-")[0]).exists():
                    _removed(folder)

    def make(self, name: str, limits: Limits) -> Group:
        """A group with these limits, as far as they can be set. Never raises for what this machine refuses."""
        folders: dict[str, Path] = {}
        lacking: dict[str, Lacking] = {}
        for controller in CONTROLLERS:
            mounted = self._own.get(controller) or self._own.get("unified")
            missing = self._shared.get(controller) if controller not in self._own else None
            if mounted is None:
                missing = Lacking("no control groups are mounted", "mount cgroup2 on /sys/fs/cgroup")
            if missing is None and mounted is not None:
                folder = mounted.folder / f"{PREFIX}{os.getpid()}-{name}"
                try:
                    folder.mkdir(exist_ok=True)
                    folders[controller] = folder
                    _set(folder, settings(mounted.version, limits).get(controller, []))
                except OSError as error:
                    missing = _lacking(error, mounted.folder)
            if missing is not None:
                lacking[controller] = missing
        return Group(folders, lacking)


def _set(folder: Path, values: list[tuple[str, str, bool]]) -> None:
    for file, text, needed in values:
        try:
            (folder / file).write_text(text)
        except OSError:
            if needed:
                raise


def _share(folder: Path, wanted: list[str]) -> dict[str, Lacking]:
    """Hand the controllers of version 2 on to the groups below `folder`; why not, of each that can't be."""
    here = _read(folder / "cgroup.controllers").split()
    lacking = {name: _absent(name) for name in wanted if name not in here}
    shared = _read(folder / "cgroup.subtree_control").split()
    asked = [name for name in wanted if name in here and name not in shared]
    if not asked:
        return lacking
    try:
        try:
            _hand_on(folder, asked)
        except OSError as error:
            # A group with members of its own hands nothing on; one that is ours alone can be emptied.
            if error.errno != errno.EBUSY or set(_members(folder)) - {os.getpid()}:
                raise
            (folder / SERVER).mkdir(exist_ok=True)
            (folder / SERVER / "cgroup.procs").write_text(str(os.getpid()))
            _hand_on(folder, asked)
    except OSError as error:
        lacking |= dict.fromkeys(asked, _lacking(error, folder))
    return lacking


def _hand_on(folder: Path, controllers: list[str]) -> None:
    (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))


def _absent(controller: str) -> Lacking:
    remedy = _NO_MEMORY if controller == "memory" else _DELEGATE
    return Lacking(f"this process's control group has no {controller} controller", remedy)


def _lacking(error: OSError, folder: Path) -> Lacking:
    if error.errno == errno.EBUSY:
        return Lacking(f"the control group {folder} is shared with other processes", _DELEGATE)
    return Lacking(f"no control group can be made in {folder}: {error.strerror}", _DELEGATE)


def _members(folder: Path) -> list[int]:
    return [int(line) for line in _read(folder / "cgroup.procs").split() if line.isdecimal() and line != "0"]


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
