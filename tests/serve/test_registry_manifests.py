"""Manifests, tags and referrers at the registry's door, as the distribution specification describes them."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serve.registry_door import CONFIG, DIGEST, World, code, push_blob, push_one

from tidegate.base.errors import InvalidInput
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import parse
from tidegate.oci import values
from tidegate.oci.blobs import check_name
from tidegate.oci.values import Descriptor, Index, Manifest, digest_of
from tidegate.serve.registry import LARGE_AT_ONCE, LARGE_MANIFEST


async def test_manifest_by_tag_and_digest(world: World) -> None:
    async with world.http() as http:
        digest = await push_one(http, "latest")
        for reference in ("latest", digest):
            got = await http.get(f"/v2/acme/web/manifests/{reference}")
            assert digest_of(got.content) == digest
            assert got.headers["content-type"] == values.OCI_MANIFEST
            assert got.headers["docker-content-digest"] == digest
            seen = await http.head(f"/v2/acme/web/manifests/{reference}")
            assert (seen.status_code, seen.content) == (200, b"")
            assert seen.headers["content-length"] == str(len(got.content))
            assert seen.headers["docker-content-digest"] == digest
        absent = await http.get("/v2/acme/web/manifests/absent")
        assert (absent.status_code, code(absent)) == (404, "MANIFEST_UNKNOWN")


async def test_manifest_by_digest_sets_no_tag(world: World) -> None:
    data = Manifest(Descriptor.of(values.OCI_CONFIG, CONFIG), ()).to_bytes()
    async with world.http() as http:
        await push_one(http, digest_of(data))
        assert (await http.get("/v2/acme/web/tags/list")).json() == {"name": "acme/web", "tags": []}
    assert world.told == []


async def test_tag_moves_and_the_older_manifest_stays(world: World) -> None:
    async with world.http() as http:
        first = await push_one(http, "latest")
        second = await push_one(http, "latest", annotations={"a": "b"})
        assert (await http.head("/v2/acme/web/manifests/latest")).headers["docker-content-digest"] == second
        assert (await http.get(f"/v2/acme/web/manifests/{first}")).status_code == 200


EMPTY = Descriptor.of(values.OCI_CONFIG, CONFIG)
ABSENT = Descriptor(values.OCI_LAYER, "sha256:" + "0" * 64, 5)


@pytest.mark.parametrize(
    ("data", "media_type", "status", "expected"),
    [
        (b"", values.OCI_MANIFEST, 400, "MANIFEST_INVALID"),
        (b"<html>", values.OCI_MANIFEST, 400, "MANIFEST_INVALID"),
        (b"{}", values.OCI_MANIFEST, 400, "MANIFEST_INVALID"),
        (b'{"schemaVersion": 1}', "application/json", 400, "MANIFEST_INVALID"),
        (Manifest(EMPTY, ()).to_bytes(), values.OCI_MANIFEST, 404, "MANIFEST_BLOB_UNKNOWN"),
        (Index((ABSENT,)).to_bytes(), values.OCI_INDEX, 404, "MANIFEST_BLOB_UNKNOWN"),
        (b"x" * (values.MANIFEST_LIMIT + 1), values.OCI_MANIFEST, 413, "MANIFEST_INVALID"),
    ],
)
async def test_manifest_that_is_none_or_names_what_is_not_there_is_refused(
    world: World, data: bytes, media_type: str, status: int, expected: str
) -> None:
    async with world.http() as http:
        refused = await http.put("/v2/acme/web/manifests/latest", content=data, headers={"content-type": media_type})
        assert (refused.status_code, code(refused)) == (status, expected)
        assert (await http.get("/v2/acme/web/tags/list")).status_code == 404
    assert (world.told, world.files()) == ([], set())


async def test_manifest_with_a_missing_layer_or_a_wrong_size_is_refused(world: World) -> None:
    async with world.http() as http:
        await push_blob(http, CONFIG)
        for layer in (ABSENT, Descriptor(values.OCI_LAYER, EMPTY.digest, 5)):
            refused = await http.put("/v2/acme/web/manifests/x", content=Manifest(EMPTY, (layer,)).to_bytes())
            assert refused.status_code in (400, 404)
        foreign = Descriptor(values.DOCKER_FOREIGN_LAYER_GZIP, ABSENT.digest, 5)
        accepted = await http.put("/v2/acme/web/manifests/x", content=Manifest(EMPTY, (foreign,)).to_bytes())
        assert accepted.status_code == 201


async def test_manifest_under_another_digest_is_refused(world: World) -> None:
    async with world.http() as http:
        await push_blob(http, CONFIG)
        path = f"/v2/acme/web/manifests/{ABSENT.digest}"
        refused = await http.put(path, content=Manifest(EMPTY, ()).to_bytes())
        assert (refused.status_code, code(refused)) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("reference", ["-x", ".x", "a" * 129, "a b", "sha256:abc", "a%00b", ".."])
async def test_reference_that_is_none_is_refused(world: World, reference: str) -> None:
    async with world.http() as http:
        await push_blob(http, CONFIG)
        refused = await http.put(f"/v2/acme/web/manifests/{reference}", content=Manifest(EMPTY, ()).to_bytes())
        assert refused.status_code in (400, 404)
    assert world.told == []


@pytest.mark.parametrize(
    "name", ["Acme/web", "../../etc", "acme//web", "_blobs", "acme/_tags", "a" * 256, "acme/we%00b",
             "acme/web%2f..%2f..", ".hidden", "acme/.web", "-acme"],
)  # fmt: skip
async def test_name_that_is_none_is_refused(world: World, name: str) -> None:
    async with world.http() as http:
        for path in ("tags/list", "manifests/latest", f"blobs/{DIGEST}"):
            assert (await http.get(f"/v2/{name}/{path}")).status_code in (400, 404)
        assert (await http.post(f"/v2/{name}/blobs/uploads/")).status_code in (400, 404, 405)
    assert world.files() == set()


@given(st.text(max_size=40))
def test_no_name_leaves_the_root(name: str) -> None:
    try:
        check_name(name)
    except InvalidInput:
        return
    path = Path("/root/repositories") / name
    assert os.path.normpath(path) == str(path)
    assert not any(part.startswith(("_", ".")) for part in name.split("/"))


async def test_tags_are_sorted_and_paged_by_link(world: World) -> None:
    async with world.http() as http:
        for tag in ("c", "a", "B", "d", "1.0"):
            await push_one(http, tag)
        assert (await http.get("/v2/acme/web/tags/list")).json()["tags"] == ["1.0", "B", "a", "c", "d"]
        page = await http.get("/v2/acme/web/tags/list?n=2")
        assert page.json()["tags"] == ["1.0", "B"]
        assert page.headers["link"] == '</v2/acme/web/tags/list?n=2&last=B>; rel="next"'
        page = await http.get("/v2/acme/web/tags/list?n=3&last=B")
        assert (page.json()["tags"], "link" in page.headers) == (["a", "c", "d"], False)
        page = await http.get("/v2/acme/web/tags/list?n=0")
        assert (page.json()["tags"], "link" in page.headers) == ([], False)
        assert (await http.get("/v2/acme/web/tags/list?last=zz")).json()["tags"] == []
        refused = await http.get("/v2/acme/web/tags/list?n=x")
        assert (refused.status_code, code(refused)) == (400, "PAGINATION_NUMBER_INVALID")
        absent = await http.get("/v2/acme/absent/tags/list")
        assert (absent.status_code, code(absent)) == (404, "NAME_UNKNOWN")


async def test_deleting_a_tag_leaves_the_manifest_and_deleting_that_takes_its_tags(world: World) -> None:
    async with world.http() as http:
        for tag in ("a", "b", "c"):
            digest = await push_one(http, tag)
        assert (await http.delete("/v2/acme/web/manifests/a")).status_code == 202
        assert (await http.get("/v2/acme/web/tags/list")).json()["tags"] == ["b", "c"]
        assert (await http.get(f"/v2/acme/web/manifests/{digest}")).status_code == 200
        assert (await http.delete(f"/v2/acme/web/manifests/{digest}")).status_code == 202
        assert (await http.get("/v2/acme/web/tags/list")).json()["tags"] == []
        assert (await http.get(f"/v2/acme/web/manifests/{digest}")).status_code == 404
        again = await http.delete("/v2/acme/web/manifests/a")
        assert (again.status_code, code(again)) == (404, "MANIFEST_UNKNOWN")


async def test_referrers_are_listed_by_their_subject(world: World) -> None:
    async with world.http() as http:
        digest = await push_one(http, "latest")
        none = await http.get(f"/v2/acme/web/referrers/{digest}")
        assert (none.status_code, none.json()["manifests"]) == (200, [])
        assert none.headers["content-type"] == values.OCI_INDEX
        subject = Descriptor(values.OCI_MANIFEST, digest, 5)
        signature = await push_one(http, "sig", subject=subject, artifact_type="application/x.sig")
        bom = await push_one(http, "bom", subject=subject, annotations={"a": "b"})
        listed = (await http.get(f"/v2/acme/web/referrers/{digest}")).json()["manifests"]
        assert {(one["digest"], one["artifactType"]) for one in listed} == {
            (signature, "application/x.sig"),
            (bom, values.OCI_CONFIG),
        }
        filtered = await http.get(f"/v2/acme/web/referrers/{digest}?artifactType=application/x.sig")
        assert [one["digest"] for one in filtered.json()["manifests"]] == [signature]
        assert filtered.headers["oci-filters-applied"] == "artifactType"
        await http.delete(f"/v2/acme/web/manifests/{bom}")
        listed = (await http.get(f"/v2/acme/web/referrers/{digest}")).json()["manifests"]
        assert [one["digest"] for one in listed] == [signature]


async def test_push_about_a_subject_says_that_it_is_understood(world: World) -> None:
    async with world.http() as http:
        await push_blob(http, CONFIG)
        data = Manifest(EMPTY, (), subject=ABSENT).to_bytes()
        answer = await http.put("/v2/acme/web/manifests/sig", content=data)
        assert (answer.status_code, answer.headers["oci-subject"]) == (201, ABSENT.digest)


async def test_docker_manifest_list_is_served_as_it_was_pushed(world: World) -> None:
    async with world.http() as http:
        digest = await push_one(http, "arm", media_type=values.DOCKER_MANIFEST)
        child = Descriptor(values.DOCKER_MANIFEST, digest, 5, Platform("linux", "arm", "v7"))
        data = json.dumps(json.loads(Index((child,), values.DOCKER_INDEX).to_bytes()), indent=3).encode()
        assert (await http.put("/v2/acme/web/manifests/all", content=data)).status_code == 201
        got = await http.get("/v2/acme/web/manifests/all")
        assert (got.content, got.headers["content-type"]) == (data, values.DOCKER_INDEX)


async def test_what_was_pushed_is_there_after_a_restart(world: World) -> None:
    async with world.http() as http:
        digest = await push_one(http, "latest")
    again = World(world.root)
    async with again.http() as http:
        assert digest_of((await http.get("/v2/acme/web/manifests/latest")).content) == digest
    assert again.store.repositories() == ["acme/web"]


async def test_reference_of_a_repository_with_one_part_has_itself_as_owner(world: World) -> None:
    async with world.http(world.authorizer.issue("run", {"packages:web:write"}, 60)) as http:
        await push_one(http, "latest", "web")
    async with world.client(None) as client:
        assert await client.head(parse("127.0.0.1:5000/web:latest")) is not None


async def test_a_manifest_of_many_values_is_refused(world: World) -> None:
    async with world.http() as http:
        flood = b'{"schemaVersion":2,"x":[' + b"[]," * 200_000 + b"[]]}"
        answer = await http.put("/v2/acme/web/manifests/1", content=flood, headers={"content-type": values.OCI_INDEX})
        assert (answer.status_code, code(answer)) == (413, "SIZE_INVALID")


async def test_only_so_many_large_manifests_are_in_hand_at_once(world: World) -> None:
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b" " * (LARGE_MANIFEST + 1)
        await go_on.wait()
        yield b"{}"

    async with world.http() as http:
        held = [
            asyncio.ensure_future(http.put("/v2/acme/web/manifests/1", content=slow())) for _ in range(LARGE_AT_ONCE)
        ]
        for _ in range(100):
            await asyncio.sleep(0)
        answer = await http.put("/v2/acme/web/manifests/1", content=b" " * (LARGE_MANIFEST + 1))
        assert (answer.status_code, code(answer)) == (429, "TOOMANYREQUESTS")
        assert await push_one(http, "small")
        go_on.set()
        assert {(await one).status_code for one in held} == {400}
        assert world.door._large == 0
