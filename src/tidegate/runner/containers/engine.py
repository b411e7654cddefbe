"""Podman as this home uses it: whether it can be used, images, and what containers of a process that died have left."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import secrets
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tidegate.base import process
from tidegate.base.errors import CommandFailed, Denied, NotFound, TidegateError, Unavailable, Where
from tidegate.base.process import minimal_environment
from tidegate.kinds.reference import Reference
from tidegate.oci.auth import Endpoint, default_endpoint
from tidegate.oci.credentials import Login
from tidegate.runner.containers import podman
from tidegate.runner.containers.check import NoContainers
from tidegate.runner.containers.podman import Folders, Image, Limits

PULL_TIMEOUT = 1800.0
COMMAND_TIMEOUT = 120.0
PROBE_TIMEOUT = 60
MOST_PROCESSES = 1024
IMAGES_BUDGET = 10 * 1024**3
"""Bytes of images that are kept for later jobs."""
_log = logging.getLogger("tidegate.runner.containers")
MOST_FILES = 65_536
MOST_TASKS = 32_768
_PROGRAMS = {"podman": "podman", "conmon": "conmon", "ip": "iproute2", "nsenter": "util-linux"}
_RUNTIMES = ("runc", "crun")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_DENIED = ("unauthorized", "denied", "authentication required", "invalid username/password", "403 (forbidden)")
_MISSING = ("manifest unknown", "name unknown", "not found", "404 (not found)")


class Podman:
    """Podman with settings, images and containers below the folder `root`, which is made at the first use."""

    def __init__(self, root: Path):
        self.folders = Folders(root)
        self.limits = _limits()
        self._usable = False
        self._jobs = 0
        self._untidy = False
        self._making = asyncio.Lock()

    def lack(self) -> NoContainers | None:
        """Why no container can run here, None where they can. Blocks: podman itself is asked, until it says yes."""
        if self._usable:
            return None
        if os.geteuid() != 0:
            return NoContainers("Tidegate does not run as root, and podman needs it for them", "run Tidegate as root")
        for program, package in _PROGRAMS.items():
            if shutil.which(program) is None:
                return _missing(program, package)
        if _runtime() is None:
            return _missing("runc", "runc")
        self._write_settings()
        try:
            done = subprocess.run(
                ["podman", "info", "--format", "{{.Store.GraphDriverName}}"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=self._environment(),
                timeout=PROBE_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return NoContainers(f"podman does not answer: {error}", "try: podman info")
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
            return NoContainers(f"podman can't be used: {said[-1][:500]}", "see what `podman info` says")
        self._usable = True
        return None

    async def ready(self) -> None:
        """Raise Unavailable where no container can run here."""
        async with self._making:
            missing = await asyncio.to_thread(self.lack)
        if missing is not None:
            raise Unavailable(f"containers can't run here: {missing.why}", remedy=missing.remedy)

    async def pull(
        self, reference: Reference, sources: Mapping[str, Endpoint], login: Login | None, where: Where
    ) -> Image:
        """Fetch an image, or what of it has changed. A host of `sources` is asked there, with the login that stands
        there; `login` never goes there. The registry is asked each time, so that nobody uses an image that only another
        job may read. Raises NotFound, Denied or Unavailable at `where`.
        """
        self._untidy = True
        host = reference.repository.registry
        endpoint = sources.get(host) or default_endpoint(host)
        folder = self.folders.root / f"pull-{secrets.token_hex(8)}"
        await asyncio.to_thread(folder.mkdir, mode=0o700)
        auth, registries = folder / "auth.json", folder / "registries.conf"
        try:
            shown = podman.registry_host(reference)
            auth.write_text(podman.auth_text(endpoint, shown, endpoint.login if host in sources else login))
            registries.write_text(podman.registries_text(shown, endpoint))
            env = {"CONTAINERS_REGISTRIES_CONF": str(registries)}
            said = await self._run(podman.pull_argv(reference, auth), env=env, timeout=PULL_TIMEOUT, network=True)
        except CommandFailed as error:
            raise _pull_error(reference, error, where) from None
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return await self._image(said.split()[-1])

    async def take(self, layout: Path) -> Image:
        """The image of an OCI layout on this machine."""
        self._untidy = True
        said = await self._run(["podman", "pull", "--quiet", f"oci:{layout}"], timeout=PULL_TIMEOUT)
        return await self._image(said.split()[-1])

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[None]:
        """No image is removed while the block lasts; after the last one, those without a name go, and all of them where
        they have come to more than IMAGES_BUDGET.
        """
        self._jobs += 1
        try:
            yield
        finally:
            self._jobs -= 1
            if self._untidy and not self._jobs:
                self._untidy = False
                await self._tidy()

    async def _tidy(self) -> None:
        try:
            images = json.loads(await self._run(["podman", "images", "--format=json"]) or "[]")
            full = sum(int(image.get("Size") or 0) for image in images) > IMAGES_BUDGET
            if not self._jobs:
                await self._run(["podman", "image", "prune", "--force", *(["--all"] if full else [])], check=False)
        except (TidegateError, ValueError) as error:
            _log.warning("podman's images are not tidied up now: %s", error)

    async def _image(self, identity: str) -> Image:
        said = await self._run(["podman", "image", "inspect", identity])
        return podman.image_from(json.loads(said)[0])

    async def pid(self, name: str) -> int:
        """The process of a container as this machine numbers it. Unavailable where it has ended."""
        said = await self._run(["podman", "container", "inspect", "--format", "{{.State.Pid}}", name])
        if int(said) <= 0:
            raise Unavailable(f"the container {name} has ended")
        return int(said)

    async def network(self, pid: int, lines: str) -> None:
        """Give `ip` lines in the network namespace of a process."""
        await process.run(podman.network_argv(pid), stdin=lines.encode(), package="iproute2")

    async def low_ports(self, pid: int) -> None:
        """Let every user listen at ports below 1024 in the network namespace of a process."""
        await process.run(podman.low_ports_argv(pid), package="util-linux")

    async def remove(self, containers: Sequence[str], volumes: Sequence[str] = ()) -> None:
        """End and remove containers, there or not, and then volumes."""
        if containers:
            await self._run(podman.remove_argv(containers))
        if volumes:
            await self._run(["podman", "volume", "rm", "--force", *volumes], check=False)

    async def sweep(self) -> None:
        """Remove what a process that died has left here: every container and volume. Nothing happens where no container
        has ever run.
        """
        kept = self.folders.root / "storage"
        if not kept.exists() or shutil.which("podman") is None:
            return
        await asyncio.to_thread(self._after_boot)
        await asyncio.to_thread(self._write_settings)
        for argv in (
            ["podman", "rm", "--all", "--force", "--time=0", "--volumes"],
            ["podman", "volume", "prune", "--force"],
        ):
            await self._run(argv, check=False)
        await self._tidy()
        for folder in self.folders.root.glob("pull-*"):
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _after_boot(self) -> None:
        """What podman noted of running processes is of no use after a boot."""
        noted = self.folders.root / "boot"
        if noted.exists() and noted.read_text() != _boot():
            shutil.rmtree(self.folders.root / "run", ignore_errors=True)

    def _write_settings(self) -> None:
        folders = self.folders
        folders.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folders.settings.write_text(podman.settings_text(folders, self.limits, _runtime() or _RUNTIMES[0]))
        folders.storage.write_text(podman.storage_text(folders))
        (folders.root / "boot").write_text(_boot())

    async def _run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        timeout: float = COMMAND_TIMEOUT,
        network: bool = False,
        check: bool = True,
    ) -> str:
        environment = self._environment(network=network) | dict(env or {})
        done = await process.run(argv, env=environment, timeout=timeout, check=check, package="podman")
        return done.text.strip()

    def _environment(self, *, network: bool = False) -> dict[str, str]:
        return minimal_environment({**self.folders.environment, "HOME": str(self.folders.root)}, network=network)

    @property
    def environment(self) -> dict[str, str]:
        """What podman finds in its environment: its settings, and nothing of a workflow's."""
        return self._environment()


def _limits() -> Limits:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    files, tasks = _hard(resource.RLIMIT_NOFILE, MOST_FILES), _hard(resource.RLIMIT_NPROC, MOST_TASKS)
    return Limits(max(memory * 3 // 4, 512 * podman.MIB), MOST_PROCESSES, files, tasks)


def _hard(number: int, most: int) -> int:
    """What this process may give of a limit, bounded."""
    _, hard = resource.getrlimit(number)
    return most if hard == resource.RLIM_INFINITY else min(hard, most)


def _runtime() -> str | None:
    return next((name for name in _RUNTIMES if shutil.which(name)), None)


def _boot() -> str:
    try:
        return _BOOT.read_text()
    except OSError:
        return ""


def _missing(program: str, package: str) -> NoContainers:
    return NoContainers(f"the program {program!r} is not installed", f"install it: apt-get install {package}")


def _pull_error(reference: Reference, error: CommandFailed, where: Where) -> TidegateError:
    said = (error.output or error.message).lower()
    last = (error.output or error.message).strip().splitlines()[-1][-500:]
    if any(word in said for word in _DENIED):
        remedy = "give username and password under 'credentials', or log in in a step before"
        return Denied(f"the registry does not give {reference} away: {last}", where=where, remedy=remedy)
    if any(word in said for word in _MISSING):
        return NotFound(f"there is no image {reference}: {last}", where=where, remedy="check its name and tag")
    return Unavailable(f"the image {reference} can't be pulled: {last}", where=where, remedy="try again later")
