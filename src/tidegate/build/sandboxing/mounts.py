"""`RUN --mount`: what a sandbox is given besides the stage's files. Nothing that is mounted lands in a layer."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.base.frozen import frozen
from tidegate.base.sandbox import Bind, Tmpfs
from tidegate.build.steps import Command, Mount

CACHES = "mounts"
PLACE = "/run/secrets"
"""Where a secret is that names no target."""
_TRUE = ("true", "1")
_SIZE_UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}

Origins = Callable[[Mount, Path], None]
"""Lays what a bind mount shows down at a place where nothing is yet."""


@frozen
class Mounted:
    """What a sandbox gets for a command's mounts."""

    binds: tuple[Bind, ...] = ()
    tmpfs: tuple[Tmpfs, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@frozen
class Giver:
    """Who gives mounts: the secrets of this build, the folder of its cache mounts, and to whom files shall belong.

    `owner` is the image's root on disk. `scratch` is this command's own folder.
    """

    secrets: Mapping[str, bytes]
    caches: Path
    owner: int
    scratch: Path

    @contextlib.contextmanager
    def give(self, command: Command, origin: Origins) -> Iterator[Mounted]:
        """Everything is there, and cache mounts are locked as they say, as long as the context lasts. Blocks.

        Raises InvalidInput or NotFound.
        """
        binds: list[Bind] = []
        tmpfs: list[Tmpfs] = []
        environment: dict[str, str] = {}
        with contextlib.ExitStack() as held:
            for number, mount in enumerate(command.mounts):
                target = target_of(mount, command.folder)
                if mount.type == "tmpfs":
                    tmpfs.append(Tmpfs(target, _size(mount.options.get("size", "64m")), 0o755))
                elif mount.type == "secret":
                    self._secret(mount, target, number, binds, environment)
                elif mount.type == "cache":
                    source = held.enter_context(self._cache(mount, target, number))
                    binds.append(Bind(source, target, read_only=_switch(mount, "readonly", "ro")))
                elif mount.type == "bind":
                    source = self.scratch / f"bind-{number}"
                    origin(mount, source)
                    binds.append(Bind(source, target, read_only=not _switch(mount, "rw", "readwrite")))
                elif _switch(mount, "required"):
                    raise InvalidInput(f"--mount=type={mount.type} is not given to builds here")
            yield Mounted(tuple(binds), tuple(tmpfs), environment)

    def _secret(self, mount: Mount, target: str, number: int, binds: list[Bind], environment: dict[str, str]) -> None:
        name = secret_id(mount)
        value = self.secrets.get(name)
        if value is None:
            if _switch(mount, "required"):
                raise NotFound(f"the secret {name!r} is not given", remedy=f"give it: --secret id={name},src=FILE")
            return
        if variable := mount.options.get("env"):
            environment[variable] = value.decode("utf-8", "surrogateescape")
            if not mount.target:
                return
        path = self.scratch / f"secret-{number}"
        path.touch(0o600)
        path.write_bytes(value)
        self._own(path, mount, "0400")
        binds.append(Bind(path, target, read_only=True))

    @contextlib.contextmanager
    def _cache(self, mount: Mount, target: str, number: int) -> Iterator[Path]:
        """A folder by its id, shared by builds: at once, one after the other (`locked`), or one each (`private`)."""
        name = mount.options.get("id", target)
        folder = self.caches / hashlib.sha256(f"{name} {self.owner}".encode()).hexdigest()[:32]
        self.caches.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(f"{folder}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            sharing = mount.options.get("sharing", "shared")
            try:
                how = fcntl.LOCK_SH if sharing == "shared" else fcntl.LOCK_EX
                fcntl.flock(descriptor, how | (fcntl.LOCK_NB if sharing == "private" else 0))
            except BlockingIOError:
                folder = self.scratch / f"cache-{number}"
            os.utime(descriptor)
            os.ftruncate(descriptor, 0)  # its size will be another one; see evicting.py
            if not folder.exists():
                folder.mkdir(exist_ok=True)
                self._own(folder, mount, "0755")
            yield folder
        finally:
            os.close(descriptor)

    def _own(self, path: Path, mount: Mount, mode: str) -> None:
        uid, gid = (_number(mount, name) for name in ("uid", "gid"))
        os.chown(path, self.owner + uid, self.owner + gid)
        try:
            path.chmod(int(mount.options.get("mode", mode), 8) & 0o7777)
        except ValueError:
            raise InvalidInput(f"--mount: mode={mount.options['mode']} is no octal number") from None


def target_of(mount: Mount, folder: str) -> str:
    """Where a mount goes, absolute. Raises InvalidInput where it does not say, or over what a sandbox needs."""
    text = mount.target
    if not text and mount.type == "secret":
        text = f"{PLACE}/{secret_id(mount)}"
    if not text:
        raise InvalidInput(f"--mount=type={mount.type} needs a target")
    path = posixpath.normpath(posixpath.join("/", folder, text))
    if path == "/" or path.split("/")[1] in ("proc", "dev", "sys"):
        raise InvalidInput(f"--mount: nothing can be mounted on {path}")
    return path


def secret_id(mount: Mount) -> str:
    """Which secret a mount means: its id, else its target's last part."""
    name = mount.options.get("id") or posixpath.basename(mount.target)
    if not name or "/" in name or name in (".", ".."):
        raise InvalidInput("--mount=type=secret needs an id")
    return name


def described(mounts: Sequence[Mount]) -> list[object]:
    """Mounts as a cache's key has them: which secrets and caches, never what is in them."""
    return [[mount.type, sorted(mount.options.items())] for mount in mounts]


def _switch(mount: Mount, *names: str) -> bool:
    return any(mount.options.get(name, "").lower() in _TRUE for name in names)


def _number(mount: Mount, name: str) -> int:
    text = mount.options.get(name, "0")
    if not (text.isascii() and text.isdigit()) or int(text) > 65535:
        raise InvalidInput(f"--mount: {name}={text} is no user's number")
    return int(text)


def _size(text: str) -> int:
    number = text.rstrip("bBkKmMgG").strip()
    unit = text[len(number) :].strip().lower()[:1]
    if not number.isdigit():
        raise InvalidInput(f"--mount: size={text} is no size")
    return int(number) * _SIZE_UNITS[unit]
