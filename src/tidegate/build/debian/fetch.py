"""Downloads from mirrors: a few at once, resumed and tried again, kept by content, believed only by their sha256."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

import httpx2

from tidegate.base.errors import NotFound, Unavailable
from tidegate.base.frozen import frozen
from tidegate.base.http import make_client, read_bounded, shown

PARALLEL = 8
ATTEMPTS = 4
FILE_TIMEOUT = 300.0
INDEX_LIMIT = 16 * 1024 * 1024
_REDIRECTS = 5
_CHUNK = 256 * 1024

T = TypeVar("T")


class _OtherFile(Unavailable):
    """The mirror has something else under that name; asking again at once gives the same."""


@frozen
class Wanted:
    """A file to have: its URL and what it must be."""

    url: str
    sha256: str
    size: int


class Fetcher:
    """Downloads into the folder `kept`, one file a content. Use it as an async context manager."""

    def __init__(self, kept: Path, client: httpx2.AsyncClient | None = None, *, pause: float = 0.5):
        self._kept = kept
        self._client = client or make_client()
        self._busy: dict[str, asyncio.Lock] = {}
        self._slots = asyncio.Semaphore(PARALLEL)
        self._pause = pause
        kept.mkdir(parents=True, exist_ok=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def text(self, url: str) -> bytes:
        """A small file by its URL. Raises NotFound or Unavailable."""
        return await self._again(lambda: self._read(url))

    async def file(self, wanted: Wanted) -> Path:
        """The file of that content, downloaded where it is not here yet. Raises NotFound or Unavailable."""
        target = self._kept / wanted.sha256
        # Platforms share packages; what one of them is at, the others wait for.
        async with self._busy.setdefault(wanted.sha256, asyncio.Lock()), self._slots:
            if not await asyncio.to_thread(_is_whole, target, wanted):
                await self._again(lambda: self._download(wanted, target))
        return target

    async def files(self, wanted: Iterable[Wanted]) -> list[Path]:
        """Several files, side by side, in the order asked for."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self.file(one)) for one in wanted]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _again(self, attempt: Callable[[], Awaitable[T]]) -> T:
        for count in range(1, ATTEMPTS):
            try:
                return await attempt()
            except _OtherFile:
                raise
            except Unavailable:
                await asyncio.sleep(self._pause * 2 ** (count - 1))
        return await attempt()

    async def _read(self, url: str) -> bytes:
        async with _answers(url), asyncio.timeout(FILE_TIMEOUT), self._stream(url, {}) as response:
            _check(response, url)
            return await read_bounded(response, INDEX_LIMIT)

    async def _download(self, wanted: Wanted, target: Path) -> None:
        """Append to what an earlier attempt left, if the server goes along; begin anew where the sum is wrong."""
        with _partial(target) as file:
            start = file.seek(0, os.SEEK_END)
            start = start if start < wanted.size else 0
            headers = {"range": f"bytes={start}-"} if start else {}
            async with (
                _answers(wanted.url),
                asyncio.timeout(FILE_TIMEOUT),
                self._stream(wanted.url, headers) as response,
            ):
                if response.status_code == 416:  # what is here does not fit what is there
                    file.truncate(0)
                _check(response, wanted.url)
                _check_size(response, wanted)
                await _save(response, file, wanted.size, start if response.status_code == 206 else 0)
            if await asyncio.to_thread(_sha256, Path(file.name)) != wanted.sha256:
                file.truncate(0)
                raise Unavailable(f"{shown(wanted.url)} is not the file that the signed index names")
            Path(file.name).replace(target)

    @contextlib.asynccontextmanager
    async def _stream(self, url: str, headers: dict[str, str]) -> AsyncIterator[httpx2.Response]:
        """Redirects are followed: mirrors use them, no credential goes along, and what comes is checked by its sum."""
        for _ in range(_REDIRECTS):
            async with self._client.stream("GET", url, headers=headers) as response:
                if not response.is_redirect:
                    yield response
                    return
                url = str(response.url.join(response.headers.get("location", "")))
        raise Unavailable(f"{shown(url)} redirects without end")


@contextlib.contextmanager
def _partial(target: Path) -> Iterator[BinaryIO]:
    """The file that grows to be `target`; one of our own where another process is at it."""
    path = target.with_name(f"{target.name}.part")
    with path.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            path = target.with_name(f"{target.name}.{os.getpid()}.part")
        with path.open("r+b" if path.exists() else "w+b") as file:
            yield file


async def _save(response: httpx2.Response, file: BinaryIO, size: int, start: int) -> None:
    written = file.seek(start)
    async for chunk in response.aiter_raw(_CHUNK):
        written += len(chunk)
        if written > size:
            raise Unavailable(f"{shown(response.url)} is longer than the signed index says")
        file.write(chunk)
    file.truncate()
    file.flush()
    if written < size:
        raise Unavailable(f"{shown(response.url)} broke off after {written} of {size} bytes")


@contextlib.asynccontextmanager
async def _answers(url: str) -> AsyncIterator[None]:
    try:
        yield
    except (httpx2.HTTPError, TimeoutError, ssl.SSLError) as error:
        reason = str(error) or type(error).__name__
        remedy = "check the network, the proxy settings, and the mirror in apt's sources"
        raise Unavailable(f"{shown(url)} can't be reached: {reason}", remedy=remedy) from error


def _check(response: httpx2.Response, url: str) -> None:
    if response.status_code in (404, 410):
        raise NotFound(f"{shown(url)} is not there")
    if response.status_code not in (200, 206):
        raise Unavailable(f"{shown(url)} answered {response.status_code}")


def _check_size(response: httpx2.Response, wanted: Wanted) -> None:
    declared = response.headers.get("content-length", "")
    if response.status_code == 200 and declared.isdigit() and int(declared) != wanted.size:
        said = f"{declared} bytes instead of {wanted.size}"
        raise _OtherFile(
            f"{shown(wanted.url)} is not the file that the signed index names: {said}",
            remedy="the mirror may be between two updates: try again later, or take another mirror in apt's sources",
        )


def _is_whole(path: Path, wanted: Wanted) -> bool:
    """Looked at byte by byte: what is unpacked must be what was signed, also long after it was downloaded."""
    return path.is_file() and path.stat().st_size == wanted.size and _sha256(path) == wanted.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
