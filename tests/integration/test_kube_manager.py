"""The engine on a real API server: it keeps off another's object, says so once, and goes on when it may."""

import asyncio

import pytest
from tests.contracts.store import POLICY, condition, policy
from tests.integration.kube_homes import api_server

from tidegate.base.errors import NotFound
from tidegate.engine.adoption import ADOPT
from tidegate.engine.clock import SystemClock
from tidegate.engine.manager import Manager
from tidegate.engine.outcome import Ready
from tidegate.kinds.conditions import is_true
from tidegate.kinds.objects import key_of
from tidegate.kube.store import KubeStore

pytestmark = pytest.mark.integration
STATUS = f"/apis/{POLICY.group}/v1/namespaces/flux-system/imagepolicies/web/status"


class Policies:
    name = "image-reflector-controller"
    group = POLICY.group
    kind = POLICY.kind
    triggers = ()

    def __init__(self):
        self.calls = 0

    async def reconcile(self, obj, ctx):
        if key_of(obj) != POLICY:  # other tests' objects are in this cluster too
            return Ready("left as it is", requeue_after=3600.0)
        self.calls += 1
        return Ready("selected", status={"latestImage": f"web:{self.calls}"}, requeue_after=3600.0)


@pytest.fixture
async def world(cluster):
    async with api_server(cluster) as client:
        store, controller = KubeStore(client), Policies()
        for event in await told(store):
            await store.delete(key_of(event))
        running = asyncio.ensure_future(Manager(store, SystemClock(), [controller]).run())
        yield client, store, controller
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_new_object_is_reconciled_and_its_status_is_ours(world):
    _, store, _ = world
    await store.create(policy(), manager="kubectl")
    done = await until(store, lambda obj: is_true(obj.get("status", {}).get("conditions", []), "Ready"))
    assert done["status"]["latestImage"] == "web:1"
    lines = {
        (line["manager"], line["operation"]) for line in done["metadata"]["managedFields"] if "subresource" in line
    }
    assert lines == {("tidegate", "Apply")}


async def test_fluxs_object_is_left_alone_until_it_is_adopted(world):
    client, store, controller = world
    suspended = policy()
    suspended["spec"]["suspend"] = True
    await store.create(suspended, manager="kubectl")
    await client.merge(STATUS, {"status": {"conditions": [condition("Ready")]}}, fieldManager="flux")
    await store.patch(POLICY, {"spec": {"suspend": False}}, manager="kubectl")
    events = await first_told(store)
    assert [(one["reason"], one["type"], one.get("count")) for one in events] == [("OwnedByAnother", "Warning", 1)]
    assert "flux" in events[0]["message"]
    assert controller.calls == 0
    assert [one["type"] for one in (await store.get(POLICY))["status"]["conditions"]] == ["Ready"]
    await store.patch(POLICY, {"metadata": {"annotations": {ADOPT: "2100-01-01T00:00:00Z"}}}, manager="kubectl")
    done = await until(store, lambda obj: obj["status"].get("latestImage") == "web:1")
    assert is_true(done["status"]["conditions"], "Ready")
    assert len(await told(store)) == 1


async def until(store, holds):
    async with asyncio.timeout(60):
        while True:
            try:
                found = await store.get(POLICY)
            except NotFound:
                continue
            if holds(found):
                return found
            await asyncio.sleep(0.05)


async def first_told(store):
    for _ in range(1000):
        if events := await told(store):
            return events
        await asyncio.sleep(0.05)
    raise AssertionError("no event came")


async def told(store):
    """The events about the policy."""
    events = (await store.list("", "Event", namespace="flux-system")).items
    return [
        one
        for one in events
        if (one["involvedObject"].get("kind"), one["involvedObject"].get("name")) == ("ImagePolicy", "web")
    ]
