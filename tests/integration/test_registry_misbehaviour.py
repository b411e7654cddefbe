"""Our client over real sockets against servers that lie, stall, break off, or send people elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx2
import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from misbehaving_server import Answer, Server, response, serving

from tidegate.base.errors import Denied, InvalidInput, LimitExceeded, RateLimited, TidegateError, Unavailable
from tidegate.kinds.reference import Reference, Repository
from tidegate.oci import transport
from tidegate.oci.auth import Endpoint
from tidegate.oci.client import RegistryClient
from tidegate.oci.credentials import Access, Credentials, Login
from tidegate.oci.routes import Proxy, Route
from tidegate.oci.values import Descriptor

pytestmark = pytest.mark.integration
CONTENT = b"layer" * 100_000
BLOB = Descriptor("application/octet-stream", f"sha256:{hashlib.sha256(CONTENT).hexdigest()}", len(CONTENT))


@contextlib.asynccontextmanager
async def asking(
    credentials: Credentials | None = None, endpoints: Mapping[str, Endpoint] | None = None
) -> AsyncIterator[RegistryClient]:
    async def at_once(seconds: float) -> None:
        await asyncio.sleep(0)

    http = httpx2.AsyncClient(trust_env=False, timeout=0.3)
    async with http:
        yield RegistryClient(endpoints or {}, credentials, http=http, sleep=at_once)


async def refused(answer: Answer) -> tuple[TidegateError, Server]:
    async with serving(answer) as server, asking() as client:
        with pytest.raises(TidegateError) as caught:
            await client.tags(server.repository)
        return caught.value, server


async def test_login_page_with_200_is_no_empty_registry() -> None:
    error, _ = await refused(response("200 OK", b"<html>Please log in</html>", "content-type: text/html"))
    assert isinstance(error, Unavailable)
    assert "no login page" in (error.remedy or "")


async def test_body_that_never_ends_is_given_up() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            await writer.drain()

    error, server = await refused(endless)
    assert isinstance(error, LimitExceeded)
    assert len(server.heads) == 1


async def test_headers_that_never_end_are_given_up() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x-more: " + b"y" * 10_000 + b"\r\n")
            await writer.drain()

    error, _ = await refused(endless)
    assert isinstance(error, Unavailable)


async def test_server_that_says_nothing_is_given_up() -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    error, server = await refused(silent)
    assert isinstance(error, Unavailable)
    assert "takes too long" in error.message
    assert len(server.heads) == 3


async def test_server_that_drips_is_given_up_by_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "SMALL_DEADLINE", 0.5)

    async def dripping(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    error, _ = await refused(dripping)
    assert "did not finish its answer in 0.5 s" in error.message


@pytest.mark.parametrize("garbage", [b"", b"\0" * 100, b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 999999 What\r\n\r\n"])
async def test_server_that_speaks_something_else_is_unavailable(garbage: bytes) -> None:
    async def other(writer: asyncio.StreamWriter) -> None:
        writer.write(garbage)
        await writer.drain()

    error, _ = await refused(other)
    assert isinstance(error, Unavailable)


async def test_port_where_nobody_listens_is_unavailable() -> None:
    async with serving(response("200 OK")) as server:
        pass
    async with asking() as client:
        with pytest.raises(Unavailable, match="is not reachable"):
            await client.tags(server.repository)


async def test_rate_limit_says_how_long() -> None:
    error, server = await refused(response("429 Too Many Requests", b"", "retry-after: 3600"))
    assert isinstance(error, RateLimited)
    assert error.retry_after == 3600
    assert len(server.heads) == 1


@pytest.mark.parametrize("sent", [0, 1000, len(CONTENT) - 1])
async def test_blob_that_breaks_off_leaves_no_file(tmp_path: Path, sent: int) -> None:
    async def breaking(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(CONTENT)}\r\n\r\n".encode() + CONTENT[:sent])
        await writer.drain()

    async with serving(breaking) as server, asking() as client:
        with pytest.raises(Unavailable):
            await client.fetch_blob(server.repository, BLOB, tmp_path / "blob")
    assert (list(tmp_path.iterdir()), len(server.heads)) == ([], 3)


async def test_blob_of_other_bytes_leaves_no_file(tmp_path: Path) -> None:
    async with serving(response("200 OK", b"x" * len(CONTENT))) as server, asking() as client:
        with pytest.raises(Unavailable, match="other bytes"):
            await client.fetch_blob(server.repository, BLOB, tmp_path / "blob")
    assert list(tmp_path.iterdir()) == []


async def test_redirect_to_another_server_over_http_is_not_followed(tmp_path: Path) -> None:
    async with serving(response("200 OK", CONTENT)) as other:
        elsewhere = response("307 Temporary Redirect", b"", f"location: http://127.0.0.1:{other.port}/blob")
        async with serving(elsewhere) as server, asking() as client:
            with pytest.raises(Unavailable, match="not https"):
                await client.fetch_blob(server.repository, BLOB, tmp_path / "blob")
    assert other.heads == []


async def test_credential_goes_to_the_configured_server_and_to_no_realm_elsewhere() -> None:
    async with serving(response("200 OK", b'{"token": "stolen"}')) as thief:
        realm = f'www-authenticate: Bearer realm="http://localhost:{thief.port}/token"'
        async with serving(response("401 Unauthorized", b"", realm)) as server:
            held = Credentials({f"127.0.0.1:{server.port}": Login("user", "password")})
            async with asking(held) as client:
                with pytest.raises(Denied, match="not https"):
                    await client.tags(server.repository)
            assert not any("authorization" in head.lower() for head in server.heads)
    assert thief.heads == []


async def test_credential_that_no_header_can_carry_is_not_shown() -> None:
    async with serving(response("200 OK", b'{"tags": []}')) as server:
        held = Credentials({f"127.0.0.1:{server.port}": Login(registry_token="ghp_secret\n")})
        async with asking(held) as client:
            with pytest.raises(Unavailable, match="line break") as caught:
                await client.tags(server.repository)
    assert "ghp_secret" not in caught.value.explain()
    assert server.heads == []


async def test_what_a_proxy_says_in_the_registrys_name_holds_back_those_alone_who_go_through_it() -> None:
    wait = response("429 Too Many Requests", b"", "retry-after: 86400")
    async with contextlib.AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(serving(wait))
        server = await stack.enter_async_context(serving(response("200 OK", b'{"tags": ["a"]}')))
        host = server.repository.registry
        client = await stack.enter_async_context(asking(endpoints={host: Endpoint(f"http://{host}")}))
        way = Route(proxy=Proxy(f"http://127.0.0.1:{proxy.port}"))
        for _ in range(2):
            with pytest.raises(RateLimited):
                await client.using(Access(route=way)).tags(server.repository)
        assert await client.tags(server.repository) == ["a"]
        await client.aclose()
    assert len(proxy.heads) == 1


async def test_port_that_is_none_is_no_place_to_go_to() -> None:
    for head in ("location: https://127.0.0.1:99999/x", 'www-authenticate: Bearer realm="https://127.0.0.1:99999/t"'):
        status = "302 Found" if head.startswith("location") else "401 Unauthorized"
        async with serving(response(status, b"", head)) as server, asking() as client:
            with pytest.raises(Unavailable, match=r"port is none|is no URL"):
                await client.tags(server.repository)
    async with asking() as client:
        with pytest.raises(InvalidInput, match="no address of a registry"):
            await client.tags(Repository("127.0.0.1:99999", "acme/web"))


async def test_name_that_leads_out_of_the_repositories_is_not_asked_for() -> None:
    async with serving(response("200 OK", b'{"tags": []}')) as server, asking() as client:
        for path in ("../../admin", "acme/./web", "acme/.."):
            with pytest.raises(InvalidInput, match="leads out"):
                await client.tags(Repository(server.repository.registry, path))
    assert server.heads == []


async def test_upload_that_the_server_cuts_off_is_begun_again(tmp_path: Path) -> None:
    attempts = 0
    (tmp_path / "blob").write_bytes(CONTENT)

    async with serving(response("500")) as server:

        async def answer(writer: asyncio.StreamWriter) -> None:
            nonlocal attempts
            method = server.heads[-1].split(" ")[0]
            if method == "HEAD":
                await response("404 Not Found")(writer)
            elif method == "POST":
                await response("202 Accepted", b"", "location: /upload/1")(writer)
            else:
                attempts += 1
                writer.transport.abort()

        server.answer = answer
        async with asking() as client:
            with pytest.raises(Unavailable):
                await client.push_blob(server.repository, BLOB, tmp_path / "blob")
    assert attempts == 3


async def test_stand_in_gets_what_was_meant_for_the_real_host() -> None:
    page = b'{"name": "acme/web", "tags": ["1.0.0"]}'
    async with serving(response("200 OK", page)) as server:
        endpoints = {"ghcr.io": Endpoint(f"http://127.0.0.1:{server.port}")}
        http = httpx2.AsyncClient(trust_env=False, timeout=1)
        async with http:
            held = Credentials({"ghcr.io": Login("real", "secret")})
            client = RegistryClient(endpoints, held, http=http)
            assert await client.tags(Repository("ghcr.io", "acme/web")) == ["1.0.0"]
            reference = Reference(Repository("ghcr.io", "acme/web"), "1.0.0")
            with pytest.raises(Unavailable):
                await client.manifest(reference)
        assert not any("authorization" in head.lower() for head in server.heads)
