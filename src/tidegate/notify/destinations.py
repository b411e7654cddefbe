"""Where a Provider sends to: its spec, with what its Secrets add. The keys of the Secrets are Flux's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import yaml

from tidegate.base.errors import InvalidInput
from tidegate.engine.clock import Clock
from tidegate.engine.ports import Store
from tidegate.engine.secrets import read_secret
from tidegate.kinds.provider import Provider
from tidegate.notify.messages import Destination
from tidegate.notify.request import Request
from tidegate.notify.sending import send
from tidegate.oci.connections import client_of
from tidegate.oci.pull_secrets import route_of

_HEADERS_LIMIT = 64
_LONGEST_TIMEOUT = 60.0


async def destination_of(provider: Provider, store: Store) -> Destination:
    """Read the Secret of a Provider; NotFound, InvalidInput where it can't be used. No error shows a value of it."""
    namespace, data = provider.key.namespace, dict[str, bytes]()
    if provider.secret_ref is not None:
        data = await read_secret(store, namespace, provider.secret_ref.name)
    values = {
        name: _text(value, name) for name, value in data.items() if name in ("address", "token", "headers", "username")
    }
    address = values.get("address", "") or provider.address
    if address and not address.startswith(("http://", "https://")):
        raise InvalidInput("address in the Secret is no http or https URL")
    return Destination(
        type=provider.type,
        address=address,
        channel=provider.channel,
        username=provider.username or values.get("username", ""),
        uid=provider.uid,
        token=values.get("token", ""),
        headers=_headers(values.get("headers", "")),
    )


async def send_to(provider: Provider, request: Request, store: Store, clock: Clock) -> None:
    """Bring a request to a Provider, on the way that its Secrets describe. Raises what `send` raises, and InvalidInput
    where a certificate or a proxy can't be used.
    """
    route = await route_of(store, provider.key.namespace, provider.cert_secret_ref, provider.proxy_secret_ref)
    http = await asyncio.to_thread(client_of, route)
    try:
        await send(http, request, clock, min(provider.timeout_seconds, _LONGEST_TIMEOUT))
    finally:
        await http.aclose()


def _text(value: bytes, name: str) -> str:
    try:
        return value.decode().strip()
    except UnicodeDecodeError:
        raise InvalidInput(f"{name} in the Secret of the Provider is no text") from None


def _headers(text: str) -> Mapping[str, str]:
    """`headers` of the Secret: a YAML mapping of strings."""
    if not text:
        return {}
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        found = None
    named = isinstance(found, dict) and all(isinstance(one, str) for pair in found.items() for one in pair)
    if not named or len(found) > _HEADERS_LIMIT or not all(value.isprintable() for value in found.values()):
        raise InvalidInput("headers in the Secret of the Provider is no YAML mapping of strings")
    return dict(found)
