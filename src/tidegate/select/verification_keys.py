"""The public keys that `tidegate.dev/verify` names: those of a Secret or a ConfigMap of the policy's namespace."""

from __future__ import annotations

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.engine.ports import Store
from tidegate.engine.secrets import read_secret
from tidegate.kinds.common import mapping
from tidegate.kinds.objects import ObjectKey
from tidegate.oci.public_keys import PublicKey, parse_public_key
from tidegate.select.annotations import VERIFY

SUFFIX = ".pub"
MOST_KEYS = 10


async def verification_keys(store: Store, namespace: str, wanted: PublicKey | str) -> tuple[PublicKey, ...]:
    """The key itself, or every `*.pub` (cosign.pub, as cosign names it) of the Secret or else ConfigMap `wanted`: one
    of them must have signed, so that keys can be changed. NotFound where there is neither, InvalidInput for no key.
    """
    if isinstance(wanted, PublicKey):
        return (wanted,)
    remedy = f"kubectl create secret generic {wanted} -n {namespace} --from-file=cosign.pub"
    what, data = await _data(store, namespace, wanted, remedy)
    names = sorted(name for name in data if name.endswith(SUFFIX))
    if not 1 <= len(names) <= MOST_KEYS:
        raise InvalidInput(
            f"{what}, which {VERIFY} names, has {len(names)} keys *{SUFFIX}, not 1 to {MOST_KEYS}", remedy=remedy
        )
    keys = []
    for name in names:
        try:
            keys.append(parse_public_key(data[name]))
        except InvalidInput as error:
            raise InvalidInput(f"{name} of {what}: {error.message}", remedy=error.remedy) from None
    return tuple(keys)


async def _data(store: Store, namespace: str, name: str, remedy: str) -> tuple[str, dict[str, bytes]]:
    try:
        return f"the Secret {namespace}/{name}", await read_secret(store, namespace, name)
    except NotFound:
        pass
    try:
        found = await store.get(ObjectKey("", "ConfigMap", namespace, name))
    except NotFound:
        message = f"neither a Secret nor a ConfigMap {namespace}/{name} is there, which {VERIFY} names"
        raise NotFound(message, remedy=remedy) from None
    data = {str(key): str(value).encode() for key, value in mapping(found.get("data")).items()}
    return f"the ConfigMap {namespace}/{name}", data
