"""Pages of tags that a registry gave an ETag for, so that the same page need not be sent again (RFC 9110, 13.1.2)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import httpx2

from tidegate.base.frozen import frozen

BYTES_KEPT = 2 * 1024 * 1024
"""Of all pages together, compressed; a page for which there is no room is asked for whole each time."""
TRUSTED_SECONDS = 3600.0
"""After this long a page is asked for whole: an ETag of a cache between us and the registry may be wrong."""
_FORGOTTEN_SECONDS = 2 * 3600.0
_OVERHEAD = 512
_LONGEST_TAG = 256
_KEPT_HEADERS = ("link", "content-type")


@frozen
class Page:
    """A page as it was answered."""

    url: httpx2.URL
    headers: httpx2.Headers
    body: bytes


@dataclass(slots=True)
class _Kept:
    etag: str
    url: httpx2.URL
    headers: httpx2.Headers
    packed: bytes
    length: int
    since: float
    used: float

    @property
    def size(self) -> int:
        told = sum(len(name) + len(value) for name, value in self.headers.raw)
        return len(self.packed) + told + len(self.etag) + 2 * len(self.url.raw_path) + _OVERHEAD


class PageCache:
    """Pages by whatever they depend on. What is kept is bounded in bytes; the oldest unused go first."""

    def __init__(self, monotonic: Callable[[], float]):
        self._monotonic = monotonic
        self._pages: dict[Hashable, _Kept] = {}
        self._size = 0

    def etag(self, key: Hashable) -> str | None:
        """What to send as If-None-Match, or None where the page is to be asked for whole."""
        found = self._pages.get(key)
        if found is None:
            return None
        now = self._monotonic()
        if now - found.since > TRUSTED_SECONDS:
            self._forget(key)
            return None
        found.used = now
        return found.etag

    def length(self, key: Hashable) -> int:
        """How many bytes `page` is going to unpack."""
        found = self._pages.get(key)
        return 0 if found is None else found.length

    def page(self, key: Hashable, etag: str) -> Page | None:
        """The page that has not changed; None where it has been forgotten meanwhile."""
        found = self._pages.get(key)
        if found is None or found.etag != etag:
            return None
        return Page(found.url, found.headers, zlib.decompress(found.packed))

    def keep(self, key: Hashable, page: Page, packed: bytes) -> None:
        """Keep a page that has an ETag, if there is room; what was kept for `key` is forgotten. `packed` is its body,
        compressed by zlib.
        """
        self._forget(key)
        etag = page.headers.get("etag", "")
        if not etag or len(etag) > _LONGEST_TAG:
            return
        now = self._monotonic()
        headers = httpx2.Headers({name: page.headers[name] for name in _KEPT_HEADERS if name in page.headers})
        kept = _Kept(etag, page.url, headers, packed, len(page.body), now, now)
        if self._size + kept.size > BYTES_KEPT:
            for old in [one for one, found in self._pages.items() if now - found.used > _FORGOTTEN_SECONDS]:
                self._forget(old)
        if self._size + kept.size <= BYTES_KEPT:
            self._pages[key] = kept
            self._size += kept.size

    def _forget(self, key: Hashable) -> None:
        found = self._pages.pop(key, None)
        if found is not None:
            self._size -= found.size
