"""Whose login goes to which host, and how often a token is asked for."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from tests.oci.fake_registry import (
    WEB,
    Registry,
    challenge_once,
    page,
)

from tidegate.base.errors import Denied
from tidegate.kinds.reference import parse_repository
from tidegate.oci.auth import Endpoint
from tidegate.oci.credentials import Credentials, Login


async def test_one_token_serves_every_request_of_its_scope() -> None:
    registry = Registry(challenge_once)
    client = registry.client(Credentials({"registry.example": Login("u", "p")}))
    for _ in range(3):
        assert await client.tags(WEB) == ["a"]
    assert [request.url.host for request in registry.seen].count("auth.example") == 1
    assert len(registry.seen) == 5


async def test_requests_at_once_fetch_one_token() -> None:
    registry = Registry(challenge_once)
    client = registry.client()
    await asyncio.gather(*(client.tags(WEB) for _ in range(5)))
    assert [request.url.host for request in registry.seen].count("auth.example") == 1


async def test_stand_in_gets_its_own_login_and_never_the_real_one() -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if "authorization" not in request.headers:
            return httpx2.Response(401, headers={"www-authenticate": 'Basic realm="x"'})
        return page("a")(request)

    registry = Registry(handle)
    real = Credentials({"ghcr.io": Login("real", "secret")})
    own = Endpoint("http://127.0.0.1:5000", Login("home", "token"))
    ghcr = parse_repository("ghcr.io/acme/web")
    assert await registry.client(real, **{"ghcr.io": own}).tags(ghcr) == ["a"]
    assert {request.url.host for request in registry.seen} == {"127.0.0.1"}
    assert registry.seen[-1].headers["authorization"] == Login("home", "token").basic
    with pytest.raises(Denied):
        await registry.client(real, **{"ghcr.io": Endpoint("http://127.0.0.1:5000")}).tags(ghcr)


async def test_endpoint_for_the_same_host_keeps_its_credentials() -> None:
    registry = Registry(challenge_once)
    insecure = Endpoint("http://registry.example", insecure=True)
    held = Credentials({"registry.example": Login("u", "p")})
    assert await registry.client(held, **{"registry.example": insecure}).tags(WEB) == ["a"]
    assert registry.seen[0].url.scheme == "http"


async def test_secrets_are_in_no_error() -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(401, headers={"www-authenticate": 'Basic realm="x"'}, content=b"p4ssw0rd")

    held = Credentials({"registry.example": Login("u", "p4ssw0rd")})
    with pytest.raises(Denied) as caught:
        await Registry(handle).client(held).tags(WEB)
    assert "p4ssw0rd" not in caught.value.explain()
