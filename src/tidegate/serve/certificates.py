"""A CA of Tidegate's own and the certificate it signs for this server, made and renewed by the `openssl` program.

A key and its certificate lie in one file, so that a crash can't leave two that don't belong together.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from tidegate.base import process
from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen

DEFAULT_NAMES = ("localhost", "127.0.0.1", "::1")
CA_DAYS, SERVER_DAYS = 3650, 365
CA_MARGIN, SERVER_MARGIN = 400 * 86400, 30 * 86400
"""Seconds before its end at which a certificate is made anew; the CA outlives whatever it signs."""
TIMEOUT = 30.0
PACKAGE = "openssl"
_CONFIG = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = {common_name}
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""


@frozen
class Certificates:
    """Files: the CA's certificate for clients, and the server's certificate with its key (0600)."""

    ca: Path
    server: Path


async def ensure_certificates(folder: Path, names: Sequence[str] = ()) -> Certificates:
    """Certificates for loopback and `names` in `folder` (0700), made anew where missing, ending soon or for others.

    Raises MissingTool without `openssl`, and InvalidInput for a name that is neither a host's nor an address.
    """
    wanted = list(dict.fromkeys([*DEFAULT_NAMES, *names]))
    config = config_text("Tidegate", wanted)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    pair = Certificates(folder / "ca.crt", folder / "server.pem")
    authority = folder / "ca.pem"
    made = not await _is_good(authority, CA_MARGIN)
    if made:
        await _make_authority(folder, authority)
    if made or not pair.ca.exists():
        await _publish(authority, pair.ca)
    signed = folder / "server.names"
    same_names = signed.exists() and signed.read_text() == config
    if made or not same_names or not await _is_good(pair.server, SERVER_MARGIN):
        await _make_server(folder, authority, pair.server, config)
        _write(signed, config.encode())
    return pair


def config_text(common_name: str, names: Sequence[str]) -> str:
    """The configuration for `openssl`, with the names that the server's certificate is for."""
    return _CONFIG.format(common_name=common_name, names=", ".join(_alternative(name) for name in names))


def _alternative(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        pass
    plain = name.removeprefix("*.")
    if not plain or not all(part.replace("-", "").isalnum() and part.isascii() for part in plain.split(".")):
        raise InvalidInput(f"{name!r} is neither a host's name nor an address")
    return f"DNS:{name}"


def self_signed_argv(config: Path, key: Path, certificate: Path) -> list[str]:
    """Make the CA's key and certificate."""
    return [
        "openssl", "req", "-x509", "-new", "-config", str(config), "-extensions", "ca", "-days", str(CA_DAYS),
        "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", str(key), "-out", str(certificate),
    ]  # fmt: skip


def request_argv(config: Path, key: Path, request: Path) -> list[str]:
    """Make the server's key and a request to sign its certificate."""
    return [
        "openssl", "req", "-new", "-config", str(config), "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-keyout", str(key), "-out", str(request),
    ]  # fmt: skip


def sign_argv(config: Path, authority: Path, request: Path, certificate: Path, serial: str) -> list[str]:
    """Sign a request by the CA."""
    return [
        "openssl", "x509", "-req", "-in", str(request), "-CA", str(authority), "-CAkey", str(authority),
        "-set_serial", serial, "-days", str(SERVER_DAYS), "-extfile", str(config), "-extensions", "server",
        "-out", str(certificate),
    ]  # fmt: skip


def check_argv(certificate: Path, seconds: int) -> list[str]:
    """Exit 0 if the certificate is still good in `seconds`."""
    return ["openssl", "x509", "-in", str(certificate), "-noout", "-checkend", str(seconds)]


async def _is_good(certificate: Path, margin: int) -> bool:
    if not certificate.exists():
        return False
    done = await process.run(check_argv(certificate, margin), timeout=TIMEOUT, check=False, package=PACKAGE)
    return done.exit_code == 0


async def _make_authority(folder: Path, authority: Path) -> None:
    config, key, certificate = (folder / f"new.{name}" for name in ("conf", "key", "crt"))
    # The common name carries chance: two homes' CAs must not pass for one another in a client's store.
    _write(config, config_text(f"Tidegate {secrets.token_hex(4)}", DEFAULT_NAMES).encode())
    _write(key, b"")
    await process.run(self_signed_argv(config, key, certificate), timeout=TIMEOUT, package=PACKAGE)
    _write(authority, certificate.read_bytes() + key.read_bytes())
    _remove(config, key, certificate)


async def _make_server(folder: Path, authority: Path, server: Path, text: str) -> None:
    config, key, request, certificate = (folder / f"new.{name}" for name in ("conf", "key", "csr", "crt"))
    _write(config, text.encode())
    _write(key, b"")
    await process.run(request_argv(config, key, request), timeout=TIMEOUT, package=PACKAGE)
    serial = f"0x{secrets.token_hex(16)}"
    await process.run(sign_argv(config, authority, request, certificate, serial), timeout=TIMEOUT, package=PACKAGE)
    _write(server, certificate.read_bytes() + key.read_bytes())
    _remove(config, key, request, certificate)


async def _publish(authority: Path, target: Path) -> None:
    done = await process.run(["openssl", "x509", "-in", str(authority)], timeout=TIMEOUT, package=PACKAGE)
    _write(target, done.stdout)


def _write(path: Path, data: bytes) -> None:
    """Replace a file by one that only its owner reads, whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.replace(path)


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
