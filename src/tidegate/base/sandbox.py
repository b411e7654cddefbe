"""What a sandboxed process may see and do, and the argv that starts it so: for jobs and for workloads.

Pure: nothing is started here. `sandbox_stage.py` does the work inside the namespaces, `sandbox_probe.py` tries what
this machine allows.

    capabilities = await probe()
    await process.run(argv(spec, capabilities, ["make"]), env=environment(spec, capabilities))

The command runs under a small init of ours (process 1 of its own pid namespace), which passes SIGTERM on and ends with
the server; killing the process that argv starts kills everything in the sandbox.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from tidegate.base.errors import InvalidInput, MissingTool
from tidegate.base.frozen import frozen
from tidegate.base.process import minimal_environment
from tidegate.base.sandbox_stage import (
    CANNOT_EXECUTE,
    CONTROL_VARIABLE,
    ENV_PREFIX,
    NOT_FOUND,
    PLAN_VARIABLE,
    SETUP_FAILED,
)

__all__ = [
    "CANNOT_EXECUTE", "DEFAULT_CAPABILITIES", "HOST_VISIBLE", "NOT_FOUND", "SETUP_FAILED", "Bind", "Capabilities",
    "FolderRoot", "HostRoot", "Missing", "OverlayRoot", "Sandbox", "Tmpfs", "UserRange", "argv", "environment",
    "host_uid",
]  # fmt: skip

# Imported, not run by path, so that the compiled form is used; last on the path, so that it hides no standard module.
_START = "import sys; sys.path.append(sys.argv[1]); import sandbox_stage; sandbox_stage.main()"
# The system's own programs and settings. Nothing else of the host exists inside: no home, no /run, no data.
HOST_VISIBLE = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc", "opt", "nix", "gnu")
# CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, NET_BIND_SERVICE: what images that start as root and then
# change their user need. They count only inside the sandbox's own range of users.
DEFAULT_CAPABILITIES = (0, 1, 3, 4, 5, 6, 7, 10)
DEFAULT_LIMITS = {"core": 0}


@frozen
class Missing:
    """Something this machine lacks, and the package or setting that brings it."""

    what: str
    remedy: str


@frozen
class Capabilities:
    """What was tried on this machine. Without `isolation` nothing can be sandboxed at all."""

    root: bool
    isolation: bool
    network: bool
    user_ranges: bool
    missing: tuple[Missing, ...] = ()

    def require(self) -> None:
        """Raise MissingTool, with the remedy, where nothing can be sandboxed."""
        if not self.isolation:
            what = "; ".join(missing.what for missing in self.missing) or "namespaces can't be made"
            remedy = "; ".join(missing.remedy for missing in self.missing)
            raise MissingTool(f"no sandbox on this machine: {what}", remedy=remedy or None, code="NoSandbox")


@frozen
class HostRoot:
    """The host's own programs, read-only; `hidden` are further paths that lie inside them."""

    visible: tuple[str, ...] = HOST_VISIBLE
    hidden: tuple[Path, ...] = ()
    staging: Path = Path("/tmp")  # noqa: S108 - any folder that is always there: it is only mounted over


@frozen
class FolderRoot:
    """A folder that holds a root file system; written to directly unless `read_only`."""

    path: Path
    read_only: bool = False


@frozen
class OverlayRoot:
    """Layers below, a writable folder above. All names are relative to `base`; `lower` has the topmost first.

    `readable` says that somebody will read what has changed in `upper`, so that overlayfs may not refer to what is
    below. `user_attributes` says that it keeps its marks in `user.overlay.…`, as it must where the mount is made in a
    user namespace; None for what fits whoever calls.
    """

    base: Path
    lower: tuple[str, ...]
    upper: str
    work: str
    target: str
    read_only: bool = False
    readable: bool = False
    user_attributes: bool | None = None


@frozen
class Bind:
    """A host path inside the sandbox; a folder or file that is missing at `target` is made (not in a HostRoot's own
    folders, which are read-only).
    """

    source: Path
    target: str
    read_only: bool = False


@frozen
class Tmpfs:
    """A fresh file system in memory; `size` in bytes."""

    target: str
    size: int = 64 * 1024 * 1024
    mode: int = 0o1777


@frozen
class UserRange:
    """Users 0… inside are the host's users `base`…: root inside is nobody outside. Only root can give a range; an
    ordinary user has a single id, and becomes `uid` inside.
    """

    base: int = 1_879_048_192
    count: int = 65_536


@frozen
class Sandbox:
    """Everything a process gets. `network` is "none" (its own, with only a loopback) or "host".

    `uid`, `gid` and `groups` count inside `users`: files that the command is to own belong to `host_uid(…)`. Without
    `users` they are the host's own, and must not be root's. `limits` are names of setrlimit(2) in lower case
    (`nofile`, `nproc`, `as`, `fsize`, `core`), cut to what this process may give. `control` is the descriptor of an
    inherited SOCK_SEQPACKET socket for `sandbox_stage.Init`; at `gate`, of a stream socket, the sandbox writes a byte
    once it has its namespaces, and waits for one before anything else; `cgroups` are files of control groups
    (`cgroup.procs`) that all of it is put into. Mounts are made in the order tmpfs, then binds. `handlers` are lines
    for binfmt_misc's `register`, of programs that are in the sandbox; they need `users`, and Linux 6.7.
    """

    root: HostRoot | FolderRoot | OverlayRoot = field(default_factory=HostRoot)
    binds: tuple[Bind, ...] = ()
    tmpfs: tuple[Tmpfs, ...] = (Tmpfs("/tmp"),)  # noqa: S108 - its own, not the host's
    workdir: str = "/"
    uid: int = 65534
    gid: int = 65534
    groups: tuple[int, ...] = ()
    users: UserRange | None = field(default_factory=UserRange)
    capabilities: tuple[int, ...] = ()
    network: str = "none"
    hostname: str = "sandbox"
    env: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULT_LIMITS))
    sys: bool = False
    shm: int = 64 * 1024 * 1024
    cgroups: tuple[str, ...] = ()
    nice: int = 0
    control: int | None = None
    handlers: tuple[str, ...] = ()
    gate: int | None = None


def host_uid(spec: Sandbox, capabilities: Capabilities) -> int:
    """The user, as the host sees it, to whom the command's files must belong."""
    if not capabilities.root:
        return os.getuid()
    users = _range(spec, capabilities)
    return spec.uid + (users.base if users else 0)


def argv(spec: Sandbox, capabilities: Capabilities, command: Sequence[str]) -> list[str]:
    """The argv that runs `command` in the sandbox; its exit code is the command's, or SETUP_FAILED, CANNOT_EXECUTE,
    NOT_FOUND with the reason on stderr. Raises MissingTool where this machine can't, InvalidInput for a spec that would
    leave the command root on the host.
    """
    capabilities.require()
    if spec.network == "none" and not capabilities.network:
        raise MissingTool("this machine gives no network namespace", remedy="use network 'host'", code="NoSandbox")
    if (
        capabilities.root
        and _range(spec, capabilities) is None
        and (spec.uid == 0 or spec.gid == 0 or spec.capabilities)
    ):
        raise InvalidInput("a sandboxed process must not be root on the host: give another uid, or a range of users")
    if not command:
        raise InvalidInput("a sandbox needs a command")
    namespaces = ["--mount", "--uts", "--ipc", "--pid", *(["--net"] if spec.network == "none" else [])]
    user = [] if capabilities.root else ["--user", "--map-root-user"]
    stage = [sys.executable, "-I", "-S", "-c", _START, str(Path(__file__).parent)]
    return ["unshare", *user, *namespaces, "--fork", "--kill-child", *stage, *command]


def environment(spec: Sandbox, capabilities: Capabilities) -> dict[str, str]:
    """The environment for the process that argv starts. The command's own variables are marked, so that none of them
    (LD_PRELOAD, PYTHONPATH, PATH) acts on the programs that set the sandbox up.
    """
    plan = marshal.dumps(_plan(spec, capabilities)).hex()
    control = {CONTROL_VARIABLE: "1"} if spec.control is not None else {}
    own = {f"{ENV_PREFIX}{name}": value for name, value in spec.env.items()}
    return minimal_environment({PLAN_VARIABLE: plan} | control | own)


def _range(spec: Sandbox, capabilities: Capabilities) -> UserRange | None:
    return spec.users if capabilities.root and capabilities.user_ranges else None


def _plan(spec: Sandbox, capabilities: Capabilities) -> dict[str, Any]:
    users = _range(spec, capabilities)
    return {
        "root": _root(spec.root, capabilities),
        "binds": [[str(bind.source.resolve()), bind.target, bind.read_only] for bind in spec.binds],
        "tmpfs": [[mount.target, mount.size, mount.mode] for mount in spec.tmpfs],
        "workdir": spec.workdir,
        "uid": spec.uid,
        "gid": spec.gid,
        "groups": list(spec.groups),
        "users": [users.base, users.count] if users else None,
        "single": not capabilities.root,
        "capabilities": list(spec.capabilities),
        "network": spec.network,
        "hostname": spec.hostname,
        "limits": dict(spec.limits),
        "sys": spec.sys and spec.network == "none",
        "shm": spec.shm,
        "cgroups": list(spec.cgroups),
        "nice": spec.nice,
        "control": spec.control,
        "handlers": list(spec.handlers),
        "gate": spec.gate,
    }


def _root(root: HostRoot | FolderRoot | OverlayRoot, capabilities: Capabilities) -> dict[str, Any]:
    match root:
        case HostRoot():
            hidden = [str(path.resolve()) for path in root.hidden]
            return {"kind": "host", "visible": list(root.visible), "hidden": hidden, "staging": str(root.staging)}
        case FolderRoot():
            return {"kind": "folder", "path": str(root.path), "read_only": root.read_only}
        case OverlayRoot():
            # `volatile` spares the disk (the upper folder is thrown away); an old kernel does not know it.
            in_user = not capabilities.root if root.user_attributes is None else root.user_attributes
            # The kernel itself sees to `readable` with userxattr, and knows no other options beside it.
            attributes = ",userxattr" if in_user else ",redirect_dir=off,metacopy=off" if root.readable else ""
            return {
                "kind": "overlay",
                "base": str(root.base),
                "lower": list(root.lower),
                "upper": root.upper,
                "work": root.work,
                "target": root.target,
                "read_only": root.read_only,
                "options": [f"{attributes},volatile", attributes],
            }
