"""Blobs at the registry's door, as the distribution specification describes them."""

from __future__ import annotations

import asyncio
import errno
import os
import re
from collections.abc import AsyncIterator

import pytest
from tests.serve.registry_door import CONTENT, DIGEST, World, code, push_blob

from tidegate.base.errors import TidegateError
from tidegate.oci.blobs import BlobStore
from tidegate.oci.values import digest_of
from tidegate.serve import registry_uploads
from tidegate.serve.registry_http import start_of_range


async def test_blob_by_post_and_put(world: World) -> None:
    async with world.http() as http:
        started = await http.post("/v2/acme/web/blobs/uploads/")
        assert (started.status_code, started.headers["range"]) == (202, "0-0")
        location = started.headers["location"]
        assert re.fullmatch(r"/v2/acme/web/blobs/uploads/[0-9a-f]{32}", location)
        stored = await http.put(f"{location}?digest={DIGEST}", content=CONTENT)
        assert stored.status_code == 201
        assert stored.headers["location"] == f"/v2/acme/web/blobs/{DIGEST}"
        assert stored.headers["docker-content-digest"] == DIGEST
        got = await http.get(stored.headers["location"])
        assert (got.content, got.headers["content-type"]) == (CONTENT, "application/octet-stream")
        assert got.headers["docker-content-digest"] == DIGEST
        seen = await http.head(stored.headers["location"])
        assert (seen.status_code, seen.headers["content-length"], seen.content) == (200, "10000", b"")
        assert (await http.put(f"{location}?digest={DIGEST}")).status_code == 404


@pytest.mark.parametrize("last", [b"", CONTENT[7000:]])
async def test_blob_in_chunks(world: World, last: bytes) -> None:
    async with world.http() as http:
        location = (await http.post("/v2/acme/web/blobs/uploads")).headers["location"]
        first = await http.patch(location, content=CONTENT[:4000], headers={"content-range": "0-3999"})
        assert (first.status_code, first.headers["range"]) == (202, "0-3999")
        status = await http.get(location)
        assert (status.status_code, status.headers["range"]) == (204, "0-3999")
        wrong = await http.patch(location, content=b"x", headers={"content-range": "5000-5000"})
        assert (wrong.status_code, wrong.headers["range"]) == (416, "0-3999")
        end = 7000 if last else 10_000
        assert (await http.patch(location, content=CONTENT[4000:end])).status_code == 202
        assert (await http.put(f"{location}?digest={DIGEST}", content=last)).status_code == 201
        assert (await http.get(f"/v2/acme/web/blobs/{DIGEST}")).content == CONTENT


async def test_part_of_a_blob(world: World) -> None:
    async with world.http() as http:
        await push_blob(http)
        part = await http.get(f"/v2/acme/web/blobs/{DIGEST}", headers={"range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, CONTENT[10:20])
        assert part.headers["content-range"] == "bytes 10-19/10000"
        beyond = await http.get(f"/v2/acme/web/blobs/{DIGEST}", headers={"range": "bytes=10000-"})
        assert beyond.status_code == 416


@pytest.mark.parametrize("header", ["bytes=9-5", "bytes=0-1,3-4", "lines=1-2", "bytes=", "bytes=x-y", "1-2"])
async def test_range_that_is_none_gets_the_whole(world: World, header: str) -> None:
    async with world.http() as http:
        await push_blob(http)
        whole = await http.get(f"/v2/acme/web/blobs/{DIGEST}", headers={"range": header})
        assert (whole.status_code, whole.content) == (200, CONTENT)


@pytest.mark.parametrize(("header", "part"), [("bytes=9990-", CONTENT[-10:]), ("bytes=-7", CONTENT[-7:])])
async def test_end_of_a_blob(world: World, header: str, part: bytes) -> None:
    async with world.http() as http:
        await push_blob(http)
        got = await http.get(f"/v2/acme/web/blobs/{DIGEST}", headers={"range": header})
        assert (got.status_code, got.content) == (206, part)


async def test_bytes_of_another_digest_are_not_kept(world: World) -> None:
    before = world.files()
    async with world.http() as http:
        location = (await http.post("/v2/acme/web/blobs/uploads/")).headers["location"]
        refused = await http.put(f"{location}?digest={DIGEST}", content=b"other")
        assert (refused.status_code, code(refused)) == (400, "DIGEST_INVALID")
        refused = await http.post(f"/v2/acme/web/blobs/uploads/?digest={DIGEST}", content=b"other")
        assert (refused.status_code, code(refused)) == (400, "DIGEST_INVALID")
        absent = await http.get(f"/v2/acme/web/blobs/{DIGEST}")
        assert (absent.status_code, code(absent)) == (404, "BLOB_UNKNOWN")
    assert world.files() == before


async def test_half_upload_is_never_served_and_ends_with_the_process(world: World) -> None:
    async with world.http() as http:
        location = (await http.post("/v2/acme/web/blobs/uploads/")).headers["location"]
        await http.patch(location, content=CONTENT[:5000])
        assert (await http.get(f"/v2/acme/web/blobs/{digest_of(CONTENT[:5000])}")).status_code == 404
        assert len(world.files()) == 1
        BlobStore(world.root)
        assert world.files() == set()


async def test_client_that_goes_away_may_go_on_later(world: World) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield CONTENT[:3000]
        raise ConnectionResetError

    async with world.http() as http:
        location = (await http.post("/v2/acme/web/blobs/uploads/")).headers["location"]
        with pytest.raises(ConnectionResetError):
            await http.patch(location, content=breaking())
        assert (await http.get(location)).headers["range"] == "0-2999"
        assert (await http.patch(location, content=CONTENT[3000:])).status_code == 202
        assert (await http.put(f"{location}?digest={DIGEST}")).status_code == 201


async def test_monolithic_upload_that_breaks_leaves_nothing(world: World) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield CONTENT[:3000]
        raise ConnectionResetError

    async with world.http() as http:
        with pytest.raises(ConnectionResetError):
            await http.post(f"/v2/acme/web/blobs/uploads/?digest={DIGEST}", content=breaking())
    assert world.files() == set()


async def test_upload_that_nobody_goes_on_with_expires(world: World) -> None:
    async with world.http() as http:
        location = (await http.post("/v2/acme/web/blobs/uploads/")).headers["location"]
        world.time.now = registry_uploads.LIFETIME + 1
        expired = await http.patch(location, content=b"x")
        assert (expired.status_code, code(expired)) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert world.files() == set()


async def test_upload_belongs_to_its_repository_and_can_be_cancelled(world: World) -> None:
    async with world.http() as http:
        location = (await http.post("/v2/acme/web/blobs/uploads/")).headers["location"]
        assert (await http.patch(location.replace("web", "other"), content=b"x")).status_code == 404
        assert (await http.delete(location)).status_code == 204
        assert (await http.patch(location, content=b"x")).status_code == 404
    assert world.files() == set()


async def test_two_requests_do_not_feed_one_upload_at_once(world: World) -> None:
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"a"
        await go_on.wait()
        yield b"b"

    async with world.http() as http:
        location = (await http.post("/v2/acme/web/blobs/uploads/")).headers["location"]
        first = asyncio.ensure_future(http.patch(location, content=slow()))
        for _ in range(1000):
            await asyncio.sleep(0)
            if (await http.patch(location, content=b"c")).status_code == 409:
                break
        assert (await http.delete(location)).status_code == 409
        go_on.set()
        assert (await first).status_code == 202


async def test_too_many_uploads_are_refused_for_now(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_uploads, "SESSIONS", 2)
    async with world.http() as http:
        for _ in range(2):
            assert (await http.post("/v2/acme/web/blobs/uploads/")).status_code == 202
        refused = await http.post("/v2/acme/web/blobs/uploads/")
        assert (refused.status_code, code(refused), refused.headers["retry-after"]) == (429, "TOOMANYREQUESTS", "5")


async def test_blob_past_the_limit_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_uploads, "BLOB_LIMIT", 9_999)
    async with world.http() as http:
        refused = await http.post(f"/v2/acme/web/blobs/uploads/?digest={DIGEST}", content=CONTENT)
        assert (refused.status_code, code(refused)) == (413, "SIZE_INVALID")
        location = (await http.post("/v2/acme/web/blobs/uploads/")).headers["location"]
        assert (await http.patch(location, content=CONTENT)).status_code == 413
    assert world.files() == set()


async def test_mount_takes_over_what_is_there_and_else_begins_an_upload(world: World) -> None:
    async with world.http() as http:
        await push_blob(http, name="acme/base")
        path = f"/v2/acme/web/blobs/uploads/?mount={DIGEST}&from="
        assert (await http.post(path + "acme/absent")).status_code == 202
        assert (await http.get(f"/v2/acme/web/blobs/{DIGEST}")).status_code == 404
        mounted = await http.post(path + "acme/base")
        assert (mounted.status_code, mounted.headers["docker-content-digest"]) == (201, DIGEST)
        assert (await http.get(f"/v2/acme/web/blobs/{DIGEST}")).content == CONTENT
        assert (await http.post(path + "../x")).status_code == 400


async def test_deleted_blob_is_gone_from_that_repository_only(world: World) -> None:
    async with world.http() as http:
        for name in ("acme/web", "acme/other"):
            await push_blob(http, name=name)
        assert (await http.delete(f"/v2/acme/web/blobs/{DIGEST}")).status_code == 202
        assert (await http.get(f"/v2/acme/web/blobs/{DIGEST}")).status_code == 404
        assert (await http.get(f"/v2/acme/other/blobs/{DIGEST}")).status_code == 200
        again = await http.delete(f"/v2/acme/web/blobs/{DIGEST}")
        assert (again.status_code, code(again)) == (404, "BLOB_UNKNOWN")


@pytest.mark.parametrize("failing", ["write", "fsync"])
async def test_full_disk_is_said_and_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with world.http() as http:
        location = (await http.post("/v2/acme/web/blobs/uploads/")).headers["location"]
        monkeypatch.setattr(os, failing, full)
        answers = [
            await http.put(f"{location}?digest={DIGEST}", content=CONTENT),
            await http.post(f"/v2/acme/web/blobs/uploads/?digest={DIGEST}", content=CONTENT),
        ]
        for answer in answers:
            assert answer.status_code == 507
            assert "the registry's disk is full" in answer.json()["errors"][0]["message"]
        monkeypatch.undo()
        assert world.files() == set()
        await push_blob(http)


@pytest.mark.parametrize(("header", "start"), [(None, None), ("0-9", 0), ("10-10", 10), ("bytes 5-9/10", 5)])
def test_content_range_in_both_spellings(header: str | None, start: int | None) -> None:
    assert start_of_range(header) == start


@pytest.mark.parametrize("header", ["9-5", "x", "-5", "5-", "99999999999999999999-1", ""])
def test_content_range_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(TidegateError):
        start_of_range(header)
