"""A Kustomization that waits for health: what it shows meanwhile, what ends it early, what a failure names."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

import tidegate.deploy.render  # noqa: F401 - else the first rendering loads it, which takes more turns than a test waits
from tidegate.base.files import MemoryFiles
from tidegate.deploy.controller import KustomizationController
from tidegate.engine.manager import Manager
from tidegate.engine.manual_clock import ManualClock, settle
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.conditions import find
from tidegate.kinds.objects import ObjectKey, key_of
from tidegate.runtime.local import LocalWorkloads

OLD, NEW = "main@sha1:" + "a" * 40, "main@sha1:" + "b" * 40
SOURCE = ObjectKey("source.toolkit.fluxcd.io", "GitRepository", "flux-system", "shop")
APPS = ObjectKey("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "apps")
WEB = ObjectKey("apps", "Deployment", "shop", "web")


def an_object(key, version="v1", **rest):
    api_version = f"{key.group}/{version}" if key.group else version
    metadata = {"name": key.name, "namespace": key.namespace}
    return {"apiVersion": api_version, "kind": key.kind, "metadata": metadata, **rest}


def a_deployment(tag):
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": f"ghcr.io/me/web:{tag}"}]},
    }
    return an_object(WEB, spec={"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template})


class OpenMemory(MemoryFiles):
    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        pass


class FewTrees:
    def __init__(self, **trees):
        self.trees = trees

    async def open(self, source, revision, digest=None):
        return OpenMemory({"app.yaml": json.dumps(self.trees[digest or revision]).encode()})


class World:
    """Two revisions of a folder with one Deployment; the test plays the deployment controller and the kubelet."""

    def __init__(self, store, clock):
        self.store, self.clock = store, clock
        few = FewTrees(**{OLD: a_deployment("placeholder"), NEW: a_deployment("1.0.1")})
        self.trees = few.trees
        self.controller = KustomizationController(few, LocalWorkloads(store))

    async def start(self, **spec):
        await self.store.create(an_object(SOURCE, spec={"url": "x"}), manager="test")
        await self.source_at(OLD)
        reference = {"kind": "GitRepository", "name": "shop"}
        wanted = {"interval": "10m", "prune": True, "sourceRef": reference, "wait": True, "timeout": "5m", **spec}
        await self.store.create(an_object(APPS, spec=wanted), manager="test")
        await self.pass_time(2)

    async def source_at(self, revision, digest=None):
        await self.store.patch_status(SOURCE, {"artifact": {"revision": revision, "digest": digest}}, manager="test")

    async def pass_time(self, seconds):
        # Rendering is in a thread: give it real turns.
        for _ in range(5):
            await settle()
            await asyncio.to_thread(lambda: None)
        await self.clock.advance(seconds)

    async def healthy(self):
        generation = (await self.store.get(WEB))["metadata"]["generation"]
        numbers = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
        await self.store.patch_status(WEB, {"observedGeneration": generation, **numbers}, manager="test")

    async def crashing_pod(self):
        pod = an_object(
            ObjectKey("", "Pod", "shop", "web-1"), spec=a_deployment("placeholder")["spec"]["template"]["spec"]
        )
        pod["metadata"]["labels"] = {"app": "web"}
        container = {
            "name": "web",
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
            "lastState": {"terminated": {"exitCode": 4, "message": "reading settings\nno database"}},
        }
        await self.store.create(pod, manager="test")
        await self.store.patch_status(key_of(pod), {"containerStatuses": [container]}, manager="test")

    @asynccontextmanager
    async def watching(self):
        """Every state of the Kustomization inside the block: the revision attempted, and Ready."""
        seen = []

        async def follow():
            async for event in self.store.watch(APPS.group, APPS.kind):
                status = event.object["status"]
                seen.append((status["lastAttemptedRevision"], find(status["conditions"], "Ready")["status"]))

        task = asyncio.create_task(follow())
        await settle()
        try:
            yield seen
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def status(self):
        return (await self.store.get(APPS)).get("status") or {}

    async def condition(self, kind):
        found = find((await self.status()).get("conditions") or [], kind) or {}
        return found.get("status"), found.get("reason"), found.get("message")

    async def image(self):
        return (await self.store.get(WEB))["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2]

    async def events(self):
        return {event["reason"]: event["message"] for event in (await self.store.list("", "Event")).items}


@asynccontextmanager
async def a_world(folder, **options):
    clock = ManualClock()
    store = SqliteStore(folder / "store.db", clock)
    world = World(store, clock)
    task = asyncio.create_task(Manager(store, clock, [world.controller], **options).run())
    try:
        yield world
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        store.close()


@pytest.fixture
async def world(tmp_path):
    async with a_world(tmp_path) as found:
        yield found


async def test_while_it_waits_it_says_for_what_as_flux_does(world):
    await world.start()
    message = f"Running health checks for revision {OLD} with a timeout of 5m0s"
    assert await world.condition("Ready") == ("Unknown", "Progressing", message)
    assert await world.condition("Reconciling") == ("True", "Progressing", message)
    status, _, waits = await world.condition("Healthy")
    assert (status, waits) == ("Unknown", "waits for Deployment/shop/web: InProgress: not yet observed")
    await world.crashing_pod()
    await world.pass_time(2)
    assert "no database" in (await world.condition("Healthy"))[2]


async def test_what_becomes_healthy_is_applied(world):
    await world.start()
    await world.healthy()
    await world.pass_time(2)
    assert (await world.condition("Ready"))[0] == "True"
    assert (await world.condition("Healthy"))[0] == "True"
    assert (await world.status())["lastAppliedRevision"] == OLD


async def test_a_new_revision_ends_the_wait_for_the_old_ones_health_at_once(world):
    await world.start()
    await world.source_at(NEW)
    await world.pass_time(2)
    await world.pass_time(0)
    assert await world.image() == "1.0.1"
    assert (await world.condition("Ready"))[2].startswith(f"Running health checks for revision {NEW}")
    assert OLD in (await world.events())["HealthCheckCanceled"]
    await world.healthy()
    await world.pass_time(2)
    assert (await world.status())["lastAppliedRevision"] == NEW


async def test_another_artifact_of_the_same_revision_does_so_too(world):
    """As where what was left out by mistake is taken in again."""
    await world.start()
    world.trees["sha256:other"] = world.trees[NEW]
    await world.source_at(OLD, "sha256:other")
    await world.pass_time(2)
    await world.pass_time(0)
    assert await world.image() == "1.0.1"
    await world.healthy()
    await world.pass_time(2)
    assert (await world.status())["lastAppliedRevision"] == OLD


async def test_it_does_so_too_where_nothing_but_polling_tells_of_it(tmp_path):
    async with a_world(tmp_path, events=False, interval_cap=5.0) as world:
        await world.start()
        await world.source_at(NEW)
        await world.pass_time(2)
        await world.pass_time(0)
        assert await world.image() == "1.0.1"


async def test_a_failure_names_the_revision_the_object_the_pods_reason_and_its_last_words(world):
    await world.start(timeout="30s")
    await world.crashing_pod()
    await world.pass_time(31)
    status, reason, message = await world.condition("Ready")
    assert (status, reason) == ("False", "HealthCheckFailed")
    for words in (OLD, "Deployment/shop/web", "CrashLoopBackOff: back-off 10s", "reading settings | no database"):
        assert words in message
    assert "kubectl logs -n shop deployment/web" in message
    await world.pass_time(5)
    assert (await world.condition("Ready"))[1] == "HealthCheckFailed", "it is tried again, and still can be read"


async def test_the_failure_of_a_revision_is_not_shown_as_that_of_the_next(world):
    await world.start(timeout="30s")
    await world.pass_time(31)
    assert (await world.condition("Ready"))[0] == "False"
    async with world.watching() as seen:
        await world.source_at(NEW)
        await world.pass_time(2)
        await world.healthy()
        await world.pass_time(2)
    assert (NEW, "Unknown") in seen
    assert (NEW, "False") not in seen
    assert seen[-1] == (NEW, "True")


async def test_a_change_of_the_kustomization_ends_the_wait_too(world):
    await world.start()
    await world.store.patch(APPS, {"spec": {"wait": False}}, manager="test")
    await world.pass_time(2)
    await world.pass_time(0)
    assert (await world.condition("Ready"))[0] == "True"


async def test_what_is_healthy_at_once_shows_no_waiting(world):
    await world.start()
    await world.healthy()
    await world.pass_time(2)
    async with world.watching() as seen:
        await world.store.patch(APPS, {"metadata": {"annotations": {"note": "again"}}}, manager="test")
        await world.pass_time(2)
    assert seen == [(OLD, "True")]  # the annotation itself, and no write after it


async def test_a_checked_object_that_is_not_there_is_waited_for(world):
    missing = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "other", "namespace": "shop"}
    await world.start(wait=False, healthChecks=[missing])
    assert (await world.condition("Healthy"))[2] == "waits for Deployment/shop/other: InProgress: it is not there"
