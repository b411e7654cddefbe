"""Whether an image is signed with one of the given keys, as cosign signs it.

Signatures lie under the tag `sha256-….sig`, or refer to the image (OCI 1.1). Whoever may push to the repository can put
anything there, so all that is found is bounded and checked, and one good signature suffices. Not asked: transparency
logs, certificates, and the image's name in the payload, since signed images are copied between registries.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound
from tidegate.kinds.reference import Reference, Repository
from tidegate.oci.public_keys import PublicKey
from tidegate.oci.reading import ImageReader
from tidegate.oci.referrers import fallback_tag, referrers
from tidegate.oci.signature_check import made_by
from tidegate.oci.signed_claims import (
    PAYLOAD_LIMIT,
    Claim,
    is_claim,
    read_claim,
)
from tidegate.oci.values import INDEX_TYPES, Descriptor, Manifest

MOST_CHECKED = 64
"""Layers of one image's signatures, and of what else refers to it, that are looked at."""


def signature_tag(digest: str) -> str:
    """The tag under which cosign keeps the signatures of an image."""
    return f"{fallback_tag(digest)}.sig"


async def unsigned(client: ImageReader, repository: Repository, digest: str, keys: Sequence[PublicKey]) -> str | None:
    """Why an image is not signed by one of `keys`, in words; None where it is.

    What can't be read now raises (Unavailable, Denied), and so does a missing openssl (MissingTool): neither is the
    image's fault. Whatever is wrong with a signature is a reason.
    """
    faults: list[str] = []
    looked_at = 0
    async for layer in _layers(client, repository, digest, faults):
        looked_at += 1
        if looked_at > MOST_CHECKED:
            faults.append(f"more than {MOST_CHECKED} things refer to it, and the first of them do not do")
            break
        try:
            claim = await _claim(client, repository, layer)
            fault = None if claim is None else await _fault(claim, digest, keys)
        except (InvalidInput, NotFound, LimitExceeded) as error:
            claim, fault = None, error.message
        if claim is not None and fault is None:
            return None
        if fault is not None:
            faults.append(fault)
    return _words(faults, keys)


def _words(faults: Sequence[str], keys: Sequence[PublicKey]) -> str:
    if not faults:
        return "not signed"
    named = " or ".join(str(key) for key in keys)
    return f"not signed by the key {named}: {'; '.join(list(dict.fromkeys(faults))[:3])}"


async def _fault(claim: Claim, digest: str, keys: Sequence[PublicKey]) -> str | None:
    """Why a claim does not do for an image; None where it does."""
    if digest not in claim.digests:
        return f"its signature is for another image, {', '.join(claim.digests) or 'none'}"
    for key in keys:
        for signature in claim.signatures:
            if await made_by(key, signature, claim.message):
                return None
    return "its signature was made by another key, or of other bytes"


async def _claim(client: ImageReader, repository: Repository, layer: Descriptor) -> Claim | None:
    if layer.size > PAYLOAD_LIMIT:
        raise InvalidInput(f"a signature is longer than {PAYLOAD_LIMIT} bytes")
    return read_claim(layer, await client.read_blob(repository, layer))


async def _layers(
    client: ImageReader, repository: Repository, digest: str, faults: list[str]
) -> AsyncIterator[Descriptor]:
    """The layers that may hold a claim: those of cosign's tag first, then those of the manifests that refer to it."""
    async for layer in _of_manifest(client, Reference(repository, signature_tag(digest)), faults):
        yield layer
    for descriptor in await referrers(client, repository, digest):
        async for layer in _of_manifest(client, Reference(repository, digest=descriptor.digest), faults):
            yield layer


async def _of_manifest(client: ImageReader, reference: Reference, faults: list[str]) -> AsyncIterator[Descriptor]:
    try:
        descriptor, data = await client.manifest(reference)
        if descriptor.media_type in INDEX_TYPES:
            return
        manifest = Manifest.from_bytes(data, descriptor.media_type)
    except NotFound:
        return
    except (InvalidInput, LimitExceeded) as error:
        faults.append(error.message)
        return
    for layer in [one for one in manifest.layers if is_claim(one)][: MOST_CHECKED + 1]:
        yield layer
