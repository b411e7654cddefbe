"""From a job's layout to how its place is started: in namespaces of its own, or plainly on the host. Pure."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tidegate.base.errors import InvalidInput, MissingTool
from tidegate.base.frozen import frozen
from tidegate.base.process import minimal_environment
from tidegate.base.sandbox import (
    HOST_VISIBLE,
    Bind,
    Capabilities,
    HostRoot,
    Sandbox,
    UserRange,
    argv,
    environment,
    host_uid,
)
from tidegate.runner.layout import HOME_INSIDE, Layout
from tidegate.runner.place import Start, agent_argv, agent_program, interpreter

JOB_UID = 1001  # as GitHub's `runner` has it
AGENT_INSIDE = "/run/tidegate/agent"
# Apart from the range that workloads use, so that no job is ever a workload's user.
FIRST_RANGE = 0x6000_0000
RANGE_SIZE = 65_536
SLOTS = 1024
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@frozen
class Held:
    """How a job is held to its limits: those of each process (setrlimit(2)), control groups to join, its niceness."""

    of_processes: Mapping[str, int]
    entries: tuple[str, ...] = ()
    nice: int = 0


@frozen
class Isolation:
    """How jobs are kept apart: `sandbox`, or `none` where somebody said so. `hidden` are paths that no job may see."""

    kind: str
    capabilities: Capabilities
    hidden: tuple[Path, ...] = ()

    @property
    def on_host(self) -> bool:
        """Whether jobs run as this process's own user, without namespaces."""
        return self.kind == "none"


def check(isolation: Isolation) -> None:
    """Raise where jobs can't be isolated and nobody said that they need not be."""
    if isolation.kind not in ("sandbox", "none"):
        raise InvalidInput(f"isolation {isolation.kind!r} is unknown", remedy="write sandbox or none")
    if isolation.on_host:
        return
    try:
        isolation.capabilities.require()
    except MissingTool as error:
        remedy = f"{error.remedy}; or set spec.isolation to none on the Runner, where every workflow is trusted"
        raise MissingTool(f"jobs can't be isolated: {error.message}", remedy=remedy, code="NoSandbox") from None


def job_home(isolation: Isolation, outside: Path) -> str:
    """The job's folder as the job sees it."""
    return str(outside) if isolation.on_host else HOME_INSIDE


def sandbox(isolation: Isolation, layout: Layout, slot: int, files: Mapping[str, Path], limits: Held) -> Sandbox:
    """What a job's place gets: the system read-only, its own folder, its own user, a network of its own.

    `files` are what stands for the system's: /etc/passwd, /etc/group, /etc/resolv.conf.
    """
    python = interpreter()
    binds = [Bind(layout.outside, HOME_INSIDE), Bind(agent_program(), AGENT_INSIDE, read_only=True)]
    binds += [Bind(layout.tmp, "/tmp"), Bind(layout.tmp, "/var/tmp")]  # noqa: S108 - the job's own, on disk
    binds += [Bind(source, target, read_only=True) for target, source in files.items()]
    if not str(python).startswith(tuple(f"/{name}/" for name in HOST_VISIBLE)):
        binds.append(Bind(Path(sys.base_prefix), sys.base_prefix, read_only=True))
    hidden = tuple(path for path in isolation.hidden if path.parts[1:2] and path.parts[1] in HOST_VISIBLE)
    return Sandbox(
        root=HostRoot(hidden=hidden),
        binds=tuple(binds),
        tmpfs=(),
        workdir=HOME_INSIDE,
        uid=JOB_UID,
        gid=JOB_UID,
        users=UserRange(FIRST_RANGE + slot * RANGE_SIZE, RANGE_SIZE),
        network="none" if isolation.capabilities.network else "host",
        hostname="runner",
        env=minimal_environment(),
        limits=limits.of_processes,
        cgroups=limits.entries,
        nice=limits.nice,
    )


def owner(isolation: Isolation, spec: Sandbox) -> int:
    """The user, as this machine sees it, to whom the job's files belong."""
    return os.geteuid() if isolation.on_host else host_uid(spec, isolation.capabilities)


def start(isolation: Isolation, spec: Sandbox, descriptor: int, gate: int | None = None) -> Start:
    """How the place is started: the agent serves `descriptor`; at `gate` the sandbox waits for its network."""
    own = agent_argv(
        descriptor=descriptor,
        agent=str(agent_program()) if isolation.on_host else AGENT_INSIDE,
        interpreter=str(interpreter()),
        on_host=isolation.on_host,
    )
    if isolation.on_host:
        return Start(own, minimal_environment(), os.geteuid(), on_host=True)
    spec = replace(spec, gate=gate)
    command = argv(spec, isolation.capabilities, own)
    return Start(command, environment(spec, isolation.capabilities), host_uid(spec, isolation.capabilities))


def passwd(system: str) -> str:
    """The system's /etc/passwd with the job's user in it, so that its name and home are known."""
    return _without(system) + f"runner:x:{JOB_UID}:{JOB_UID}:runner:{HOME_INSIDE}:/bin/bash\n"


def group(system: str) -> str:
    """The system's /etc/group with the job's group in it."""
    return _without(system) + f"runner:x:{JOB_UID}:\n"


def _without(system: str) -> str:
    """Every entry but those that share the job's name or number."""
    kept = []
    for line in system.splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[0] != "runner" and fields[2] != str(JOB_UID):
            kept.append(line + "\n")
    return "".join(kept)
