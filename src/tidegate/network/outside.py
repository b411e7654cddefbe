"""A home's network outside: which way this machine gives, tried at first use, and links by that way."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import TypeGuard

from tidegate.base.errors import InvalidInput, MissingTool, TidegateError, Unavailable
from tidegate.base.frozen import frozen
from tidegate.network import resolvers, veth
from tidegate.network.addresses import Owner
from tidegate.network.choices import AUTO, CHOICES, NONE, PASTA, SLIRP4NETNS, VETH
from tidegate.network.gate import Link
from tidegate.network.resolvers import Resolvers
from tidegate.network.userspace import Userspace
from tidegate.network.veth import Veth

INSTALL = "apt-get install nftables iproute2 slirp4netns, and start again"
_log = logging.getLogger("tidegate.network")


@frozen
class Way:
    """How sandboxes reach the outside: `kind` is `veth`, `slirp4netns`, `pasta`, or `none` with the reason `why`, and
    with `remedy` what brings it. `names` says whether names are resolved.
    """

    kind: str
    why: str = ""
    remedy: str = ""
    names: bool = True

    @property
    def leads_out(self) -> bool:
        return self.kind != NONE

    def explain(self) -> str:
        """One line for people."""
        if not self.leads_out:
            return f"nothing outside: {self.why}" + (f" ({self.remedy})" if self.remedy else "")
        names = "" if self.names else "; no names, since this machine's name server answers on its loopback alone"
        return f"the outside by {self.kind}; nothing of this machine{names}"


class Outside:
    """One home's. `home` tells its traces from those of other homes; `wanted` is one of CHOICES."""

    def __init__(self, home: Path, wanted: str = AUTO):
        if wanted not in CHOICES:
            raise InvalidInput(f"the network {wanted!r} is unknown", remedy=f"write one of {', '.join(CHOICES)}")
        self._owner = Owner.of(home)
        self._wanted = wanted
        self._network: Veth | Userspace | None = None
        self._way: Way | None = None
        self._opening = asyncio.Lock()

    async def sweep(self) -> None:
        """Remove what a killed process of this home has left. Call it before the first link. Never raises."""
        if os.geteuid() != 0:
            return  # of an ordinary user nothing outlives the namespaces
        try:
            await veth.sweep(self._owner)
        except MissingTool:
            return  # nothing was made without it
        except (TidegateError, OSError) as error:
            _log.warning("what an earlier process left of its network may still be there: %s", error)

    async def way(self) -> Way:
        """Which way there is; tried once, remembered after. Never raises for what the machine lacks."""
        async with self._opening:
            if self._way is None:
                self._way = await self._open()
                (_log.info if self._way.leads_out else _log.warning)("jobs and workloads reach %s", self._way.explain())
            return self._way

    async def require(self) -> None:
        """Raise Unavailable where a way was named and this machine does not give it."""
        if self._wanted in (AUTO, NONE):
            return
        way = await self.way()
        if not way.leads_out:
            raise Unavailable(f"no network: {way.why}", remedy=way.remedy or None)

    async def resolv_conf(self) -> str:
        """The resolv.conf for a sandbox that is about to start."""
        found = resolvers.read(await asyncio.to_thread(resolvers.host_files))
        if self._network is None:
            return found.as_file()
        await self._network.heed(found.servers)
        return Resolvers(self._network.servers, found.rest).as_file()

    async def link(self, pid: int) -> Link:
        """A link for the network namespace of a process, which must not be this one's. Raises Unavailable where there
        is no way, else what the way raises.
        """
        way = await self.way()
        if self._network is None:
            raise Unavailable(f"no network: {way.why}", remedy=way.remedy or None)
        return await self._network.link(pid)

    async def close(self) -> None:
        """Remove everything that is left on the host. Never raises."""
        network, self._network, self._way = self._network, None, Way(NONE, "Tidegate ends")
        if network is not None:
            try:
                await network.close()
            except (TidegateError, OSError) as error:
                _log.warning("the network's traces are left until the next start: %s", error)

    async def _open(self) -> Way:
        if self._wanted == NONE:
            return Way(NONE, "it was switched off (--network none)")
        servers = resolvers.read(await asyncio.to_thread(resolvers.host_files)).servers
        tried: list[str] = []
        missing = False
        for kind in self._kinds(names=bool(servers)):
            try:
                self._network = await self._try(kind, servers)
            except (TidegateError, OSError) as error:
                tried.append(f"{kind}: {error}" + (f", {error.remedy}" if _has_own_remedy(error) else ""))
                missing = missing or isinstance(error, MissingTool)
            else:
                return Way(kind, names=bool(self._network.servers))
        return Way(NONE, "; ".join(tried), INSTALL if missing else "")

    def _kinds(self, *, names: bool) -> tuple[str, ...]:
        """In the order in which they are tried. Where the name server is on loopback, only slirp4netns reaches it."""
        if self._wanted != AUTO:
            return (self._wanted,)
        if os.geteuid() != 0:
            return (SLIRP4NETNS, PASTA)
        return (VETH, SLIRP4NETNS) if names else (SLIRP4NETNS, VETH)

    async def _try(self, kind: str, servers: tuple[str, ...]) -> Veth | Userspace:
        if kind != VETH:
            if kind == PASTA and os.geteuid() == 0:
                raise InvalidInput("pasta is for an ordinary user", remedy="choose veth or slirp4netns as root")
            return await Userspace.open(kind, self._owner, servers)
        if os.geteuid() != 0:
            raise InvalidInput("veth needs root", remedy="choose slirp4netns or pasta as an ordinary user")
        return await Veth.open(self._owner, servers)


def _has_own_remedy(error: Exception) -> TypeGuard[TidegateError]:
    """Whether an error says more than what is to be installed, which is said once for all."""
    return isinstance(error, TidegateError) and not isinstance(error, MissingTool) and error.remedy is not None
