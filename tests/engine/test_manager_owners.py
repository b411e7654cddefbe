"""An object whose status another program writes is left alone, and that is said once."""

import asyncio
import contextlib

import pytest

from tidegate.base.errors import OwnedByAnother, Unavailable
from tidegate.engine.manager import Manager
from tidegate.engine.manual_clock import ManualClock, settle
from tidegate.engine.outcome import Ready
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.objects import ObjectKey

GROUP = "image.toolkit.fluxcd.io"
KEY = ObjectKey(GROUP, "ImagePolicy", "flux-system", "web")


class SharedStore(SqliteStore):
    """A store in which an annotation says who else writes the status, as managedFields do in a cluster."""

    refuses = False
    away = False

    def other_owner(self, obj):
        return (obj["metadata"].get("labels") or {}).get("owner")

    async def get(self, key):
        self._check()
        return await super().get(key)

    async def list(self, group, kind, **rest):
        self._check()
        return await super().list(group, kind, **rest)

    async def patch_status(self, key, status, **options):
        self._check()
        if self.refuses:
            raise OwnedByAnother("it is flux's", manager="flux")
        return await super().patch_status(key, status, **options)

    def _check(self):
        if self.away:
            raise Unavailable("the API server is away")


class Policies:
    name = "image-reflector-controller"
    group = GROUP
    kind = "ImagePolicy"
    triggers = ()

    def __init__(self):
        self.calls = 0

    async def reconcile(self, obj, ctx):
        self.calls += 1
        return Ready("selected", status={"latestImage": f"web:{self.calls}"}, requeue_after=60.0)


@pytest.fixture
def store(tmp_path, clock):
    store = SharedStore(tmp_path / "store.db", clock)
    yield store
    store.close()


@pytest.fixture
def clock():
    return ManualClock()


@contextlib.asynccontextmanager
async def managed(store, clock):
    controller = Policies()
    manager = Manager(store, clock, [controller])
    task = asyncio.ensure_future(manager.run())
    await settle()
    try:
        yield controller, manager
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def policy(**labels):
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ImagePolicy",
        "metadata": {"name": "web", "namespace": "flux-system", "labels": labels},
        "spec": {"imageRepositoryRef": {"name": "web"}},
    }


async def events(store):
    return [(one["reason"], one["count"]) for one in (await store.list("", "Event")).items]


async def test_another_owners_object_is_not_reconciled_and_says_whose_it_is(store, clock):
    await store.create(policy(owner="flux"), manager="test")
    async with managed(store, clock) as (controller, _):
        await settle()
        assert controller.calls == 0
        status = (await store.get(KEY))["status"]
        stalled = next(one for one in status["conditions"] if one["type"] == "Stalled")
        assert (stalled["status"], stalled["reason"]) == ("True", "OwnedByAnother")
        assert "flux" in stalled["message"]
        assert await events(store) == [("OwnedByAnother", 1)]


async def test_it_is_said_once_however_often_the_object_is_looked_at(store, clock):
    await store.create(policy(owner="flux"), manager="test")
    async with managed(store, clock) as (_, manager):
        for _ in range(5):
            manager.hint(KEY)
            await clock.advance(600)
        before = (await store.get(KEY))["status"]
        await store.patch(KEY, {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}}, manager="x")
        await settle()
        assert await events(store) == [("OwnedByAnother", 1)]
        assert (await store.get(KEY))["status"] == before


async def test_a_new_spec_is_answered_once_more(store, clock):
    await store.create(policy(owner="flux"), manager="test")
    async with managed(store, clock):
        await store.patch(KEY, {"spec": {"digestReflectionPolicy": "Never"}}, manager="x")
        await settle()
        assert await events(store) == [("OwnedByAnother", 2)]


async def test_when_the_owner_is_gone_the_object_is_reconciled(store, clock):
    await store.create(policy(owner="flux"), manager="test")
    async with managed(store, clock) as (controller, _):
        await store.patch(KEY, {"metadata": {"labels": {"owner": None}}}, manager="x")
        await settle()
        assert controller.calls == 1
        assert (await store.get(KEY))["status"]["latestImage"] == "web:1"


async def test_when_an_owner_comes_the_object_is_left_alone(store, clock):
    await store.create(policy(), manager="test")
    async with managed(store, clock) as (controller, _):
        assert controller.calls == 1
        await store.patch(KEY, {"metadata": {"labels": {"owner": "flux"}}}, manager="x")
        await settle()
        await clock.advance(3600)
        assert controller.calls == 1
        assert ("OwnedByAnother", 1) in await events(store)


async def test_a_refused_status_is_no_reason_to_try_again(store, clock):
    store.refuses = True
    await store.create(policy(), manager="test")
    async with managed(store, clock) as (controller, _):
        await clock.advance(3600)
        assert controller.calls == 1
        assert await events(store) == [("OwnedByAnother", 1)]
        assert not (await store.get(KEY)).get("status")


async def test_a_store_that_is_away_ends_nothing_and_is_asked_again(store, clock):
    await store.create(policy(), manager="test")
    store.away = True
    async with managed(store, clock) as (controller, _):
        await clock.advance(60)
        assert controller.calls == 0
        store.away = False
        await clock.advance(60)
        assert controller.calls >= 1
        calls = controller.calls
        store.away = True
        await clock.advance(600)
        store.away = False
        await clock.advance(600)
        assert controller.calls > calls
