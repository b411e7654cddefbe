"""Attaches statements to images: one manifest for each image, in the same index as buildx does, and as a referrer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tidegate.build.assemble import Built
from tidegate.build.attesting.packages import Found, Lists, packages_in, read_layer
from tidegate.build.attesting.statements import SLSA, SPDX, Json, Material, provenance, spdx, statement
from tidegate.build.request import BuildRequest
from tidegate.build.store import BuildStore
from tidegate.kinds.platform import Platform
from tidegate.oci.values import OCI_CONFIG, Descriptor, ImageConfig, Manifest, compact

UNKNOWN = Platform("unknown", "unknown")
STATEMENT_TYPE = "application/vnd.in-toto+json"
ARTIFACT = "application/vnd.docker.attestation.manifest.v1+json"
_REFERENCE = "vnd.docker.reference.digest"
_TYPE = "vnd.docker.reference.type"
_PREDICATE = "in-toto.io/predicate-type"
_RECORD = "packages-of-layers"


def attest(
    images: Sequence[Built], request: BuildRequest, materials: Sequence[Material], store: BuildStore
) -> list[Built]:
    """What an index holds besides `images`: nothing where the request asks for no statement. Blocks."""
    if not request.sbom and not request.provenance:
        return []
    return [_attached(image, request, materials, store) for image in images]


def _attached(image: Built, request: BuildRequest, materials: Sequence[Material], store: BuildStore) -> Built:
    said: list[tuple[str, Json]] = []
    digest, platform = image.descriptor.digest, image.platform
    if request.sbom:
        name = str(request.tags[0]) if request.tags else digest
        said.append((SPDX, spdx(_packages(image, store), digest, name, request.created)))
    if request.provenance:
        arguments = request.build_args if request.provenance == "max" else None
        own = [one for one in materials if one.platform in (platform, Platform.of_machine())]
        shown = request.shown or "Dockerfile"
        said.append((SLSA, provenance(request.labels, platform, shown, request.target, arguments, own)))
    layers = []
    for kind, predicate in said:
        body = compact(statement(request.tags, digest, platform, kind, predicate))
        store.put_blob(body)
        layers.append(replace(Descriptor.of(STATEMENT_TYPE, body), annotations={_PREDICATE: kind}))
    config = ImageConfig(UNKNOWN, tuple(layer.digest for layer in layers)).to_bytes()
    store.put_blob(config)
    subject = replace(image.descriptor, platform=None)
    manifest = Manifest(Descriptor.of(OCI_CONFIG, config), tuple(layers), subject=subject, artifact_type=ARTIFACT)
    body = manifest.to_bytes()
    store.put_blob(body)
    top = Descriptor.of(manifest.media_type, body, UNKNOWN)
    named = replace(top, annotations={_REFERENCE: digest, _TYPE: "attestation-manifest"})
    return Built(UNKNOWN, named, (manifest.config, *layers), {})


def _packages(image: Built, store: BuildStore) -> list[Found]:
    manifest = Manifest.from_bytes(store.read_blob(image.descriptor.digest))
    return packages_in([_lists(layer, store) for layer in manifest.layers])


def _lists(layer: Descriptor, store: BuildStore) -> Lists:
    key = layer.digest.removeprefix("sha256:")
    record = store.record(_RECORD, key)
    found = None if record is None else Lists.from_json(record)
    if found is None:
        found = read_layer(store.blob_path(layer.digest))
        store.remember(_RECORD, key, found.as_json())
    return found
