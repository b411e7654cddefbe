"""Links as root: a pair of interfaces for each namespace, routed and translated by the host's kernel.

What stands on the host belongs to one home: a table of rules, a route that keeps its block of addresses, interfaces.
A killed process's are found again by the home's name. Forwarding is switched on where it was off, under a guard that
keeps the machine from becoming a router between its other interfaces, and off again by the last Tidegate that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Network
from pathlib import Path

from tidegate.base import process
from tidegate.base.errors import CommandFailed, LimitExceeded, Unavailable
from tidegate.network import commands, rules
from tidegate.network.addresses import LINKS, PREFIX, Link, Owner, blocks_of, choose_block, link_of, networks_of

LOCK = Path("/run/tidegate-network.lock")
"""Held while what all homes share is looked at and changed."""
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
TRIE = Path("/proc/net/fib_trie")
_LEGACY = Path("/proc/net/ip_tables_names")
_INTERFACES = Path("/proc/net/dev")
_TIMEOUT = 20.0


class VethLink:
    """One namespace's link."""

    def __init__(self, network: Veth, link: Link, slot: int):
        self._network = network
        self._link = link
        self._slot = slot

    async def close(self) -> None:
        """Remove it; its other end goes with it. Nothing happens where the namespace has taken it along."""
        try:
            with contextlib.suppress(CommandFailed):
                await process.run([commands.program("ip"), "link", "delete", self._link.name], timeout=_TIMEOUT)
        finally:
            self._network.release(self._slot)


class Veth:
    """The links of one home. Make it with `open`."""

    kind = "veth"

    def __init__(self, owner: Owner, block: IPv4Network, servers: tuple[str, ...]):
        self._owner = owner
        self._block = block
        self._servers = servers
        self._slots: set[int] = set()
        self._next = 0

    @classmethod
    async def open(cls, owner: Owner, servers: tuple[str, ...]) -> Veth:
        """Set up what all links of the home need. Raises MissingTool, CommandFailed or Unavailable where this machine
        doesn't give it; nothing of it is left then.
        """
        for name in ("ip", "nft", "nsenter"):
            commands.program(name)
        async with _locked():
            await _remove(owner)
            if (who := await _refusing()) is not None:
                raise Unavailable(f"{who} lets nothing through that it does not know")
            block = choose_block(owner, networks_of(TRIE.read_text()))
            if block is None:
                raise Unavailable("every block of private addresses is in use on this machine")
            try:
                await process.run(commands.keep_block(owner, block), timeout=_TIMEOUT)
                await _load(rules.host_rules(owner, block, servers))
                await _forward()
            except BaseException:
                await _remove(owner)
                raise
        return cls(owner, block, servers)

    @property
    def servers(self) -> tuple[str, ...]:
        """The name servers that its rules know."""
        return self._servers

    async def heed(self, servers: tuple[str, ...]) -> None:
        """Other name servers are asked from now on; connections that stand go on."""
        if servers != self._servers:
            await _load(rules.host_rules(self._owner, self._block, servers))
            self._servers = servers

    async def link(self, pid: int) -> VethLink:
        """A link for the network namespace of a process. Raises LimitExceeded, CommandFailed."""
        # In turn, so that what still answers an earlier sandbox does not reach the next one.
        turn = ((self._next + step) % LINKS for step in range(LINKS))
        slot = next((number for number in turn if number not in self._slots), None)
        if slot is None:
            raise LimitExceeded(f"more than {LINKS} sandboxes have a network at once")
        self._slots.add(slot)
        self._next = slot + 1
        link = link_of(self._owner, self._block, slot)
        made = VethLink(self, link, slot)
        try:
            await process.run(commands.batch(), stdin=commands.host_end(link, pid).encode(), timeout=_TIMEOUT)
            inside = commands.within(pid, commands.batch(), user=False)
            await process.run(inside, stdin=commands.inside_end(link).encode(), timeout=_TIMEOUT)
        except BaseException:
            await made.close()
            raise
        return made

    def release(self, slot: int) -> None:
        """A link is gone: its addresses are free."""
        self._slots.discard(slot)

    async def close(self) -> None:
        """Remove the home's rules, its route and, as the last Tidegate, the forwarding."""
        await sweep(self._owner)


async def sweep(owner: Owner) -> None:
    """Remove what a process of this home has left, if it was killed. Raises MissingTool, CommandFailed."""
    async with _locked():
        await _remove(owner)
        await _stop_forwarding()


async def _remove(owner: Owner) -> None:
    await _load(rules.drop_table("inet", owner.table))
    routes = json.loads((await process.run(commands.kept_blocks(), timeout=_TIMEOUT)).text or "[]")
    for block in blocks_of(routes, owner):
        await process.run(commands.keep_block(owner, block, verb="delete"), timeout=_TIMEOUT)


async def _load(text: str) -> None:
    await process.run(commands.rules(), stdin=text.encode(), timeout=_TIMEOUT)


async def _refusing() -> str | None:
    """Who would let nothing through."""
    chains = (await process.run(commands.listing("chains"), timeout=_TIMEOUT)).text
    legacy = ""
    with contextlib.suppress(OSError):
        if "filter" in _LEGACY.read_text().split() and commands.has("iptables-legacy"):
            argv = [commands.program("iptables-legacy"), "--list-rules", "FORWARD"]
            legacy = (await process.run(argv, timeout=_TIMEOUT, check=False)).text
    return rules.refusing(chains, legacy)


def _interfaces() -> set[str]:
    """The names of this machine's interfaces, but loopback and Tidegates' own."""
    lines = _INTERFACES.read_text().splitlines()[2:]
    names = {line.partition(":")[0].strip() for line in lines}
    return {name for name in names if name != "lo" and not name.startswith(PREFIX)}


async def _forward() -> None:
    if FORWARDING.read_text().strip() != "0":
        return
    await _load(rules.drop_table("ip", rules.GUARD) + rules.guard_rules(_interfaces()))
    try:
        FORWARDING.write_text("1")
    except OSError as error:
        await _load(rules.drop_table("ip", rules.GUARD))
        raise Unavailable(f"this machine does not let itself forward ({FORWARDING}: {error.strerror})") from None


async def _stop_forwarding() -> None:
    """Undo `_forward` where no other home has links, and no interface came since that may need it (Docker's)."""
    tables = rules.tables_of((await process.run(commands.listing("tables"), timeout=_TIMEOUT)).text)
    if rules.GUARD not in tables or any(name.startswith("tidegate_") for name in tables - {rules.GUARD}):
        return
    older = rules.older_of((await process.run(commands.listing("set", "ip", rules.GUARD, "older"))).text)
    if _interfaces() <= older:
        FORWARDING.write_text("0")
        await _load(rules.drop_table("ip", rules.GUARD))


@asynccontextmanager
async def _locked() -> AsyncIterator[None]:
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        await asyncio.to_thread(fcntl.flock, descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
