"""Policies with many tags are decided one after the other: each takes as much memory as all the rest."""

import asyncio
from types import SimpleNamespace

import pytest
from tests.select.policy_world import API, IMAGE
from tests.select.registry import Registry

from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.objects import key_of
from tidegate.select import controller
from tidegate.select.controller import ImagePolicyController

POLICIES = 5


class Counting:
    """Tags that are there once `together` ask for them, and how many did at once at most."""

    def __init__(self, together):
        self.now = self.most = 0
        self._together = asyncio.Barrier(together)

    async def get(self, repository):
        self.now += 1
        self.most = max(self.most, self.now)
        async with asyncio.timeout(60):
            await self._together.wait()
        self.now -= 1
        return ["1.0.0"]


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(tmp_path / "store.db", ManualClock())
    yield made
    made.close()


async def most_at_once(store, count, together, **spec):
    metadata = {"name": "web", "namespace": "apps"}
    repository = {"apiVersion": API, "kind": "ImageRepository", "metadata": metadata}
    repository = await store.create(repository | {"spec": {"image": IMAGE, "interval": "1m"}}, manager="test")
    status = {"canonicalImageName": IMAGE, "lastScanResult": {"revision": "1", "tagCount": count}}
    await store.patch_status(key_of(repository), status, manager="test")
    tags, registry = Counting(together), Registry(**{"1.0.0": "sha256:" + "d" * 64})
    found = ImagePolicyController(tags, registry)
    spec |= {"imageRepositoryRef": {"name": "web"}, "policy": {"semver": {"range": "*"}}}
    policies = [
        {
            "apiVersion": API,
            "kind": "ImagePolicy",
            "metadata": {"name": f"p{number}", "namespace": "apps"},
            "spec": spec,
        }
        for number in range(POLICIES)
    ]
    context = SimpleNamespace(store=store, clock=ManualClock())
    outcomes = await asyncio.gather(*(found.reconcile(policy, context) for policy in policies))
    assert {outcome.status["latestRef"]["tag"] for outcome in outcomes} == {"1.0.0"}
    return tags.most


async def test_of_many_tags_one_list_is_in_memory(store):
    assert await most_at_once(store, controller.MANY + 1, together=1) == 1


async def test_few_tags_are_decided_at_once(store):
    assert await most_at_once(store, controller.MANY, together=POLICIES) == POLICIES


async def test_who_asks_a_registry_holds_nobody_up(store):
    most = await most_at_once(store, controller.MANY + 1, together=POLICIES, digestReflectionPolicy="IfNotPresent")
    assert most == POLICIES
