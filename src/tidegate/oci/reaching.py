"""Why a registry was not reached: what the TLS library means, and what its user does about it. Pure."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import httpx2

_UNKNOWN_ISSUER = frozenset({18, 19, 20, 21})  # OpenSSL's X509_V_ERR_*: its own, or no authority's that is known here
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"})

_PLAIN = "it answers without TLS: where that is meant, set spec.insecure of the ImageRepository (a command: --insecure)"
_AUTHORITY = (
    "let its CA be trusted: a Secret with ca.crt, which spec.certSecretRef of the ImageRepository names (a command: "
    "SSL_CERT_FILE)"
)
_CERTIFICATE = (
    "where it asks for a certificate, put tls.crt and tls.key into the Secret that spec.certSecretRef of the"
    " ImageRepository names"
)
PROXY = "set username and password, as the proxy knows them, in the Secret that spec.proxySecretRef names"
"""What to do about a 407."""


def reason(error: Exception) -> str:
    """What happened, in one short line."""
    if isinstance(error, httpx2.LocalProtocolError):  # its text may show a header, and so a credential
        return "what is to be sent is no HTTP request; see whether the credential has a line break or the like in it"
    text = " ".join(str(error).split())
    return text[:200] or type(error).__name__


def speaks_tls(error: Exception) -> bool:
    """Whether the other side speaks TLS, though nothing came of it: its certificate isn't trusted, or it wants ours."""
    return any(
        isinstance(one, ssl.SSLCertVerificationError) or (isinstance(one, ssl.SSLError) and "ALERT" in _name(one))
        for one in _chain(error)
    )


def remedy(error: Exception) -> str | None:
    """The next thing to do, where the error tells."""
    if isinstance(error, httpx2.ProxyError) and str(error).startswith("407"):
        return PROXY
    for one in _chain(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            return _AUTHORITY if one.verify_code in _UNKNOWN_ISSUER else None
        if isinstance(one, ssl.SSLError) and _name(one) in _NO_TLS:
            return _PLAIN
        if isinstance(one, ssl.SSLError) and "ALERT" in _name(one):
            return _CERTIFICATE
    return None


def _name(error: ssl.SSLError) -> str:
    return str(getattr(error, "reason", None) or "").upper().replace(" ", "_")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
