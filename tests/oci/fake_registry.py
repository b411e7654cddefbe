"""Registries that behave and, mostly, registries that do not: functions that answer the client in the process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable

import httpx2

from tidegate.base.http import make_client
from tidegate.kinds.reference import parse, parse_repository
from tidegate.oci import values
from tidegate.oci.auth import Endpoint
from tidegate.oci.client import RegistryClient
from tidegate.oci.credentials import Credentials
from tidegate.oci.values import Descriptor, Manifest

WEB = parse_repository("registry.example/acme/web")
LATEST = parse("registry.example/acme/web:latest")
CONTENT = b"content of a blob" * 1000
BLOB = Descriptor(values.OCI_LAYER_GZIP, f"sha256:{hashlib.sha256(CONTENT).hexdigest()}", len(CONTENT))
MANIFEST = Manifest(Descriptor(values.OCI_CONFIG, BLOB.digest, BLOB.size), (BLOB,)).to_bytes()
DIGEST = values.digest_of(MANIFEST)
Handler = Callable[[httpx2.Request], httpx2.Response]


class Registry:
    """Answers by a function, and remembers what it was asked."""

    def __init__(self, *handlers: Handler):
        self._handlers = list(handlers)
        self.seen: list[httpx2.Request] = []
        self.slept: list[float] = []
        self.now = 1000.0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        handler = self._handlers.pop(0) if len(self._handlers) > 1 else self._handlers[0]
        return streamed(handler(request))

    @property
    def asked(self) -> list[str]:
        return [f"{request.method} {request.url}" for request in self.seen]

    def client(self, credentials: Credentials | None = None, **endpoints: Endpoint) -> RegistryClient:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.now += seconds

        http = make_client(httpx2.MockTransport(self))
        return RegistryClient(endpoints, credentials, http=http, sleep=sleep, monotonic=lambda: self.now)


def streamed(response: httpx2.Response) -> httpx2.Response:
    """The response as the network gives it: not yet read."""

    async def pieces(body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    if not response.is_stream_consumed:
        return response
    return httpx2.Response(response.status_code, headers=response.headers, content=pieces(response.content))


def answer(status: int = 200, content: bytes = b"", **headers: str) -> Handler:
    return lambda request: httpx2.Response(
        status, content=content, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def page(*tags: str, link: str | None = None) -> Handler:
    headers = {"link": f'<{link}>; rel="next"'} if link else {}
    return answer(200, json.dumps({"name": "acme/web", "tags": list(tags)}).encode(), **headers)


def fail(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError("connection refused", request=request)


def challenge_once(request: httpx2.Request) -> httpx2.Response:
    if request.url.host == "auth.example":
        return httpx2.Response(200, content=b'{"token": "t1"}')
    if request.headers.get("authorization") != "Bearer t1":
        return httpx2.Response(401, headers={"www-authenticate": 'Bearer realm="https://auth.example/token"'})
    return page("a")(request)
