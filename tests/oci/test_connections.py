"""One pool for each way to a registry, shared while somebody uses it, and a bounded number of them beside."""

from __future__ import annotations

import asyncio
import ssl

import httpx2
import pytest
from tests.oci.fake_registry import WEB, Registry, page

from tidegate.base.errors import InvalidInput, Unavailable
from tidegate.base.http import make_client
from tidegate.oci import connections
from tidegate.oci.auth import Endpoint
from tidegate.oci.client import RegistryClient
from tidegate.oci.connections import ROUTES_KEPT, Connections
from tidegate.oci.credentials import Access
from tidegate.oci.routes import Proxy, Route, Trust


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[Route, list[httpx2.AsyncClient]]:
    """The clients that were made for each route; they answer in the process."""
    found: dict[Route, list[httpx2.AsyncClient]] = {}

    def client_of(route: Route) -> httpx2.AsyncClient:
        client = make_client(httpx2.MockTransport(Registry(page("a"))))
        found.setdefault(route, []).append(client)
        return client

    monkeypatch.setattr(connections, "client_of", client_of)
    return found


def through(number: int) -> Route:
    return Route(proxy=Proxy(f"http://proxy{number}.example:3128"))


async def test_all_who_take_the_same_way_share_a_pool(made: dict[Route, list[httpx2.AsyncClient]]) -> None:
    client = RegistryClient(http=make_client(httpx2.MockTransport(Registry(page("direct")))))
    for _ in range(3):
        assert await client.using(Access(route=through(1))).tags(WEB) == ["a"]
        assert await client.using(Access(route=through(2))).tags(WEB) == ["a"]
        assert await client.tags(WEB) == ["direct"]
    assert {route: len(clients) for route, clients in made.items()} == {through(1): 1, through(2): 1}


async def test_many_who_begin_at_once_make_one_pool(made: dict[Route, list[httpx2.AsyncClient]]) -> None:
    client = RegistryClient(http=make_client(httpx2.MockTransport(Registry(page("direct")))))
    await asyncio.gather(*(client.using(Access(route=through(1))).tags(WEB) for _ in range(20)))
    assert len(made[through(1)]) == 1


async def test_pools_that_nobody_uses_are_closed_and_others_are_not(
    made: dict[Route, list[httpx2.AsyncClient]],
) -> None:
    held = Connections(make_client(httpx2.MockTransport(Registry(page("a")))))
    async with held.to(through(0)) as used:
        for number in range(1, ROUTES_KEPT + 5):
            async with held.to(through(number)):
                pass
        assert not used.is_closed
        closed = [number for number in range(ROUTES_KEPT + 5) if made[through(number)][0].is_closed]
        assert closed == [1, 2, 3, 4, 5]
    await held.aclose()
    assert all(clients[0].is_closed for clients in made.values())


async def test_clients_of_the_caller_are_the_callers_to_close() -> None:
    http = make_client(httpx2.MockTransport(Registry(page("a"))))
    async with RegistryClient(http=http) as client:
        assert await client.tags(WEB) == ["a"]
    assert not http.is_closed
    await http.aclose()


async def test_a_stand_in_is_reached_without_the_real_registrys_certificates_and_proxy(
    made: dict[Route, list[httpx2.AsyncClient]],
) -> None:
    own = {"registry.example": Endpoint("http://127.0.0.1:5000")}
    client = RegistryClient(own, http=make_client(httpx2.MockTransport(Registry(page("own")))))
    assert await client.using(Access(route=through(1))).tags(WEB) == ["own"]
    assert made == {}


async def test_certificates_that_are_none_are_the_users_to_mend_and_cost_no_request() -> None:
    registry = Registry(page("a"))
    client = registry.client().using(Access(route=Route(Trust(b"none"))))
    with pytest.raises(InvalidInput, match="failed to parse CA certificate"):
        await client.tags(WEB)
    assert registry.seen == []


async def test_a_server_that_wants_a_certificate_is_unavailable() -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        raise ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] certificate required")

    with pytest.raises(Unavailable, match="certificate required"):
        await Registry(handle).client().tags(WEB)
