"""Selecting by ImagePolicy objects: of which image the tags must be, and what is said while they are missing."""

from types import SimpleNamespace

import pytest
from tests.select.registry import Registry

from tidegate.engine.file_tags import FileTags
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Ready, Waiting
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.objects import key_of
from tidegate.select.controller import ImagePolicyController

OLD, NEW = "ghcr.io/me/web", "ghcr.io/me/shop"
POLICY = {
    "apiVersion": "image.toolkit.fluxcd.io/v1",
    "kind": "ImagePolicy",
    "metadata": {"name": "web", "namespace": "flux-system"},
    "spec": {"imageRepositoryRef": {"name": "web"}, "policy": {"semver": {"range": ">=1.0.0"}}},
}


class World:
    def __init__(self, folder):
        self.store = SqliteStore(folder / "store.db", ManualClock())
        self.tags = FileTags(folder / "tags")
        self.controller = ImagePolicyController(self.tags, Registry())

    async def image(self, image):
        """Write the ImageRepository's spec."""
        obj = {
            "apiVersion": "image.toolkit.fluxcd.io/v1",
            "kind": "ImageRepository",
            "metadata": {"name": "web", "namespace": "flux-system"},
            "spec": {"image": image, "interval": "1m"},
        }
        self.repository = (await self.store.apply(obj, manager="test")).object

    async def scanned(self, image, *tags):
        """What a good scan of an image leaves behind."""
        revision = await self.tags.put(image, tags)
        status = {"canonicalImageName": image, "lastScanResult": {"revision": revision}}
        await self.store.patch_status(key_of(self.repository), status, manager="scan")

    async def select(self):
        return await self.controller.reconcile(POLICY, SimpleNamespace(store=self.store, clock=ManualClock()))


@pytest.fixture
def world(tmp_path):
    found = World(tmp_path)
    yield found
    found.store.close()


async def test_the_tags_of_the_scanned_image_are_selected_from(world):
    await world.image(OLD)
    await world.scanned(OLD, "1.0.0", "1.0.7")
    outcome = await world.select()
    assert isinstance(outcome, Ready)
    assert outcome.status["latestRef"] == {"name": OLD, "tag": "1.0.7", "digest": None}


async def test_before_the_first_scan_it_waits(world):
    await world.image(OLD)
    outcome = await world.select()
    assert isinstance(outcome, Waiting)
    assert outcome.on == "referenced ImageRepository flux-system/web has not been scanned yet"


async def test_the_tags_of_the_image_that_was_named_before_say_nothing_about_the_present_one(world):
    await world.image(OLD)
    await world.scanned(OLD, "1.0.7")
    await world.image(NEW)
    outcome = await world.select()
    assert isinstance(outcome, Waiting)
    assert f"since its spec.image became {NEW}: the last scan was of {OLD}" in outcome.on
    assert "latestRef" not in outcome.status
    await world.scanned(NEW, "1.0.1")
    outcome = await world.select()
    assert isinstance(outcome, Ready)
    assert outcome.status["latestRef"] == {"name": NEW, "tag": "1.0.1", "digest": None}


async def test_a_new_image_wakes_the_policy_so_that_it_says_so(world):
    trigger, _ = world.controller.triggers
    await world.image(OLD)
    before = trigger.relevant(world.repository)
    await world.image(NEW)
    assert trigger.relevant(world.repository) != before


async def test_a_short_name_is_the_image_that_its_canonical_name_says(world):
    await world.image("nginx")
    await world.scanned("index.docker.io/library/nginx", "1.29.0")
    assert isinstance(await world.select(), Ready)


async def test_tags_that_this_disk_has_lost_are_waited_for_under_a_reason_that_brings_a_scan(world):
    await world.image(OLD)
    await world.scanned(OLD, "1.0.0")
    await world.tags.delete(OLD)
    outcome = await world.select()
    assert isinstance(outcome, Waiting)
    assert outcome.reason == "TagsLost"
    assert outcome.on == f"no tags of {OLD} are stored: they come with the next scan"
