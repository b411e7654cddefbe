"""The whole process through cuts, storms, restarts and kills: every object becomes what Git says, once, and none that
is wanted is ever gone.
"""

import asyncio
import contextlib
import json
import random

import httpx2
import pytest
from tests.integration.cluster_deploys import DeployWorld, config_map, namespace
from tests.integration.cutting_proxy import CuttingProxy
from tests.integration.storm_proxy import StormProxy

pytestmark = pytest.mark.integration
MAPS = "/api/v1/namespaces/shop/configmaps"
COUNT, FEWER = 50, 40


@pytest.fixture
async def world(bare_cluster, tmp_path):
    async with DeployWorld.opened(bare_cluster, tmp_path) as world:
        await world.follow()
        yield world


class History:
    """What became of each ConfigMap, in order: its versions, and `gone` where it was deleted."""

    def __init__(self, cluster):
        self._cluster = cluster
        self.of = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def kept(cls, cluster):
        history = cls(cluster)
        stop = asyncio.Event()
        task = asyncio.create_task(history._keep(stop))
        try:
            yield history
        finally:
            stop.set()
            await task

    async def _keep(self, stop):
        """Look so often that no version is missed: each one lasts for a second at least. The last look begins after
        `stop` is set, so it sees the end of what was waited for.
        """
        async with self._cluster.http() as http:
            last = False
            while not last:
                last = stop.is_set()
                with contextlib.suppress(httpx2.TransportError, json.JSONDecodeError):
                    answer = await http.get(MAPS)
                    if answer.status_code == 200:
                        self._note({one["metadata"]["name"]: one["data"]["n"] for one in answer.json()["items"]})
                await asyncio.sleep(0.05)

    def _note(self, present):
        for name, number in present.items():
            states = self.of.setdefault(name, [])
            if not states or states[-1] != number:
                states.append(number)
        for name, states in self.of.items():
            if name not in present and states[-1] != "gone":
                states.append("gone")

    def count(self, number):
        return sum(1 for states in self.of.values() if states[-1] == str(number))


def files(number, count=COUNT):
    maps = [config_map(f"c{one}", {"n": str(number)}) for one in range(count)]
    return {"apps/ns.yaml": namespace("shop"), "apps/maps.yaml": "---\n".join(maps)}


async def settled(world, revision, number, count=COUNT, seconds=180):
    """Wait until a revision is applied; everything is then as it says."""
    await world.applied(revision, seconds=seconds)
    items = (await world.cluster.get(MAPS))["items"]
    assert {one["metadata"]["name"]: one["data"] for one in items} == {
        f"c{one}": {"n": str(number)} for one in range(count)
    }


@contextlib.asynccontextmanager
async def restarted(process):
    """As the kubelet does: a process that has ended is started again."""

    async def keep():
        while True:
            if not process.program.running:
                process.program.start()
            await asyncio.sleep(1)

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def assert_once(history, last):
    """Nobody's values went back or came twice, and only what is not wanted went."""
    numbers = [str(number) for number in range(1, last + 1)]
    for name, states in history.of.items():
        wanted = int(name[1:]) < FEWER
        expected = numbers if wanted else [*numbers[:-1], "gone"]
        assert states == expected, f"{name}: {states}"


async def test_through_cuts_and_restarts_of_the_api_server(world):
    chance = random.Random(5)
    async with CuttingProxy(world.cluster.port, lambda: chance.randint(3_000, 60_000)) as proxy:
        process = await world.start(url=f"https://127.0.0.1:{proxy.port}")
        async with restarted(process), History.kept(world.cluster) as history:
            await settled(world, await world.push(files(1)), 1)
            revision = await world.push(files(2))
            await until(lambda: history.count(2) >= 5)
            world.cluster.server.kill()
            await asyncio.sleep(1)
            await world.cluster.start()
            await settled(world, revision, 2)
            await settled(world, await world.push(files(3, FEWER)), 3, FEWER)
        assert proxy.cuts > 5
        assert_once(history, 3)


async def test_through_storms_of_refusals(world):
    async with StormProxy(world.cluster, seed=3) as proxy:
        process = await world.start(url=proxy.url)
        async with restarted(process), History.kept(world.cluster) as history:
            await settled(world, await world.push(files(1)), 1)
            await settled(world, await world.push(files(2)), 2)
            await settled(world, await world.push(files(3, FEWER)), 3, FEWER)
        assert min(proxy.refused.values()) > 5, proxy.refused
        assert_once(history, 3)


async def test_a_leader_that_is_killed_in_the_middle_of_an_apply(world):
    first = await world.start(name="first")
    await first.until_it_says("holding the lease flux-system/source-controller-leader-election")
    second = await world.start(name="second")
    try:
        async with History.kept(world.cluster) as history:
            await settled(world, await world.push(files(1)), 1)
            revision = await world.push(files(2))
            await until(lambda: history.count(2) >= 5)
            first.program.kill()
            killed_at = history.count(2)
            await settled(world, revision, 2)
            await settled(world, await world.push(files(3, FEWER)), 3, FEWER)
        assert_once(history, 3)
        assert killed_at < COUNT
    finally:
        first.stop()
        second.stop()


async def until(holds, seconds=90):
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is looked at has no event
            await asyncio.sleep(0.02)
