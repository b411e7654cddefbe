"""Downloads: only what is signed is kept, once, resumed where it broke off."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import pytest

from tidegate.base.errors import NotFound, Unavailable
from tidegate.build.debian.fetch import Fetcher, Wanted

CONTENT = bytes(range(256)) * 1000
URL = "http://mirror.example/pool/x.deb"
WANTED = Wanted(URL, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


def answered(status: int, content: bytes) -> httpx2.Response:
    """A response that comes over the network, so to speak: its body is still to be read."""
    return httpx2.Response(status, content=pieces(content))


Handler = Callable[[httpx2.Request], httpx2.Response]


def fetcher(folder: Path, handler: Handler) -> Fetcher:
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    return Fetcher(folder, client, pause=0)


async def test_a_file_is_kept_under_its_sum_and_fetched_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return answered(200, CONTENT)

    async with fetcher(tmp_path, answer) as one:
        paths = await asyncio.gather(one.file(WANTED), one.file(WANTED))
        assert await one.file(WANTED) == paths[0] == paths[1]
    assert paths[0].read_bytes() == CONTENT
    assert asked == [URL]


async def test_what_is_kept_is_looked_at_again(tmp_path: Path) -> None:
    (tmp_path / WANTED.sha256).write_bytes(bytes(len(CONTENT)))
    async with fetcher(tmp_path, lambda _: answered(200, CONTENT)) as one:
        assert (await one.file(WANTED)).read_bytes() == CONTENT


async def test_a_broken_off_download_goes_on_where_it_broke(tmp_path: Path) -> None:
    asked: list[str | None] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        start = request.headers.get("range")
        asked.append(start)
        if start is None:
            return answered(200, CONTENT[:1000])
        return answered(206, CONTENT[int(start[6:-1]) :])

    async with fetcher(tmp_path, answer) as one:
        assert (await one.file(WANTED)).read_bytes() == CONTENT
    assert asked == [None, "bytes=1000-"]


async def test_a_server_that_ignores_the_range_is_read_from_the_start(tmp_path: Path) -> None:
    (tmp_path / f"{WANTED.sha256}.part").write_bytes(b"x" * 500)
    async with fetcher(tmp_path, lambda _: answered(200, CONTENT)) as one:
        assert (await one.file(WANTED)).read_bytes() == CONTENT


@pytest.mark.parametrize("content", [bytes(len(CONTENT)), CONTENT + b"x", CONTENT[:-1], b""])
async def test_another_content_is_never_kept(tmp_path: Path, content: bytes) -> None:
    async with fetcher(tmp_path, lambda _: answered(200, content)) as one:
        with pytest.raises(Unavailable, match=r"mirror\.example"):
            await one.file(WANTED)
    assert not (tmp_path / WANTED.sha256).exists()


async def test_a_mirror_that_has_another_file_there_is_asked_once(tmp_path: Path) -> None:
    answers = iter([httpx2.Response(200, content=CONTENT[:-1])])
    async with fetcher(tmp_path, lambda _: next(answers)) as one:
        with pytest.raises(Unavailable, match="is not the file that the signed index names: 255999 bytes instead of"):
            await one.file(WANTED)


async def test_a_server_error_is_tried_again(tmp_path: Path) -> None:
    answers = iter([httpx2.Response(503), answered(200, CONTENT)])
    async with fetcher(tmp_path, lambda _: next(answers)) as one:
        assert (await one.file(WANTED)).read_bytes() == CONTENT


async def test_what_is_not_there_is_not_tried_again(tmp_path: Path) -> None:
    answers = iter([httpx2.Response(404)])
    async with fetcher(tmp_path, lambda _: next(answers)) as one:
        with pytest.raises(NotFound):
            await one.text("http://user:secret@mirror.example/InRelease")


async def test_a_mirror_that_can_not_be_reached_is_named_without_its_password(tmp_path: Path) -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    async with fetcher(tmp_path, refuse) as one:
        with pytest.raises(Unavailable, match=r"mirror\.example.*refused") as raised:
            await one.text("http://user:secret@mirror.example/InRelease")
    assert "secret" not in raised.value.explain()


async def test_redirects_are_followed_a_few_times(tmp_path: Path) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.startswith("/pool"):
            return httpx2.Response(302, headers={"location": "/cdn/x"})
        return answered(200, CONTENT)

    async with fetcher(tmp_path, answer) as one:
        assert (await one.file(WANTED)).read_bytes() == CONTENT
    async with fetcher(tmp_path / "b", lambda _: httpx2.Response(302, headers={"location": "/pool/x"})) as one:
        with pytest.raises(Unavailable, match="without end"):
            await one.file(WANTED)
