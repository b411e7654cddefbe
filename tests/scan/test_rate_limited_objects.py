"""A hundred objects of one host that asks to wait: one request, no failures, and all of them go on when it is over."""

import asyncio
import json
from types import SimpleNamespace

import httpx2
import pytest

from tidegate.base.http import make_client
from tidegate.engine.file_tags import FileTags
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Ready, Waiting
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.engine.status import status_patch
from tidegate.oci.client import RegistryClient
from tidegate.scan.controller import ImageRepositoryController

OBJECTS = 100


class Hub:
    """A registry that allows `left` more requests until `reset`, and says so with each answer."""

    def __init__(self, clock, left, reset):
        self.clock, self.left, self.reset = clock, left, reset
        self.seen = 0

    def __call__(self, request):
        self.seen += 1
        wait = str(round(max(self.reset - self.clock.monotonic(), 0)))
        if self.left <= 0 and self.clock.monotonic() < self.reset:
            return httpx2.Response(429, headers={"retry-after": wait})
        self.left -= 1
        body = json.dumps({"tags": ["1.0.0"]}).encode()
        said = {"ratelimit-remaining": str(self.left), "ratelimit-reset": wait} if self.left >= 0 else {}
        return httpx2.Response(200, stream=httpx2.ByteStream(body), headers=said)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def scan_all(tmp_path, clock):
    """Scan all objects at once, as the engine does; their outcomes, which are written to their status."""
    objects = [image_repository(f"web{number}") for number in range(OBJECTS)]
    store = SqliteStore(tmp_path / "store.db", clock)
    tags = FileTags(tmp_path / "tags")

    async def scan_all(client):
        controller = ImageRepositoryController(client, tags)
        context = SimpleNamespace(store=store, clock=clock, events=None)
        outcomes = await asyncio.gather(*(controller.reconcile(obj, context) for obj in objects))
        for obj, outcome in zip(objects, outcomes, strict=True):
            obj["status"] = obj.get("status", {}) | status_patch(obj, outcome, "2026-10-21T07:28:00Z")
        return outcomes

    yield scan_all
    store.close()


def image_repository(name):
    return {
        "apiVersion": "image.toolkit.fluxcd.io/v1",
        "kind": "ImageRepository",
        "metadata": {"name": name, "namespace": "flux-system", "generation": 1},
        "spec": {"image": f"hub.example/me/{name}", "interval": "1m"},
    }


def client_of(hub, clock):
    http = make_client(httpx2.MockTransport(hub))
    return RegistryClient(http=http, sleep=clock.sleep, monotonic=clock.monotonic)


def kinds(outcomes):
    return {kind.__name__: sum(isinstance(one, kind) for one in outcomes) for kind in (Ready, Waiting)}


async def test_a_budget_that_is_used_up_holds_the_rest_back_without_a_request(clock, scan_all):
    hub = Hub(clock, left=11, reset=3600)
    client = client_of(hub, clock)
    await client.tags(SimpleNamespace(registry="hub.example", path="me/first"))
    first = await scan_all(client)
    assert kinds(first) == {"Ready": 10, "Waiting": 90}
    assert hub.seen == 11
    await clock.advance(60)
    again = await scan_all(client)
    assert kinds(again) == {"Ready": 10, "Waiting": 90}
    assert hub.seen == 11
    assert all(one.requeue_after == 3540 for one in again)
    held = [one for one in again if isinstance(one, Ready)]
    assert {condition.type for one in held for condition in one.conditions} == {"RateLimited"}
    await clock.advance(3540)
    assert kinds(await scan_all(client)) == {"Ready": 100, "Waiting": 0}


async def test_a_refusal_that_nobody_foresaw_stops_those_who_have_not_asked_yet(clock, scan_all):
    hub = Hub(clock, left=0, reset=120)
    client = client_of(hub, clock)
    assert kinds(await scan_all(client)) == {"Ready": 0, "Waiting": 100}
    asked = hub.seen
    await clock.advance(60)
    assert kinds(await scan_all(client)) == {"Ready": 0, "Waiting": 100}
    assert hub.seen == asked
    await clock.advance(60)
    assert kinds(await scan_all(client)) == {"Ready": 100, "Waiting": 0}
