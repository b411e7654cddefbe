"""The way to a registry that an object's Secrets describe: who is trusted, who we are in TLS, which proxy. Pure.

The Secrets' keys, and what is said of a wrong one, are Flux's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

import httpx2

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen

CA, CERTIFICATE, KEY = "ca.crt", "tls.crt", "tls.key"
_OLDER = {CA: "caFile", CERTIFICATE: "certFile", KEY: "keyFile"}
_LONGEST_ADDRESS = 2048
AUTHENTICATION_FAILED = "AuthenticationFailed"
"""Flux's reason where what a Secret says can't be used, or the Secret is not there; `NO_WAY` begins the message."""
NO_WAY = "failed to configure authentication options"


@frozen
class Trust:
    """`authorities` count beside the machine's; `certificate` and `key`, where there, are shown to the server. PEM."""

    authorities: bytes = field(default=b"", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)

    @classmethod
    def from_secret(cls, data: Mapping[str, bytes], name: str) -> Trust:
        """Read a Secret's data; `name` is its NAMESPACE/NAME. InvalidInput where neither a CA nor a pair is in it."""
        authorities, certificate, key = (
            data.get(one) or data.get(_OLDER[one]) or b"" for one in (CA, CERTIFICATE, KEY)
        )
        if bool(certificate) != bool(key):
            there, missing = (CERTIFICATE, KEY) if certificate else (KEY, CERTIFICATE)
            raise InvalidInput(f"secret '{name}' contains '{there}' but missing '{missing}'", remedy=f"add {missing}")
        if not authorities and not certificate:
            raise InvalidInput(
                f"secret '{name}' must contain either '{CA}' or both '{CERTIFICATE}' and '{KEY}'",
                remedy=f"kubectl create secret generic NAME --from-file={CA}=FILE",
            )
        return cls(authorities, certificate, key)


@frozen
class Proxy:
    """An HTTP proxy; `url` has no user and password in it."""

    url: str
    username: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def from_secret(cls, data: Mapping[str, bytes], name: str) -> Proxy:
        """Read a Secret's data; `name` is its NAMESPACE/NAME. InvalidInput never shows the address, which may hold a
        password.
        """
        if "address" not in data:
            raise InvalidInput(f"secret '{name}': key 'address' not found", remedy="set it to http://HOST:PORT")
        texts = {key: _text(data.get(key, b""), name, key) for key in ("address", "username", "password")}
        address = texts["address"].strip()
        if not address:
            raise InvalidInput(f"secret '{name}': proxy address is empty", remedy="set it to http://HOST:PORT")
        url = _address(address, name)
        username, password = texts["username"] or url.username, texts["password"] or url.password
        return cls(str(url.copy_with(userinfo=b"")), username, password)


@frozen
class Route:
    """How a registry is reached: as this machine reaches everything, but for what is named here."""

    trust: Trust | None = None
    proxy: Proxy | None = None


def _text(value: bytes, name: str, key: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"secret '{name}': key '{key}' is no text", remedy="write it in UTF-8") from None


def _address(address: str, name: str) -> httpx2.URL:
    if len(address) > _LONGEST_ADDRESS:
        raise InvalidInput(f"secret '{name}': proxy URL exceeds maximum length of {_LONGEST_ADDRESS} characters")
    try:
        url = httpx2.URL(address)
    except httpx2.InvalidURL:
        raise InvalidInput(f"secret '{name}': failed to parse proxy address", remedy="write http://HOST:PORT") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidInput(
            f"secret '{name}': proxy URL must use one of the supported schemes (http, https)",
            remedy="write http://HOST:PORT; a SOCKS proxy can't be used",
        )
    return url
