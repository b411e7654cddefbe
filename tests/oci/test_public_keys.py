"""Which public keys are taken, and how a key's kind decides the command that checks its signatures."""

from __future__ import annotations

from base64 import encodebytes
from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.oci.public_keys import PEM_LIMIT, parse_public_key
from tidegate.oci.signature_check import made_by, verify_argv

# The beginnings of a SubjectPublicKeyInfo, as `openssl pkey -pubout -outform DER` writes them.
P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004") + bytes(range(64))
P384 = bytes.fromhex("3076301006072a8648ce3d020106052b8104002203620004") + bytes(96)
ED25519 = bytes.fromhex("302a300506032b6570032100") + bytes(range(32))
RSA_2048 = bytes.fromhex("30820122300d06092a864886f70d01010105000382010f003082010a02820101") + bytes(262)
RSA_1024 = bytes.fromhex("30819f300d06092a864886f70d010101050003818d0030818902818100") + bytes(133)


def pem(der: bytes, label: str = "PUBLIC KEY") -> bytes:
    return f"-----BEGIN {label}-----\n".encode() + encodebytes(der) + f"-----END {label}-----\n".encode()


@pytest.mark.parametrize(("der", "algorithm"), [(P256, "ecdsa"), (RSA_2048, "rsa"), (ED25519, "ed25519")])
def test_the_keys_that_cosign_makes_and_imports_are_taken(der: bytes, algorithm: str) -> None:
    key = parse_public_key(b"\n" + pem(der).replace(b"\n", b"\r\n") + b"\n")
    assert key.algorithm == algorithm
    assert key == parse_public_key(key.pem)
    assert str(key) == f"{algorithm} {key.fingerprint[:16]}"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not one block of PEM"),
        (pem(P256) * 2, "not one block of PEM"),
        (pem(P256) + b"more", "not one block of PEM"),
        (pem(P256, "ENCRYPTED SIGSTORE PRIVATE KEY"), "a PEM ENCRYPTED SIGSTORE PRIVATE KEY, not a PUBLIC KEY"),
        (pem(P256, "CERTIFICATE"), "a PEM CERTIFICATE, not a PUBLIC KEY"),
        (b"-----BEGIN PUBLIC KEY-----\nMFk=wEw\n-----END PUBLIC KEY-----", "not base64"),
        (pem(P384), "another kind than ECDSA P-256, RSA and ed25519"),
        (pem(P256 + b"\0"), "another kind"),
        (pem(RSA_1024), "fewer than 2048 bits"),
        (b"-" * (PEM_LIMIT + 1), "longer than"),
    ],
)
def test_what_is_no_such_key_is_refused_and_not_repeated(data: bytes, said: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_public_key(data)
    assert said in raised.value.message
    assert "ECDSA P-256, RSA or ed25519" in str(raised.value.remedy)
    assert encodebytes(P256)[:20].decode() not in raised.value.explain()


def test_the_command_for_each_kind_of_key() -> None:
    assert verify_argv("rsa", Path("/t")) == verify_argv("ecdsa", Path("/t"))
    assert verify_argv("ecdsa", Path("/t")) == [
        "openssl", "dgst", "-sha256", "-verify", "/t/key.pem", "-signature", "/t/signature", "/t/message",
    ]  # fmt: skip
    assert verify_argv("ed25519", Path("/t")) == [
        "openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "/t/key.pem", "-rawin", "-in", "/t/message",
        "-sigfile", "/t/signature",
    ]  # fmt: skip


async def test_a_signature_of_no_length_that_is_possible_is_wrong_without_asking(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # where there is no openssl to ask
    key = parse_public_key(pem(P256))
    assert not await made_by(key, b"", b"message")
    assert not await made_by(key, b"1" * 5000, b"message")
