"""The registry in this process is asked by reading its folder, every other one by its client."""

import pytest

from tidegate.base.errors import NotFound
from tidegate.kinds.reference import parse_repository
from tidegate.oci.blobs import BlobStore
from tidegate.oci.credentials import Access, Credentials
from tidegate.serve.own_tags import OwnTags


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
    return OwnTags(BlobStore(tmp_path), ["ghcr.io", "127.0.0.1:8420"], Elsewhere())


@pytest.mark.parametrize("host", ["ghcr.io", "127.0.0.1:8420"])
async def test_its_own_hosts_are_read_from_the_folder(own, host):
    assert await own.tags(parse_repository(f"{host}/me/web")) == ["1.0.0", "latest"]
    with pytest.raises(NotFound, match="me/other"):
        await own.tags(parse_repository(f"{host}/me/other"))


async def test_other_registries_are_asked_with_their_access(own):
    repository = parse_repository("quay.io/me/web")
    assert await own.tags(repository) == ["quay.io/me/web", "anonymous"]
    assert await own.using(Access(Credentials())).tags(repository) == ["quay.io/me/web", "asked"]
