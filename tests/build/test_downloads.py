"""ADD of a URL: what comes is believed by its sha256 alone, kept by it, and never asked of the machine that builds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound, TidegateError, Unavailable
from tidegate.build import remote
from tidegate.build.remote import Downloads

DATA = b"what was asked for"
DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"
URL = "https://files.example/tool.tar.gz?token=secret"


def given(data: bytes) -> httpx2.Response:
    return httpx2.Response(200, stream=httpx2.ByteStream(data))


def redirect(location: str) -> httpx2.Response:
    return httpx2.Response(302, headers={"location": location})


def downloads(folder: Path, answer: Callable[[httpx2.Request], httpx2.Response]) -> Downloads:
    return Downloads(folder, httpx2.AsyncClient(transport=httpx2.MockTransport(answer)))


async def test_a_file_is_fetched_once_and_kept_by_its_sum(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        return given(DATA)

    for _ in range(2):
        content = await downloads(tmp_path, answer).get(URL, DIGEST)
        assert (content.size, content.place) == (len(DATA), tmp_path / DIGEST.removeprefix("sha256:"))
    assert asked == ["/tool.tar.gz"]
    (tmp_path / DIGEST.removeprefix("sha256:")).write_bytes(b"torn")
    await downloads(tmp_path, answer).get(URL, DIGEST)
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("response", "kind", "message"),
    [
        (given(b"other"), InvalidInput, "not the one that --checksum names"),
        (httpx2.Response(404), NotFound, "is not there"),
        (httpx2.Response(503), Unavailable, "answered 503"),
        (
            redirect("http://127.0.0.1:9/x"),
            InvalidInput,
            "on the machine that builds",
        ),
        (redirect("file:///etc/passwd"), InvalidInput, "web address"),
        (redirect(URL), Unavailable, "redirects without end"),
    ],
)
async def test_what_is_not_the_file_is_refused(
    tmp_path: Path, response: httpx2.Response, kind: type[TidegateError], message: str
) -> None:
    with pytest.raises(kind, match=message) as raised:
        await downloads(tmp_path, lambda _: response).get(URL, DIGEST)
    assert "secret" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["http://localhost/x", "http://169.254.169.254/x", "http://[::1]/x"])
async def test_the_machine_that_builds_is_never_asked(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidInput, match="on the machine that builds"):
        await downloads(tmp_path, lambda _: given(DATA)).get(url, DIGEST)


async def test_a_file_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "SIZE_LIMIT", 10)
    with pytest.raises(LimitExceeded, match="larger than 10 bytes"):
        await downloads(tmp_path, lambda _: given(DATA)).get(URL, DIGEST)
