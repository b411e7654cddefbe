"""From which commit an image says it was built."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import httpx2
import pytest
from tests.oci.fake_registry import LATEST, Registry

from tidegate.oci import values
from tidegate.oci.credentials import Access
from tidegate.oci.provenance import REVISION, revision_of_image
from tidegate.oci.values import Descriptor, Manifest


def registry(config: dict[str, Any]) -> Registry:
    """It has one image, with this configuration."""
    blob = json.dumps(config).encode()
    described = Descriptor(values.OCI_CONFIG, f"sha256:{hashlib.sha256(blob).hexdigest()}", len(blob))
    manifest = Manifest(described, ()).to_bytes()

    def answer(request: httpx2.Request) -> httpx2.Response:
        if "/blobs/" in request.url.path:
            return httpx2.Response(200, content=blob)
        if request.url.path.endswith("/latest"):
            return httpx2.Response(200, content=manifest, headers={"content-type": values.OCI_MANIFEST})
        return httpx2.Response(404)

    return Registry(answer)


@pytest.mark.parametrize(
    ("config", "commit"),
    [
        ({"os": "linux", "architecture": "arm", "config": {"Labels": {REVISION: "abc"}}}, "abc"),
        ({"os": "linux", "architecture": "arm"}, None),
        ({}, None),
        ({"name": "a chart", "version": "1.0.0"}, None),
    ],
)
async def test_a_label_names_the_commit_and_what_is_no_image_names_none(config: dict[str, Any], commit: str) -> None:
    assert await revision_of_image(registry(config).client(), Access(), str(LATEST)) == commit


async def test_an_image_that_is_not_there_names_none() -> None:
    assert await revision_of_image(registry({}).client(), Access(), f"{LATEST.repository}:gone") is None
