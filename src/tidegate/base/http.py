"""The HTTP client that every room shares: the host's proxy and CA, time limits, no redirects, no unbounded read.

It sends no credential on its own account; whoever has one adds it to the one request that needs it.
"""

from __future__ import annotations

import os
import ssl
import zlib
from collections.abc import Mapping
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from ipaddress import ip_address

import httpx2

from tidegate.base.errors import InvalidInput, LimitExceeded, Unavailable

CONNECT_TIMEOUT = 10.0
TRANSFER_TIMEOUT = 30.0
"""Seconds in which at least one more piece must arrive or leave; callers bound the whole with asyncio.timeout."""
_CONNECTIONS = 20
_IDLE_CONNECTIONS = 5
_IDLE_SECONDS = 15.0
_LONGEST_SHOWN = 500
_CA_FILES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
# A proxy that the host's environment names is for other machines, whatever NO_PROXY forgets to say.
_NEVER_PROXIED = ("all://localhost", "all://127.0.0.1", "all://[::1]")
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


@cache
def user_agent() -> str:
    """`tidegate/VERSION`."""
    return f"tidegate/{version('tidegate')}"


def make_client(
    transport: httpx2.AsyncBaseTransport | None = None,
    *,
    verify: ssl.SSLContext | None = None,
    proxy: httpx2.Proxy | None = None,
) -> httpx2.AsyncClient:
    """A client with the project's limits; `transport` replaces the network, for an app in the same process.

    Proxies come from HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, unless `proxy` is given, which is used for every
    host. Authorities come from SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE or SSL_CERT_DIR, else from the system,
    unless `verify` is given. Raises InvalidInput where one is not usable. Close it with `aclose`.
    """
    timeout = httpx2.Timeout(TRANSFER_TIMEOUT, connect=CONNECT_TIMEOUT)
    limits = httpx2.Limits(
        max_connections=_CONNECTIONS, max_keepalive_connections=_IDLE_CONNECTIONS, keepalive_expiry=_IDLE_SECONDS
    )
    # A compressed answer could unpack to any size within one piece, so none is asked for.
    headers = {"user-agent": user_agent(), "accept-encoding": "identity"}
    cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))  # none is kept: they would be state and credentials
    if transport is not None:
        return httpx2.AsyncClient(
            transport=transport, timeout=timeout, headers=headers, cookies=cookies, trust_env=False
        )
    try:
        return httpx2.AsyncClient(
            verify=verify or _usual_context(*(os.environ.get(name) for name in (*_CA_FILES, "SSL_CERT_DIR"))),
            timeout=timeout,
            limits=limits,
            headers=headers,
            cookies=cookies,
            proxy=proxy,
            trust_env=proxy is None,
            mounts=dict.fromkeys(_NEVER_PROXIED) if proxy is None else None,
        )
    except (ValueError, httpx2.InvalidURL) as error:
        raise InvalidInput("a proxy of this machine's environment is no URL", remedy="look at HTTPS_PROXY") from error


@cache
def _usual_context(*_values: str | None) -> ssl.SSLContext:
    """One for all clients under the same variables: the system's authorities take time to read, and memory."""
    return tls_context(os.environ)


def tls_context(environment: Mapping[str, str]) -> ssl.SSLContext:
    """How servers are verified: by the authorities that `environment` names, else by the system's."""
    name = next((name for name in _CA_FILES if environment.get(name)), None)
    folder = environment.get("SSL_CERT_DIR") or None
    try:
        if name is not None:
            return ssl.create_default_context(cafile=environment[name])
        return ssl.create_default_context(capath=folder)
    except (OSError, ssl.SSLError) as error:
        message = f"{name} names no readable file of CA certificates: {environment.get(name or '', '')}"
        raise InvalidInput(message, remedy=f"point {name} to a PEM file, or unset it") from error


async def read_bounded(response: httpx2.Response, limit: int) -> bytes:
    """The body of a streamed response, at most `limit` bytes also after decompression.

    Raises LimitExceeded past the limit, and Unavailable on an encoding that was not asked for.
    """
    parts: list[bytes] = []
    size = 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > limit:
            raise LimitExceeded(f"{shown(response.url)} answered with more than {limit} bytes")
        parts.append(chunk)
    return _decoded(response, b"".join(parts), limit)


def shown(url: httpx2.URL | str) -> str:
    """A URL as it may be shown: without user, password, query and fragment, any of which can hold a secret. Of a long
    one the beginning.
    """
    parsed = httpx2.URL(url)
    text = str(parsed.copy_with(username=None, password=None, query=None, fragment=None))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def has_port(url: httpx2.URL) -> bool:
    """Whether the port of a URL is one: a socket raises OverflowError for others, which is no error of httpx's."""
    return url.port is None or 0 <= url.port <= 65535


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, is this machine by its spelling; nothing is looked up."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _decoded(response: httpx2.Response, body: bytes, limit: int) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise Unavailable(f"{shown(response.url)} answered in the encoding {encoding[:40]!r}, which was not asked for")
    inflate = zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain = inflate.decompress(body, limit)
    except zlib.error as error:
        raise Unavailable(f"{shown(response.url)} answered with broken gzip") from error
    if inflate.unconsumed_tail:
        raise LimitExceeded(f"{shown(response.url)} answered with more than {limit} bytes")
    return plain
