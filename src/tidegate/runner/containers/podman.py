"""Podman's settings and command lines, of this home's own: the machine's settings and images stay as they are. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.base.sandbox import UserRange
from tidegate.kinds.reference import DEFAULT_REGISTRY, Reference
from tidegate.oci.auth import Endpoint
from tidegate.oci.credentials import Login
from tidegate.runner.containers.externals import Externals
from tidegate.runner.containers.options import Health
from tidegate.runner.containers.wanted import Wanted

LABEL = "dev.tidegate.job"
DOCKER_HUB = "docker.io"
MIB = 1024 * 1024
LEAST_MEMORY = 16 * MIB
_NANOSECONDS = 1_000_000_000
# `podman run --preserve-fds 1` passes descriptor 3 on, whatever number it has here.
AGENT_DESCRIPTOR = 3
_RENUMBER = (
    "import os, sys; n = int(sys.argv[1]); n == 3 or os.dup2(n, 3); "
    "os.set_inheritable(3, True); os.execvp(sys.argv[2], sys.argv[2:])"
)


@frozen
class Folders:
    """Where podman keeps what is this home's."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "containers.conf"

    @property
    def storage(self) -> Path:
        return self.root / "storage.conf"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which podman finds its settings."""
        return {"CONTAINERS_CONF": str(self.settings), "CONTAINERS_STORAGE_CONF": str(self.storage)}


@frozen
class Limits:
    """What all processes of one container may use. `memory` is in bytes; the others are numbers, `tasks` those of one
    user.
    """

    memory: int
    pids: int
    files: int
    tasks: int


@frozen
class Image:
    """An image that is there, as far as containers of it need it."""

    id: str
    env: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    workdir: str = "/"
    health: Health | None = None


@frozen
class Mount:
    """A file or folder of the job's, in a container."""

    source: Path
    target: str
    read_only: bool = False


@frozen
class Start:
    """A container as podman starts it. `network` is `none`, or the namespace of a process: `ns:/proc/PID/ns/net`."""

    name: str
    image: str
    users: UserRange
    network: str
    limits: Limits
    label: str
    mounts: tuple[Mount, ...] = ()
    volumes: tuple[tuple[str, str, bool], ...] = ()
    wanted: Wanted | None = None


def settings_text(folders: Folders, limits: Limits, runtime: str) -> str:
    """containers.conf."""
    run = folders.root / "run"
    kept = folders.root / "storage"
    return "\n".join([
        "[containers]",
        f"default_ulimits = {json.dumps(_ulimits(limits))}",
        'log_driver = "none"',
        f"pids_limit = {limits.pids}",
        "[engine]",
        'cgroup_manager = "cgroupfs"',
        'events_logger = "none"',
        'lock_type = "file"',
        f"runtime = {json.dumps(runtime)}",
        f"tmp_dir = {json.dumps(str(run / 'libpod'))}",
        f"static_dir = {json.dumps(str(kept / 'libpod'))}",
        f"volume_path = {json.dumps(str(kept / 'volumes'))}",
        "[network]",
        f"network_config_dir = {json.dumps(str(folders.root / 'networks'))}",
        "",
    ])  # fmt: skip


def storage_text(folders: Folders) -> str:
    """storage.conf."""
    kept, run = json.dumps(str(folders.root / "storage")), json.dumps(str(folders.root / "run"))
    return f'[storage]\ndriver = "overlay"\ngraphroot = {kept}\nrunroot = {run}\n'


def registries_text(host: str, endpoint: Endpoint) -> str:
    """registries.conf for one pull: where a registry's host is really asked."""
    insecure = "true" if endpoint.plain_http_allowed else "false"
    entry = [f"prefix = {json.dumps(host)}", f"location = {json.dumps(endpoint.host)}", f"insecure = {insecure}"]
    return "\n".join(["unqualified-search-registries = []", "[[registry]]", *entry, ""])


def auth_text(endpoint: Endpoint, host: str, login: Login | None) -> str:
    """auth.json for one pull: the login for the place that is asked, and nothing else."""
    if login is None:
        return json.dumps({"auths": {}})
    auth = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
    asked = host if endpoint.host == "index.docker.io" else endpoint.host
    return json.dumps({"auths": {asked: {"auth": auth}}})


def registry_host(reference: Reference) -> str:
    """The registry's host as podman spells it."""
    host = reference.repository.registry
    return DOCKER_HUB if host == DEFAULT_REGISTRY else host


def pull_argv(reference: Reference, auth: Path) -> list[str]:
    """Pull an image; its id is what is written."""
    version = f"@{reference.digest}" if reference.digest else f":{reference.tag}"
    name = f"{registry_host(reference)}/{reference.repository.path}{version}"
    return ["podman", "pull", "--quiet", "--authfile", str(auth), f"docker://{name}"]


def start_argv(start: Start, externals: Externals, descriptor: int, python: str) -> list[str]:
    """Start a container in which the agent serves `descriptor`; it is removed when the agent ends."""
    return [
        *(python, "-I", "-S", "-c", _RENUMBER, str(descriptor)),
        *("podman", "run", "--detach", "--rm", "--pull=never", "--preserve-fds=1", "--no-hosts", "--log-driver=none"),
        *("--name", start.name, "--label", f"{LABEL}={start.label}", f"--network={start.network}"),
        *(f"--{one}map=0:{start.users.base}:{start.users.count}" for one in ("uid", "gid")),
        # A namespace of the network that is another's has no /sys of its own: the machine's would be there instead.
        *(("--security-opt=mask=/sys",) if start.network != "none" else ()),
        *_limits(start),
        *(f"--volume={source}:{target}:ro" for source, target in externals.mounts),
        *(f"--volume={one.source}:{one.target}{':ro' if one.read_only else ''}" for one in start.mounts),
        *(f"--volume={name}{':' if name else ''}{target}{':ro' if closed else ''}"
          for name, target, closed in start.volumes),
        *_options(start.wanted),
        f"--entrypoint={json.dumps([externals.command[0]])}",
        start.image,
        *externals.command[1:],
        str(AGENT_DESCRIPTOR),
    ]  # fmt: skip


def _limits(start: Start) -> list[str]:
    options = start.wanted.options if start.wanted is not None else None
    memory = max(min(options.memory or start.limits.memory, start.limits.memory), LEAST_MEMORY) if options else None
    pids = min(options.pids or start.limits.pids, start.limits.pids) if options else start.limits.pids
    said = [part for part in options.passed if part.startswith("--ulimit=")] if options else []
    # Where one is said, podman takes its own for the others, which are more than a process may give that has less.
    own = [f"--ulimit={one}" for one in _ulimits(start.limits)]
    kept = [one for one in own if not any(part.startswith(one.rpartition("=")[0] + "=") for part in said)]
    return [f"--memory={memory or start.limits.memory}", f"--pids-limit={pids}", *kept]


def _ulimits(limits: Limits) -> list[str]:
    return [f"nofile={limits.files}:{limits.files}", f"nproc={limits.tasks}:{limits.tasks}", "core=0:0"]


def _options(wanted: Wanted | None) -> Iterable[str]:
    if wanted is None:
        return ()
    options = wanted.options
    user = [f"--user={options.user}"] if options.user else []
    return [*options.passed, *user]


def remove_argv(names: Sequence[str]) -> list[str]:
    """End and remove containers, there or not."""
    return ["podman", "rm", "--force", "--ignore", "--time=0", "--volumes", *names]


def image_from(described: Mapping[str, Any]) -> Image:
    """What `podman image inspect` says of an image."""
    config = described.get("Config") or {}
    env = dict(str(line).partition("=")[::2] for line in config.get("Env") or ())
    return Image(
        id=str(described["Id"]),
        env=env,
        entrypoint=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        user=str(config.get("User") or ""),
        workdir=str(config.get("WorkingDir") or "/"),
        health=_health(described.get("HealthCheck") or described.get("Healthcheck") or config.get("Healthcheck")),
    )


def _health(said: Mapping[str, Any] | None) -> Health | None:
    test = list((said or {}).get("Test") or ())
    if said is None or not test or test[0] == "NONE":
        return None
    command = ("sh", "-c", *test[1:]) if test[0] == "CMD-SHELL" else tuple(test[1:])
    default = Health(command)
    return Health(
        command,
        (said.get("Interval") or 0) / _NANOSECONDS or default.interval,
        (said.get("Timeout") or 0) / _NANOSECONDS or default.timeout,
        (said.get("StartPeriod") or 0) / _NANOSECONDS,
        int(said.get("Retries") or default.retries),
    )


def network_argv(pid: int) -> list[str]:
    """`ip` for lines on stdin, in the network namespace of a process."""
    return ["nsenter", f"--target={pid}", "--net", "--", "ip", "-batch", "-"]


def low_ports_argv(pid: int) -> list[str]:
    """Let every user listen at ports below 1024 in the network namespace of a process."""
    setting = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
    return ["nsenter", f"--target={pid}", "--net", "--", "sh", "-c", f"echo 0 >{setting}"]
