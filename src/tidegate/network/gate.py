"""Where a sandbox waits, before it is built, until its network namespace has its network."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Protocol, Self

from tidegate.base.errors import TidegateError, Unavailable

OPEN_TIMEOUT = 15.0


class Link(Protocol):
    """A namespace's network. The namespace takes it along; `close` removes what is left on the host."""

    async def close(self) -> None: ...


class Linking(Protocol):
    """Gives networks to namespaces."""

    async def link(self, pid: int) -> Link: ...


class Gate:
    """A pair of sockets. The sandbox inherits `descriptor`, as `Sandbox.gate`; close it here once it has started."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)

    @property
    def descriptor(self) -> int:
        return self._theirs.fileno()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._theirs.close()
        self._ours.close()

    async def open(self, pid: int, network: Linking) -> Link | None:
        """Wait for the sandbox whose first process is `pid`, give its namespace a link, and let it go on.

        None where it ended before: whoever waits for it learns why. Raises Unavailable, or what the link raises.
        """
        self._theirs.close()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                if not await loop.sock_recv(self._ours, 1):
                    return None
        except TimeoutError:
            raise Unavailable(f"the sandbox had no namespace after {OPEN_TIMEOUT:g} s") from None
        link = await network.link(pid)
        try:
            await loop.sock_sendall(self._ours, b"\n")
        except OSError:
            await link.close()
            return None
        except BaseException:
            await link.close()
            raise
        return link


async def close_link(link: Link | None) -> None:
    """Remove a link, where there is one. What can't be removed goes with the namespace."""
    if link is not None:
        with contextlib.suppress(TidegateError):
            await link.close()
