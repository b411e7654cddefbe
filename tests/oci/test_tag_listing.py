"""Tags are followed by Link alone, and what is no list of tags is not an empty one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
from tests.oci.fake_registry import (
    LATEST,
    WEB,
    Registry,
    answer,
    page,
)

from tidegate.base.errors import LimitExceeded, Unavailable
from tidegate.oci import tag_pages


async def test_tags_follow_the_link_and_nothing_else() -> None:
    registry = Registry(page("a", "b", link="/v2/acme/web/tags/list?n=2&next=opaque%3D"), page("c"))
    assert await registry.client().tags(WEB) == ["a", "b", "c"]
    assert registry.asked == [
        "GET https://registry.example/v2/acme/web/tags/list?n=1000",
        "GET https://registry.example/v2/acme/web/tags/list?n=2&next=opaque%3D",
    ]


@pytest.mark.parametrize(
    "link",
    [
        "?n=2&last=b",
        "/repository/wrong/path/v2/tags/list?n=2&last=b",
        "https://registry.example/v2/acme/web/tags/list?n=2&last=b",
        "http://registry.example:8080/v2/acme/web/tags/list?n=2&last=b",
    ],
)
async def test_only_the_query_of_a_link_counts(link: str) -> None:
    registry = Registry(page("a", "b", link=link), page("c"))
    assert await registry.client().tags(WEB) == ["a", "b", "c"]
    assert registry.asked[1] == "GET https://registry.example/v2/acme/web/tags/list?n=2&last=b"


async def test_full_page_without_a_link_is_the_last() -> None:
    registry = Registry(page(*(f"t{number}" for number in range(1000))))
    assert len(await registry.client().tags(WEB)) == 1000
    assert len(registry.seen) == 1


async def test_tag_on_two_pages_is_there_once() -> None:
    registry = Registry(page("a", "b", link="?last=b"), page("b", "c"))
    assert await registry.client().tags(WEB) == ["a", "b", "c"]


@pytest.mark.parametrize("body", [b'{"name": "x", "tags": null}', b'{"name": "x", "tags": []}'])
async def test_repository_without_tags_is_empty(body: bytes) -> None:
    assert await Registry(answer(200, body)).client().tags(WEB) == []


async def test_link_to_another_host_is_refused() -> None:
    registry = Registry(page("a", link="https://evil.example/v2/acme/web/tags/list?last=a"))
    with pytest.raises(Unavailable, match="another host"):
        await registry.client().tags(WEB)
    assert len(registry.seen) == 1


async def test_page_that_links_to_itself_is_found_out() -> None:
    with pytest.raises(Unavailable, match="repeats"):
        await Registry(page("a", link="?n=1000")).client().tags(WEB)
    with pytest.raises(Unavailable, match="repeats"):
        await Registry(page("a", link="?x=1"), page("b", link="?x=2"), page("c", link="?x=1")).client().tags(WEB)


async def test_same_tags_under_ever_new_links_are_found_out() -> None:
    count = iter(range(1_000_000))

    def renamed(request: httpx2.Request) -> httpx2.Response:
        return page("a", link=f"?next={next(count)}")(request)

    registry = Registry(renamed)
    with pytest.raises(Unavailable, match="repeats"):
        await registry.client().tags(WEB)


async def test_endless_pages_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_pages, "PAGES_LIMIT", 20)
    count = iter(range(1_000_000))

    def endless(request: httpx2.Request) -> httpx2.Response:
        number = next(count)
        return page(f"t{number}", link=f"?next={number}")(request)

    with pytest.raises(LimitExceeded, match="more than 20 pages"):
        await Registry(endless).client().tags(WEB)


async def test_too_many_tags_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_pages, "TAGS_LIMIT", 2)
    with pytest.raises(LimitExceeded, match="more than 2 tags"):
        await Registry(page("a", "b", "c")).client().tags(WEB)


async def test_page_of_too_many_values_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_pages, "VALUES_LIMIT", 20)
    body = b'{"name": "acme/web", "tags": [' + b"[]," * 20 + b"[]]}"
    with pytest.raises(LimitExceeded, match="more than 20 values in one page"):
        await Registry(answer(200, body)).client().tags(WEB)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>log in</html>",
        b"",
        b"{}",
        b"[]",
        b'{"tags": "a"}',
        b'{"tags": [1]}',
        b'{"tags": ["../x"]}',
        b'{"tags": ["a\\nb"]}',
        b'{"tags": ["a\\n"]}',
        b'{"tags": ["a", ""]}',
        b'{"tags": ["a", null]}',
        b'{"tags": ["%s"]}' % (b"a" * 129),
        b'{"tags": ["--upload-pack"]}',
    ],
)
async def test_answer_that_is_no_list_of_tags_is_not_an_empty_list(body: bytes) -> None:
    with pytest.raises(Unavailable):
        await Registry(answer(200, body, content_type="text/html")).client().tags(WEB)


async def test_body_without_an_end_is_given_up() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 1_000_000

    registry = Registry(lambda request: httpx2.Response(200, content=endless()))
    with pytest.raises(LimitExceeded):
        await registry.client().tags(WEB)
    with pytest.raises(LimitExceeded):
        await registry.client().manifest(LATEST)
