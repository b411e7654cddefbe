"""The registry in this process is asked by reading its folder, every other one by its client."""

import json

import pytest

from tidegate.base.errors import NotFound
from tidegate.kinds.reference import parse_repository
from tidegate.oci.blobs import BlobStore
from tidegate.oci.credentials import Access, Credentials
from tidegate.oci.provenance import REVISION, revision_of_image
from tidegate.oci.values import digest_of
from tidegate.serve.own_images import OwnImages


class Elsewhere:
    def __init__(self, access=None):
        self.access = access

    def using(self, access):
        return Elsewhere(access)

    async def tags(self, repository):
        return [str(repository), "asked" if self.access else "anonymous"]


@pytest.fixture
def own(tmp_path):
    tags = tmp_path / "repositories/me/web/_tags"
    tags.mkdir(parents=True)
    (tmp_path / "repositories/me/web/_manifests").mkdir()
    for name in ("1.0.0", ".being-written", "latest"):
        (tags / name).write_text("sha256:0")
    return OwnImages(BlobStore(tmp_path), ["ghcr.io", "127.0.0.1:8420"], Elsewhere())


@pytest.mark.parametrize("host", ["ghcr.io", "127.0.0.1:8420"])
async def test_its_own_hosts_are_read_from_the_folder(own, host):
    assert await own.tags(parse_repository(f"{host}/me/web")) == ["1.0.0", "latest"]
    with pytest.raises(NotFound, match="me/other"):
        await own.tags(parse_repository(f"{host}/me/other"))


async def test_other_registries_are_asked_with_their_access(own):
    repository = parse_repository("quay.io/me/web")
    assert await own.tags(repository) == ["quay.io/me/web", "anonymous"]
    assert await own.using(Access(Credentials())).tags(repository) == ["quay.io/me/web", "asked"]


async def test_an_image_of_its_own_is_read_from_the_folder_too(tmp_path):
    blobs = BlobStore(tmp_path)
    writer = blobs.new_upload()
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {REVISION: "abc"}}}).encode()
    await writer.write(config)
    digest = await blobs.keep_blob("me/web", writer)
    manifest = {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [],
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": len(config)},
    }  # fmt: skip
    data = json.dumps(manifest).encode()
    blobs.put_manifest("me/web", manifest["mediaType"], data)
    blobs.set_tag("me/web", "1.0.0", digest_of(data))
    own = OwnImages(blobs, ["ghcr.io"], Elsewhere())
    assert await revision_of_image(own, Access(Credentials()), "ghcr.io/me/web:1.0.0") == "abc"
    assert await revision_of_image(own, Access(Credentials()), "ghcr.io/me/web:2.0.0") is None
    assert await revision_of_image(own, Access(Credentials()), "ghcr.io/me/other:1.0.0") is None
