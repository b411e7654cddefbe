"""Runs one line of a stage in a sandbox, and gives what it changed.

Root in the sandbox is nobody outside; the machine's files are not there; what the line may use is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import TypeVar

from tidegate.base.errors import CommandFailed
from tidegate.base.frozen import frozen
from tidegate.base.masking import Masker
from tidegate.base.sandbox import SETUP_FAILED, Bind, OverlayRoot, Sandbox, argv, environment
from tidegate.build.index_settings import IndexSettings
from tidegate.build.layering import MTIME
from tidegate.build.sandboxing.accounts import account
from tidegate.build.sandboxing.difference import Difference
from tidegate.build.sandboxing.emulation import emulator_for
from tidegate.build.sandboxing.mounts import CACHES, Giver, Mounted, Origins, described
from tidegate.build.sandboxing.output import Log, follow
from tidegate.build.sandboxing.reaching import Reach, reach
from tidegate.build.sandboxing.roots import Roots, Stack, chain_of
from tidegate.build.sandboxing.users import Users
from tidegate.build.steps import Command
from tidegate.build.store import BuildStore, key_of
from tidegate.kinds.platform import Platform
from tidegate.oci.layers import Entry
from tidegate.oci.unpack import LayerFile, remove_tree

FORMAT = 1
"""Counts up when a line's layer would be another one than before."""
STEP_TIMEOUT = 1800.0
MEMORY_LIMIT = 4 * 1024**3
FILE_LIMIT = 8 * 1024**3
OUTPUT_LIMIT = 4 * 1024 * 1024
_SHOWN = 12
_SYSTEM = ("/proc", "/dev")  # where a sandbox mounts its own
# What Docker gives a build's commands, but devices: CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP,
# NET_BIND_SERVICE, SYS_CHROOT, SETFCAP. They count in the sandbox's own range of users only.
CAPABILITIES = (0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 31)
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

T = TypeVar("T")


@frozen
class Limits:
    """Bounds of one line: seconds, bytes of memory of each process, bytes of a file, bytes of output that are shown."""

    timeout: float = STEP_TIMEOUT
    memory: int = MEMORY_LIMIT
    file: int = FILE_LIMIT
    output: int = OUTPUT_LIMIT


@frozen
class Line:
    """A command on a stage: the layers so far, of which the first `base` are an image's, and the machine it is for.

    `reads` is what its bind mounts read, for the cache's key.
    """

    command: Command
    layers: tuple[LayerFile, ...]
    base: int
    platform: Platform
    reads: tuple[str, ...] = ()

    def key(self, index: IndexSettings) -> str:
        """What the line's result depends on. Secrets count by their names alone."""
        command = self.command
        return key_of(
            {
                "run": FORMAT,
                "mtime": MTIME,
                "platform": str(self.platform),
                "below": chain_of([layer.diff_id or "" for layer in self.layers]),
                "argv": list(command.argv),
                "folder": command.folder,
                "user": command.user,
                "environment": sorted(command.environment),
                "network": command.network,
                "mounts": described(command.mounts),
                "reads": list(self.reads),
                "index": index.identity(),
            }
        )


@frozen
class Ran:
    """What a line has changed: the entries of its layer, and the folder that they are read from."""

    entries: list[Entry]
    upper: Path


NO_NETWORK = (
    "the line had no network, as none has that runs in a workflow's build: where it fetches something, have a step "
    "fetch it and COPY it, or write it as docs/build.md says that it is native"
)


@frozen
class Shell:
    """Runs lines of one build. `secrets` are its build secrets by id."""

    store: BuildStore
    users: Users
    index: IndexSettings
    scratch: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    limits: Limits = Limits()
    network: str = "host"

    @contextlib.asynccontextmanager
    async def run(self, line: Line, origin: Origins, log: Log) -> AsyncIterator[Ran]:
        """What the line has changed, readable as long as the context lasts.

        Raises CommandFailed with the last lines, InvalidInput, NotFound, LimitExceeded or MissingTool.
        """
        work = self.scratch / f"run-{secrets.token_hex(8)}"
        async with contextlib.AsyncExitStack() as held:
            await asyncio.to_thread(work.mkdir)
            held.push_async_callback(asyncio.to_thread, remove_tree, work)
            stack = await _entered(held, Roots(self.store.root, self.users).stack(line.layers, line.base))
            giver = Giver(self.secrets, self.store.root / CACHES, self.users.range.base, work)
            mounted = await _entered(held, giver.give(line.command, origin))
            network = self._network(line) != "none"
            given = await asyncio.to_thread(reach, self.environment, self.index, work, network=network)
            await asyncio.to_thread(_make_upper, stack, work)
            spec = await asyncio.to_thread(self._sandbox, line, stack, work, mounted, given)
            await self._execute(spec, line, log)
            stubs = {bind.target for bind in spec.binds} | {mount.target for mount in spec.tmpfs} | set(_SYSTEM)
            lower = tuple(stack.base / name for name in stack.names)
            first, attributes = self.users.range.base, self.users.attributes
            difference = Difference(work / "upper", lower, first, attributes, stubs, log)
            yield Ran(await asyncio.to_thread(difference.entries), work / "upper")

    def keep(self, line: Line, diff_id: str, ran: Ran) -> None:
        """Have what a line wrote, which became the layer `diff_id`, as the floor of the next one."""
        chain = chain_of([*(layer.diff_id or "" for layer in line.layers), diff_id])
        Roots(self.store.root, self.users).adopt(ran.upper, chain)

    def _network(self, line: Line) -> str:
        return "none" if line.command.network == "none" else self.network

    def _sandbox(self, line: Line, stack: Stack, work: Path, mounted: Mounted, given: Reach) -> Sandbox:
        command, root = line.command, self.store.root
        names = tuple(str((stack.base / name).relative_to(root)) for name in stack.names)
        here = work.relative_to(root)
        layers = OverlayRoot(
            root, names, f"{here}/upper", f"{here}/work", f"{here}/root",
            readable=True, user_attributes=self.users.attributes == "user",
        )  # fmt: skip
        who = account(command.user, [stack.base / name for name in stack.names])
        emulator = emulator_for(line.platform, Platform.of_machine())
        binds = [*given.binds, *mounted.binds]
        if emulator is not None:
            binds.append(Bind(emulator.program, emulator.inside, read_only=True))
        image = dict(entry.partition("=")[::2] for entry in command.environment)
        own = {"PATH": DEFAULT_PATH, "HOME": who.home, "SOURCE_DATE_EPOCH": str(MTIME)}
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        return Sandbox(
            root=layers,
            binds=tuple(binds),
            tmpfs=mounted.tmpfs,
            workdir=command.folder,
            uid=who.uid,
            gid=who.gid,
            groups=who.groups,
            users=self.users.range,
            capabilities=CAPABILITIES,
            network=self._network(line),
            hostname="build",
            env=own | dict(given.environment) | image | dict(mounted.environment),
            limits={"core": 0, "as": hard, "data": self.limits.memory, "fsize": self.limits.file},
            handlers=() if emulator is None else (emulator.line(),),
        )

    async def _execute(self, spec: Sandbox, line: Line, log: Log) -> None:
        capabilities = self.users.capabilities
        hidden = Masker(tuple(value.decode("utf-8", "replace") for value in self.secrets.values()))
        whole, plan = argv(spec, capabilities, line.command.argv), environment(spec, capabilities)
        limits = self.limits
        code, last = await follow(whole, plan, log, hidden, timeout=limits.timeout, limit=limits.output)
        if code != 0:
            raise _failure(code, last, NO_NETWORK if spec.network == "none" else None)


def _failure(code: int, last: str, remedy: str | None) -> CommandFailed:
    """What a command's exit code means, with its last lines."""
    if code == SETUP_FAILED and "tidegate:" in last:
        return CommandFailed(last.rpartition("tidegate: ")[2], exit_code=code, output=last)
    lines = [line for line in last.splitlines() if line.strip()][-_SHOWN:]
    why = f"the command ended with {code}"
    text = "\n".join([f"{why}:", *lines]) if lines else why
    return CommandFailed(text, exit_code=code, output=last, remedy=remedy)


def _make_upper(stack: Stack, work: Path) -> None:
    """The folder that is written to, which looks like the one below."""
    for name in ("upper", "work", "root"):
        (work / name).mkdir()
    top = (stack.base / stack.names[0]).stat()
    os.chown(work / "upper", top.st_uid, top.st_gid)
    (work / "upper").chmod(top.st_mode & 0o7777)


async def _entered(held: contextlib.AsyncExitStack, manager: contextlib.AbstractContextManager[T]) -> T:
    """Enter a context that blocks, in a thread; it is left with `held`."""
    value = await asyncio.to_thread(manager.__enter__)
    held.push(manager)
    return value
