"""`up --repo` without `--path`: the only cluster is deployed; where there is none or several, that is said."""

import asyncio

import pytest

from tidegate.base.errors import NotFound
from tidegate.base.files import MemoryFiles
from tidegate.engine.clock import SystemClock
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.objects import ObjectKey, annotation
from tidegate.serve.following import SOURCE, Followed, Follower

SYNC = ObjectKey("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "flux-system")
URL = "https://git.example/acme/shop"


class OneTree(MemoryFiles):
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


class Trees:
    """Files by revision."""

    def __init__(self):
        self.files = {}

    async def open(self, source, revision, digest=None):
        if revision not in self.files:
            raise NotFound("not here")
        return OneTree(dict.fromkeys(self.files[revision], b""))


class World:
    def __init__(self, folder, path=None):
        self.store, self.trees, self.said = SqliteStore(folder / "store.db", SystemClock()), Trees(), []
        followed = Followed(URL, "main", path)
        self.heard = asyncio.Event()
        self.follower = Follower(self.store, self.trees, SystemClock(), followed, self._say)

    def _say(self, line):
        self.said.append(line)
        self.heard.set()

    async def fetched(self, revision, *paths):
        self.trees.files[revision] = paths
        await self.store.patch_status(SOURCE, {"artifact": {"revision": revision}}, manager="source-controller")

    async def until_said(self, word):
        async with asyncio.timeout(20):
            while not any(word in line for line in self.said):
                self.heard.clear()
                await self.heard.wait()


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.store.close()


async def test_the_only_cluster_of_a_followed_repository_is_deployed(world):
    await world.follower.begin()
    await world.fetched("main@sha1:1", "clusters/prod/a.yaml")
    async with asyncio.timeout(20):
        await world.follower.run()
    assert (await world.store.get(SYNC))["spec"]["path"] == "./clusters/prod"
    assert "deploying clusters/prod from main" in world.said


async def test_where_nothing_can_be_deployed_it_is_said_marked_and_looked_at_again(world):
    await world.follower.begin()
    running = asyncio.create_task(world.follower.run())
    await world.fetched("main@sha1:1", "README.md")
    await world.until_said("nothing is deployed: there is no folder clusters/*/: name one with --path")
    assert str(annotation(await world.store.get(SOURCE), "tidegate.dev/not-deployed")).startswith("NoFolder: ")
    events = (await world.store.list("", "Event")).items
    assert [(one["type"], one["reason"]) for one in events] == [("Warning", "NoFolder")]
    await world.fetched("main@sha1:2", "clusters/prod/a.yaml")
    async with asyncio.timeout(20):
        await running
    assert (await world.store.get(SYNC))["spec"]["path"] == "./clusters/prod"
    assert annotation(await world.store.get(SOURCE), "tidegate.dev/not-deployed") is None


async def test_a_named_folder_is_deployed_without_looking(tmp_path):
    world = World(tmp_path, path="deploy")
    await world.follower.begin()
    async with asyncio.timeout(20):
        await world.follower.run()
    assert (await world.store.get(SYNC))["spec"]["path"] == "./deploy"
    world.store.close()
