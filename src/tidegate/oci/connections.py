"""The connections to registries: one pool for each Route, shared by everybody who takes that way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2

from tidegate.base.errors import InvalidInput, TidegateError
from tidegate.base.http import make_client, tls_context
from tidegate.oci.routes import AUTHENTICATION_FAILED, NO_WAY, Route, Trust

ROUTES_KEPT = 16
"""Pools that are kept, and more only while they are in use; each has the system's authorities in memory once more."""


@dataclass(slots=True)
class _Pool:
    http: httpx2.AsyncClient
    users: int = 0


class Connections:
    """Gives the HTTP client of a Route. `direct` is that of the route which names nothing, and the caller's to close
    where it is given.
    """

    def __init__(self, direct: httpx2.AsyncClient | None = None):
        self._owned = direct is None
        self._direct = direct or make_client()
        self._pools: dict[Route, _Pool] = {}
        self._making = asyncio.Lock()

    async def aclose(self) -> None:
        """Close every connection that is not the caller's."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.http.aclose()
        if self._owned:
            await self._direct.aclose()

    @contextlib.asynccontextmanager
    async def to(self, route: Route) -> AsyncIterator[httpx2.AsyncClient]:
        """The client of a route while the block lasts. Raises InvalidInput where its certificates are none."""
        if route == Route():
            yield self._direct
            return
        async with self._making:
            pool = self._pools.pop(route, None) or _Pool(await asyncio.to_thread(client_of, route))
            self._pools[route] = pool  # the one used last stands last
            pool.users += 1
            await self._close_unused()
        try:
            yield pool.http
        finally:
            pool.users -= 1

    async def _close_unused(self) -> None:
        spare = len(self._pools) - ROUTES_KEPT
        for route in [route for route, pool in self._pools.items() if not pool.users][: max(spare, 0)]:
            await self._pools.pop(route).http.aclose()


def client_of(route: Route) -> httpx2.AsyncClient:
    """A client that takes a route; reads certificates from disk, so not for the event loop."""
    context = trusting(route.trust) if route.trust is not None else tls_context(os.environ)
    if route.proxy is None:
        return make_client(verify=context)
    login = (route.proxy.username, route.proxy.password) if route.proxy.username else None
    # The proxy's own certificate is looked at as the registry's.
    secured = context if route.proxy.url.startswith("https:") else None
    return make_client(verify=context, proxy=httpx2.Proxy(route.proxy.url, auth=login, ssl_context=secured))


def trusting(trust: Trust) -> ssl.SSLContext:
    """The machine's TLS settings, with the authorities and the certificate of `trust` besides."""
    context = tls_context(os.environ)
    if trust.authorities:
        try:
            context.load_verify_locations(cadata=trust.authorities.decode("ascii"))
        except (ssl.SSLError, ValueError):
            raise _unusable("failed to parse CA certificate", "put PEM certificates under ca.crt") from None
    if trust.certificate:
        try:
            _load_pair(context, trust)
        except (ssl.SSLError, ValueError):
            message = "failed to parse TLS certificate and key"
            raise _unusable(message, "put a PEM certificate and its plain key under tls.crt and tls.key") from None
    return context


def _load_pair(context: ssl.SSLContext, trust: Trust) -> None:
    """Python reads a chain from a file only: one in memory, which has no name."""
    descriptor = os.memfd_create("tls")
    with os.fdopen(descriptor, "wb") as file:
        file.write(trust.certificate + b"\n" + trust.key)
        file.flush()
        # Without a password of its own, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password="")


def _unusable(message: str, remedy: str) -> TidegateError:
    return InvalidInput(f"{NO_WAY}: {message}", remedy=remedy, code=AUTHENTICATION_FAILED)
