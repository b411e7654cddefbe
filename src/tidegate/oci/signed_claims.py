"""What cosign signs: the bytes that a signature covers, and of which image they speak. Pure.

Two forms: the simple signing payload of cosign 1 and 2 (containers/image's containers-signature), and since cosign 3 a
Sigstore bundle with an in-toto statement in a DSSE envelope. Only what the signature covers is believed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from tidegate.base.errors import InvalidInput, TidegateError
from tidegate.base.frozen import frozen
from tidegate.oci.values import Descriptor, is_digest, read_json

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE_PREFIX = "application/vnd.dev.sigstore.bundle"
SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"
PAYLOAD_LIMIT = 256 * 1024
MOST_SIGNATURES = 16
_SIMPLE_TYPE = "cosign container image signature"
_STATEMENT_TYPES = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
_IN_TOTO = "application/vnd.in-toto+json"


@frozen
class Claim:
    """`message` is what each of `signatures` is over, and `digests` are the images that it speaks of."""

    message: bytes
    signatures: tuple[bytes, ...]
    digests: tuple[str, ...]


def is_claim(layer: Descriptor) -> bool:
    """Whether a layer of a signature's manifest may hold a claim."""
    return layer.media_type == SIMPLE_SIGNING or layer.media_type.startswith(BUNDLE_PREFIX)


def read_claim(layer: Descriptor, data: bytes) -> Claim | None:
    """What a layer claims; None for a bundle that says something else than that the image is signed, as an attestation
    does. InvalidInput says what is wrong with it.
    """
    if len(data) > PAYLOAD_LIMIT:
        raise InvalidInput(f"a signature is longer than {PAYLOAD_LIMIT} bytes")
    return _simple(layer, data) if layer.media_type == SIMPLE_SIGNING else _bundle(data)


def _simple(layer: Descriptor, data: bytes) -> Claim:
    signature = _decoded(layer.annotations.get(SIGNATURE_ANNOTATION), f"the annotation {SIGNATURE_ANNOTATION}")
    critical = _inside(_read(data, "the signed payload"), "critical")
    if critical.get("type") != _SIMPLE_TYPE:
        raise InvalidInput(f"the signed payload's critical.type is not {_SIMPLE_TYPE!r}")
    digest = _inside(critical, "image").get("docker-manifest-digest")
    if not isinstance(digest, str) or not is_digest(digest):
        raise InvalidInput("the signed payload names no docker-manifest-digest")
    return Claim(data, (signature,), (digest,))


def _bundle(data: bytes) -> Claim | None:
    bundle = _read(data, "the bundle")
    if "dsseEnvelope" not in bundle:
        raise InvalidInput(
            "the bundle has no dsseEnvelope: a signature of another form is not read",
            remedy="sign with cosign sign --key, of cosign 1 to 3",
        )
    envelope = _inside(bundle, "dsseEnvelope")
    kind, payload = envelope.get("payloadType"), _decoded(envelope.get("payload"), "the bundle's payload")
    if kind != _IN_TOTO:
        return None
    statement = _read(payload, "the bundle's statement")
    if statement.get("_type") not in _STATEMENT_TYPES or statement.get("predicateType") != _PREDICATE:
        return None
    signatures = envelope.get("signatures")
    if not isinstance(signatures, list) or not 1 <= len(signatures) <= MOST_SIGNATURES:
        raise InvalidInput(f"the bundle has not 1 to {MOST_SIGNATURES} signatures")
    found = tuple(_decoded(one.get("sig") if isinstance(one, dict) else None, "a signature") for one in signatures)
    return Claim(pre_authentication(kind, payload), found, _subjects(statement))


def pre_authentication(kind: str, payload: bytes) -> bytes:
    """What a DSSE signature is over: the envelope's type and payload, each with its length (DSSE v1.0.2, PAE)."""
    return b"DSSEv1 %d %b %d %b" % (len(kind.encode()), kind.encode(), len(payload), payload)


def _subjects(statement: Mapping[str, Any]) -> tuple[str, ...]:
    subjects = statement.get("subject")
    if not isinstance(subjects, list) or not subjects or len(subjects) > MOST_SIGNATURES:
        raise InvalidInput(f"the bundle's statement has not 1 to {MOST_SIGNATURES} subjects")
    found = [_inside(one if isinstance(one, dict) else {}, "digest").get("sha256") for one in subjects]
    return tuple(f"sha256:{one}" for one in found if isinstance(one, str) and is_digest(f"sha256:{one}"))


def _read(data: bytes, what: str) -> dict[str, Any]:
    try:
        return read_json(data, what)
    except TidegateError as error:
        raise InvalidInput(error.message) from None


def _inside(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    if not isinstance(found, dict):
        raise InvalidInput(f"{name} is missing or no JSON object")
    return found


def _decoded(text: object, what: str) -> bytes:
    try:
        return base64.b64decode(text if isinstance(text, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput(f"{what} is missing or not base64") from None
