"""Tries what this machine allows, once: a real sandbox; where that fails, which part is missing and what brings it."""

from __future__ import annotations

import os
from pathlib import Path

from tidegate.base import process
from tidegate.base.errors import CommandFailed, MissingTool
from tidegate.base.sandbox import Capabilities, Missing, Sandbox, argv, environment

PROBE_TIMEOUT = 10.0
_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
_DEBIAN = Path("/proc/sys/kernel/unprivileged_userns_clone")
_MAXIMUM = Path("/proc/sys/user/max_user_namespaces")
_known: list[Capabilities] = []


async def probe() -> Capabilities:
    """What this machine allows; tried at the first call (about 0.1 s), remembered after. Never raises."""
    if not _known:
        _known.append(await _try_all())
    return _known[0]


async def _try_all() -> Capabilities:
    root = os.geteuid() == 0
    full = Capabilities(root, isolation=True, network=True, user_ranges=root)
    why = await _fails(Sandbox(), full)
    if why is None:
        return full
    if root and await _fails(Sandbox(users=None), full) is None:
        missing = Missing(f"a range of users can't be mapped ({why})", "run it where root has all of its own user ids")
        return Capabilities(root, isolation=True, network=True, user_ranges=False, missing=(missing,))
    if await _fails(Sandbox(network="host", users=None), full) is None:
        missing = Missing(f"no network namespace ({why})", "use a kernel with CONFIG_NET_NS")
        return Capabilities(root, isolation=True, network=False, user_ranges=False, missing=(missing,))
    settings = {path.name: _read(path) for path in (_APPARMOR, _DEBIAN, _MAXIMUM)}
    return Capabilities(root, False, False, False, diagnose(root=root, why=why, settings=settings))


async def _fails(spec: Sandbox, assumed: Capabilities) -> str | None:
    """Why a sandbox can't be made, or None."""
    try:
        command = argv(spec, assumed, ["true"])
        spec_environment = environment(spec, assumed)
        await process.run(command, env=spec_environment, timeout=PROBE_TIMEOUT, package="util-linux")
    except CommandFailed as error:
        return (error.output.splitlines() or [error.message])[-1]
    except MissingTool as error:
        return error.message
    return None


def diagnose(*, root: bool, why: str, settings: dict[str, str | None]) -> tuple[Missing, ...]:
    """From the failure and the kernel's settings to what a person can do about it."""
    if "unshare" in why and "not installed" in why:
        return (Missing(why, "install it: apt-get install util-linux"),)
    if root:
        remedy = "give the container CAP_SYS_ADMIN (docker run --privileged), or run Tidegate as an ordinary user"
        return (Missing(f"root may not make namespaces here ({why})", remedy),)
    if settings.get(_APPARMOR.name) == "1":
        remedy = f"sysctl -w kernel.{_APPARMOR.name}=0, or run Tidegate as root"
        return (Missing("AppArmor restricts user namespaces (Ubuntu 23.10 and later)", remedy),)
    if settings.get(_DEBIAN.name) == "0":
        return (Missing("the kernel denies users their own namespaces", f"sysctl -w kernel.{_DEBIAN.name}=1"),)
    if settings.get(_MAXIMUM.name) == "0":
        return (Missing("no user namespaces are allowed", f"sysctl -w user.{_MAXIMUM.name}=15000"),)
    if "proc" in why:
        remedy = "give the container an unmasked /proc (docker run --security-opt systempaths=unconfined)"
        return (Missing(f"a fresh /proc can't be mounted ({why})", remedy),)
    return (Missing(f"user namespaces don't work ({why})", "run Tidegate as root, or outside the container"),)


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
