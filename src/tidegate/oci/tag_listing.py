"""Asks a registry for all the tags of a repository, page by page; a page that has not changed is not sent again."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Hashable, Mapping
from typing import ParamSpec, TypeVar

from tidegate.base.errors import Unavailable
from tidegate.oci.page_cache import Page, PageCache
from tidegate.oci.tag_pages import PAGE_LIMIT, TagPages
from tidegate.oci.transport import Answer, Call, RegistryTransport

TAGS_DEADLINE = 600.0
_PAGE_SIZE = 1000  # ECR refuses more; others cut it to what they give
SMALL = 64 * 1024
"""Bytes of a page that is worked on without a thread: it takes less than a millisecond."""
P = ParamSpec("P")
T = TypeVar("T")
_OK, _OK_OR_UNCHANGED, _OK_OR_REFUSED = frozenset({200}), frozenset({200, 304}), frozenset({200, 400})


async def list_tags(transport: RegistryTransport, path: str, cache: PageCache, owner: Hashable) -> list[str]:
    """Every tag below `path`, a repository's, in the registry's order. `owner` is whose view of the registry it is:
    what another login saw is not taken for it.
    """
    listing = _Listing(transport, f"/v2/{path}/tags/list", f"repository:{path}:pull", cache, owner)
    try:
        async with asyncio.timeout(TAGS_DEADLINE):
            return await listing.tags()
    except TimeoutError:
        raise Unavailable(f"the registry {transport.host} did not list its tags in {TAGS_DEADLINE:g} s") from None


class _Listing:
    def __init__(self, transport: RegistryTransport, path: str, scope: str, cache: PageCache, owner: Hashable):
        self._transport = transport
        self._path = path
        self._scope = scope
        self._cache = cache
        self._owner = owner

    async def tags(self) -> list[str]:
        pages = TagPages(self._transport.host)
        query: str | None = f"n={_PAGE_SIZE}"
        while query is not None:
            page, is_new = await self._page(query)
            following = await _beside(len(page.body), pages.take, page.url, page.headers, page.body)
            if is_new:
                await self._keep(query, page)
            query = None if following is None else following.decode("ascii", "replace")
        return pages.tags

    async def _page(self, query: str) -> tuple[Page, bool]:
        """The page, and whether it was sent; else it is as it was kept."""
        key = self._key(query)
        etag = self._cache.etag(key)
        if etag is None:
            return await self._whole(query), True
        answer = await self._ask(self._target(query), _OK_OR_UNCHANGED, {"if-none-match": etag})
        if answer.status == 200:
            return Page(answer.url, answer.headers, answer.body), True
        same = await _beside(self._cache.length(key), self._cache.page, key, etag)
        return (same, False) if same is not None else (await self._whole(query), True)

    async def _whole(self, query: str) -> Page:
        """The page; as large as the registry likes it where it refuses to be told how large."""
        accepted = _OK_OR_REFUSED if query == f"n={_PAGE_SIZE}" else _OK
        answer = await self._ask(self._target(query), accepted)
        if answer.status == 400:
            answer = await self._ask(self._path, _OK)
        return Page(answer.url, answer.headers, answer.body)

    async def _ask(self, target: str, accepted: frozenset[int], headers: Mapping[str, str] | None = None) -> Answer:
        return await self._transport.call(Call("GET", target, self._scope, accepted, headers or {}, limit=PAGE_LIMIT))

    async def _keep(self, query: str, page: Page) -> None:
        if page.url.query != query.encode():
            return  # it is the answer to another question
        packed = await _beside(len(page.body), zlib.compress, page.body, 1) if "etag" in page.headers else b""
        self._cache.keep(self._key(query), page, packed)

    def _key(self, query: str) -> Hashable:
        return self._owner, self._path, query

    def _target(self, query: str) -> str:
        return f"{self._path}?{query}"


async def _beside(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Work on `size` bytes of a page, which may hold 100 000 tags: then in a thread."""
    return work(*args, **kwargs) if size < SMALL else await asyncio.to_thread(work, *args, **kwargs)
