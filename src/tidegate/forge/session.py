"""A connection to a forge's API, as a source's Secrets say: its token, the authorities to believe, the proxy."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping

import httpx2

from tidegate.base.errors import InvalidInput
from tidegate.base.http import make_client, tls_context
from tidegate.git.remote import Credentials

TOKEN_KEYS = ("token", "bearerToken", "password")


def token_in(data: Mapping[str, bytes]) -> str:
    """The token that a Secret holds under one of TOKEN_KEYS; empty where there is none."""
    return next((data[key].decode("utf-8", "replace").strip() for key in TOKEN_KEYS if data.get(key)), "")


def token_of(credentials: Credentials | None) -> str:
    """The token with which a source is read over https; empty where that takes none."""
    return (credentials.bearer_token or credentials.password).strip() if credentials else ""


def api_client(credentials: Credentials | None) -> httpx2.AsyncClient:
    """A client that believes the authorities of the source's Secret beside those of this machine, and goes through the
    source's proxy. Blocks. Raises InvalidInput.
    """
    if credentials is None:
        return make_client()
    proxy = None
    if credentials.proxy:
        if not credentials.proxy.startswith(("http://", "https://")):
            raise InvalidInput("the API is not reached through a SOCKS proxy: spec.proxySecretRef of the source")
        proxy = httpx2.Proxy(credentials.proxy)
    if not credentials.ca_file:
        return make_client(proxy=proxy)
    context = tls_context(os.environ)
    try:
        context.load_verify_locations(cadata=credentials.ca_file.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise InvalidInput("ca.crt of the source's Secret holds no certificates") from None
    return make_client(verify=context, proxy=proxy)
