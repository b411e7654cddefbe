"""One registry over HTTP: signed requests, redirects without credentials, retries, time and size limits, errors.

It knows nothing of manifests and tags, and never sends a credential to another origin than the endpoint's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import field
from typing import TypeVar
from weakref import WeakValueDictionary

import httpx2

from tidegate.base.errors import (
    Denied,
    InvalidInput,
    LimitExceeded,
    NotFound,
    RateLimited,
    TidegateError,
    Unavailable,
)
from tidegate.base.frozen import frozen
from tidegate.base.http import has_port, read_bounded, shown, user_agent
from tidegate.oci.auth import TOKEN_LIMIT, Authenticator, Endpoint
from tidegate.oci.budget import Budget
from tidegate.oci.reaching import PROXY, reason, remedy, speaks_tls

SMALL_DEADLINE = 60.0
"""Seconds for an exchange without a blob, all its attempts and waits together."""
SHORT_WAIT = 5.0
"""A Retry-After up to this many seconds is waited for; a longer one is the caller's business."""
_ATTEMPTS = 3
_BACKOFF = 0.5
_REDIRECTS = 5
_ERROR_LIMIT = 64 * 1024
_LONGEST_PATH_SHOWN = 500
_REDIRECTED = frozenset({301, 302, 303, 307, 308})

# GHCR, Docker Hub and others tell nobody whether a repository exists that he may not read.
_DENIED = "check the name, the credentials for this registry and what they may do; many answer so where nothing is"
_ABSENT = "check the name; many registries answer so where the credentials may not read it"

Sleep = Callable[[float], Awaitable[None]]
Connect = Callable[[], contextlib.AbstractAsyncContextManager[httpx2.AsyncClient]]
Body = bytes | AsyncIterable[bytes]
T = TypeVar("T")


@frozen
class Call:
    """A request as it is meant: `target` is a path under the endpoint, or a URL that the registry gave.

    `scope` is the token's; `limit` bounds the answer's body in bytes; `accepted` are the statuses that are no error.
    """

    method: str
    target: str | httpx2.URL
    scope: str
    accepted: frozenset[int]
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Body | None = None
    limit: int = _ERROR_LIMIT


@frozen
class Answer:
    """A response that was read whole."""

    status: int
    headers: httpx2.Headers
    url: httpx2.URL
    body: bytes


class RegistryTransport:
    """Requests to one endpoint. `connect` gives the HTTP client, `sleep` waits between attempts; `budget_of` gives the
    budget of all who ask the same host; `proxy` is the address of the one that `connect` goes through, for messages.
    """

    def __init__(
        self,
        connect: Connect,
        endpoint: Endpoint,
        auth: Authenticator,
        budget_of: Callable[[httpx2.URL], Budget],
        sleep: Sleep = asyncio.sleep,
        proxy: str = "",
    ):
        self._connect = connect
        self._host = endpoint.host
        self._auth = auth
        self._budget_of = budget_of
        self._sleep = sleep
        self._proxy = proxy
        self._base = httpx2.URL(endpoint.url)
        self._may_be_plain = endpoint.insecure and self._base.scheme == "https"
        self._may_be_tls = endpoint.guessed and self._base.scheme == "http"
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def host(self) -> str:
        """The endpoint's host and port, for messages."""
        return self._host

    async def call(self, call: Call) -> Answer:
        """Send and read the answer whole; retried, so `call` must be idempotent. Raises errors of base.errors."""

        async def once() -> Answer:
            async with self.open(call) as response:
                body = b"" if call.method == "HEAD" else await read_bounded(response, call.limit)
                return Answer(response.status_code, response.headers, response.url, body)

        return await self.retrying(once, SMALL_DEADLINE)

    async def retrying(self, attempt: Callable[[], Awaitable[T]], deadline: float) -> T:
        """Call `attempt` until it is not Unavailable: at most three times, within `deadline` seconds in all."""
        try:
            async with asyncio.timeout(deadline):
                for number in range(1, _ATTEMPTS):
                    try:
                        return await attempt()
                    except RateLimited as error:
                        if error.retry_after > SHORT_WAIT:
                            raise
                        await self._sleep(max(error.retry_after, _BACKOFF * 2 ** (number - 1)))
                    except Unavailable:
                        await self._sleep(_BACKOFF * 2 ** (number - 1))
                return await attempt()
        except TimeoutError:
            raise Unavailable(
                f"the registry {self.host} did not finish its answer in {deadline:g} s",
                remedy="see whether the registry or the network is slow",
            ) from None

    @contextlib.asynccontextmanager
    async def open(self, call: Call) -> AsyncIterator[httpx2.Response]:
        """Send once, follow redirects, and give the response to be read, whose status is one of `call.accepted`."""
        try:
            async with self._connect() as http:
                response = await self._follow(http, call)
                try:
                    if response.status_code not in call.accepted:
                        raise await self._error(response, call.method)
                    yield response
                finally:
                    await response.aclose()
        except httpx2.TimeoutException as error:
            raise Unavailable(f"the registry {self.host} takes too long ({type(error).__name__})") from error
        # A server that wants a certificate says so where the first answer is read: httpx lets that error through.
        except (httpx2.TransportError, httpx2.StreamError, ssl.SSLError) as error:
            through = f" through the proxy {self._proxy}" if self._proxy else ""
            message = f"the registry {self.host} is not reachable{through}: {reason(error)}"
            raise Unavailable(message, remedy=remedy(error)) from error

    def resolve(self, base: httpx2.URL, location: str) -> httpx2.URL:
        """A URL that the registry gave, made absolute; Unavailable where requests may not go there."""
        try:
            url = base.join(location)
        except httpx2.InvalidURL:
            raise Unavailable(f"the registry {self.host} answered with a location that is no URL") from None
        if not has_port(url):
            raise Unavailable(f"the registry {self.host} answered with a location whose port is none")
        if url.scheme != "https" and _origin(url) != _origin(self._base):
            raise Unavailable(
                f"the registry {self.host} points to {shown(url)}, which is not https",
                remedy="configure the registry to redirect to https, or not to redirect",
            )
        return url.copy_with(fragment=None, userinfo=b"")

    async def _follow(self, http: httpx2.AsyncClient, call: Call) -> httpx2.Response:
        url = call.target if isinstance(call.target, httpx2.URL) else self._absolute(call.target)
        for _ in range(_REDIRECTS + 1):
            response = await self._request(http, call, url)
            location = response.headers.get("location")
            if response.status_code not in _REDIRECTED or location is None:
                return response
            await response.aclose()
            if call.method not in ("GET", "HEAD"):
                raise Unavailable(f"the registry {self.host} redirects a {call.method}, which is not followed")
            url = self.resolve(response.url, location)
        raise Unavailable(f"the registry {self.host} redirects more than {_REDIRECTS} times")

    def _absolute(self, path: str) -> httpx2.URL:
        return httpx2.URL(str(self._base).rstrip("/") + path)

    async def _request(self, http: httpx2.AsyncClient, call: Call, url: httpx2.URL) -> httpx2.Response:
        request = http.build_request(call.method, url, headers=dict(call.headers), content=call.content)
        if _origin(url) != _origin(self._base):
            return await self._send(http, request)
        if url.scheme == "https" and self._may_be_plain:
            return await self._tls_or_plain(http, call, request)
        if url.scheme == "http" and (self._may_be_tls or self._may_be_plain):
            return await self._plain_or_tls(http, call, request)
        return await self._signed(http, request, call.scope)

    async def _tls_or_plain(self, http: httpx2.AsyncClient, call: Call, request: httpx2.Request) -> httpx2.Response:
        """Ask over TLS, and in plain where nothing there speaks it: who has spoken TLS once is held to it."""
        try:
            response = await self._signed(http, request, call.scope)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            if _origin(error.request.url) != _origin(request.url) or speaks_tls(error):
                raise
            response = await self._signed(http, _in("http", http, call, request), call.scope)
            if response.status_code != 400:  # so does one that speaks TLS and was down a moment ago
                self._base = self._base.copy_with(scheme="http")
            return response
        self._may_be_plain = False
        return response

    async def _plain_or_tls(self, http: httpx2.AsyncClient, call: Call, request: httpx2.Request) -> httpx2.Response:
        """Ask in plain, and over TLS where the answer is that of a server which speaks nothing else."""
        response = await self._signed(http, request, call.scope)
        if not _wants_tls(response) or isinstance(call.content, AsyncIterable):
            return response
        secured = _in("https", http, call, request)
        try:
            found = await self._signed(http, secured, call.scope)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            if _origin(error.request.url) == _origin(secured.url) and not speaks_tls(error):
                return response
            await response.aclose()
            raise
        await response.aclose()
        self._base = self._base.copy_with(scheme="https")
        self._may_be_tls = self._may_be_plain = False
        return found

    async def _signed(self, http: httpx2.AsyncClient, request: httpx2.Request, scope: str) -> httpx2.Response:
        """Drive the authentication flow; for one scope one at a time asks for a token, and the next one finds it."""
        turn_of_scope = self._turns.setdefault(scope, asyncio.Lock())
        async with contextlib.AsyncExitStack() as turn:
            if self._auth.lacks_token(scope):
                await turn.enter_async_context(turn_of_scope)
            flow = self._auth.flow(request, scope)
            outgoing = next(flow)
            while True:
                if outgoing is request:
                    await turn.aclose()
                    response = await self._send(http, outgoing)
                    if response.status_code == 401:
                        await turn.enter_async_context(turn_of_scope)
                else:
                    response = await self._token(http, outgoing)
                try:
                    outgoing = flow.send(response)
                except StopIteration:
                    return response
                except TidegateError:
                    await response.aclose()
                    raise
                await response.aclose()

    async def _token(self, http: httpx2.AsyncClient, request: httpx2.Request) -> httpx2.Response:
        request.headers.setdefault("user-agent", user_agent())
        request.headers["accept-encoding"] = "identity"
        response = await self._send(http, request, kind="token")
        try:
            body = await read_bounded(response, TOKEN_LIMIT)
        finally:
            await response.aclose()
        return httpx2.Response(response.status_code, content=body, request=request)

    async def _send(
        self, http: httpx2.AsyncClient, request: httpx2.Request, kind: str | None = None
    ) -> httpx2.Response:
        """Send within the budget of the host. Raises RateLimited where it has none, also where the answer says so."""
        budget = self._budget_of(request.url)
        kind = kind or _kind(request.url.path)
        counted = None if request.method == "HEAD" else kind  # Docker Hub does not count HEAD
        budget.take(counted)
        try:
            response = await http.send(request, stream=True, follow_redirects=False)
        finally:
            budget.done(counted)
        refusal = budget.note(kind, response.status_code, response.headers)
        if refusal is not None:
            await response.aclose()
            raise refusal
        return response

    async def _error(self, response: httpx2.Response, method: str) -> TidegateError:
        status = response.status_code
        try:
            body = b"" if method == "HEAD" else await read_bounded(response, _ERROR_LIMIT)
        except (LimitExceeded, httpx2.TransportError):
            body = b""
        said = _said(body, self._auth.hidden)
        path = response.url.path[:_LONGEST_PATH_SHOWN]
        message = f"the registry {self.host} answered {status} to {method} {path}{said}"
        if status in (401, 403):
            return Denied(message, remedy=_DENIED)
        if status == 404:
            return NotFound(message, remedy=_ABSENT)
        if status == 407:
            return Denied(message, remedy=PROXY)
        if status == 413:
            return LimitExceeded(message)
        if status >= 500 or status < 400 or status == 408:
            return Unavailable(message)
        return InvalidInput(message)


def _kind(path: str) -> str:
    """What a request is counted as."""
    return next((part for part in ("manifests", "tags", "blobs") if f"/{part}/" in path), "other")


def _origin(url: httpx2.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def _in(scheme: str, http: httpx2.AsyncClient, call: Call, request: httpx2.Request) -> httpx2.Request:
    """The same request, over another scheme."""
    url = request.url.copy_with(scheme=scheme)
    return http.build_request(call.method, url, headers=dict(call.headers), content=call.content)


def _wants_tls(response: httpx2.Response) -> bool:
    """Servers that speak TLS answer 400 to plain http, in text or HTML; a registry's own 400 is JSON."""
    return response.status_code == 400 and "json" not in response.headers.get("content-type", "")


def _said(body: bytes, hidden: Callable[[str], str]) -> str:
    """What the registry's error says, in one short line: OCI's `errors`, and nothing else that it sends. What it says
    back of a credential is `hidden`.
    """
    try:
        errors = json.loads(body)["errors"]
        first = errors[0]
        text = f"{first.get('code', '')} {first.get('message', '')}"
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return ""
    printable = " ".join("".join(char if char.isprintable() else " " for char in hidden(text)).split())
    return f": {printable[:200]}" if printable else ""
