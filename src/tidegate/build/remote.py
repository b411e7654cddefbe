"""Fetches what an ADD names by URL and by the sha256 that it must have; kept by that, and so fetched once."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound, Unavailable
from tidegate.base.http import make_client, shown
from tidegate.build.filesystem import Content
from tidegate.build.native import NotNative
from tidegate.build.pip import check_address

SIZE_LIMIT = 1024 * 1024 * 1024
TIMEOUT = 600.0
_REDIRECTS = 5
_CHUNK = 256 * 1024


class Downloads:
    """Downloads into a folder that builds share. Close it with `aclose`."""

    def __init__(self, kept: Path, client: httpx2.AsyncClient | None = None):
        self._kept, self._client = kept, client
        self._busy: dict[str, asyncio.Lock] = {}

    async def aclose(self) -> None:
        """Close the connections, if there were any."""
        if self._client is not None:
            await self._client.aclose()

    async def get(self, url: str, digest: str) -> Content:
        """The content at `url`, whose digest is `sha256:…`.

        Raises InvalidInput where it is another, NotFound, Unavailable, or LimitExceeded past 1 GiB.
        """
        wanted = digest.removeprefix("sha256:")
        target = self._kept / wanted
        async with self._busy.setdefault(wanted, asyncio.Lock()):
            if not target.is_file() or await asyncio.to_thread(_sha256, target) != wanted:
                await self._download(url, wanted, target)
        return Content(wanted, target.stat().st_size, target)

    async def _download(self, url: str, wanted: str, target: Path) -> None:
        self._kept.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{wanted}.{secrets.token_hex(8)}")
        try:
            async with asyncio.timeout(TIMEOUT), self._response(url) as response:
                found = await _save(response, partial)
            if found != wanted:
                raise InvalidInput(f"{shown(url)} has the sha256 {found}, not the one that --checksum names")
            partial.replace(target)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise Unavailable(f"{shown(url)} can't be fetched: {error or type(error).__name__}") from error
        finally:
            partial.unlink(missing_ok=True)

    @asynccontextmanager
    async def _response(self, url: str) -> AsyncIterator[httpx2.Response]:
        """No credential goes along, and no redirect leads to the machine that builds."""
        if self._client is None:
            self._client = make_client()
        for _ in range(_REDIRECTS):
            try:
                check_address(url)
            except NotNative as why:
                raise InvalidInput(f"{shown(url)}: {why}") from why
            async with self._client.stream("GET", url) as response:
                if not response.is_redirect:
                    _check(response, url)
                    yield response
                    return
                url = str(response.url.join(response.headers.get("location", "")))
        raise Unavailable(f"{shown(url)} redirects without end")


def _check(response: httpx2.Response, url: str) -> None:
    if response.status_code in (404, 410):
        raise NotFound(f"{shown(url)} is not there")
    if response.status_code != 200:
        raise Unavailable(f"{shown(url)} answered {response.status_code}")


async def _save(response: httpx2.Response, target: Path) -> str:
    total, size = hashlib.sha256(), 0
    with target.open("xb") as file:
        async for chunk in response.aiter_raw(_CHUNK):
            size += len(chunk)
            if size > SIZE_LIMIT:
                raise LimitExceeded(f"{shown(response.url)} is larger than {SIZE_LIMIT} bytes")
            total.update(chunk)
            file.write(chunk)
    return total.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
