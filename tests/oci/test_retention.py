"""A sweep takes what nothing needs any more, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.kinds.platform import Platform
from tidegate.oci import values
from tidegate.oci.blobs import BlobStore
from tidegate.oci.retention import Kept, surplus, sweep
from tidegate.oci.values import Descriptor, ImageConfig, Index, Manifest

DAY = 86400.0


def old(*names: str, subject: str | None = None) -> Kept:
    return Kept(frozenset(names), subject, 10 * DAY)


def test_untagged_manifests_go_and_what_a_tag_reaches_stays() -> None:
    manifests = {"index": old("arm", "amd"), "arm": old("layer"), "amd": old("layer"), "loose": old("layer")}
    assert surplus(manifests, {"index"}, set(), DAY) == {"loose"}


def test_young_and_protected_manifests_stay_with_what_they_name() -> None:
    young = Kept(frozenset({"child"}), None, 5.0)
    manifests = {"young": young, "child": old(), "deployed": old("other"), "other": old(), "loose": old()}
    assert surplus(manifests, set(), {"deployed"}, DAY) == {"loose"}


def test_manifest_about_one_that_stays_stays_and_one_about_nothing_goes() -> None:
    manifests = {"image": old(), "signature": old(subject="image"), "orphan": old(subject="gone")}
    assert surplus(manifests, {"image"}, set(), DAY) == {"orphan"}


names = st.sampled_from("abcdef")


@given(
    st.dictionaries(names, st.tuples(st.frozensets(names), st.none() | names, st.sampled_from([0.0, 10 * DAY]))),
    st.frozensets(names),
    st.frozensets(names),
)
def test_nothing_that_stays_ever_names_what_goes(
    drawn: dict[str, tuple[frozenset[str], str | None, float]], tagged: frozenset[str], protected: frozenset[str]
) -> None:
    manifests = {digest: Kept(*fields) for digest, fields in drawn.items()}
    going = surplus(manifests, tagged, protected, DAY)
    assert not going & (tagged | protected)
    for digest in manifests.keys() - going:
        assert not manifests[digest].names & going


class Images:
    """A store with images whose layers are their names."""

    def __init__(self, root: Path):
        self.store = BlobStore(root)

    async def blob(self, repository: str, data: bytes, media_type: str) -> Descriptor:
        writer = self.store.new_upload()
        await writer.write(data)
        await self.store.keep_blob(repository, writer)
        return Descriptor.of(media_type, data)

    async def image(self, repository: str, layer: str, tag: str | None = None) -> tuple[str, str]:
        layers = (await self.blob(repository, layer.encode(), values.OCI_LAYER),)
        config = ImageConfig(Platform("linux", "arm", "v7"), tuple(one.digest for one in layers), author=layer)
        manifest = Manifest(await self.blob(repository, config.to_bytes(), values.OCI_CONFIG), layers).to_bytes()
        self.store.put_manifest(repository, values.OCI_MANIFEST, manifest)
        digest = values.digest_of(manifest)
        if tag is not None:
            self.store.set_tag(repository, tag, digest)
        return digest, layers[0].digest

    def age(self) -> None:
        for digest, state in list(self.store.blobs()):
            os.utime(self.store.blob_path(digest), (state.st_mtime - 10 * DAY,) * 2)

    def digests(self) -> set[str]:
        return {digest for digest, _ in self.store.blobs()}


@pytest.fixture
def images(tmp_path: Path) -> Images:
    return Images(tmp_path / "registry")


async def test_sweep_frees_what_a_moved_tag_left_and_spares_the_rest(images: Images) -> None:
    before, layer = await images.image("acme/web", "one", "latest")
    after, kept_layer = await images.image("acme/web", "two", "latest")
    deployed, _ = await images.image("acme/web", "three")
    images.age()
    young, _ = await images.image("acme/web", "four")
    swept = sweep(images.store, {deployed}, DAY, images.store.blob_path(young).stat().st_mtime)
    assert (swept.manifests, swept.blobs) == (1, 3)
    assert images.store.manifests("acme/web") == sorted([after, deployed, young])
    assert images.digests() & {before, layer} == set()
    assert kept_layer in images.digests()
    assert images.store.blob_size("acme/web", layer) is None


async def test_blob_that_another_repository_needs_stays(images: Images) -> None:
    _, layer = await images.image("acme/web", "shared")
    await images.image("acme/api", "shared", "latest")
    images.age()
    now = max(state.st_mtime for _, state in images.store.blobs()) + 10 * DAY
    sweep(images.store, set(), DAY, now)
    assert layer in images.digests()
    assert images.store.manifests("acme/web") == []


async def test_upload_that_no_manifest_names_goes_after_a_while(images: Images) -> None:
    blob = await images.blob("acme/web", b"abandoned", values.OCI_LAYER)
    now = images.store.blob_path(blob.digest).stat().st_mtime
    assert sweep(images.store, set(), DAY, now).blobs == 0
    assert sweep(images.store, set(), DAY, now + 2 * DAY).size == len(b"abandoned")
    assert images.digests() == set()


async def test_blob_that_a_client_was_told_of_is_young_again(images: Images) -> None:
    blob = await images.blob("acme/web", b"layer", values.OCI_LAYER)
    now = images.store.blob_path(blob.digest).stat().st_mtime
    images.age()
    images.store.touch_blob(blob.digest)
    assert sweep(images.store, set(), DAY, now + 60).blobs == 0


async def test_index_goes_with_its_manifests(images: Images) -> None:
    digest, _ = await images.image("acme/web", "one")
    data = Index((Descriptor(values.OCI_MANIFEST, digest, 5, Platform("linux", "arm", "v7")),)).to_bytes()
    images.store.put_manifest("acme/web", values.OCI_INDEX, data)
    images.age()
    now = max(state.st_mtime for _, state in images.store.blobs()) + 10 * DAY
    assert sweep(images.store, {values.digest_of(data)}, DAY, now).manifests == 0
    assert sweep(images.store, set(), DAY, now).manifests == 2
    assert images.digests() == set()
