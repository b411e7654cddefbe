"""Sends requests to one API server: credentials, pace, repetition, limits. What they mean is the client's business."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import field

import httpx2

from tidegate.base.errors import Denied, InvalidInput, LimitExceeded, TidegateError, Unavailable
from tidegate.base.frozen import frozen
from tidegate.base.http import is_loopback, user_agent
from tidegate.engine.clock import Clock, SystemClock
from tidegate.kube.access import Certificate, Connection, Identity, tls_context
from tidegate.kube.answers import failure, seconds_of
from tidegate.kube.pacing import Failed, Limits, TokenBucket, wait_before

CONNECT_TIMEOUT = 10.0
SILENCE = 120.0
"""Seconds without a byte after which an open answer counts as dead. The API sends a bookmark each minute."""
ERROR_LIMIT = 1024 * 1024
CONNECTIONS = 200
KEPT_CONNECTIONS = 40
"""More than are asked for at once: one that is not kept is opened anew, with a TLS handshake."""
# A peer that is gone without a word is noticed in a minute, also by connections that wait.
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
_BEFORE_FIRST_BYTE = ".send_request_headers.started"
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
_PROXIES = {"https": ("HTTPS_PROXY", "https_proxy"), "http": ("http_proxy", "HTTP_PROXY")}


@frozen
class Call:
    """One request, to be sent as often as it takes."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


@frozen
class Answer:
    """A good answer."""

    status: int
    body: bytes


class Session:
    """A connection pool to one API server. `transport` replaces the network; `guard` is asked right before anything
    that changes something is sent, and raises where this process may not any more.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Clock | None = None,
        limits: Limits | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        silence: float = SILENCE,
        guard: Callable[[], None] | None = None,
    ):
        self._guard = guard
        self.connection = connection
        self.clock = clock or SystemClock()
        self._limits = limits or Limits()
        self._silence = silence
        self._places = asyncio.Semaphore(self._limits.at_once)
        self._bucket = TokenBucket(self.clock, self._limits.qps, self._limits.burst)
        self._chance = random.Random()  # noqa: S311 - jitter is no secret
        self._transport = transport
        self._pools: dict[Certificate | None, httpx2.AsyncClient] = {}

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            await pool.aclose()
        self._pools.clear()

    async def send(self, call: Call) -> Answer:
        """The answer, after as many attempts as are safe and allowed. Raises what base/errors has for the failure."""
        attempt, renewed = 1, False
        while True:
            await self._bucket.take()
            # A program that is asked for it has its own time limit, and is not asked again for the server's sake.
            identity = await self.connection.credential.identity()
            try:
                async with self._places:
                    status, body, retry_after = await self._in_time(call, identity)
            except (httpx2.TransportError, TimeoutError) as error:
                failed = Failed(sent=not isinstance(error, _NOT_SENT))
                problem: TidegateError = self._unreachable(error)
            else:
                if status < 400:
                    return Answer(status, body)
                if status == 401 and not renewed and await self.connection.credential.renew():
                    renewed = True
                    continue
                failed = Failed(status, retry_after=seconds_of(retry_after))
                problem = self._explained(failure(status, body, retry_after))
            wait = wait_before(attempt, failed, call.method, self._limits, self._chance)
            if wait is None:
                raise problem
            attempt += 1
            await self.clock.sleep(wait)

    @asynccontextmanager
    async def stream(self, call: Call, *, quiet: bool = False) -> AsyncIterator[AsyncIterator[bytes]]:
        """A good answer's bytes as they come; the caller bounds what it keeps. Raises Unavailable where they stop
        before the end, or nothing comes for too long, unless the answer may be `quiet`.
        """
        response = await self._open(call, None if quiet else self._silence)
        try:
            if response.status_code >= 400:
                body = await _bounded(response, ERROR_LIMIT)
                raise self._explained(failure(response.status_code, body, response.headers.get("retry-after")))
            yield self._pieces(response)
        except (httpx2.TransportError, TimeoutError) as error:
            raise self._unreachable(error) from error
        finally:
            await response.aclose()

    async def _open(self, call: Call, silence: float | None) -> httpx2.Response:
        renewed = False
        while True:
            await self._bucket.take()
            try:
                pool, request = self._request(call, await self.connection.credential.identity(), read=silence)
                response = await pool.send(request, stream=True)
            except httpx2.TransportError as error:
                raise self._unreachable(error) from error
            if response.status_code != 401 or renewed or not await self.connection.credential.renew():
                return response
            await response.aclose()
            renewed = True

    async def _pieces(self, response: httpx2.Response) -> AsyncIterator[bytes]:
        try:
            async for piece in response.aiter_bytes():
                yield piece
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error

    async def _in_time(self, call: Call, identity: Identity) -> tuple[int, bytes, str | None]:
        if self._guard is not None and call.method != "GET":
            self._guard()
        async with asyncio.timeout(self._limits.timeout):
            return await self._once(call, identity)

    async def _once(self, call: Call, identity: Identity) -> tuple[int, bytes, str | None]:
        pool, request = self._request(call, identity, read=self._limits.timeout)
        response = await pool.send(request, stream=True)
        try:
            body = await _bounded(response, self._limits.answer)
        finally:
            await response.aclose()
        return response.status_code, body, response.headers.get("retry-after")

    def _request(
        self, call: Call, identity: Identity, *, read: float | None
    ) -> tuple[httpx2.AsyncClient, httpx2.Request]:
        pool = self._pool(identity)
        name = self.connection.verification.server_name
        request = pool.build_request(
            call.method,
            call.path,
            params=dict(call.query),
            content=call.body,
            headers=[*call.headers.items(), *identity.headers],
            timeout=httpx2.Timeout(self._limits.timeout, connect=CONNECT_TIMEOUT, read=read),
            extensions=({"sni_hostname": name} if name else {}) | self._guarded(call),
        )
        return pool, request

    def _guarded(self, call: Call) -> dict[str, object]:
        """Ask the guard once more when a connection is there and the first byte is about to go: a process that was
        stopped while it waited for one must not go on with what it was allowed before.
        """
        guard = self._guard
        if guard is None or call.method == "GET":
            return {}

        async def trace(event: str, _info: Mapping[str, object]) -> None:
            if event.endswith(_BEFORE_FIRST_BYTE):
                guard()

        return {"trace": trace}

    def _pool(self, identity: Identity) -> httpx2.AsyncClient:
        """The connections of a client certificate. Those of one before stay open until their watches end."""
        if identity.certificate not in self._pools:
            self._pools[identity.certificate] = self._make_pool(identity.certificate)
        return self._pools[identity.certificate]

    def _make_pool(self, certificate: Certificate | None) -> httpx2.AsyncClient:
        headers = {"user-agent": user_agent(), "accept": "application/json", "accept-encoding": "identity"}
        transport = self._transport or self._network(certificate)
        try:
            return httpx2.AsyncClient(
                base_url=self.connection.server, headers=headers, transport=transport, trust_env=False
            )
        except httpx2.InvalidURL as error:
            raise InvalidInput(f"{self.connection.server[:200]!r} is no URL of a server") from error

    def _network(self, certificate: Certificate | None) -> httpx2.AsyncHTTPTransport:
        secure = self.connection.server.startswith("https:")
        # Loading the system's authorities takes time and memory that a plain connection does not need.
        context = tls_context(self.connection.verification, certificate) if secure else _no_tls()
        limits = httpx2.Limits(
            max_connections=CONNECTIONS, max_keepalive_connections=KEPT_CONNECTIONS, keepalive_expiry=30.0
        )
        try:
            return httpx2.AsyncHTTPTransport(
                verify=context,
                limits=limits,
                proxy=self.connection.proxy or _proxy_of(httpx2.URL(self.connection.server), os.environ),
                socket_options=_KEEPALIVE,
                trust_env=False,
            )
        except (ValueError, httpx2.InvalidURL) as error:
            raise InvalidInput("the proxy is no URL", remedy="look at proxy-url and HTTPS_PROXY") from error

    def _unreachable(self, error: Exception) -> Unavailable:
        what = "did not answer in time" if isinstance(error, (TimeoutError, httpx2.TimeoutException)) else str(error)
        message = f"{self.connection.server} does not answer: {what or type(error).__name__}"
        return Unavailable(message, remedy=self.connection.remedy)

    def _explained(self, error: TidegateError) -> TidegateError:
        if isinstance(error, Denied) and error.remedy is None and self.connection.origin:
            error.remedy = f"the credential is that of {self.connection.origin}"
        return error


def _no_tls() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _proxy_of(url: httpx2.URL, environment: Mapping[str, str]) -> str | None:
    """The environment's proxy for a URL, as client-go takes it; never one for this machine itself."""
    if is_loopback(url.host) or _excluded(url, environment.get("NO_PROXY") or environment.get("no_proxy") or ""):
        return None
    return next((environment[name] for name in _PROXIES.get(url.scheme, ()) if environment.get(name)), None)


def _excluded(url: httpx2.URL, listed: str) -> bool:
    from ipaddress import ip_address, ip_network  # noqa: PLC0415 - only where there is a NO_PROXY

    host = url.host.strip("[]").lower()
    for entry in (part.strip().lower() for part in listed.split(",")):
        name = entry.removeprefix("*").removeprefix(".")
        if entry == "*" or (name and (host == name or host.endswith(f".{name}"))):
            return True
        try:
            if "/" in entry and ip_address(host) in ip_network(entry, strict=False):
                return True
        except ValueError:
            continue
    return False


async def _bounded(response: httpx2.Response, limit: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            raise LimitExceeded(f"the API server's answer is larger than {limit} bytes")
    return bytes(body)
