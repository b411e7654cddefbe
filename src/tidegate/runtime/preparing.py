"""From a pod to what is started: the image, the root, the user, the variables, the volumes."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from tidegate.base import process
from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound
from tidegate.base.frozen import frozen
from tidegate.base.sandbox import (
    DEFAULT_CAPABILITIES,
    DEFAULT_LIMITS,
    Bind,
    FolderRoot,
    OverlayRoot,
    Sandbox,
    UserRange,
)
from tidegate.kinds.objects import Object
from tidegate.network.outside import Outside
from tidegate.oci.credentials import Credentials, Login
from tidegate.oci.pull_secrets import pull_credentials
from tidegate.runtime import volumes
from tidegate.runtime.command import argv_of, ids_of, image_environment
from tidegate.runtime.images import Image, Registry
from tidegate.runtime.layers import FOLDER, NOBODY, remove
from tidegate.runtime.machine import Machine
from tidegate.runtime.podspec import Container, PodSpec
from tidegate.runtime.values import CONFIG_ERROR, variables

ACCOUNTS_LIMIT = 1024 * 1024
COPY_TIMEOUT = 300.0
_CAPABILITY_NAMES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "NET_BIND_SERVICE")


@frozen
class Prepared:
    """All that a container's start needs; `folder` is removed when the run is over, `outside` gives it its network."""

    spec: Sandbox
    command: list[str]
    image: Image
    folder: Path
    outside: Outside | None = None


async def pull(machine: Machine, pod: Object, spec: PodSpec) -> Image:
    """The pod's image, ready on disk."""
    registry: Registry = machine.registry
    if spec.pull_secrets and machine.registry_for is not None:
        registry = machine.registry_for(await _pull_credentials(machine, pod, spec))
    container = spec.container
    return await machine.images.ensure(container.image, container.pull_policy, spec.architecture, registry)


async def _pull_credentials(machine: Machine, pod: Object, spec: PodSpec) -> Credentials:
    """As Kubernetes, a secret that is missing or no pull secret is passed over: the image may be public."""
    logins: dict[str, Login] = {}
    for name in spec.pull_secrets:
        try:
            found = await pull_credentials(machine.store, str(pod["metadata"]["namespace"]), [name])
        except (NotFound, InvalidInput):
            continue
        logins.update(found.logins)
    return Credentials(logins)


async def prepare(machine: Machine, pod: Object, spec: PodSpec, image: Image, run: int) -> Prepared:
    """Make the run's folder and volumes. Errors carry the reason that a container's state shows."""
    metadata, container = pod["metadata"], spec.container
    place = volumes.Place(machine.pod_folder(metadata["uid"]), machine.owner, machine.host_roots)
    folder = place.folder / f"run-{run}"
    uid, gid, home = await asyncio.to_thread(_user, machine.root, image, container)
    hostname = (spec.hostname or str(metadata["name"]))[:63].rstrip("-.")
    base = {"HOME": home, "HOSTNAME": hostname} | image_environment(image.config.env)
    environment = await variables(machine.store, pod, container, base)
    command = argv_of(container.command, container.args, image.config.entrypoint, image.config.cmd, environment)
    binds, memory = await volumes.prepare(machine.store, str(metadata["namespace"]), spec, place)
    root = await _root(machine, image, folder, read_only=container.read_only_root)
    outside = await machine.way_out(pod)
    names = await outside.resolv_conf() if outside else None
    files = await asyncio.to_thread(_own_files, folder, hostname, machine, names)
    if not (machine.capabilities.user_ranges or not machine.capabilities.root):
        uid = gid = NOBODY
    sandbox = Sandbox(
        root=root,
        binds=(*files, *binds),
        tmpfs=memory,
        workdir=container.working_dir or image.config.working_dir or "/",
        uid=uid,
        gid=gid,
        groups=spec.supplemental_groups,
        users=UserRange(),
        capabilities=_capabilities(container, uid),
        network=machine.network,
        hostname=hostname,
        env=environment,
        limits=DEFAULT_LIMITS,
    )
    return Prepared(sandbox, command, image, folder, outside)


def _capabilities(container: Container, uid: int) -> tuple[int, ...]:
    if uid != 0 or "ALL" in container.dropped:
        return ()
    named = zip(_CAPABILITY_NAMES, DEFAULT_CAPABILITIES, strict=True)
    return tuple(number for name, number in named if name not in container.dropped)


def _user(root: Path, image: Image, container: Container) -> tuple[int, int, str]:
    """The uid, the gid and the home of whom the container runs as."""
    folders = [root / FOLDER / name for name in image.layers]
    passwd, group = (_read_inside(folders, f"etc/{name}") for name in ("passwd", "group"))
    wanted = image.config.user if container.user is None else str(container.user)
    uid, gid = ids_of(wanted, passwd, group)
    gid = gid if container.group is None else container.group
    if container.non_root and uid == 0:
        raise InvalidInput("container has runAsNonRoot and image will run as root", code=CONFIG_ERROR)
    homes = (line.split(":") for line in passwd.splitlines() if line.count(":") >= 5)
    return uid, gid, next((fields[5] for fields in homes if fields[2] == str(uid) and fields[5]), "/")


def _read_inside(folders: Sequence[Path], name: str) -> str:
    """A file of the image, from the topmost layer that has it; links, which a stranger made, are not followed."""
    for folder in folders:
        path = folder
        for part in name.split("/"):
            path = path / part
            if path.is_symlink():
                return ""
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode) or path.stat().st_size > ACCOUNTS_LIMIT:
                    raise LimitExceeded(f"the image's {name} is larger than {ACCOUNTS_LIMIT} bytes")
                return file.read().decode("utf-8", "replace")
    return ""


async def _root(machine: Machine, image: Image, folder: Path, *, read_only: bool) -> OverlayRoot | FolderRoot:
    """Layers below a fresh writable folder; where the kernel can't stack them, a copy."""
    await asyncio.to_thread(_fresh, folder, machine.owner)
    if machine.overlay:
        run = folder.relative_to(machine.root).as_posix()
        lower = tuple(f"{FOLDER}/{name}" for name in image.layers)
        return OverlayRoot(machine.root, lower, f"{run}/upper", f"{run}/work", f"{run}/root", read_only)
    for name in reversed(image.layers):
        source = machine.root / FOLDER / name
        copy = ["cp", "-a", "--reflink=auto", f"{source}/.", str(folder / "root")]
        await process.run(copy, timeout=COPY_TIMEOUT, package="coreutils")
    return FolderRoot(folder / "root", read_only)


def _fresh(folder: Path, owner: int | None) -> None:
    remove(folder)
    for name in ("upper", "work", "root"):
        inner = folder / name
        inner.mkdir(parents=True)
        inner.chmod(0o755)
        if owner is not None:
            os.chown(inner, owner, owner)


def _own_files(folder: Path, hostname: str, machine: Machine, names: str | None) -> tuple[Bind, ...]:
    """The files that every pod has of its own: its names, and how names are resolved (`names`, where it has a way)."""
    contents = {
        "hosts": f"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\t{hostname}\n",
        "hostname": f"{hostname}\n",
    }
    if names is not None:
        contents["resolv.conf"] = names
    binds = []
    for name, text in contents.items():
        path = folder / name
        path.write_text(text)
        path.chmod(0o644)
        binds.append(Bind(path, f"/etc/{name}", read_only=True))
    if machine.network == "host" and Path("/etc/resolv.conf").exists():
        binds.append(Bind(Path("/etc/resolv.conf"), "/etc/resolv.conf", read_only=True))
    return tuple(binds)
