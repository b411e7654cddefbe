"""What the network and the API server do to a client: cuts at any byte, restarts, storms of refusals."""

import asyncio
import contextlib
import random
from dataclasses import replace

import pytest
from starlette.responses import JSONResponse
from tests.contracts.store import POLICY, condition, config_map, policy
from tests.contracts.workloads import FLUX
from tests.integration.cutting_proxy import CuttingProxy
from tests.integration.kube_homes import SpyingClient, api_server, connection_of, our_door, prepare

from tidegate.base.errors import Conflict, TidegateError
from tidegate.engine.clock import SystemClock
from tidegate.engine.events import EventRecorder
from tidegate.engine.view import View
from tidegate.kinds.objects import ObjectKey
from tidegate.kube.client import KubeClient
from tidegate.kube.pacing import Limits
from tidegate.kube.store import KubeStore
from tidegate.kube.workloads import KubeWorkloads

pytestmark = pytest.mark.integration
FAST = Limits(qps=10_000, burst=10_000)
COUNT = 40


class Hurried(SystemClock):
    """Waits, but not for long."""

    async def sleep(self, seconds):
        await asyncio.sleep(seconds / 50)


class CutsContract:
    """With the fixture `client`; `least` and `most` bound after how many bytes a connection is cut."""

    least, most = 150, 6000

    async def test_a_watch_that_is_cut_at_any_byte_misses_nothing_and_repeats_nothing(self, client):
        chance = random.Random(7)
        store = KubeStore(client)
        listing = await store.list("", "ConfigMap", namespace="web")
        # The first answers of a connection are discovery and headers: a cut falls among these too.
        async with CuttingProxy(port_of(client), lambda: chance.randint(self.least, self.most)) as proxy:
            connection = replace(client.connection, server=moved(client.connection.server, proxy.port))
            async with KubeClient(connection, limits=replace(FAST, attempts=100), clock=Hurried()) as cut_client:
                events = KubeStore(cut_client).watch("", "ConfigMap", namespace="web", since=listing.resource_version)
                seen = asyncio.ensure_future(collect(events, 2 * COUNT))
                for number in range(COUNT):
                    await store.create(config_map({"text": "x" * chance.randint(0, 3000)}, f"c{number}"), manager="t")
                    await store.patch(
                        ObjectKey("", "ConfigMap", "web", f"c{number}"), {"data": {"n": "1"}}, manager="t"
                    )
                async with asyncio.timeout(120):
                    found = await seen
        assert found == [(kind, f"c{number}") for number in range(COUNT) for kind in ("ADDED", "MODIFIED")]
        assert proxy.cuts > 5

    async def test_writes_through_cuts_come_out_right_or_are_told(self, client):
        chance = random.Random(11)
        store, written = KubeStore(client), set()
        async with CuttingProxy(port_of(client), lambda: chance.randint(self.least, self.most)) as proxy:
            connection = replace(client.connection, server=moved(client.connection.server, proxy.port))
            async with KubeClient(connection, limits=FAST, clock=Hurried()) as cut_client:
                workloads = KubeWorkloads(cut_client)
                for number in range(COUNT):
                    with contextlib.suppress(TidegateError):
                        await workloads.apply(config_map({"n": str(number)}, f"c{number}"), manager=FLUX)
                        written.add(f"c{number}")
        live = {
            obj["metadata"]["name"]: obj["data"] for obj in (await store.list("", "ConfigMap", namespace="web")).items
        }
        assert len(written) > COUNT // 2
        assert written <= live.keys()
        assert all(data == {"n": name[1:]} for name, data in live.items())


class TestCutsAtOurDoor(CutsContract):
    @pytest.fixture
    async def client(self, tmp_path):
        async with our_door(tmp_path) as client:
            yield client


class TestCutsAtTheApiServer(CutsContract):
    # Of every connection, some bytes are TLS's own.
    least, most = 1500, 20_000

    @pytest.fixture
    async def client(self, cluster):
        async with api_server(cluster) as client:
            yield client


async def test_a_view_is_right_again_after_the_api_server_was_killed_twice(fresh_cluster):
    await prepare(fresh_cluster)
    async with SpyingClient(connection_of(fresh_cluster), limits=FAST) as client:
        store = KubeStore(client)
        async with View(store, [("", "ConfigMap")]) as view:
            for round_number in range(2):
                writing = asyncio.ensure_future(keep_writing(store, round_number))
                await asyncio.sleep(0.2)
                fresh_cluster.server.kill()
                await asyncio.sleep(0.3)
                await fresh_cluster.start()
                await writing
            wanted = {(f"r{n}-c{m}", "done") for n in range(2) for m in range(COUNT)}

            def right(objects):
                return {
                    (o["metadata"]["name"], (o.get("data") or {}).get("state")) for o in objects["ConfigMap"]
                } >= wanted

            await view.until(lambda objects: right(objects) or None, timeout=120)


async def test_a_dead_peer_is_noticed_and_the_watch_goes_on(fresh_cluster):
    await prepare(fresh_cluster)
    async with KubeClient(connection_of(fresh_cluster), silence=1.0) as client, api_client(fresh_cluster) as direct:
        store = KubeStore(direct)
        listing = await store.list("", "ConfigMap", namespace="web")
        watch = KubeStore(client).watch("", "ConfigMap", namespace="web", since=listing.resource_version)
        async with contextlib.aclosing(watch) as events:
            await store.create(config_map({}, "before"), manager="t")
            assert (await anext(events)).object["metadata"]["name"] == "before"
            # Stopped, the server keeps its connections and says nothing.
            fresh_cluster.server.pause()
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.sleep(1.5)
            fresh_cluster.server.resume()
            await store.create(config_map({}, "after"), manager="t")
            async with asyncio.timeout(60):
                assert (await waiting).object["metadata"]["name"] == "after"


class Storm:
    """In front of an app: refuses requests at random, before they do anything."""

    def __init__(self, app, seed):
        self._app = app
        self._chance = random.Random(seed)
        self.refused = {409: 0, 429: 0, 503: 0}

    async def __call__(self, scope, receive, send):
        code = self._chance.choice([200, 200, 200, 409, 429, 503]) if scope["type"] == "http" else 200
        writes_again = scope.get("method") == "PUT" or scope.get("path", "").endswith("/status")
        if code == 200 or (code == 409 and not writes_again):
            await self._app(scope, receive, send)
            return
        self.refused[code] += 1
        headers = {} if code == 409 else {"Retry-After": "0"}
        reason = {409: "Conflict", 429: "TooManyRequests", 503: "ServiceUnavailable"}[code]
        body = {"kind": "Status", "code": code, "reason": reason, "message": "a storm"}
        await JSONResponse(body, code, headers=headers)(scope, receive, send)


@pytest.mark.parametrize("seed", [1, 2])
async def test_storms_of_refusals_are_waited_out(tmp_path, seed):
    storms = []

    def stormy(app):
        storms.append(Storm(app, seed))
        return storms[0]

    async with our_door(tmp_path, wrap=stormy, limits=replace(FAST, attempts=12), clock=Hurried()) as client:
        store, recorder = KubeStore(client), EventRecorder(KubeStore(client), SystemClock(), "source-controller")
        await store.create(policy(), manager="t")
        for number in range(COUNT):
            status = {"latestImage": f"web:{number}", "conditions": [condition("Ready")]}
            await until_done(lambda status=status: store.patch_status(POLICY, status, manager="t"))
            wanted = policy(annotations={"n": str(number)})
            await until_done(lambda wanted=wanted: store.update(wanted, manager="t"))
        live = await store.get(POLICY)
        await recorder.normal(live, "Tested", "through a storm")
        assert (live["status"]["latestImage"], live["metadata"]["annotations"]) == (
            f"web:{COUNT - 1}",
            {"n": str(COUNT - 1)},
        )
        assert live["metadata"]["generation"] == 1
    assert all(count > 10 for count in storms[0].refused.values())


async def until_done(write):
    """As the engine does it: what is refused for good in one go comes again."""
    for _ in range(10):
        try:
            return await write()
        except Conflict:
            continue
    raise AssertionError("it was refused ten times over")


async def keep_writing(store, round_number):
    """Write objects as controllers do: what fails is written again."""
    for number in range(COUNT):
        name = f"r{round_number}-c{number}"
        for state in ("begun", "done"):
            await written(store, config_map({"state": state}, name))
        await asyncio.sleep(0.01)


async def written(store, obj):
    for _ in range(60):
        try:
            return await store.apply(obj, manager="t")
        except TidegateError:
            await asyncio.sleep(0.5)
    raise AssertionError("the API server did not come back")


async def collect(events, count):
    found = []
    async with contextlib.aclosing(events):
        async for event in events:
            found.append((event.type, event.object["metadata"]["name"]))
            if len(found) == count:
                break
    return found


def api_client(cluster):
    return KubeClient(connection_of(cluster), limits=FAST)


def port_of(client):
    return int(client.connection.server.rpartition(":")[2])


def moved(server, port):
    return f"{server.rpartition(':')[0]}:{port}"
