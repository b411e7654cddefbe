"""Links without privilege: slirp4netns or pasta, a program for each namespace that opens the sockets on the host.

Such a program reaches whatever the host's user does, this machine's own addresses too, so rules inside of the namespace
keep it from them: the namespace belongs to Tidegate, and nobody in a sandbox may change them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Sequence
from ipaddress import IPv4Network
from pathlib import Path

from tidegate.base import process
from tidegate.base.errors import TidegateError, Unavailable
from tidegate.network import commands, rules
from tidegate.network.addresses import Owner, choose_block, local_addresses, networks_of
from tidegate.network.choices import PASTA, SLIRP4NETNS

TUN = Path("/dev/net/tun")
TRIE = Path("/proc/net/fib_trie")
READY_TIMEOUT = 15.0
_POLL = 0.005
_TIMEOUT = 20.0
_LAST_WORDS = 2048
_LAST_LINES = 4
_ADDRESS_CHANGES = 0x10  # RTMGRP_IPV4_IFADDR, of rtnetlink(7)
_log = logging.getLogger("tidegate.network")


class UserspaceLink:
    """One namespace's program."""

    def __init__(self, network: Userspace, pid: int, running: asyncio.subprocess.Process):
        self._network = network
        self._running = running
        self._listening = asyncio.create_task(self._listen())
        self.pid = pid
        self.said = b""

    async def until_ready(self) -> None:
        """Wait until the namespace has a way out. Raises Unavailable with the program's last words."""
        routes = Path(f"/proc/{self.pid}/net/route")
        deadline = asyncio.get_running_loop().time() + READY_TIMEOUT
        while not _has_default(routes):
            if self._running.returncode is not None or asyncio.get_running_loop().time() > deadline:
                await asyncio.wait([self._listening], timeout=1.0)
                words = self.said.decode("utf-8", "replace").strip().splitlines()
                said = "; ".join(words[-_LAST_LINES:]) or "it said nothing"
                raise Unavailable(f"{self._network.kind} gave no network: {said}")
            await asyncio.sleep(_POLL)

    async def close(self) -> None:
        """End the program."""
        self._network.forget(self)
        await process.kill_group(self._running)
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self) -> None:
        """Its last words; what it says is read to the end, so that it is never kept waiting."""
        assert self._running.stderr is not None
        while data := await self._running.stderr.read(_LAST_WORDS):
            self.said = (self.said + data)[-_LAST_WORDS:]


class Userspace:
    """The links of one home. Make it with `open`."""

    def __init__(self, kind: str, gateway: IPv4Network, servers: tuple[str, ...]):
        self.kind = kind
        self._gateway = gateway
        self._servers = servers
        self._links: set[UserspaceLink] = set()
        self._local: tuple[str, ...] = ()
        self._changes: socket.socket | None = None
        self._renewing: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, kind: str, owner: Owner, servers: tuple[str, ...]) -> Userspace:
        """Raises MissingTool or Unavailable where this machine doesn't give what it needs."""
        for name in (kind, "nft", "nsenter"):
            commands.program(name)
        if not os.access(TUN, os.R_OK | os.W_OK):
            remedy = f"load the module (modprobe tun), and let this user open {TUN}"
            raise Unavailable(f"{TUN} can't be opened, which {kind} needs", remedy=remedy)
        gateway = choose_block(owner, networks_of(TRIE.read_text()), length=24)
        if gateway is None:
            raise Unavailable("every block of private addresses is in use on this machine")
        if kind == SLIRP4NETNS:
            servers = (commands.slirp4netns_resolver(gateway),)
        network = cls(kind, gateway, servers)
        network._follow_addresses()
        return network

    @property
    def servers(self) -> tuple[str, ...]:
        """The name servers that its rules know."""
        return self._servers

    async def heed(self, servers: tuple[str, ...]) -> None:
        """Other name servers are asked from now on; slirp4netns finds the host's by itself."""
        if self.kind == PASTA and servers != self._servers:
            self._servers = servers
            await self._renew()

    async def link(self, pid: int) -> UserspaceLink:
        """A link for the network namespace of a process. Raises Unavailable, CommandFailed."""
        user = os.geteuid() != 0
        if self.kind == SLIRP4NETNS:
            argv = commands.slirp4netns(pid, self._gateway, user=user)
        else:
            argv = commands.pasta(pid, self._gateway)
        # The rules come first: there is no moment in which the way out is open to all.
        await self._load(pid)
        link = UserspaceLink(self, pid, await _spawn(argv))
        self._links.add(link)
        try:
            await link.until_ready()
        except BaseException:
            await link.close()
            raise
        return link

    def forget(self, link: UserspaceLink) -> None:
        """A link has ended."""
        self._links.discard(link)

    async def close(self) -> None:
        """End all links, and follow the host's addresses no more."""
        for link in list(self._links):
            await link.close()
        if self._changes is not None:
            asyncio.get_running_loop().remove_reader(self._changes)
            self._changes.close()
            self._changes = None
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

    async def _load(self, pid: int) -> None:
        text = rules.inside_rules(self._gateway, self._servers, self._local)
        argv = commands.within(pid, commands.rules(), user=os.geteuid() != 0)
        await process.run(argv, stdin=text.encode(), timeout=_TIMEOUT)

    def _follow_addresses(self) -> None:
        self._changes = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        self._changes.bind((0, _ADDRESS_CHANGES))
        self._local = local_addresses(TRIE.read_text())
        asyncio.get_running_loop().add_reader(self._changes, self._on_change)

    def _on_change(self) -> None:
        assert self._changes is not None
        with contextlib.suppress(OSError):  # too many at once: then too, something has changed
            self._changes.recv(65536)
        local = local_addresses(TRIE.read_text())
        if local != self._local:
            self._local = local
            if self._renewing is not None:
                self._renewing.cancel()
            self._renewing = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        for link in list(self._links):
            try:
                await self._load(link.pid)
            except TidegateError as error:
                if link in self._links:
                    _log.warning("the network of process %d is closed: it can't learn this: %s", link.pid, error)
                    await link.close()


async def _spawn(argv: Sequence[str]) -> asyncio.subprocess.Process:
    environment = process.minimal_environment()
    command, preexec_fn = process.dying_with_parent(argv, environment)
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        start_new_session=True,
        preexec_fn=preexec_fn,
    )


def _has_default(routes: Path) -> bool:
    try:
        lines = routes.read_text().splitlines()[1:]
    except OSError:
        return False
    return any(line.split()[1:2] == ["00000000"] for line in lines)
