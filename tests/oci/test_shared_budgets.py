"""One host, many who ask it: a refusal of one holds all of them back, whoever they are."""

from __future__ import annotations

import asyncio
import json

import httpx2
import pytest
from tests.oci.fake_registry import LATEST, MANIFEST, WEB, Registry, answer, page

from tidegate.base.errors import RateLimited
from tidegate.kinds.reference import parse_repository
from tidegate.oci.credentials import Access, Credentials, Login

API = parse_repository("registry.example/acme/api")


async def test_a_refusal_is_sent_once_and_holds_every_login_and_repository_back() -> None:
    registry = Registry(answer(429, retry_after="120"))
    client = registry.client()
    other = client.using(Access(Credentials({"registry.example": Login("me", "x")})))
    with pytest.raises(RateLimited):
        await client.tags(WEB)
    for _ in range(20):
        with pytest.raises(RateLimited) as caught:
            await other.tags(API)
        assert caught.value.retry_after == 120
    assert len(registry.seen) == 1


async def test_after_the_wait_they_ask_again() -> None:
    registry = Registry(answer(429, retry_after="120"), page("a"))
    client = registry.client()
    with pytest.raises(RateLimited):
        await client.tags(WEB)
    registry.now += 120
    assert await client.tags(WEB) == ["a"]


async def test_another_host_is_not_held_back() -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "registry.example":
            return httpx2.Response(429, headers={"retry-after": "120"})
        return page("a")(request)

    client = Registry(handle).client()
    with pytest.raises(RateLimited):
        await client.tags(WEB)
    assert await client.tags(parse_repository("other.example/acme/web")) == ["a"]


async def test_many_at_once_ask_no_more_than_is_left() -> None:
    left = 5

    def counted(request: httpx2.Request) -> httpx2.Response:
        nonlocal left
        left -= 1
        assert left >= 0, "the registry was asked more often than it had said"
        headers = {"ratelimit-remaining": str(left), "ratelimit-reset": "60"}
        return httpx2.Response(200, content=b'{"tags": ["a"]}', headers=headers)

    registry = Registry(counted)
    client = registry.client()
    await client.tags(WEB)
    found = await asyncio.gather(*(client.tags(API) for _ in range(50)), return_exceptions=True)
    assert [one for one in found if not isinstance(one, RateLimited)] == [["a"]] * 4
    assert len(registry.seen) == 5


async def test_docker_hub_out_of_pulls_still_answers_head_and_tags() -> None:
    def hub(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/tags/list"):
            return page("latest")(request)
        headers = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "0;w=21600", "content-length": "7"}
        if request.method == "HEAD":
            kind = {"content-type": "application/vnd.oci.image.manifest.v1+json"}
            return httpx2.Response(200, headers=headers | kind | {"docker-content-digest": "sha256:" + "0" * 64})
        return httpx2.Response(200, content=MANIFEST, headers=headers | {"content-length": str(len(MANIFEST))})

    registry = Registry(hub)
    client = registry.client()
    await client.manifest(LATEST)
    with pytest.raises(RateLimited) as caught:
        await client.manifest(LATEST)
    assert caught.value.retry_after == 216
    assert (await client.head(LATEST)) is not None
    assert await client.tags(WEB) == ["latest"]


async def test_a_realm_that_refuses_holds_the_asking_for_tokens_back_and_nothing_else() -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "auth.example":
            return httpx2.Response(429, headers={"retry-after": "120"})
        if request.url.path.startswith("/v2/open/"):
            return page("a")(request)
        return httpx2.Response(401, headers={"www-authenticate": 'Bearer realm="https://auth.example/token"'})

    registry = Registry(handle)
    client = registry.client()
    for repository in (WEB, API):
        with pytest.raises(RateLimited, match=r"auth\.example"):
            await client.tags(repository)
    assert [request.url.host for request in registry.seen].count("auth.example") == 1


async def test_budget_is_told_in_the_error_of_who_is_held_back() -> None:
    registry = Registry(answer(429, json.dumps({"errors": [{"code": "TOOMANYREQUESTS"}]}).encode(), retry_after="120"))
    client = registry.client()
    with pytest.raises(RateLimited, match=r"the registry registry\.example asks to wait 120 s \(429\)"):
        await client.tags(WEB)
    registry.now += 20
    with pytest.raises(RateLimited, match=r"has asked to wait, for another 100 s") as caught:
        await client.tags(WEB)
    assert "raise the interval" in (caught.value.remedy or "")
