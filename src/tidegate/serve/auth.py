"""Who asks at a door, and what they may do there: the home's own token, and short-lived tokens of runs.

Only digests of tokens are kept. Run tokens live in memory: after a restart they are worth nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterable

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.base.frozen import frozen

ADMIN = "admin"
_TOKEN_PREFIX = "tgr_"  # noqa: S105 - a mark by which scanners for secrets can know one
_HEADER_LIMIT = 8192
_TOKENS_LIMIT = 10_000


@frozen
class Credential:
    """Somebody who showed a token. `scopes` are `admin`, `repo:OWNER/NAME:read|write` and `packages:OWNER:write`."""

    subject: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Whether this reaches `scope`; writing includes reading, and owners' letter case does not matter."""
        wanted = scope.lower()
        held = {one.lower() for one in self.scopes}
        return ADMIN in held or wanted in held or wanted.removesuffix(":read") + ":write" in held

    def owners(self, what: str, level: str) -> list[str]:
        """The owners for whose `what` (packages) this has the `level`, sorted."""
        parts = (scope.split(":") for scope in self.scopes)
        return sorted(part[1] for part in parts if len(part) == 3 and (part[0], part[2]) == (what, level))


@frozen
class _Issued:
    credential: Credential
    expires: float


class Authorizer:
    """Knows the tokens. `monotonic` gives seconds; a run token ends by it, or when it is revoked."""

    def __init__(self, home_token: str, monotonic: Callable[[], float] = time.monotonic):
        if not home_token:
            raise InvalidInput(
                "the home's token is empty", remedy="remove the file `token` in the home; it is made anew"
            )
        self._home = _digest(home_token)
        self._monotonic = monotonic
        self._issued: dict[bytes, _Issued] = {}

    def identify(self, header: str | None) -> Credential | None:
        """The credential of an Authorization header: `Bearer TOKEN`, `token TOKEN` as GitHub has it, or Basic with any
        user and the token as password.

        None for no header, another scheme and an unknown, revoked or expired token.
        """
        token = token_of(header)
        if token is None:
            return None
        digest = _digest(token)
        if hmac.compare_digest(digest, self._home):
            return Credential("home", frozenset({ADMIN}))
        # A lookup by digest says nothing about a token: whoever times it can't choose the digest's bytes.
        issued = self._issued.get(digest)
        return issued.credential if issued is not None and issued.expires > self._monotonic() else None

    def issue(self, subject: str, scopes: Iterable[str], lifetime_s: float) -> str:
        """A new token for `subject` that is worth `scopes` for `lifetime_s` seconds. Raises LimitExceeded."""
        now = self._monotonic()
        self._issued = {digest: issued for digest, issued in self._issued.items() if issued.expires > now}
        if len(self._issued) >= _TOKENS_LIMIT:
            raise LimitExceeded(f"more than {_TOKENS_LIMIT} tokens are in use")
        token = _TOKEN_PREFIX + secrets.token_urlsafe(32)
        self._issued[_digest(token)] = _Issued(Credential(subject, frozenset(scopes)), now + lifetime_s)
        return token

    def revoke(self, token: str) -> None:
        """End a run's token; one that is not known is none already."""
        self._issued.pop(_digest(token), None)


def token_of(header: str | None) -> str | None:
    """The token that an Authorization header carries, or None where it carries none."""
    scheme, _, value = (header or "")[:_HEADER_LIMIT].strip().partition(" ")
    if scheme.lower() in ("bearer", "token"):
        return value.strip() or None
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return decoded.partition(":")[2] or None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
