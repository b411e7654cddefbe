"""A list that has not changed is not sent again, where the registry gives an ETag; and what is kept stays small."""

from __future__ import annotations

import json
import random

import httpx2
import pytest
from tests.oci.fake_registry import WEB, Registry, answer, page

from tidegate.base.errors import Unavailable
from tidegate.kinds.reference import parse_repository
from tidegate.oci import page_cache
from tidegate.oci.credentials import Access, Credentials, Login
from tidegate.oci.page_cache import Page, PageCache


class Tagged:
    """A registry whose pages have ETags: the pages by query, which a test changes."""

    def __init__(self, *pages: list[str]):
        self.pages = list(pages)
        self.answers: list[int] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        number = int(request.url.params.get("page", "0"))
        body = json.dumps({"tags": self.pages[number]}).encode()
        etag = f'W/"{hash(body)}"'
        if request.headers.get("if-none-match") == etag:
            self.answers.append(304)
            return httpx2.Response(304, headers={"etag": etag})
        self.answers.append(200)
        link = {"link": f'<?page={number + 1}>; rel="next"'} if number + 1 < len(self.pages) else {}
        return httpx2.Response(200, content=body, headers={"ETag": etag} | link)


async def test_unchanged_list_of_one_page_costs_one_304() -> None:
    tagged = Tagged(["b", "a"])
    client = Registry(tagged).client()
    for _ in range(3):
        assert await client.tags(WEB) == ["b", "a"]
    assert tagged.answers == [200, 304, 304]


async def test_changed_list_is_sent_whole_and_kept_in_its_turn() -> None:
    tagged = Tagged(["a"])
    client = Registry(tagged).client()
    await client.tags(WEB)
    tagged.pages[0] = ["a", "b"]
    assert await client.tags(WEB) == ["a", "b"]
    assert await client.tags(WEB) == ["a", "b"]
    assert tagged.answers == [200, 200, 304]


async def test_of_several_pages_only_the_changed_one_is_sent() -> None:
    tagged = Tagged(["a"], ["b"], ["c"])
    client = Registry(tagged).client()
    await client.tags(WEB)
    tagged.pages[1] = ["b", "bb"]
    assert await client.tags(WEB) == ["a", "b", "bb", "c"]
    assert tagged.answers == [200, 200, 200, 304, 200, 304]


async def test_what_one_login_saw_is_not_taken_for_what_another_sees() -> None:
    tagged = Tagged(["a"])
    client = Registry(tagged).client()
    await client.tags(WEB)
    await client.using(Access(Credentials({"registry.example": Login("me", "x")}))).tags(WEB)
    await client.tags(parse_repository("registry.example/acme/api"))
    assert tagged.answers == [200, 200, 200]


async def test_registry_without_etags_is_asked_whole_each_time() -> None:
    registry = Registry(page("a"))
    client = registry.client()
    await client.tags(WEB)
    await client.tags(WEB)
    assert all("if-none-match" not in request.headers for request in registry.seen)


async def test_304_that_nobody_asked_for_is_no_answer() -> None:
    with pytest.raises(Unavailable):
        await Registry(answer(304)).client().tags(WEB)


async def test_answer_that_is_no_list_is_not_kept() -> None:
    registry = Registry(answer(200, b"<html>", etag='"x"'))
    client = registry.client()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await client.tags(WEB)
    assert all("if-none-match" not in request.headers for request in registry.seen)


async def test_an_etag_is_believed_for_an_hour() -> None:
    tagged = Tagged(["a"])
    registry = Registry(tagged)
    client = registry.client()
    await client.tags(WEB)
    registry.now += page_cache.TRUSTED_SECONDS + 1
    await client.tags(WEB)
    assert tagged.answers == [200, 200]


def entry(etag: str = '"x"') -> Page:
    return Page(httpx2.URL("https://registry.example/"), httpx2.Headers({"etag": etag}), b"")


def test_what_is_kept_is_bounded_and_what_is_in_use_stays() -> None:
    now = 0.0
    cache = PageCache(lambda: now)
    packed = random.Random(1).randbytes(1000)
    for number in range(5000):
        cache.keep(number, entry(), packed)
    kept = [number for number in range(5000) if cache.etag(number)]
    assert kept == list(range(len(kept)))
    assert len(kept) * 1000 < page_cache.BYTES_KEPT < (len(kept) + 1) * 2000
    now = 3 * 3600.0
    cache.keep("new", entry(), packed)
    assert cache.etag("new") == '"x"'
    assert cache.etag(0) is None


def test_what_the_headers_and_the_address_hold_counts_as_well() -> None:
    cache = PageCache(lambda: 0.0)
    big = "x" * 10_000
    for number in range(500):
        headers = httpx2.Headers({"etag": '"x"', "link": f'<?{big}>; rel="next"'})
        cache.keep(number, Page(httpx2.URL(f"https://registry.example/?{big}"), headers, b""), b"")
    kept = [number for number in range(500) if cache.etag(number)]
    assert 0 < len(kept) * 2 * len(big) < page_cache.BYTES_KEPT


def test_etag_of_any_length_is_not_kept() -> None:
    cache = PageCache(lambda: 0.0)
    cache.keep("a", entry('"' + "x" * 1000 + '"'), b"")
    assert cache.etag("a") is None


async def test_a_registry_that_takes_no_size_is_asked_without_one_each_time() -> None:
    def picky(request: httpx2.Request) -> httpx2.Response:
        if "n" in request.url.params:
            return httpx2.Response(400, content=b'{"errors": [{"code": "PAGINATION_NUMBER_INVALID"}]}')
        return httpx2.Response(200, content=b'{"tags": ["a"]}', headers={"etag": '"x"'})

    client = Registry(picky).client()
    assert await client.tags(WEB) == ["a"]
    assert await client.tags(WEB) == ["a"]
