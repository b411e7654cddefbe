"""The registry client: tags, manifests and blobs of any registry that speaks OCI's distribution specification v1.1.

Whatever comes in is checked against the digest it was asked by; whatever is unbounded is cut or streamed to a file.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from copy import copy
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2

from tidegate.base.errors import InvalidInput, TidegateError, Unavailable
from tidegate.kinds.reference import Reference, Repository
from tidegate.oci.auth import Authenticator, Endpoint, default_endpoint
from tidegate.oci.blob_writer import BlobWriter
from tidegate.oci.budget import Budgets
from tidegate.oci.connections import Connections
from tidegate.oci.credentials import Access, Credentials, Login
from tidegate.oci.page_cache import PageCache
from tidegate.oci.routes import Route
from tidegate.oci.tag_listing import list_tags
from tidegate.oci.tag_pages import next_link
from tidegate.oci.transport import Call, RegistryTransport
from tidegate.oci.values import (
    INDEX_TYPES,
    MANIFEST_LIMIT,
    MANIFEST_TYPES,
    OCI_INDEX,
    Descriptor,
    check_digest,
    digest_of,
    is_digest,
    media_type_of,
)

BLOB_DEADLINE = 3600.0
"""Seconds for one blob, all attempts together; a stalled one is given up by the client's read timeout long before."""
_PIECE = 256 * 1024
_TRANSPORTS_KEPT = 256
_REFERRER_PAGES = 5
_ACCEPT = ", ".join(sorted(MANIFEST_TYPES | INDEX_TYPES))
_OK, _OK_OR_ABSENT = frozenset({200}), frozenset({200, 404})
_Way = tuple[Endpoint, Login | None, Route]


class RegistryClient:
    """A client for every registry. Use it as an async context manager, or `aclose` it.

    `endpoints` says for a registry host where it is really asked; a host that is not in it is asked at https://HOST, or
    over http where it is loopback and does not speak TLS. `credentials` go to a host's own address only: where an
    endpoint is another host, its own `login` counts, and no certificates and no proxy. `http` replaces the shared
    client and is then the caller's to close.
    """

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint] | None = None,
        credentials: Credentials | None = None,
        *,
        http: httpx2.AsyncClient | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        self._endpoints = dict(endpoints or {})
        self._access = Access(credentials or Credentials())
        self._owned = True
        self._connections = Connections(http)
        self._budgets = Budgets(monotonic)
        self._pages = PageCache(monotonic)
        self._sleep = sleep
        self._monotonic = monotonic
        self._transports: dict[_Way, RegistryTransport] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, unless they are the caller's."""
        if self._owned:
            await self._connections.aclose()

    def using(self, access: Access) -> RegistryClient:
        """This client with another access: the same connections, budgets and, for a login that was used before, the
        same tokens. It is closed with this one.
        """
        other = copy(self)
        other._owned, other._access = False, access  # noqa: SLF001 - its own kind
        return other

    async def tags(self, repository: Repository) -> list[str]:
        """Every tag of a repository, in the registry's order; pages are followed by `Link` alone.

        Raises NotFound for an unknown repository, and Unavailable where the answer is not a list of tags: an empty list
        is returned only where the registry sent one.
        """
        owner = self._way(repository)
        return await list_tags(self._transport(repository), repository.path, self._pages, owner)

    async def head(self, reference: Reference) -> Descriptor | None:
        """What a reference points to now, or None. A HEAD where the registry answers it fully (Docker Hub does not
        count those), else a GET."""
        call = self._manifest_call("HEAD", reference, _OK_OR_ABSENT)
        answer = await self._transport(reference.repository).call(call)
        if answer.status == 404:
            return None
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
        digest, size = answer.headers.get("docker-content-digest", ""), answer.headers.get("content-length", "")
        known = media_type in MANIFEST_TYPES | INDEX_TYPES
        if not (known and is_digest(digest) and size.isascii() and size.isdigit() and len(size) < 10):
            return (await self.manifest(reference))[0]
        if reference.digest is not None and digest != reference.digest:
            raise Unavailable(f"the registry answered {reference} with another digest, {digest}")
        return Descriptor(media_type, digest, int(size))

    async def manifest(self, reference: Reference) -> tuple[Descriptor, bytes]:
        """A manifest or index and its very bytes, which have the digest of the descriptor. Raises NotFound."""
        call = self._manifest_call("GET", reference, _OK)
        answer = await self._transport(reference.repository).call(call)
        digest = digest_of(answer.body)
        said = answer.headers.get("docker-content-digest") or digest
        if digest != (reference.digest or digest) or said != digest:
            raise Unavailable(f"the registry answered {reference} with bytes of another digest, {digest}")
        try:
            media_type = media_type_of(answer.body, answer.headers.get("content-type"))
        except InvalidInput as error:
            raise Unavailable(f"the registry answered {reference} with something else: {error.message}") from error
        return Descriptor(media_type, digest, len(answer.body)), answer.body

    async def has_blob(self, repository: Repository, digest: str) -> bool:
        """Whether the registry has a blob in this repository."""
        target = f"/v2/{repository.path}/blobs/{check_digest(digest)}"
        call = Call("HEAD", target, _pull(repository), _OK_OR_ABSENT)
        return (await self._transport(repository).call(call)).status == 200

    async def fetch_blob(self, repository: Repository, descriptor: Descriptor, target: Path) -> None:
        """Fetch a blob to the file `target`, which appears whole, with its digest and size verified, or not at all."""
        transport = self._transport(repository)
        path = f"/v2/{repository.path}/blobs/{check_digest(descriptor.digest)}"
        call = Call("GET", path, _pull(repository), _OK)
        target.parent.mkdir(parents=True, exist_ok=True)

        async def once() -> None:
            temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}")
            async with transport.open(call) as response, BlobWriter(temporary) as writer:
                await _receive(response, writer, descriptor, transport.host)
                await writer.keep(target)

        await transport.retrying(once, BLOB_DEADLINE)

    async def read_blob(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """A small blob, as a configuration is, into memory: at most MANIFEST_LIMIT bytes."""
        path = f"/v2/{repository.path}/blobs/{check_digest(descriptor.digest)}"
        call = Call("GET", path, _pull(repository), _OK, limit=MANIFEST_LIMIT)
        answer = await self._transport(repository).call(call)
        if digest_of(answer.body) != descriptor.digest:
            raise Unavailable(f"the registry answered the blob {descriptor.digest} with other bytes")
        return answer.body

    async def referrers(self, repository: Repository, digest: str) -> list[bytes] | None:
        """The indexes, one a page, of the manifests that refer to this one; None where the registry says that there is
        no such API. What it answers otherwise, as where it knows of none, is not checked here.
        """
        transport = self._transport(repository)
        target: str | httpx2.URL = f"/v2/{repository.path}/referrers/{check_digest(digest)}"
        pages: list[bytes] = []
        for _ in range(_REFERRER_PAGES):
            accept = {"accept": OCI_INDEX}
            call = Call("GET", target, _pull(repository), _OK_OR_ABSENT, accept, limit=MANIFEST_LIMIT)
            answer = await transport.call(call)
            if answer.status == 404:
                return None
            pages.append(answer.body)
            link = next_link(answer.headers)
            if link is None:
                break
            target = transport.resolve(answer.url, link)
        return pages

    async def push_blob(self, repository: Repository, descriptor: Descriptor, source: Path | bytes) -> None:
        """Push a blob unless it is there: POST for an upload, then one PUT with all of it."""
        if await self.has_blob(repository, descriptor.digest):
            return
        transport, scope = self._transport(repository), _push(repository)
        content = source if isinstance(source, bytes) else _FileBody(source)
        start = Call("POST", f"/v2/{repository.path}/blobs/uploads/", scope, frozenset({202}), {"content-length": "0"})
        headers = {"content-type": "application/octet-stream", "content-length": str(descriptor.size)}

        async def once() -> None:
            async with transport.open(start) as started:
                location = _location(started, transport)
            upload = location.copy_merge_params({"digest": descriptor.digest})
            finish = Call("PUT", upload, scope, frozenset({201}), headers, content)
            async with transport.open(finish) as finished:
                said = finished.headers.get("docker-content-digest") or descriptor.digest
            if said != descriptor.digest:
                raise Unavailable(f"the registry {transport.host} stored other bytes than {descriptor.digest}: {said}")

        await transport.retrying(once, BLOB_DEADLINE)

    async def mount_blob(self, repository: Repository, digest: str, source: Repository) -> bool:
        """Have the registry take a blob over from another repository of its own; False where it wants the bytes."""
        if source.registry != repository.registry:
            return False
        transport = self._transport(repository)
        path = f"/v2/{repository.path}/blobs/uploads/?mount={check_digest(digest)}&from={source.path}"
        scope = f"{_push(repository)} {_pull(source)}"
        answer = await transport.call(Call("POST", path, scope, frozenset({201, 202}), {"content-length": "0"}))
        if answer.status == 202 and "location" in answer.headers:
            target = transport.resolve(answer.url, answer.headers["location"])
            await self._cancel(transport, Call("DELETE", target, scope, frozenset({200, 202, 204, 404, 405})))
        return answer.status == 201

    async def push_manifest(self, reference: Reference, media_type: str, data: bytes) -> Descriptor:
        """Push a manifest or index under a tag or its digest. Raises InvalidInput where the registry refuses it."""
        if len(data) > MANIFEST_LIMIT:
            raise InvalidInput(f"the manifest for {reference} is larger than {MANIFEST_LIMIT} bytes")
        descriptor = Descriptor.of(media_type, data)
        if reference.digest is not None and reference.digest != descriptor.digest:
            raise InvalidInput(f"the manifest for {reference} has another digest, {descriptor.digest}")
        target = f"/v2/{reference.repository.path}/manifests/{reference.digest or reference.tag}"
        scope = _push(reference.repository)
        call = Call("PUT", target, scope, frozenset({201, 202}), {"content-type": media_type}, data)
        answer = await self._transport(reference.repository).call(call)
        said = answer.headers.get("docker-content-digest") or descriptor.digest
        if said != descriptor.digest:
            raise Unavailable(f"the registry stored {reference} under another digest, {said}")
        return descriptor

    def _manifest_call(self, method: str, reference: Reference, accepted: frozenset[int]) -> Call:
        target = f"/v2/{reference.repository.path}/manifests/{reference.digest or reference.tag}"
        scope = _pull(reference.repository)
        return Call(method, target, scope, accepted, {"accept": _ACCEPT}, limit=MANIFEST_LIMIT)

    async def _cancel(self, transport: RegistryTransport, call: Call) -> None:
        """An upload that nobody will finish expires by itself; this only says so earlier."""
        try:
            async with transport.open(call):
                pass
        except TidegateError:
            return

    def _transport(self, repository: Repository) -> RegistryTransport:
        if {".", ".."} & set(repository.path.split("/")):  # a URL would be shortened by them
            raise InvalidInput(
                f"{repository} leads out of the registry's repositories", remedy="write it without . or .."
            )
        way = self._way(repository)
        found = self._transports.pop(way, None)
        if found is None:
            endpoint, login, route = way
            auth = Authenticator(endpoint, login, self._monotonic)
            connect = partial(self._connections.to, route)
            budget_of = partial(self._budgets.of, way=route)
            proxy = route.proxy.url if route.proxy else ""
            found = RegistryTransport(connect, endpoint, auth, budget_of, self._sleep, proxy)
        self._transports[way] = found  # the one used last stands last
        if len(self._transports) > _TRANSPORTS_KEPT:
            del self._transports[next(iter(self._transports))]
        return found

    def _way(self, repository: Repository) -> _Way:
        host, access = repository.registry, self._access
        proxied = access.route.proxy is not None
        endpoint = self._endpoints.get(host) or default_endpoint(host, insecure=access.insecure, proxied=proxied)
        if host in self._endpoints and endpoint.host != host:
            return endpoint, endpoint.login, Route()
        return endpoint, endpoint.login or access.credentials.for_repository(repository), access.route


class _FileBody:
    """A file as a request's body, which may be sent again."""

    def __init__(self, path: Path):
        self._path = path

    async def __aiter__(self) -> AsyncIterator[bytes]:
        file = await asyncio.to_thread(self._path.open, "rb")
        with file:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                yield piece


async def _receive(response: httpx2.Response, writer: BlobWriter, descriptor: Descriptor, host: str) -> None:
    async for chunk in response.aiter_raw():
        if writer.size + len(chunk) > descriptor.size:
            raise Unavailable(f"the registry {host} sent more than the {descriptor.size} bytes of {descriptor.digest}")
        await writer.write(chunk)
    await writer.flush()
    if writer.size != descriptor.size or writer.digest != descriptor.digest:
        raise Unavailable(
            f"the registry {host} sent other bytes for {descriptor.digest}: {writer.size} bytes, {writer.digest}"
        )


def _location(response: httpx2.Response, transport: RegistryTransport) -> httpx2.URL:
    location = response.headers.get("location")
    if not location:
        raise Unavailable(f"the registry {transport.host} began an upload without saying where")
    return transport.resolve(response.url, location)


def _pull(repository: Repository) -> str:
    return f"repository:{repository.path}:pull"


def _push(repository: Repository) -> str:
    return f"repository:{repository.path}:pull,push"
