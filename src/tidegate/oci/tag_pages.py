"""The pages of a registry's tag list: what one holds, and where the next is. Pure; never makes up a `last`."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx2

from tidegate.base.errors import LimitExceeded, Unavailable
from tidegate.base.json_size import check_json

PAGE_LIMIT = 32 * 1024 * 1024
"""Bytes of one page; a registry may ignore `n` and send every tag at once."""
PAGES_LIMIT = 5_000
TAGS_LIMIT = 1_000_000
VALUES_LIMIT = 2_000_000
"""JSON values of one page: GCR tells much of each tag, but an object takes many times the memory of its text."""
_TAG_LINES = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}+\n)*+", re.ASCII)
_LINK = re.compile(r'<([^>]{1,4096})>((?:\s*;\s*[A-Za-z*]+\s*=\s*(?:"[^"]*"|[^\s;,"]*))*)')
_NEXT = re.compile(r';\s*rel\s*=\s*"?next"?\s*(?:;|$)', re.IGNORECASE)


class TagPages:
    """Collects the tags page by page and says what to ask next; raises Unavailable where a registry goes in circles."""

    def __init__(self, host: str):
        self._host = host
        self._tags: dict[str, None] = {}
        self._asked: set[bytes] = set()

    @property
    def tags(self) -> list[str]:
        """Every tag once, in the registry's order."""
        return list(self._tags)

    def take(self, url: httpx2.URL, headers: httpx2.Headers, body: bytes) -> bytes | None:
        """Take the page that `url` answered; the query of the next page, or None after the last.

        Raises Unavailable on what is no page of tags (an HTML page with 200 is not "no tags"), on a link to another
        host and on pages that repeat; LimitExceeded past a million tags or 5 000 pages.
        """
        before = len(self._tags)
        page = _read_page(body, self._host)
        self._tags.update(dict.fromkeys(page))
        if len(self._tags) > TAGS_LIMIT:
            raise LimitExceeded(f"the registry {self._host} has more than {TAGS_LIMIT} tags in one repository")
        link = next_link(headers)
        if link is None:
            return None
        self._asked.add(url.query)
        query = self._query(url, link)
        if query in self._asked or (page and len(self._tags) == before):
            raise Unavailable(f"the registry {self._host} repeats its pages of tags")
        if len(self._asked) >= PAGES_LIMIT:
            raise LimitExceeded(f"the registry {self._host} has more than {PAGES_LIMIT} pages of tags")
        return query

    def _query(self, url: httpx2.URL, link: str) -> bytes:
        """Only the query is taken: Nexus links to a wrong path, and others, behind a proxy, to a wrong scheme."""
        try:
            target = url.join(link)
        except httpx2.InvalidURL:
            raise Unavailable(f"the registry {self._host} links to a next page that is no URL") from None
        if target.host != url.host:
            raise Unavailable(f"the registry {self._host} links to its next page on another host")
        return target.query


def next_link(headers: httpx2.Headers) -> str | None:
    """The target of the `Link` whose relation is `next` (RFC 8288), or None."""
    for line in headers.get_list("link"):
        for match in _LINK.finditer(line[:16384]):
            if _NEXT.search(match.group(2)):
                return match.group(1)
    return None


def _read_page(body: bytes, host: str) -> list[str]:
    try:
        check_json(body, VALUES_LIMIT)
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    except LimitExceeded:
        raise LimitExceeded(f"the registry {host} answered with more than {VALUES_LIMIT} values in one page") from None
    if not isinstance(value, dict) or "tags" not in value:
        raise Unavailable(
            f"the registry {host} answered the question for tags with something else",
            remedy="see whether the address is a registry's, and no login page or proxy stands before it",
        )
    tags = value["tags"] if value["tags"] is not None else []
    if not isinstance(tags, list) or not _are_tags(tags):
        raise Unavailable(f"the registry {host} answered the question for tags with a tag that is none")
    return tags


def _are_tags(values: list[Any]) -> bool:
    """Asked of all at once: of 100 000, one by one, it takes several times as long."""
    try:
        lines = "\n".join([*values, ""])
    except TypeError:  # not all are text
        return False
    return lines.count("\n") == len(values) and _TAG_LINES.fullmatch(lines) is not None
