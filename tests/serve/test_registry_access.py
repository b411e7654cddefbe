"""Who may read and write at the registry's door, and whole images by our own client."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from tests.serve.registry_door import CONTENT, DIGEST, World, code, push_blob, push_one

from tidegate.base.errors import Denied, NotFound
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import Reference, parse_repository
from tidegate.oci.image import push_image, push_index, read_image
from tidegate.oci.layers import Entry, write_layer
from tidegate.oci.values import Descriptor, ImageConfig


async def test_images_of_two_platforms_go_round_by_our_client(world: World, tmp_path: Path) -> None:
    repository = parse_repository("127.0.0.1:5000/acme/web")
    layer = write_layer([Entry("a", content=os.urandom(3_000_000))], tmp_path / "layer", mtime=0)
    async with world.client() as client:
        pushed = [
            await push_image(
                client, repository, ImageConfig(Platform.parse(one), (layer.diff_id,)), [(layer.descriptor, layer.path)]
            )
            for one in ("linux/amd64", "linux/arm/v7")
        ]
        tag = Reference(repository, "1.0.7")
        index = await push_index(client, [tag, Reference(repository, "latest")], pushed)
        assert world.told == [("acme/web", "1.0.7", index.digest), ("acme/web", "latest", index.digest)]
        assert await client.tags(repository) == ["1.0.7", "latest"]
        assert await client.head(tag) == index
        image = await read_image(client, tag, Platform.parse("linux/arm64"))
        assert (image.index_digest, image.digest) == (index.digest, pushed[1].digest)
        assert image.config.platform == Platform("linux", "arm", "v7")
        with pytest.raises(NotFound, match="only for linux/amd64, linux/arm/v7"):
            await read_image(client, tag, Platform.parse("linux/arm64"), exact=True)
        with pytest.raises(NotFound, match="is an image for linux/amd64, not for linux/s390x"):
            await read_image(client, Reference(repository, digest=pushed[0].digest), Platform.parse("linux/s390x"))
        await client.fetch_blob(repository, image.layers[0], tmp_path / "fetched")
        assert (tmp_path / "fetched").read_bytes() == layer.path.read_bytes()
        other = parse_repository("127.0.0.1:5000/acme/other")
        assert await client.mount_blob(other, layer.descriptor.digest, repository)
        assert await client.has_blob(other, layer.descriptor.digest)


async def test_client_without_a_credential_reads_and_does_not_write(world: World) -> None:
    async with world.client() as client:
        await client.push_blob(parse_repository("127.0.0.1:5000/acme/web"), Descriptor.of("x/y", CONTENT), CONTENT)
    async with world.client(None) as client:
        repository = parse_repository("127.0.0.1:5000/acme/web")
        assert await client.has_blob(repository, DIGEST)
        with pytest.raises(Denied, match="needs a credential"):
            await client.push_blob(repository, Descriptor.of("x/y", b"new"), b"new")
        with pytest.raises(NotFound):
            await client.tags(parse_repository("127.0.0.1:5000/acme/absent"))


async def test_ping_asks_for_a_token_and_takes_it(world: World) -> None:
    async with world.http(None) as http:
        asked = await http.get("/v2/")
        assert (asked.status_code, code(asked)) == (401, "UNAUTHORIZED")
        challenge = 'Bearer realm="http://127.0.0.1:5000/v2/token",service="tidegate"'
        assert asked.headers["www-authenticate"] == challenge
        basic = {"authorization": "Basic " + base64.b64encode(b"anyone:home-token").decode()}
        given_token = (await http.get("/v2/token", headers=basic)).json()["token"]
        assert (await http.get("/v2/", headers={"authorization": f"Bearer {given_token}"})).status_code == 200
        assert (await http.get("/v2/", headers=basic)).status_code == 200
        assert (await http.get("/v2", headers=basic)).status_code == 200


async def test_anybody_gets_a_token_that_reads_and_does_not_write(world: World) -> None:
    async with world.http() as http:
        await push_blob(http)
    async with world.http(None) as http:
        token = (await http.get("/v2/token?scope=repository:acme/web:pull,push")).json()["token"]
        http.headers["authorization"] = f"Bearer {token}"
        assert (await http.get("/v2/")).status_code == 200
        assert (await http.get(f"/v2/acme/web/blobs/{DIGEST}")).status_code == 200
        refused = await http.post("/v2/acme/web/blobs/uploads/")
        assert (refused.status_code, code(refused)) == (401, "UNAUTHORIZED")
        assert 'scope="repository:acme/web:pull,push"' in refused.headers["www-authenticate"]


async def test_wrong_credential_is_refused_also_where_none_is_needed(world: World) -> None:
    async with world.http("wrong") as http:
        for path in ("/v2/", "/v2/token", "/v2/acme/web/tags/list", f"/v2/acme/web/blobs/{DIGEST}"):
            answer = await http.get(path)
            assert (answer.status_code, code(answer)) == (401, "UNAUTHORIZED"), path


WRITES = [
    ("POST", "/v2/acme/web/blobs/uploads/"),
    ("POST", f"/v2/acme/web/blobs/uploads/?digest={DIGEST}"),
    ("POST", f"/v2/acme/web/blobs/uploads/?mount={DIGEST}&from=acme/base"),
    ("PATCH", "/v2/acme/web/blobs/uploads/x"),
    ("PUT", f"/v2/acme/web/blobs/uploads/x?digest={DIGEST}"),
    ("GET", "/v2/acme/web/blobs/uploads/x"),
    ("DELETE", "/v2/acme/web/blobs/uploads/x"),
    ("PUT", "/v2/acme/web/manifests/latest"),
    ("DELETE", "/v2/acme/web/manifests/latest"),
    ("DELETE", f"/v2/acme/web/manifests/{DIGEST}"),
    ("DELETE", f"/v2/acme/web/blobs/{DIGEST}"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_every_write_needs_a_credential_that_reaches_the_owner(world: World, method: str, path: str) -> None:
    before = world.files()
    async with world.http(None) as http:
        refused = await http.request(method, path, content=CONTENT)
        assert (refused.status_code, code(refused)) == (401, "UNAUTHORIZED")
        assert "tidegate login" in refused.text
    scopes = {"repo:acme/web:write", "packages:acme:read"}
    async with world.http(world.authorizer.issue("run 7", scopes, 60)) as http:
        refused = await http.request(method, path, content=CONTENT)
        assert (refused.status_code, code(refused)) == (403, "DENIED")
        assert "run 7 lacks the permission `packages: write` for acme" in refused.text
    async with world.http(world.authorizer.issue("run 7", {"packages:other:write"}, 60)) as http:
        refused = await http.request(method, path, content=CONTENT)
        assert (refused.status_code, code(refused)) == (403, "DENIED")
        assert "run 7 has `packages: write` for other, not for acme" in refused.text
        assert "must be the owner of the repository that pushes it" in refused.text
    assert (world.files(), world.told) == (before, [])


async def test_run_token_with_packages_write_pushes_for_its_owner(world: World) -> None:
    token = world.authorizer.issue("run 7", {"packages:Acme:write"}, 60)
    async with world.http(token) as http:
        digest = await push_one(http, "1.0.0")
        assert world.told == [("acme/web", "1.0.0", digest)]
        world.authorizer.revoke(token)
        assert (await http.get("/v2/acme/web/tags/list")).status_code == 401


async def test_door_beyond_loopback_needs_a_credential_for_reading(tmp_path: Path) -> None:
    world = World(tmp_path, closed=True)
    async with world.http() as http:
        digest = await push_one(http, "latest")
    async with world.http(None) as http:
        for path in ("manifests/latest", f"blobs/{digest}", "tags/list", f"referrers/{digest}"):
            refused = await http.get(f"/v2/acme/web/{path}")
            assert (refused.status_code, code(refused)) == (401, "UNAUTHORIZED")
        http.headers["authorization"] = "Bearer anonymous"
        assert (await http.get("/v2/acme/web/tags/list")).status_code == 401
    async with world.http(world.authorizer.issue("run", set(), 60)) as http:
        assert (await http.get("/v2/acme/web/tags/list")).json() == {"name": "acme/web", "tags": ["latest"]}
