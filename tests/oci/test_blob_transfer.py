"""Blobs come and go whole, verified, and without a credential for another host."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from tests.oci.fake_registry import (
    BLOB,
    CONTENT,
    WEB,
    Registry,
    answer,
)

from tidegate.base.errors import InvalidInput, Unavailable
from tidegate.base.http import make_client
from tidegate.kinds.reference import parse_repository
from tidegate.oci.client import RegistryClient
from tidegate.oci.credentials import Credentials, Login
from tidegate.oci.values import Descriptor


async def test_blob_is_fetched_and_verified(tmp_path: Path) -> None:
    registry = Registry(answer(200, CONTENT))
    await registry.client().fetch_blob(WEB, BLOB, tmp_path / "cache" / "blob")
    assert (tmp_path / "cache" / "blob").read_bytes() == CONTENT
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x", b"y" * len(CONTENT), b""])
async def test_blob_of_other_bytes_leaves_no_file(tmp_path: Path, content: bytes) -> None:
    registry = Registry(answer(200, content))
    with pytest.raises(Unavailable, match="bytes"):
        await registry.client().fetch_blob(WEB, BLOB, tmp_path / "blob")
    assert (list(tmp_path.iterdir()), len(registry.seen)) == ([], 3)


async def test_blob_larger_than_said_is_cut_at_once(tmp_path: Path) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 10_000

    registry = Registry(lambda request: httpx2.Response(200, content=endless()))
    with pytest.raises(Unavailable, match="more than"):
        await registry.client().fetch_blob(WEB, BLOB, tmp_path / "blob")
    assert sent < 20


async def test_broken_transfer_is_tried_again(tmp_path: Path) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield CONTENT[:100]
        raise httpx2.RemoteProtocolError("peer closed connection")

    registry = Registry(lambda request: httpx2.Response(200, content=breaking()), answer(200, CONTENT))
    await registry.client().fetch_blob(WEB, BLOB, tmp_path / "blob")
    assert (tmp_path / "blob").read_bytes() == CONTENT


async def test_redirect_to_another_host_gets_no_credential(tmp_path: Path) -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "cdn.example":
            return httpx2.Response(200, content=CONTENT)
        if "authorization" not in request.headers:
            return httpx2.Response(401, headers={"www-authenticate": 'Basic realm="x"'})
        return httpx2.Response(307, headers={"location": "https://cdn.example/blob?sig=1"})

    registry = Registry(handle)
    held = Credentials({"registry.example": Login("user", "password")})
    await registry.client(held).fetch_blob(WEB, BLOB, tmp_path / "blob")
    assert registry.seen[-1].url.host == "cdn.example"
    assert "authorization" not in registry.seen[-1].headers
    assert "authorization" in registry.seen[-2].headers


@pytest.mark.parametrize(
    "location",
    ["http://cdn.example/blob", "http://registry.example/blob", "http://169.254.169.254/", "file:///etc/passwd"],
)
async def test_redirect_to_anything_but_https_is_refused(tmp_path: Path, location: str) -> None:
    registry = Registry(answer(307, location=location))
    with pytest.raises(Unavailable, match="not https"):
        await registry.client().fetch_blob(WEB, BLOB, tmp_path / "blob")
    assert {request.url.host for request in registry.seen} == {"registry.example"}


async def test_redirects_in_a_ring_end(tmp_path: Path) -> None:
    registry = Registry(answer(307, location="https://cdn.example/again"))
    with pytest.raises(Unavailable, match="redirects more than"):
        await registry.client().fetch_blob(WEB, BLOB, tmp_path / "blob")


async def test_password_in_a_location_is_not_used(tmp_path: Path) -> None:
    registry = Registry(answer(307, location="https://user:pw@cdn.example/b"), answer(200, CONTENT))
    await registry.client().fetch_blob(WEB, BLOB, tmp_path / "blob")
    assert "authorization" not in registry.seen[1].headers


async def test_blob_that_is_there_is_not_pushed() -> None:
    registry = Registry(answer(200))
    await registry.client().push_blob(WEB, BLOB, CONTENT)
    assert registry.asked == [f"HEAD https://registry.example/v2/acme/web/blobs/{BLOB.digest}"]


async def test_blob_is_pushed_by_post_and_one_put_to_the_location(tmp_path: Path) -> None:
    bodies: list[bytes] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        if request.method == "HEAD":
            return httpx2.Response(404)
        if request.method == "POST":
            return httpx2.Response(202, headers={"location": "/upload/1?_state=a%3D"})
        bodies.append(request.content)
        return httpx2.Response(201)

    registry = Registry(handle)
    (tmp_path / "blob").write_bytes(CONTENT)

    async def reading(request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        return registry(request)

    async with make_client(httpx2.MockTransport(reading)) as http:
        await RegistryClient(http=http).push_blob(WEB, BLOB, tmp_path / "blob")
    put = registry.seen[-1]
    assert dict(put.url.params) == {"_state": "a=", "digest": BLOB.digest}
    assert (put.url.host, put.url.path) == ("registry.example", "/upload/1")
    assert put.headers["content-length"] == str(len(CONTENT))
    assert "transfer-encoding" not in put.headers
    assert bodies == [CONTENT]


async def test_upload_that_fails_begins_again() -> None:
    registry = Registry(
        answer(404), answer(202, location="/u/1"), answer(500), answer(202, location="/u/2"), answer(201)
    )
    await registry.client().push_blob(WEB, BLOB, CONTENT)
    assert [request.url.path for request in registry.seen if request.method == "PUT"] == ["/u/1", "/u/2"]


async def test_upload_location_on_another_host_gets_no_credential() -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "upload.example":
            return httpx2.Response(201)
        if "authorization" not in request.headers:
            return httpx2.Response(401, headers={"www-authenticate": 'Basic realm="x"'})
        if request.method == "HEAD":
            return httpx2.Response(404)
        return httpx2.Response(202, headers={"location": "https://upload.example/u/1"})

    registry = Registry(handle)
    await registry.client(Credentials({"registry.example": Login("u", "p")})).push_blob(WEB, BLOB, CONTENT)
    assert registry.seen[-1].url.host == "upload.example"
    assert "authorization" not in registry.seen[-1].headers


async def test_mount_takes_a_blob_over_or_says_that_it_did_not() -> None:
    other = parse_repository("registry.example/acme/base")
    registry = Registry(answer(201))
    assert await registry.client().mount_blob(WEB, BLOB.digest, other)
    assert registry.asked == [
        f"POST https://registry.example/v2/acme/web/blobs/uploads/?mount={BLOB.digest}&from=acme/base"
    ]
    registry = Registry(answer(202, location="/u/1"), answer(204))
    assert not await registry.client().mount_blob(WEB, BLOB.digest, other)
    assert registry.asked[-1] == "DELETE https://registry.example/u/1"
    assert not await registry.client().mount_blob(WEB, BLOB.digest, parse_repository("elsewhere.example/acme/base"))


@pytest.mark.parametrize("digest", ["sha256:../../x", "md5:x", "", "sha256:" + "G" * 64])
async def test_digest_that_is_none_reaches_no_url(digest: str, tmp_path: Path) -> None:
    registry = Registry(answer(200))
    with pytest.raises(InvalidInput):
        await registry.client().has_blob(WEB, digest)
    with pytest.raises(InvalidInput):
        await registry.client().fetch_blob(WEB, Descriptor("x/y", digest, 1), tmp_path / "x")
    assert registry.seen == []
