"""One token for each host, scope and login, however many ask for it at once, until it has nearly run out."""

from __future__ import annotations

import asyncio
import json

import httpx2
import pytest
from tests.oci.fake_registry import WEB, Registry, page, streamed

from tidegate.base.errors import Denied
from tidegate.base.http import make_client
from tidegate.kinds.reference import parse_repository
from tidegate.oci.client import RegistryClient
from tidegate.oci.credentials import Access, Credentials, Login

API = parse_repository("registry.example/acme/api")
MINE = Access(Credentials({"registry.example": Login("me", "x")}))


class Realm:
    """A registry with a realm whose tokens live `life` seconds. It answers each request a turn of the loop later."""

    def __init__(self, life: float | None = 300):
        self.life = life
        self.given: list[str] = []
        self.denies = False
        self.now = 1000.0

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(0)
        return streamed(self._answer(request))

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "auth.example":
            if self.denies:
                return httpx2.Response(403)
            self.given.append(request.url.params["scope"])
            life = {} if self.life is None else {"expires_in": self.life}
            return httpx2.Response(200, content=json.dumps({"token": f"t{len(self.given)}"} | life).encode())
        if not request.headers.get("authorization", "").startswith("Bearer t"):
            return httpx2.Response(401, headers={"www-authenticate": 'Bearer realm="https://auth.example/token"'})
        return page("a")(request)

    def client(self) -> RegistryClient:
        return RegistryClient(http=make_client(httpx2.MockTransport(self)), monotonic=lambda: self.now)


@pytest.fixture
def realm() -> Realm:
    return Realm()


async def test_many_objects_that_begin_at_once_get_one_token(realm: Realm) -> None:
    client = realm.client()
    await asyncio.gather(*(client.using(Access()).tags(WEB) for _ in range(50)))
    assert realm.given == ["repository:acme/web:pull"]


async def test_many_objects_whose_token_has_run_out_get_one_new_token(realm: Realm) -> None:
    client = realm.client()
    await client.tags(WEB)
    realm.now += 300
    await asyncio.gather(*(client.using(Access()).tags(WEB) for _ in range(50)))
    assert len(realm.given) == 2


async def test_each_scope_and_each_login_has_a_token_of_its_own(realm: Realm) -> None:
    client = realm.client()
    await asyncio.gather(*(one.tags(image) for one in (client, client.using(MINE)) for image in (WEB, API)))
    assert sorted(realm.given) == ["repository:acme/api:pull"] * 2 + ["repository:acme/web:pull"] * 2


async def test_hundreds_of_repositories_keep_their_tokens(realm: Realm) -> None:
    client = realm.client()
    images = [parse_repository(f"registry.example/acme/web{number}") for number in range(300)]
    for _ in range(2):
        for image in images:
            await client.tags(image)
    assert len(realm.given) == 300


@pytest.mark.parametrize(("life", "kept", "gone"), [(300, 289, 291), (60, 49, 51), (8, 3, 5), (None, 49, 51)])
async def test_a_token_is_given_up_a_little_before_it_runs_out(life: float | None, kept: float, gone: float) -> None:
    realm = Realm(life)
    client = realm.client()
    await client.tags(WEB)
    realm.now += kept
    await client.tags(WEB)
    assert len(realm.given) == 1
    realm.now += gone - kept
    await client.tags(WEB)
    assert len(realm.given) == 2


async def test_a_token_that_is_refused_while_it_lives_is_replaced_once() -> None:
    registry = Registry(
        lambda request: (
            httpx2.Response(200, content=b'{"token": "new"}')
            if request.url.host == "auth.example"
            else page("a")(request)
            if len(registry.seen) > 4 or ("authorization" in request.headers and len(registry.seen) < 4)
            else httpx2.Response(401, headers={"www-authenticate": 'Bearer realm="https://auth.example/token"'})
        )
    )
    client = registry.client()
    assert await client.tags(WEB) == ["a"]
    assert await client.tags(WEB) == ["a"]
    hosts = [request.url.host.partition(".")[0] for request in registry.seen]
    assert hosts == ["registry", "auth", "registry", "registry", "auth", "registry"]


async def test_a_realm_that_denies_one_leaves_the_next_its_turn(realm: Realm) -> None:
    client = realm.client()
    realm.denies = True
    found = await asyncio.gather(*(client.tags(WEB) for _ in range(5)), return_exceptions=True)
    assert [type(one) for one in found] == [Denied] * 5
    realm.denies = False
    assert await client.tags(WEB) == ["a"]
