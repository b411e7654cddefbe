"""Reads a Secret's data for a controller; the values go no further than the call that needs them."""

from __future__ import annotations

import base64
import binascii

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.engine.ports import Store
from tidegate.kinds.objects import ObjectKey


async def read_secret(store: Store, namespace: str, name: str) -> dict[str, bytes]:
    """The decoded data of a Secret; NotFound names it and how to make it."""
    try:
        secret = await store.get(ObjectKey("", "Secret", namespace, name))
    except NotFound:
        remedy = f"kubectl create secret generic {name} -n {namespace} --from-literal=KEY=VALUE"
        raise NotFound(f"the Secret {namespace}/{name} does not exist", remedy=remedy) from None
    try:
        data = {key: base64.b64decode(value, validate=True) for key, value in (secret.get("data") or {}).items()}
    except (binascii.Error, ValueError, TypeError):
        raise InvalidInput(f"the data of the Secret {namespace}/{name} is not base64") from None
    return data | {key: str(value).encode() for key, value in (secret.get("stringData") or {}).items()}
