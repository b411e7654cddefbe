"""Receivers on a store: their paths, what a call wakes, and how calls are bounded."""

import asyncio
import contextlib
import hashlib
import json

import httpx2
import pytest

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.engine.events import EventRecorder
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Context, Ready, Stalled
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.objects import ObjectKey, key_of
from tidegate.notify.hooks import BURST, Hooks
from tidegate.notify.receivers import ReceiverController
from tidegate.serve.bodies import BODY_LIMIT
from tidegate.serve.hooks import hooks_only

REQUESTED_AT = "reconcile.fluxcd.io/requestedAt"
NOTIFICATION = "notification.toolkit.fluxcd.io/v1"


def receiver(name="hook", **spec):
    resources = [{"kind": "GitRepository", "name": "app"}]
    spec = {"type": "generic", "secretRef": {"name": "token"}, "resources": resources, **spec}
    metadata = {"name": name, "namespace": "apps"}
    return {"apiVersion": NOTIFICATION, "kind": "Receiver", "metadata": metadata, "spec": spec}


def source(name, namespace="apps", **labels):
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": metadata, "spec": {}}


class World:
    def __init__(self, store):
        self.store = store
        self.clock = ManualClock()
        self.hooks = Hooks(store, self.clock)
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=hooks_only(self.hooks)), base_url="http://hooks.example"
        )

    async def secret(self, **data):
        made = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token", "namespace": "apps"}}
        await self.store.create(made | {"stringData": data}, manager="test")

    async def reconcile(self, obj):
        ctx = Context(self.store, self.clock, EventRecorder(self.store, self.clock, "notification-controller"))
        return await ReceiverController().reconcile(obj, ctx)

    async def ready(self, **spec):
        """A Receiver that listens; its path."""
        if not await self.has_token():
            await self.secret(token="sesame")
        obj = await self.store.create(receiver(**spec), manager="test")
        outcome = await self.reconcile(obj)
        assert isinstance(outcome, Ready), outcome
        condition = {"type": "Ready", "status": "True", "reason": outcome.reason, "message": outcome.message}
        status = {**outcome.status, "conditions": [condition]}
        await self.store.patch_status(key_of(obj), status, manager="notification-controller")
        path = outcome.status["webhookPath"]
        async with asyncio.timeout(10):
            while self.hooks.at(path) is None:  # noqa: ASYNC110 - the door itself is asked
                await asyncio.sleep(0.01)
        return path

    async def has_token(self):
        with contextlib.suppress(NotFound):
            return bool(await self.store.get(ObjectKey("", "Secret", "apps", "token")))
        return False

    async def post(self, path, body=b"{}", **headers):
        return await self.client.post(path, content=body, headers=headers)

    async def woken(self):
        found = (await self.store.list("source.toolkit.fluxcd.io", "GitRepository")).items
        return {o["metadata"]["name"] for o in found if (o["metadata"].get("annotations") or {}).get(REQUESTED_AT)}


@pytest.fixture
async def world(tmp_path):
    store = SqliteStore(tmp_path / "store.db", ManualClock())
    made = World(store)
    following = asyncio.create_task(made.hooks.run())
    yield made
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await made.client.aclose()
    store.close()


async def test_the_path_is_fluxs(world):
    await world.secret(token="sesame")
    outcome = await world.reconcile(receiver())
    path = "/hook/" + hashlib.sha256(b"sesamehookapps").hexdigest()
    assert outcome.status == {"webhookPath": path}
    assert outcome.message == f"Receiver initialized for path: {path}"
    assert outcome.requeue_after == 600


async def test_a_call_wakes_what_the_receiver_names_and_nothing_else(world):
    for name, labels in (("app", {}), ("web", {"team": "a"}), ("db", {"team": "b"})):
        await world.store.create(source(name, **labels), manager="test")
    await world.store.create(source("far", "other"), manager="test")
    resources = [
        {"kind": "GitRepository", "name": "*", "matchLabels": {"team": "a"}},
        {"kind": "GitRepository", "name": "far", "namespace": "other"},
    ]
    path = await world.ready(resources=resources)
    answer = await world.post(path)
    assert (answer.status_code, answer.text) == (200, "2 objects asked to reconcile\n")
    assert await world.woken() == {"web", "far"}


async def test_what_is_missing_is_told_and_the_rest_is_woken(world):
    await world.store.create(source("app"), manager="test")
    names = [{"kind": "GitRepository", "name": name} for name in ("gone", "app")]
    path = await world.ready(resources=names)
    answer = await world.post(path)
    assert answer.status_code == 500
    assert "gone" not in answer.text
    assert await world.woken() == {"app"}


async def test_a_wrong_signature_wakes_nothing_and_an_event_that_is_not_meant_neither(world):
    await world.store.create(source("app"), manager="test")
    path = await world.ready(type="gitlab", events=["Push Hook"])
    wrong = await world.post(path, **{"X-Gitlab-Token": "guess", "X-Gitlab-Event": "Push Hook"})
    other = await world.post(path, **{"X-Gitlab-Token": "sesame", "X-Gitlab-Event": "Note Hook"})
    assert (wrong.status_code, other.status_code) == (400, 200)
    assert "sesame" not in wrong.text
    assert await world.woken() == set()
    right = await world.post(path, **{"X-Gitlab-Token": "sesame", "X-Gitlab-Event": "push hook"})
    assert right.status_code == 200
    assert await world.woken() == {"app"}


async def test_other_paths_and_methods_are_not_there(world):
    path = await world.ready()
    assert (await world.post("/hook/" + "0" * 64)).status_code == 404
    assert (await world.post("/metrics")).status_code == 404
    assert (await world.client.get(path)).status_code == 405


async def test_a_suspended_receiver_answers_that_it_is(world):
    path = await world.ready(suspend=True)
    answer = await world.post(path)
    assert (answer.status_code, answer.text) == (503, "unable to process request: the receiver is suspended\n")


async def test_a_body_has_a_limit(world):
    path = await world.ready()
    assert (await world.post(path, b"x" * (BODY_LIMIT + 1))).status_code == 413


async def test_a_flood_is_bounded_for_its_own_hook_alone(world):
    await world.store.create(source("app"), manager="test")
    flooded, other = await world.ready(), await world.ready(name="other")
    codes = [(await world.post(flooded)).status_code for _ in range(BURST + 2)]
    assert codes == [200] * BURST + [429] * 2
    assert (await world.post(flooded)).headers["retry-after"] == "1"
    assert (await world.post(other)).status_code == 200
    await world.clock.advance(1)
    assert (await world.post(flooded)).status_code == 200


async def test_a_token_that_is_not_there_says_how_to_make_one(world):
    with pytest.raises(NotFound) as caught:
        await world.reconcile(receiver())
    assert caught.value.code == "TokenNotFound"
    assert "kubectl create secret generic token -n apps --from-literal=token=" in caught.value.remedy
    await world.secret(word="sesame")
    with pytest.raises(InvalidInput, match="required field 'token'"):
        await world.reconcile(receiver())


@pytest.mark.parametrize(
    ("spec", "reason", "named"),
    [
        ({"type": "gcr"}, "UnsupportedField", "spec.type: gcr"),
        ({"resourceFilter": "true"}, "UnsupportedField", "spec.resourceFilter"),
        ({"resources": []}, "InvalidSpec", "spec.resources"),
        ({"type": "svn"}, "InvalidSpec", "spec.type"),
    ],
)
async def test_what_can_not_be_is_stalled_by_name(world, spec, reason, named):
    outcome = await world.reconcile(receiver(**spec))
    assert isinstance(outcome, Stalled)
    assert outcome.reason == reason
    assert named in outcome.message


async def test_the_status_and_events_hold_no_token(world):
    await world.ready()
    told = json.dumps([(await world.store.list(group, kind)).items for group, kind in
                       (("notification.toolkit.fluxcd.io", "Receiver"), ("", "Event"))])  # fmt: skip
    assert "sesame" not in told
