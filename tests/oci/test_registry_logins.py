"""Whose login goes to which host, and how often a token is asked for."""

from __future__ import annotations

import asyncio
import json

import httpx2
import pytest
from tests.oci.fake_registry import (
    WEB,
    Registry,
    challenge_once,
    page,
)

from tidegate.base.errors import Denied, TidegateError
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


async def test_what_a_registry_says_back_of_a_credential_is_hidden() -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        sent = request.headers.get("authorization", "").partition(" ")[2]
        if request.url.host == "auth.example":
            return httpx2.Response(200, content=b'{"token": "t0ken-of-an-hour"}')
        said = {"errors": [{"code": "DENIED", "message": f"p4ssw0rd, {sent}, aWRlbnRpdHk is not enough"}]}
        realm = 'Bearer realm="https://auth.example/token"' if not sent else "Basic"
        return httpx2.Response(401, headers={"www-authenticate": realm}, content=json.dumps(said).encode())

    for login in (Login("u", "p4ssw0rd", "aWRlbnRpdHk"), Login("u", "p4ssw0rd")):
        with pytest.raises(Denied, match=r"DENIED \*\*\*, ") as caught:
            await Registry(handle).client(Credentials({"registry.example": login})).tags(WEB)
        for secret in ("p4ssw0rd", "t0ken", str(login.basic)[6:], login.identity_token or "p4ssw0rd"):
            assert secret not in caught.value.explain()


async def test_of_a_long_address_that_a_registry_gives_the_beginning_is_shown() -> None:
    long = f"/v2/{'x' * 50_000}"
    for location in (f"https://registry.example{long}", f"http://other.example{long}"):

        def handle(request: httpx2.Request, location: str = location) -> httpx2.Response:
            there = len(request.url.path) > 1000
            return httpx2.Response(404 if there else 302, headers={} if there else {"location": location})

        with pytest.raises(TidegateError, match="xxx") as caught:
            await Registry(handle).client().tags(WEB)
        assert len(caught.value.explain()) < 1000
