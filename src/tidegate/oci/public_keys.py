"""Public keys as cosign takes them: ECDSA on P-256, RSA and ed25519. Pure; whether one of them made a signature,
`signature_check` asks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen

PEM_BEGIN = "-----BEGIN "
PEM_LIMIT = 16 * 1024
_LEAST_RSA_BYTES = 290  # the DER of 2048 bits, with the shortest exponent
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s*([A-Za-z0-9+/=\s]+?)\s*-----END \1-----\s*")
# SubjectPublicKeyInfo (RFC 5280, 4.1) begins with the algorithm: RFC 5480, RFC 8410 and RFC 8017 say how.
_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
_ED25519 = bytes.fromhex("302a300506032b6570032100")
_RSA = bytes.fromhex("300d06092a864886f70d010101050003")
_REMEDY = "give a public key as cosign generate-key-pair or openssl pkey -pubout writes it: ECDSA P-256, RSA or ed25519"


@frozen
class PublicKey:
    """A public key: `pem` as openssl reads it, `algorithm` (ecdsa, rsa or ed25519), `fingerprint` the SHA-256 of its
    DER in hexadecimal digits, by which people can tell two keys apart.
    """

    pem: bytes
    algorithm: str
    fingerprint: str

    def __str__(self) -> str:
        return f"{self.algorithm} {self.fingerprint[:16]}"


def parse_public_key(data: bytes) -> PublicKey:
    """Read one PEM public key. InvalidInput says which keys are taken; the key's own bytes are never shown."""
    if len(data) > PEM_LIMIT:
        raise InvalidInput(f"the public key is longer than {PEM_LIMIT} bytes", remedy=_REMEDY)
    found = _PEM.fullmatch(data.strip())
    if found is None:
        raise InvalidInput("the public key is not one block of PEM", remedy=_REMEDY)
    label = found.group(1).decode()
    if label != "PUBLIC KEY":
        raise InvalidInput(f"the public key is a PEM {label}, not a PUBLIC KEY", remedy=_REMEDY)
    try:
        der = base64.b64decode(b"".join(found.group(2).split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("the public key's PEM is not base64", remedy=_REMEDY) from None
    body = base64.encodebytes(der)
    pem = b"-----BEGIN PUBLIC KEY-----\n" + body + b"-----END PUBLIC KEY-----\n"
    return PublicKey(pem, _algorithm(der), hashlib.sha256(der).hexdigest())


def _algorithm(der: bytes) -> str:
    if der.startswith(_P256) and len(der) == len(_P256) + 65:
        return "ecdsa"
    if der.startswith(_ED25519) and len(der) == len(_ED25519) + 32:
        return "ed25519"
    if der[:1] == b"\x30" and _RSA in der[:24]:
        if len(der) < _LEAST_RSA_BYTES:
            raise InvalidInput("the RSA public key has fewer than 2048 bits", remedy=_REMEDY)
        return "rsa"
    raise InvalidInput("the public key is of another kind than ECDSA P-256, RSA and ed25519", remedy=_REMEDY)
