"""Cosign's signatures with real keys, in Debian's docker-registry (which has no referrers API) and in our own (which
has): what is believed, and why the rest is not.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from tests.integration.cosign_world import BUNDLE, SIMPLE, Images, Signer, bundle, payload, statement
from tests.integration.needed import need
from tests.integration.registry_world import RegistryWorld

from tidegate.base.errors import MissingTool
from tidegate.base.http import make_client
from tidegate.kinds.reference import parse_repository
from tidegate.oci import signatures
from tidegate.oci.auth import Endpoint
from tidegate.oci.blobs import BlobStore
from tidegate.oci.client import RegistryClient
from tidegate.oci.credentials import Login
from tidegate.oci.signatures import unsigned
from tidegate.oci.values import Descriptor, digest_of
from tidegate.serve.auth import Authorizer
from tidegate.serve.registry import RegistryDoor

pytestmark = pytest.mark.integration
OTHER = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    registry = RegistryWorld(tmp_path_factory.mktemp("debian") / "registry")
    registry.start()
    yield f"127.0.0.1:{registry.port}"
    registry.stop()


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Images]:
    """Our registry, reached without a socket."""

    async def on_tag(_repository: str, _tag: str, _digest: str) -> None:
        pass

    door = RegistryDoor(BlobStore(tmp_path / "own"), Authorizer("t"), on_tag)
    http = make_client(httpx2.ASGITransport(Starlette(routes=door.routes())))
    endpoints = {"own.example": Endpoint("http://own.example", Login("u", "t"), insecure=True)}
    async with http:
        client = RegistryClient(endpoints, http=http)
        yield Images(client, parse_repository("own.example/acme/web"))
    door.close()


@pytest.fixture
async def images(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Images]:
    """A new repository in Debian's registry."""
    need("openssl")
    host = request.getfixturevalue("debian")
    async with RegistryClient() as client:
        yield Images(
            client, parse_repository(f"{host}/acme/{tmp_path.name.replace('[', '-').replace(']', '').lower()}")
        )


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    need("openssl")
    return Signer(tmp_path / "signer")


async def why_not(images: Images, image: Descriptor, *signers: Signer) -> str | None:
    return await unsigned(images.client, images.repository, image.digest, [one.key for one in signers])


@pytest.mark.parametrize("algorithm", ["ecdsa", "rsa", "ed25519"])
async def test_the_signature_under_its_tag_is_believed_for_each_kind_of_key(
    images: Images, tmp_path: Path, algorithm: str
) -> None:
    signer, stranger = Signer(tmp_path / "signer", algorithm), Signer(tmp_path / "stranger", algorithm)
    image = await images.push("1.0.0")
    signed = payload(image.digest)
    await images.sign_by_tag(image, (signed, signer.sign(signed)))
    assert await why_not(images, image, signer) is None
    assert await why_not(images, image, stranger, signer) is None
    reason = await why_not(images, image, stranger)
    assert reason == (f"not signed by the key {stranger.key}: its signature was made by another key, or of other bytes")


async def test_an_index_is_signed_as_any_image(images: Images, signer: Signer) -> None:
    image = await images.push("1.0.0", "", "linux/arm64", "linux/arm/v7")
    signed = payload(image.digest)
    await images.sign_by_tag(image, (signed, signer.sign(signed)))
    assert await why_not(images, image, signer) is None


async def test_one_good_signature_among_others_suffices(images: Images, signer: Signer, tmp_path: Path) -> None:
    image, stranger = await images.push("1.0.0"), Signer(tmp_path / "stranger")
    signed = payload(image.digest)
    await images.sign_by_tag(
        image, (signed, stranger.sign(signed)), (signed, b"rubbish"), (signed, signer.sign(signed))
    )
    assert await why_not(images, image, signer) is None


async def test_an_image_without_a_signature_is_not_signed(images: Images, own: Images, signer: Signer) -> None:
    for place in (images, own):
        assert await why_not(place, await place.push("1.0.0"), signer) == "not signed"


async def test_a_payload_that_was_changed_after_signing_is_not_believed(images: Images, signer: Signer) -> None:
    image = await images.push("1.0.0")
    signed = payload(OTHER)
    await images.sign_by_tag(image, (signed.replace(OTHER.encode(), image.digest.encode()), signer.sign(signed)))
    reason = await why_not(images, image, signer)
    assert reason is not None
    assert reason.endswith("its signature was made by another key, or of other bytes")


async def test_another_images_signature_is_not_this_ones(images: Images, signer: Signer) -> None:
    first, second = await images.push("1.0.0"), await images.push("1.0.1")
    signed = payload(first.digest)
    await images.sign_by_tag(second, (signed, signer.sign(signed)))
    reason = await why_not(images, second, signer)
    assert reason is not None
    assert reason.endswith(f"its signature is for another image, {first.digest}")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"no json", "the signed payload: not JSON"),
        (b'{"critical": []}', "critical is missing or no JSON object"),
        (payload("latest"), "the signed payload names no docker-manifest-digest"),
        (payload(OTHER, type="something else"), "critical.type is not 'cosign container image signature'"),
    ],
)
async def test_what_is_no_payload_is_a_reason_and_no_failure(
    images: Images, signer: Signer, data: bytes, said: str
) -> None:
    image = await images.push("1.0.0")
    await images.sign_by_tag(image, (data, signer.sign(data)))
    assert said in str(await why_not(images, image, signer))


@pytest.mark.parametrize("form", [SIMPLE, BUNDLE])
@pytest.mark.parametrize("place", ["api", "tag"])
async def test_a_signature_that_refers_to_the_image_is_found(
    images: Images, own: Images, signer: Signer, tmp_path: Path, form: str, place: str
) -> None:
    there = own if place == "api" else images
    image = await there.push("1.0.0")
    if form == SIMPLE:
        signed = payload(image.digest)
        refers = await there.refer(image, SIMPLE, signed, signer.sign(signed))
    else:
        refers = await there.refer(image, BUNDLE, bundle(signer, statement(image.digest)))
    if place == "tag":
        assert await why_not(there, image, signer) == "not signed"
        await there.list_by_tag(image, refers)
    assert await why_not(there, image, signer) is None
    assert "made by another key" in str(await why_not(there, image, Signer(tmp_path / "stranger")))


async def test_an_attestation_signed_by_the_key_does_not_sign_the_image(own: Images, signer: Signer) -> None:
    image = await own.push("1.0.0")
    await own.refer(image, BUNDLE, bundle(signer, statement(image.digest, "https://slsa.dev/provenance/v1")))
    assert await why_not(own, image, signer) == "not signed"
    await own.refer(image, BUNDLE, bundle(signer, statement(image.digest)))
    assert await why_not(own, image, signer) is None


async def test_a_bundle_that_shows_another_statement_than_was_signed_is_not_believed(
    own: Images, signer: Signer
) -> None:
    image = await own.push("1.0.0")
    await own.refer(image, BUNDLE, bundle(signer, statement(OTHER), statement(image.digest)))
    assert "of other bytes" in str(await why_not(own, image, signer))


async def test_a_bundle_of_another_form_is_refused_by_name(own: Images, signer: Signer) -> None:
    image = await own.push("1.0.0")
    await own.refer(image, BUNDLE, b'{"messageSignature": {}}')
    assert "the bundle has no dsseEnvelope" in str(await why_not(own, image, signer))


async def test_no_more_than_so_many_signatures_are_looked_at(
    own: Images, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = await own.push("1.0.0")
    signed = payload(image.digest)
    monkeypatch.setattr(signatures, "MOST_CHECKED", 2)
    good = (signed, signer.sign(signed))
    await own.sign_by_tag(image, (signed, b"1"), (signed, b"2"), good)
    assert "more than 2 things refer to it" in str(await why_not(own, image, signer))
    await own.sign_by_tag(image, (signed, b"1"), good)
    assert await why_not(own, image, signer) is None


async def test_without_openssl_nothing_is_believed_and_the_package_is_named(
    own: Images, signer: Signer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    image = await own.push("1.0.0")
    signed = payload(image.digest)
    await own.sign_by_tag(image, (signed, signer.sign(signed)))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool) as raised:
        await why_not(own, image, signer)
    assert "openssl" in raised.value.explain()


def test_the_fingerprint_is_that_of_the_keys_der(signer: Signer) -> None:
    der = base64.b64decode(b"".join(signer.pem.splitlines()[1:-1]))
    assert signer.key.fingerprint == digest_of(der).removeprefix("sha256:")
