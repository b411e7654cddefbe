"""Images signed as cosign signs them, with keys and signatures that openssl makes, in whatever registry a test has."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import Reference, Repository
from tidegate.oci import values
from tidegate.oci.client import RegistryClient
from tidegate.oci.image import image_manifest
from tidegate.oci.public_keys import PublicKey, parse_public_key
from tidegate.oci.values import Descriptor, ImageConfig, Index, Manifest

ALGORITHMS = {
    "ecdsa": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
    "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "ed25519": ["-algorithm", "ED25519"],
}
SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"


class Signer:
    """A pair of keys in a folder of its own."""

    def __init__(self, folder: Path, algorithm: str = "ecdsa"):
        folder.mkdir()
        self._folder, self._algorithm = folder, algorithm
        self._run("genpkey", *ALGORITHMS[algorithm], "-out", "private.pem")
        self._run("pkey", "-in", "private.pem", "-pubout", "-out", "public.pem")
        self.pem = (folder / "public.pem").read_bytes()

    @property
    def key(self) -> PublicKey:
        return parse_public_key(self.pem)

    def sign(self, message: bytes) -> bytes:
        (self._folder / "message").write_bytes(message)
        if self._algorithm == "ed25519":
            argv = ["pkeyutl", "-sign", "-inkey", "private.pem", "-rawin", "-in", "message", "-out", "signature"]
        else:
            argv = ["dgst", "-sha256", "-sign", "private.pem", "-out", "signature", "message"]
        self._run(*argv)
        return (self._folder / "signature").read_bytes()

    def _run(self, *argv: str) -> None:
        subprocess.run(["openssl", *argv], cwd=self._folder, check=True, capture_output=True, timeout=60)


def payload(digest: str, **critical: object) -> bytes:
    """What cosign 1 and 2 sign."""
    value: dict[str, object] = {
        "identity": {"docker-reference": "ghcr.io/acme/web"},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    return json.dumps({"critical": value | critical, "optional": None}).encode()


def statement(digest: str, predicate: str = SIGN) -> bytes:
    """What cosign 3 signs."""
    subject = [{"digest": {"sha256": digest.removeprefix("sha256:")}, "annotations": {}}]
    return json.dumps(
        {"_type": "https://in-toto.io/Statement/v1", "subject": subject, "predicateType": predicate, "predicate": {}}
    ).encode()


def bundle(signer: Signer, signed: bytes, shown: bytes | None = None) -> bytes:
    """A Sigstore bundle over `signed`, which shows something else where `shown` is given."""
    kind = b"application/vnd.in-toto+json"
    message = b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(signed)).encode(), signed])
    envelope = {
        "payload": base64.b64encode(signed if shown is None else shown).decode(),
        "payloadType": kind.decode(),
        "signatures": [{"sig": base64.b64encode(signer.sign(message)).decode()}],
    }
    return json.dumps({"mediaType": BUNDLE, "verificationMaterial": {}, "dsseEnvelope": envelope}).encode()


@dataclass
class Images:
    """A repository to push to."""

    client: RegistryClient
    repository: Repository

    async def push(self, tag: str, created: str = "", *platforms: str) -> Descriptor:
        """An image without layers for each platform, under an index where there are several."""
        parts = [await self._image(tag, created, Platform.parse(one)) for one in platforms or ("linux/amd64",)]
        if len(parts) == 1:
            _, manifest = await self.client.manifest(Reference(self.repository, digest=parts[0].digest))
            return await self.client.push_manifest(Reference(self.repository, tag), values.OCI_MANIFEST, manifest)
        data = Index(tuple(parts)).to_bytes()
        return await self.client.push_manifest(Reference(self.repository, tag), values.OCI_INDEX, data)

    async def _image(self, tag: str, created: str, platform: Platform) -> Descriptor:
        manifest, config = image_manifest(ImageConfig(platform, created=created, author=tag), [])
        await self.client.push_blob(self.repository, manifest.config, config)
        body = manifest.to_bytes()
        reference = Reference(self.repository, digest=values.digest_of(body))
        pushed = await self.client.push_manifest(reference, manifest.media_type, body)
        return replace(pushed, platform=platform)

    async def sign_by_tag(self, image: Descriptor, *signed: tuple[bytes, bytes]) -> None:
        """Payloads and their signatures under the tag `sha256-….sig`."""
        layers = [await self._layer(SIMPLE, data, signature) for data, signature in signed]
        await self._put(f"sha256-{image.digest[7:]}.sig", Manifest(await self._empty(), tuple(layers)))

    async def refer(self, image: Descriptor, kind: str, data: bytes, signature: bytes | None = None) -> Descriptor:
        """A manifest that refers to the image, known only by its digest."""
        layer = await self._layer(kind, data, signature)
        subject = Descriptor(image.media_type, image.digest, image.size)
        manifest = Manifest(await self._empty(), (layer,), subject=subject, artifact_type=kind)
        return await self._put(values.digest_of(manifest.to_bytes()), manifest)

    async def list_by_tag(self, image: Descriptor, *referrers: Descriptor) -> None:
        """What a client does where the registry has no referrers API: an index under `sha256-…`."""
        data = Index(referrers).to_bytes()
        tag = f"sha256-{image.digest[7:]}"
        await self.client.push_manifest(Reference(self.repository, tag), values.OCI_INDEX, data)

    async def _layer(self, kind: str, data: bytes, signature: bytes | None) -> Descriptor:
        found = Descriptor.of(kind, data)
        await self.client.push_blob(self.repository, found, data)
        if signature is None:
            return found
        return replace(found, annotations={"dev.cosignproject.cosign/signature": base64.b64encode(signature).decode()})

    async def _empty(self) -> Descriptor:
        found = Descriptor.of(values.OCI_CONFIG, b"{}")
        await self.client.push_blob(self.repository, found, b"{}")
        return found

    async def _put(self, name: str, manifest: Manifest) -> Descriptor:
        digest, tag = (name, None) if name.startswith("sha256:") else (None, name)
        reference = Reference(self.repository, tag, digest)
        return await self.client.push_manifest(reference, manifest.media_type, manifest.to_bytes())
