"""The shared HTTP client: what it sends by default, whom it trusts, and how much it reads."""

from __future__ import annotations

import gzip
import ssl
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path

import httpx2
import pytest

from tidegate.base.errors import InvalidInput, LimitExceeded, Unavailable
from tidegate.base.http import is_loopback, make_client, read_bounded, shown, tls_context, user_agent


async def pieces(count: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * size


def answer(content: bytes | AsyncIterator[bytes], **headers: str) -> httpx2.Response:
    plain = httpx2.Response(200, content=content if not isinstance(content, bytes) else one(content), headers=headers)
    plain.request = httpx2.Request("GET", "https://user:secret@registry.example/v2/?token=secret#x")
    return plain


async def one(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_every_request_says_who_asks_and_wants_no_compression() -> None:
    seen: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(307, headers={"location": "/elsewhere"})

    async with make_client(httpx2.MockTransport(handle)) as client:
        response = await client.get("http://registry.example/v2/")
    assert response.status_code == 307
    assert seen[0].headers["user-agent"] == user_agent() == f"tidegate/{version('tidegate')}"
    assert seen[0].headers["accept-encoding"] == "identity"
    assert len(seen) == 1


async def test_no_cookie_is_kept() -> None:
    seen: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, headers={"set-cookie": "session=1; Path=/"})

    async with make_client(httpx2.MockTransport(handle)) as client:
        await client.get("https://registry.example/v2/")
        await client.get("https://registry.example/v2/")
        assert len(client.cookies.jar) == 0
    assert "cookie" not in seen[1].headers


async def test_body_up_to_the_limit_is_read_whole() -> None:
    assert await read_bounded(answer(pieces(4, 25)), 100) == b"x" * 100


async def test_body_past_the_limit_is_given_up_at_once() -> None:
    with pytest.raises(LimitExceeded, match=r"https://registry.example/v2/ answered with more than 99 bytes") as caught:
        await read_bounded(answer(pieces(1_000_000_000, 25)), 99)
    assert "secret" not in str(caught.value)


async def test_gzip_that_was_not_asked_for_is_bounded_after_unpacking() -> None:
    encoded = {"content-encoding": "gzip"}
    assert await read_bounded(answer(gzip.compress(b"y" * 50), **encoded), 100) == b"y" * 50
    with pytest.raises(LimitExceeded):
        await read_bounded(answer(gzip.compress(b"y" * 50_000_000), **encoded), 100_000)
    with pytest.raises(Unavailable, match="broken gzip"):
        await read_bounded(answer(b"garbage", **encoded), 100)
    with pytest.raises(Unavailable, match="'br'"):
        await read_bounded(answer(b"garbage", **{"content-encoding": "br"}), 100)


def test_shown_url_holds_no_secret() -> None:
    assert shown("https://user:secret@registry.example:8443/v2/x?sig=secret#y") == "https://registry.example:8443/v2/x"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.10", "::1", "[::1]"])
def test_loopback_by_its_spelling(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["localhost.example", "web.localhost", "128.0.0.1", "127.0.0.1.x", "0.0.0.0", "10.0.0.1", ""]
)
def test_other_hosts_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_ca_file_of_the_environment_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="SSL_CERT_FILE") as caught:
        tls_context({"SSL_CERT_FILE": str(tmp_path / "absent.pem")})
    assert "SSL_CERT_FILE" in (caught.value.remedy or "")
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(InvalidInput, match="REQUESTS_CA_BUNDLE"):
        tls_context({"REQUESTS_CA_BUNDLE": str(tmp_path / "bad.pem")})


def test_servers_are_verified() -> None:
    context = tls_context({})
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


async def test_loopback_is_never_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "")
    async with make_client() as client:
        direct = client._transport
        for url in ("http://127.0.0.1:5000/", "http://localhost/", "http://[::1]:5000/"):
            assert client._transport_for_url(httpx2.URL(url)) is direct
        assert client._transport_for_url(httpx2.URL("http://registry.example/")) is not direct


async def test_proxy_that_is_no_url_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "gopher://proxy.example")
    with pytest.raises(InvalidInput, match="proxy"):
        make_client()
