"""How an object's registry is reached, out of its Secrets: pull secrets as Kubernetes has them, certificates, proxies.

What is missing is told in the words of Flux's image-reflector-controller, under its reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.base.errors import InvalidInput, NotFound, TidegateError
from tidegate.engine.ports import Store
from tidegate.engine.secrets import read_secret
from tidegate.kinds.common import LocalReference, mapping
from tidegate.kinds.image_repository import ImageRepository
from tidegate.kinds.objects import ObjectKey
from tidegate.oci.credentials import Access, Credentials, Login
from tidegate.oci.routes import AUTHENTICATION_FAILED, NO_WAY, Proxy, Route, Trust

KEYS = (".dockerconfigjson", ".dockercfg")
MOST_SECRETS = 20
"""Pull secrets of one ServiceAccount: each is read for each scan."""


async def pull_credentials(store: Store, namespace: str, names: Sequence[str]) -> Credentials:
    """The logins of these Secrets, a later one's before an earlier one's. NotFound, and InvalidInput where one is no
    pull secret, name the Secret and how to make it.
    """
    logins: dict[str, Login] = {}
    for name in names:
        remedy = f"kubectl create secret docker-registry {name} -n {namespace} --docker-server=HOST --docker-username=…"
        try:
            data = await read_secret(store, namespace, name)
        except NotFound:
            raise NotFound(f'secrets "{name}" not found', remedy=remedy) from None
        config = next((data[key] for key in KEYS if data.get(key)), None)
        if config is None:
            raise InvalidInput(f"the Secret {namespace}/{name} has no key {KEYS[0]}", remedy=remedy)
        try:
            logins.update(Credentials.from_docker_config(config).logins)
        except InvalidInput as error:
            raise InvalidInput(f"the Secret {namespace}/{name}: {error}", remedy=remedy) from None
    return Credentials(logins)


async def image_access(store: Store, image: ImageRepository) -> Access:
    """What an ImageRepository says of its registry: the logins of its Secret, before those of its ServiceAccount; the
    certificates and the proxy that its other Secrets name.

    Raises NotFound, or InvalidInput, with the reason AuthenticationFailed; what the Store itself raises stays as it is.
    """
    try:
        logins: dict[str, Login] = {}
        namespace = image.key.namespace
        if image.service_account_name is not None:
            logins.update((await _account_credentials(store, namespace, image.service_account_name)).logins)
        if image.secret_ref is not None:
            logins.update((await pull_credentials(store, namespace, [image.secret_ref.name])).logins)
        route = await route_of(store, namespace, image.cert_secret_ref, image.proxy_secret_ref)
    except (NotFound, InvalidInput) as error:
        raise _failed(error) from error
    return Access(Credentials(logins), image.insecure, route)


async def route_of(
    store: Store, namespace: str, certificates: LocalReference | None, proxy: LocalReference | None
) -> Route:
    """The way that `certSecretRef` and `proxySecretRef` of an object describe; NotFound, InvalidInput."""
    trust, through = None, None
    if certificates is not None:
        remedy = f"kubectl create secret generic {certificates.name} -n {namespace} --from-file=ca.crt=FILE"
        data = await _secret(store, namespace, certificates.name, f'secrets "{certificates.name}" not found', remedy)
        trust = Trust.from_secret(data, f"{namespace}/{certificates.name}")
    if proxy is not None:
        name = f"{namespace}/{proxy.name}"
        remedy = f"kubectl create secret generic {proxy.name} -n {namespace} --from-literal=address=http://HOST:PORT"
        data = await _secret(store, namespace, proxy.name, f"secret '{name}' not found", remedy)
        through = Proxy.from_secret(data, name)
    return Route(trust, through)


async def _secret(store: Store, namespace: str, name: str, missing: str, remedy: str) -> dict[str, bytes]:
    try:
        return await read_secret(store, namespace, name)
    except NotFound:
        raise NotFound(missing, remedy=remedy) from None


async def _account_credentials(store: Store, namespace: str, account: str) -> Credentials:
    try:
        found = await store.get(ObjectKey("", "ServiceAccount", namespace, account))
    except NotFound:
        remedy = f"kubectl create serviceaccount {account} -n {namespace}"
        raise NotFound(f"serviceaccount '{namespace}/{account}' not found", remedy=remedy) from None
    references = found.get("imagePullSecrets") or []
    given = [mapping(one).get("name") for one in references] if isinstance(references, list) else []
    names = list(dict.fromkeys(name for name in given if isinstance(name, str) and name))
    if len(names) > MOST_SECRETS:
        raise InvalidInput(f"serviceaccount '{namespace}/{account}' names more than {MOST_SECRETS} image pull secrets")
    try:
        return await pull_credentials(store, namespace, names)
    except NotFound as error:
        message = f"failed to get image pull secret for serviceaccount '{namespace}/{account}': {error.message}"
        raise NotFound(message, remedy=error.remedy) from None


def _failed(error: NotFound | InvalidInput) -> TidegateError:
    return type(error)(f"{NO_WAY}: {error}", remedy=error.remedy, code=AUTHENTICATION_FAILED)
