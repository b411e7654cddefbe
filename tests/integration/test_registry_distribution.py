"""Our client against Debian's docker-registry, an implementation of the specification that is not ours."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tidegate.base.errors import NotFound
from tidegate.base.process import die_with_parent, minimal_environment
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import Reference, Repository, parse_repository
from tidegate.oci.client import RegistryClient
from tidegate.oci.image import push_image, push_index, read_image
from tidegate.oci.layers import Entry, write_layer
from tidegate.oci.unpack import LayerFile, unpack_image
from tidegate.oci.values import Descriptor, ImageConfig

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        shutil.which("docker-registry") is None,
        reason="docker-registry is not installed: apt-get install docker-registry",
    ),
]
CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}", {more}}}
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
async def repository(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Repository]:
    """A repository's name at a docker-registry that runs for this test."""
    port, config = free_port(), tmp_path / "config.yml"
    relative = "relativeurls: true" if getattr(request, "param", "") == "relative" else "relativeurls: false"
    config.write_text(CONFIG.format(root=tmp_path / "data", port=port, more=relative))
    process = await asyncio.create_subprocess_exec(
        "docker-registry",
        "serve",
        str(config),
        env=minimal_environment(),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        preexec_fn=die_with_parent,
    )
    try:
        await answering(port)
        yield parse_repository(f"127.0.0.1:{port}/acme/web")
    finally:
        process.kill()
        await process.wait()


async def answering(port: int) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        for _ in range(200):
            try:
                await http.get(f"http://127.0.0.1:{port}/v2/")
            except httpx2.TransportError:
                await asyncio.sleep(0.05)
            else:
                return
    raise AssertionError("docker-registry does not answer")


@pytest.mark.parametrize("repository", ["absolute", "relative"], indirect=True)
async def test_image_goes_round_and_unpacks_to_what_it_was_made_of(repository: Repository, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    layer = write_layer([Entry("srv/data", content=content)], tmp_path / "layer", mtime=0)
    platforms = [Platform.parse(one) for one in ("linux/amd64", "linux/arm64", "linux/arm/v7")]
    async with RegistryClient() as client:
        images = [
            await push_image(client, repository, ImageConfig(one, (layer.diff_id,)), [(layer.descriptor, layer.path)])
            for one in platforms
        ]
        index = await push_index(client, [Reference(repository, tag) for tag in ("1.0.2", "1.0.1", "latest")], images)
        assert sorted(await client.tags(repository)) == ["1.0.1", "1.0.2", "latest"]
        assert await client.head(Reference(repository, "1.0.2")) == index
        image = await read_image(client, Reference(repository, "1.0.2"), platforms[2])
        assert (image.digest, image.index_digest) == (images[2].digest, index.digest)
        await client.fetch_blob(repository, image.layers[0], tmp_path / "fetched")
    unpack_image([LayerFile(tmp_path / "fetched", image.config.diff_ids[0])], tmp_path / "rootfs")
    assert (tmp_path / "rootfs/srv/data").read_bytes() == content


async def test_what_is_not_there_is_said(repository: Repository) -> None:
    async with RegistryClient() as client:
        with pytest.raises(NotFound):
            await client.tags(repository)
        with pytest.raises(NotFound):
            await client.manifest(Reference(repository, "absent"))
        assert await client.head(Reference(repository, "absent")) is None
        assert not await client.has_blob(repository, "sha256:" + "0" * 64)


async def test_blob_is_mounted_from_another_repository(repository: Repository) -> None:
    content = os.urandom(100_000)
    blob = Descriptor.of("application/octet-stream", content)
    other = Repository(repository.registry, "acme/other")
    async with RegistryClient() as client:
        await client.push_blob(repository, blob, content)
        assert await client.mount_blob(other, blob.digest, repository)
        assert await client.read_blob(other, blob) == content
        assert not await client.mount_blob(other, "sha256:" + "0" * 64, repository)
