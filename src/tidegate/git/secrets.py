"""A Git credential from the data of the Secrets that a GitRepository names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote, urlsplit, urlunsplit

from tidegate.base.errors import InvalidInput
from tidegate.engine.ports import Store
from tidegate.engine.secrets import read_secret
from tidegate.git.remote import Credentials
from tidegate.kinds.git_repository import GitRepository

ADDRESS_LIMIT = 2048
# A name is looked up by the proxy, as Flux's does.
_PROXIES = {"http": "http", "https": "https", "socks5": "socks5h"}


def credentials_of(data: Mapping[str, bytes]) -> Credentials:
    """Flux's keys: username and password, bearerToken, identity and known_hosts, ca.crt, tls.crt and tls.key
    (before: caFile, certFile, keyFile). Pure."""
    return Credentials(
        username=_text(data, "username"),
        password=_text(data, "password"),
        bearer_token=_text(data, "bearerToken"),
        identity=data.get("identity", b""),
        known_hosts=data.get("known_hosts", b""),
        ca_file=data.get("ca.crt", data.get("caFile", b"")),
        client_certificate=data.get("tls.crt", data.get("certFile", b"")),
        client_key=data.get("tls.key", data.get("keyFile", b"")),
    )


def proxy_of(data: Mapping[str, bytes], name: str) -> str:
    """The URL of a proxy, from Flux's keys address, username and password of the Secret `name`; InvalidInput. Pure."""
    where = f"the Secret {name} of spec.proxySecretRef"
    address = _text(data, "address").strip()
    if not address:
        raise InvalidInput(
            f"{where} has no `address`", remedy="put the proxy's URL there, as http://proxy.example:3128"
        )
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or parts.scheme not in _PROXIES or len(address) > ADDRESS_LIMIT or not address.isprintable():
        raise InvalidInput(
            f"the `address` of {where} is no URL of a proxy", remedy=f"write {'://, '.join(_PROXIES)}://HOST:PORT"
        )
    user, password = _text(data, "username"), _text(data, "password")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else parts.netloc.rpartition("@")[0]
    login = login if not login or login.endswith("@") else f"{login}@"
    shown = f"[{host}]" if ":" in host else host
    return urlunsplit((_PROXIES[parts.scheme], f"{login}{shown}{f':{port}' if port else ''}", "", "", ""))


async def credentials_for(store: Store, source: GitRepository) -> Credentials | None:
    """What `secretRef` and `proxySecretRef` of a source hold; None where it names neither. NotFound, InvalidInput."""
    found = None
    if source.secret_ref is not None:
        found = credentials_of(await read_secret(store, source.key.namespace, source.secret_ref.name))
    if source.proxy_secret_ref is not None:
        name = source.proxy_secret_ref.name
        proxy = proxy_of(await read_secret(store, source.key.namespace, name), f"{source.key.namespace}/{name}")
        found = replace(found or Credentials(), proxy=proxy)
    return found


def _text(data: Mapping[str, bytes], key: str) -> str:
    return data.get(key, b"").decode("utf-8", "replace").strip("\n")
