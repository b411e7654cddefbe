"""Manifests by HEAD, GET and PUT: the bytes are those of the digest."""

from __future__ import annotations

import pytest
from tests.oci.fake_registry import (
    DIGEST,
    LATEST,
    MANIFEST,
    Handler,
    Registry,
    answer,
)

from tidegate.base.errors import InvalidInput, Unavailable
from tidegate.kinds.reference import parse
from tidegate.oci import values
from tidegate.oci.values import Descriptor


async def test_head_gives_the_descriptor() -> None:
    headers = {"docker_content_digest": DIGEST, "content_type": values.OCI_INDEX, "content_length": "42"}
    registry = Registry(answer(200, b"", **headers))
    assert await registry.client().head(LATEST) == Descriptor(values.OCI_INDEX, DIGEST, 42)
    assert registry.asked == ["HEAD https://registry.example/v2/acme/web/manifests/latest"]
    assert values.OCI_INDEX in registry.seen[0].headers["accept"]
    assert values.DOCKER_MANIFEST in registry.seen[0].headers["accept"]


async def test_head_of_what_is_not_there_is_none() -> None:
    assert await Registry(answer(404)).client().head(LATEST) is None


async def test_head_without_a_digest_falls_back_to_a_get() -> None:
    registry = Registry(answer(200), answer(200, MANIFEST))
    assert await registry.client().head(LATEST) == Descriptor(values.OCI_MANIFEST, DIGEST, len(MANIFEST))
    assert [request.method for request in registry.seen] == ["HEAD", "GET"]


async def test_manifest_has_the_bytes_of_its_digest() -> None:
    registry = Registry(answer(200, MANIFEST, content_type=values.OCI_MANIFEST))
    descriptor, data = await registry.client().manifest(LATEST)
    assert (descriptor.digest, data) == (DIGEST, MANIFEST)


@pytest.mark.parametrize(
    ("handler", "text"),
    [
        (answer(200, MANIFEST), "registry.example/acme/web@sha256:" + "0" * 64),
        (answer(200, MANIFEST, docker_content_digest="sha256:" + "0" * 64), str(LATEST)),
        (answer(200, b"<html>"), str(LATEST)),
        (answer(200, b'{"schemaVersion": 1}'), str(LATEST)),
    ],
)
async def test_manifest_of_other_bytes_is_refused(handler: Handler, text: str) -> None:
    with pytest.raises(Unavailable):
        await Registry(handler).client().manifest(parse(text))


async def test_write_that_is_redirected_is_refused() -> None:
    with pytest.raises(Unavailable, match="redirects a PUT"):
        await (
            Registry(answer(307, location="https://other.example/"))
            .client()
            .push_manifest(LATEST, values.OCI_MANIFEST, MANIFEST)
        )


async def test_registry_that_stores_other_bytes_is_found_out() -> None:
    registry = Registry(answer(201, docker_content_digest="sha256:" + "0" * 64))
    with pytest.raises(Unavailable, match="another digest"):
        await registry.client().push_manifest(LATEST, values.OCI_MANIFEST, MANIFEST)


async def test_manifest_under_a_wrong_digest_is_not_sent() -> None:
    registry = Registry(answer(201))
    reference = parse("registry.example/acme/web@sha256:" + "0" * 64)
    with pytest.raises(InvalidInput, match="another digest"):
        await registry.client().push_manifest(reference, values.OCI_MANIFEST, MANIFEST)
    assert registry.seen == []
