"""Manifests, indexes and configurations are read strictly and written the same way every time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.kinds.platform import Platform
from tidegate.oci import values
from tidegate.oci.values import ContainerConfig, Descriptor, History, ImageConfig, Index, Manifest

DIGEST = "sha256:" + "a" * 64
CONFIG = Descriptor(values.OCI_CONFIG, DIGEST, 2)
LAYER = Descriptor(values.OCI_LAYER_GZIP, "sha256:" + "b" * 64, 3)


def test_manifest_is_written_as_it_was_read() -> None:
    manifest = Manifest(CONFIG, (LAYER,), annotations={"org.opencontainers.image.revision": "abc"}, subject=CONFIG)
    assert Manifest.from_bytes(manifest.to_bytes()) == manifest
    assert json.loads(manifest.to_bytes()) == {
        "schemaVersion": 2,
        "mediaType": values.OCI_MANIFEST,
        "config": {"mediaType": values.OCI_CONFIG, "digest": DIGEST, "size": 2},
        "layers": [{"mediaType": values.OCI_LAYER_GZIP, "digest": "sha256:" + "b" * 64, "size": 3}],
        "subject": {"mediaType": values.OCI_CONFIG, "digest": DIGEST, "size": 2},
        "annotations": {"org.opencontainers.image.revision": "abc"},
    }


def test_index_keeps_each_platform() -> None:
    arm = Descriptor(values.OCI_MANIFEST, DIGEST, 2, Platform("linux", "arm", "v7"))
    index = Index((arm,))
    assert Index.from_bytes(index.to_bytes()) == index
    written = json.loads(index.to_bytes())["manifests"][0]["platform"]
    assert written == {"architecture": "arm", "os": "linux", "variant": "v7"}


def test_docker_manifest_keeps_its_media_type() -> None:
    data = Manifest(CONFIG, (LAYER,), values.DOCKER_MANIFEST).to_bytes()
    assert Manifest.from_bytes(data).media_type == values.DOCKER_MANIFEST


def test_oci_manifest_without_media_type_takes_the_served_one() -> None:
    fields = json.loads(Manifest(CONFIG, ()).to_bytes())
    del fields["mediaType"]
    served = f"{values.OCI_MANIFEST}; charset=utf-8"
    assert Manifest.from_bytes(json.dumps(fields).encode(), served).media_type == values.OCI_MANIFEST
    assert values.media_type_of(json.dumps(fields).encode()) == values.OCI_MANIFEST


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schemaVersion": 1}, "schemaVersion"),
        ({"mediaType": "text/html"}, "media type"),
        ({"mediaType": values.OCI_INDEX}, "media type"),
        ({"config": None}, "manifest.config"),
        ({"config": {"mediaType": "x/y", "digest": "md5:1", "size": 1}}, "no sha256 digest"),
        ({"config": {"mediaType": "x", "digest": DIGEST, "size": 1}}, "mediaType"),
        ({"config": {"mediaType": "x/y", "digest": DIGEST, "size": -1}}, "size"),
        ({"config": {"mediaType": "x/y", "digest": DIGEST, "size": True}}, "size"),
        ({"config": {"mediaType": "x/y", "digest": DIGEST, "size": 1.5}}, "size"),
        ({"layers": {}}, "manifest.layers"),
        ({"layers": ["x"]}, r"manifest.layers\[0\]"),
        ({"manifests": []}, "only an index"),
        ({"annotations": {"a": 1}}, "annotations"),
    ],
)
def test_wrong_manifest_is_refused_with_the_field(change: dict[str, Any], message: str) -> None:
    fields = json.loads(Manifest(CONFIG, (LAYER,)).to_bytes()) | change
    with pytest.raises(InvalidInput, match=message):
        Manifest.from_bytes(json.dumps(fields).encode())


@pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b'{"a": NaN}', b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        values.read_json(data, "manifest")


def test_document_of_more_than_four_mebibytes_is_refused() -> None:
    with pytest.raises(LimitExceeded):
        values.read_json(b" " * (values.MANIFEST_LIMIT + 1), "manifest")


def test_schema_1_manifest_says_what_to_do() -> None:
    with pytest.raises(InvalidInput, match="schema 1") as caught:
        values.media_type_of(b'{"schemaVersion": 1}', "application/vnd.docker.distribution.manifest.v1+prettyjws")
    assert "newer client" in (caught.value.remedy or "")


@pytest.mark.parametrize("text", ["sha256:" + "A" * 64, "sha256:" + "a" * 63, "sha512:" + "a" * 128, DIGEST + "\n", ""])
def test_other_spellings_of_a_digest_are_refused(text: str) -> None:
    assert not values.is_digest(text)
    with pytest.raises(InvalidInput, match="no sha256 digest"):
        values.check_digest(text)


def test_configuration_is_written_as_it_was_read_with_fields_it_does_not_know() -> None:
    config = ImageConfig(
        Platform("linux", "arm64"),
        (DIGEST,),
        ContainerConfig(
            env=("PATH=/usr/bin",),
            entrypoint=("/bin/sh", "-c"),
            cmd=("x",),
            working_dir="/srv",
            user="1000:1000",
            labels={"a": "b"},
            exposed_ports=("8000/tcp",),
            volumes=("/data",),
            stop_signal="SIGINT",
            other={"Healthcheck": {"Test": ["NONE"]}},
        ),
        created="2026-01-15T12:00:00Z",
        author="somebody",
        history=(History("COPY . .", created="2026-01-15T12:00:00Z"), History("ENV A=b", empty_layer=True)),
        other={"docker_version": "20"},
    )
    assert ImageConfig.from_bytes(config.to_bytes()) == config
    written = json.loads(config.to_bytes())
    assert written["config"]["ExposedPorts"] == {"8000/tcp": {}}
    assert written["rootfs"] == {"type": "layers", "diff_ids": [DIGEST]}
    assert written["docker_version"] == "20"


def test_configuration_with_nulls_as_docker_writes_them() -> None:
    data = b"""{"architecture": "arm", "os": "linux", "variant": "v7", "history": null,
        "config": {"Env": null, "Cmd": null, "Labels": null, "Volumes": null}, "rootfs": {"diff_ids": null}}"""
    assert ImageConfig.from_bytes(data) == ImageConfig(Platform("linux", "arm", "v7"))


def test_added_layer_comes_last_with_its_history() -> None:
    config = ImageConfig(Platform("linux", "amd64"), (DIGEST,)).with_layer(LAYER.digest, History("COPY . ."))
    assert config.diff_ids == (DIGEST, LAYER.digest)
    assert config.history[-1].created_by == "COPY . ."


def test_configuration_without_a_platform_is_refused() -> None:
    with pytest.raises(InvalidInput, match="os or architecture"):
        ImageConfig.from_bytes(b'{"rootfs": {"type": "layers", "diff_ids": []}}')


def test_how_a_manifest_is_served_does_not_make_it_an_index() -> None:
    manifest = json.dumps({"schemaVersion": 2, "config": {}, "layers": []}).encode()
    index = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
    assert values.media_type_of(manifest, values.DOCKER_MANIFEST) == values.DOCKER_MANIFEST
    for data, served in ((manifest, values.OCI_INDEX), (index, values.OCI_MANIFEST)):
        with pytest.raises(InvalidInput, match="none by its fields"):
            values.media_type_of(data, served)
