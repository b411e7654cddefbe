"""How one API server is reached and who asks: addresses, TLS, and credentials that may change while we run."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import field
from pathlib import Path
from typing import Protocol

from tidegate.base.errors import Denied, InvalidInput, Where
from tidegate.base.frozen import frozen
from tidegate.base.private import private_folder, write_private
from tidegate.engine.clock import Clock

REREAD_AFTER = 60.0
"""Seconds after which a token file is read again even where it looks unchanged."""
FILE_LIMIT = 1024 * 1024
Headers = tuple[tuple[str, str], ...]


@frozen
class Certificate:
    """A client certificate and its key, as PEM."""

    certificate: bytes = field(repr=False)
    key: bytes = field(repr=False)


@frozen
class Identity:
    """What requests carry to say who asks."""

    headers: Headers = field(default=(), repr=False)
    certificate: Certificate | None = None


class Credential(Protocol):
    """Gives the present identity, and another one when the server has refused it."""

    async def identity(self) -> Identity:
        """The identity for the next request. Denied where it can't be had now."""
        ...

    async def renew(self) -> bool:
        """Called after a 401: forget what was cached; whether it is worth asking again."""
        ...


class FixedCredential:
    """An identity that does not change."""

    def __init__(self, identity: Identity):
        self._identity = identity

    async def identity(self) -> Identity:
        """The identity."""
        return self._identity

    async def renew(self) -> bool:
        """There is no other."""
        return False


class TokenFile:
    """A bearer token in a file that somebody rotates: read again when it changes, and at least each minute."""

    def __init__(self, path: Path, clock: Clock, extra: Identity | None = None):
        self._path = path
        self._clock = clock
        self._extra = extra or Identity()
        self._seen: tuple[int, int, int] | None = None
        self._read_at = 0.0
        self._token = ""

    async def identity(self) -> Identity:
        """The identity with the token that is in the file now. Denied where the file can't be read or is empty."""
        try:
            found = self._path.stat()
            mark = (found.st_ino, found.st_mtime_ns, found.st_size)
            if mark != self._seen or self._clock.monotonic() - self._read_at >= REREAD_AFTER:
                self._token = self._path.read_text().strip()
                self._seen, self._read_at = mark, self._clock.monotonic()
        except (OSError, ValueError) as error:
            raise Denied(f"the token file can't be read: {error}", where=Where(file=str(self._path))) from error
        if not self._token:
            raise Denied("the token file is empty", where=Where(file=str(self._path)))
        return Identity((*bearer(self._token), *self._extra.headers), self._extra.certificate)

    async def renew(self) -> bool:
        """Read the file anew; whether another token is in it."""
        before, self._seen = self._token, None
        await self.identity()
        return self._token != before


class ActingAs:
    """Another credential's identity that acts as a user; whom it acted as before counts no more. The API server gives a
    service account's groups itself.
    """

    def __init__(self, credential: Credential, user: str):
        self._credential = credential
        self._headers = impersonation(user, (), "", ())

    async def identity(self) -> Identity:
        """The other's identity as that user. Denied where it can't be had now."""
        found = await self._credential.identity()
        own = tuple(header for header in found.headers if not header[0].lower().startswith("impersonate-"))
        return Identity((*own, *self._headers), found.certificate)

    async def renew(self) -> bool:
        """Whether the other has a new identity."""
        return await self._credential.renew()


def bearer(token: str) -> Headers:
    """The header of a bearer token."""
    return (("Authorization", f"Bearer {token}"),)


def basic(user: str, password: str) -> Headers:
    """The header of a user name and a password."""
    return (("Authorization", f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"),)


@frozen
class Verification:
    """How the server's certificate is checked: by `authority` (PEM; None for the system's), under `server_name`."""

    authority: bytes | None = field(default=None, repr=False)
    server_name: str | None = None
    insecure: bool = False


@frozen
class Connection:
    """Where an API server is and who asks it. `origin` names for people where this is configured, `remedy` what to do
    where it does not answer.
    """

    server: str
    credential: Credential = field(default_factory=lambda: FixedCredential(Identity()), repr=False)
    verification: Verification = Verification()
    proxy: str | None = field(default=None, repr=False)
    namespace: str | None = None
    origin: str = ""
    remedy: str = "is it running?"


def plain(server: str, token: str | None = None, *, remedy: str = "is it running?") -> Connection:
    """A server with at most a token: the doors of a Tidegate on this machine."""
    credential = FixedCredential(Identity(bearer(token) if token else ()))
    return Connection(server, credential, remedy=remedy)


def tls_context(verification: Verification, certificate: Certificate | None) -> ssl.SSLContext:
    """The TLS settings of a connection. InvalidInput where a certificate or key is none."""
    try:
        if verification.authority is None:
            context = ssl.create_default_context()
        else:
            context = ssl.create_default_context(cadata=verification.authority.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise InvalidInput(f"the certificate authority is no PEM of certificates: {error}") from error
    if verification.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        _load(context, certificate)
    return context


def _load(context: ssl.SSLContext, certificate: Certificate) -> None:
    """Python reads a chain from files only: private ones, gone at once."""
    with private_folder() as folder:
        paths = [write_private(folder / "tls.crt", certificate.certificate)]
        paths.append(write_private(folder / "tls.key", certificate.key))
        try:
            # Without a password of its own, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(paths[0], paths[1], password="")
        except (ssl.SSLError, OSError, ValueError) as error:
            message = f"the client certificate and its key are no pair in PEM: {error}"
            raise InvalidInput(message, remedy="look at client-certificate and client-key of the user") from error


def impersonation(user: str, groups: Sequence[str], uid: str, extra: Sequence[tuple[str, Sequence[str]]]) -> Headers:
    """The headers by which a request acts as somebody else."""
    headers = [("Impersonate-User", user)] if user else []
    headers += [("Impersonate-Group", group) for group in groups]
    headers += [("Impersonate-Uid", uid)] if uid else []
    headers += [(f"Impersonate-Extra-{name}", value) for name, values in extra for value in values]
    return tuple(headers)
