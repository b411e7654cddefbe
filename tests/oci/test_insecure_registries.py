"""`insecure`, and this machine: TLS where the registry speaks it, plain http where it does not, and never from the one
to the other.
"""

from __future__ import annotations

import asyncio
import ssl

import httpx2
import pytest
from tests.oci.fake_registry import WEB, Registry, page

from tidegate.base.errors import Denied, InvalidInput, Unavailable
from tidegate.kinds.reference import Repository, parse_repository
from tidegate.oci.auth import default_endpoint
from tidegate.oci.client import RegistryClient
from tidegate.oci.credentials import Access, Credentials, Login

LOGIN = Login("me", "s3cret")
INSECURE = Access(Credentials({"registry.example": LOGIN}), insecure=True)


def plain_only(request: httpx2.Request) -> httpx2.Response:
    if request.url.scheme == "https":
        raise httpx2.ConnectError("[SSL] record layer failure", request=request)
    if "authorization" not in request.headers:
        return httpx2.Response(401, headers={"www-authenticate": 'Basic realm="x"'})
    return page("a")(request)


def tls_only(request: httpx2.Request) -> httpx2.Response:
    """As Go's servers answer."""
    if request.url.scheme == "http":
        return httpx2.Response(400, text="Client sent an HTTP request to an HTTPS server.\n")
    return page("a")(request)


def untrusted(request: httpx2.Request) -> httpx2.Response:
    if request.url.scheme == "http":
        return tls_only(request)
    error = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate")
    error.verify_code = 18
    raise httpx2.ConnectError(str(error), request=request) from error


def schemes(registry: Registry) -> list[str]:
    return [request.url.scheme for request in registry.seen]


def client_of(registry: Registry, access: Access = INSECURE) -> RegistryClient:
    return registry.client().using(access)


async def test_a_plain_registry_is_found_out_once() -> None:
    registry = Registry(plain_only)
    client = client_of(registry)
    assert await client.tags(WEB) == ["a"]
    assert await client.tags(WEB) == ["a"]
    assert schemes(registry) == ["https", "http", "http", "http"]


async def test_many_at_once_all_find_it() -> None:
    client = client_of(Registry(plain_only))
    assert await asyncio.gather(*(client.tags(WEB) for _ in range(10))) == [["a"]] * 10


async def test_a_registry_that_speaks_tls_is_asked_so_and_held_to_it() -> None:
    down = False

    def handle(request: httpx2.Request) -> httpx2.Response:
        if down:
            raise httpx2.ConnectError("connection refused", request=request)
        return page("a")(request)

    registry = Registry(handle)
    client = client_of(registry)
    assert await client.tags(WEB) == ["a"]
    down = True
    with pytest.raises(Unavailable):
        await client.tags(WEB)
    assert set(schemes(registry)) == {"https"}


async def test_without_insecure_nothing_is_asked_in_plain() -> None:
    registry = Registry(plain_only)
    with pytest.raises(Unavailable, match="record layer failure"):
        await client_of(registry, Access(INSECURE.credentials)).tags(WEB)
    assert set(schemes(registry)) == {"https"}


async def test_a_realm_that_is_down_does_not_make_the_registry_plain() -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "auth.example":
            raise httpx2.ConnectError("connection refused", request=request)
        return httpx2.Response(401, headers={"www-authenticate": 'Bearer realm="https://auth.example/token"'})

    registry = Registry(handle)
    with pytest.raises(Unavailable):
        await client_of(registry).tags(WEB)
    assert set(schemes(registry)) == {"https"}


async def test_the_realm_of_an_insecure_registry_may_be_plain_on_its_own_host_alone() -> None:
    def realm_at(host: str) -> Registry:
        def handle(request: httpx2.Request) -> httpx2.Response:
            if request.url.scheme == "https":
                raise httpx2.ConnectError("connection refused", request=request)
            if request.url.path == "/token":
                return httpx2.Response(200, content=b'{"token": "t"}')
            if request.headers.get("authorization") == "Bearer t":
                return page("a")(request)
            return httpx2.Response(401, headers={"www-authenticate": f'Bearer realm="http://{host}/token"'})

        return Registry(handle)

    assert await client_of(realm_at("registry.example")).tags(WEB) == ["a"]
    with pytest.raises(Denied, match="not https"):
        await client_of(realm_at("auth.example")).tags(WEB)


async def test_this_machine_is_asked_in_plain_at_once() -> None:
    registry = Registry(page("a"))
    await client_of(registry).tags(parse_repository("localhost:5000/acme/web"))
    assert schemes(registry) == ["http"]


LOCAL = parse_repository("localhost:5000/acme/web")


async def test_this_machine_is_asked_over_tls_where_it_speaks_nothing_else() -> None:
    registry = Registry(tls_only)
    client = client_of(registry, Access())
    assert await client.tags(LOCAL) == ["a"]
    assert await client.tags(LOCAL) == ["a"]
    assert schemes(registry) == ["http", "https", "https"]


async def test_a_bad_request_is_not_taken_for_tls_where_nothing_speaks_it() -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if request.url.scheme == "https":
            raise httpx2.ConnectError("[SSL: WRONG_VERSION_NUMBER]", request=request)
        return httpx2.Response(400, text="no")

    with pytest.raises(InvalidInput, match="answered 400"):
        await client_of(Registry(handle), Access()).tags(LOCAL)


@pytest.mark.parametrize("repository", [WEB, LOCAL])
async def test_a_certificate_that_is_not_trusted_is_told_and_nothing_goes_on_in_plain(repository: Repository) -> None:
    registry = Registry(untrusted)
    with pytest.raises(Unavailable, match="self-signed certificate") as caught:
        await client_of(registry).tags(repository)
    assert "spec.certSecretRef" in (caught.value.remedy or "")
    assert registry.seen[-1].url.scheme == "https"
    assert "http" not in schemes(registry) or repository == LOCAL


async def test_a_registry_that_was_down_is_asked_over_tls_when_it_is_back() -> None:
    down = True

    def handle(request: httpx2.Request) -> httpx2.Response:
        if down and request.url.scheme == "https":
            raise httpx2.ConnectError("connection refused", request=request)
        return tls_only(request)

    registry = Registry(handle)
    client = client_of(registry)
    with pytest.raises(InvalidInput, match="answered 400"):
        await client.tags(WEB)
    down = False
    assert await client.tags(WEB) == ["a"]
    assert schemes(registry)[-1] == "https"


def test_no_login_goes_to_a_proxy_in_plain_because_of_a_name_of_this_machine() -> None:
    assert default_endpoint("localhost:5000", proxied=True).url == "https://localhost:5000"
    assert not default_endpoint("localhost:5000", proxied=True).guessed
