"""A build whose registry fails at the last blob: nothing is named there, and the next try pushes the same digest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tidegate.base.errors import NotFound, Unavailable
from tidegate.build.request import BuildRequest, CacheSpec, RegistrySettings
from tidegate.build.spawn import build_image
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import parse
from tidegate.oci.auth import Endpoint
from tidegate.oci.blobs import BlobStore
from tidegate.oci.client import RegistryClient
from tidegate.oci.credentials import Login
from tidegate.serve.auth import Authorizer
from tidegate.serve.registry import RegistryDoor

pytestmark = pytest.mark.integration
REFERENCE = parse("registry.example/acme/web:1")
LOGIN = Login("me", "home-token")


@dataclass
class Failing:
    """A registry's door in front of which the blobs after the first so many are answered with 500."""

    app: ASGIApp
    good: int | None = None
    pushed: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "PUT" and "/blobs/" in scope["path"]:
            self.pushed.append(Request(scope).query_params.get("digest", ""))
            if self.good is not None and len(self.pushed) > self.good:
                await Response("no disk", status_code=500)(scope, receive, send)
                return
        await self.app(scope, receive, send)


@dataclass
class World:
    door: Failing
    url: str
    request: BuildRequest

    @property
    def registry(self) -> RegistrySettings:
        return RegistrySettings({"registry.example": Endpoint(self.url, LOGIN)})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async def on_tag(repository: str, tag: str, digest: str) -> None:
        pass

    door = RegistryDoor(BlobStore(tmp_path / "registry"), Authorizer("home-token"), on_tag)
    failing = Failing(Starlette(routes=door.routes()))
    config = uvicorn.Config(failing, port=0, lifespan="off", ws="none", log_level="error")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\nCOPY a /a\nCOPY b /b\n")
    for name in "ab":
        (context / name).write_text(name)
    platforms = tuple(map(Platform.parse, ("linux/arm/v7", "linux/amd64")))
    request = BuildRequest(context, platforms, (REFERENCE,), tmp_path / "cache", 1_700_000_000)
    yield World(failing, f"http://127.0.0.1:{port}", request)
    server.should_exit = True
    await task
    door.close()


async def test_a_registry_that_fails_at_the_last_blob_has_no_tag_and_the_next_try_the_same_digest(world: World) -> None:
    whole = await build_image(world.request, world.registry, print)
    last = len(set(world.door.pushed)) - 1
    other = BuildRequest.from_json(world.request.as_json() | {"tags": ["registry.example/acme/other:1"]})
    world.door.pushed.clear()
    world.door.good = last
    with pytest.raises(Unavailable):
        await build_image(other, world.registry, print)
    async with RegistryClient(world.registry.endpoints) as client:
        with pytest.raises(NotFound):
            await client.manifest(parse("registry.example/acme/other:1"))
        world.door.good = None
        assert await build_image(other, world.registry, print) == whole
        descriptor, _ = await client.manifest(parse("registry.example/acme/other:1"))
        assert descriptor.digest == whole.index_digest


async def test_a_cache_in_a_registry_gives_its_layers_to_another_machine(world: World, tmp_path: Path) -> None:
    cache = CacheSpec("registry", "registry.example/acme/cache:main", "max")
    log: list[str] = []
    first = BuildRequest.from_json(world.request.as_json() | {"tags": [], "cache_to": [vars_of(cache)]})
    built = await build_image(first, world.registry, log.append)
    other = {"tags": [], "cache": str(tmp_path / "other"), "cache_from": [vars_of(cache)]}
    log.clear()
    assert (
        await build_image(BuildRequest.from_json(world.request.as_json() | other), world.registry, log.append) == built
    )
    assert [line for line in log if "COPY" in line]
    assert not [line for line in log if "(built" in line]


def vars_of(cache: CacheSpec) -> dict[str, object]:
    return {name: getattr(cache, name) for name in ("type", "place", "mode", "ignore_error")}
