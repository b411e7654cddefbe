"""A world for scans: a registry that answers what a test says, the store, the tags and a clock, with no network."""

import pytest

from tidegate.engine.events import EventRecorder
from tidegate.engine.file_tags import FileTags
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Context
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.engine.status import status_patch
from tidegate.kinds.conditions import find
from tidegate.kinds.objects import ObjectKey, key_of
from tidegate.scan.controller import ImageRepositoryController

IMAGE = "ghcr.io/me/web"
GROUP = "image.toolkit.fluxcd.io"
KEY = ObjectKey(GROUP, "ImageRepository", "flux-system", "web")


class ScanWorld:
    """`scan` reconciles as the engine does: the object of the store, then its outcome into the object's status."""

    def __init__(self, folder):
        self.folder = folder
        self.clock = ManualClock()
        self.found, self.error = [], None
        self.start()

    def start(self):
        self.store = SqliteStore(self.folder / "store.db", self.clock)
        self.kept = FileTags(self.folder / "tags")
        self.controller = ImageRepositoryController(self, self.kept)
        events = EventRecorder(self.store, self.clock, "image-reflector-controller")
        self.context = Context(self.store, self.clock, events)

    def restart(self):
        self.store.close()
        self.start()

    def using(self, access):
        return self

    async def tags(self, repository):
        if self.error is not None:
            raise self.error
        return list(self.found)

    async def scan(self, *found, after=60.0):
        """Let `after` seconds pass, have the registry answer, and scan; the outcome."""
        await self.clock.advance(after)
        self.found = found
        obj = await self.store.get(KEY)
        outcome = await self.controller.reconcile(obj, self.context)
        now = self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        await self.store.patch_status(KEY, status_patch(obj, outcome, now), manager="test")
        return outcome

    async def create(self, **spec):
        obj = {
            "apiVersion": f"{GROUP}/v1",
            "kind": "ImageRepository",
            "metadata": {"name": "web", "namespace": "flux-system"},
            "spec": {"image": IMAGE, "interval": "1m", **spec},
        }
        await self.store.create(obj, manager="test")

    async def annotate(self, **annotations):
        patch = {"metadata": {"annotations": annotations}}
        await self.store.patch(KEY, patch, manager="test")

    async def spec(self, **fields):
        await self.store.patch(KEY, {"spec": fields}, manager="test")

    async def forget(self, field):
        """Drop a field of the status, as an API server does with what its definition does not have."""
        await self.store.patch_status(KEY, {field: None}, manager="test")

    async def selected(self, tag, name="web", image=IMAGE, repository="web"):
        """A policy of the ImageRepository that has selected a tag."""
        policy = {
            "apiVersion": f"{GROUP}/v1",
            "kind": "ImagePolicy",
            "metadata": {"name": name, "namespace": "flux-system"},
            "spec": {"imageRepositoryRef": {"name": repository}, "policy": {"alphabetical": {"order": "asc"}}},
        }
        made = await self.store.create(policy, manager="test")
        await self.store.patch_status(key_of(made), {"latestRef": {"name": image, "tag": tag}}, manager="test")

    async def status(self):
        return (await self.store.get(KEY)).get("status") or {}

    async def condition(self, kind="Ready"):
        return find((await self.status())["conditions"], kind)

    async def events(self):
        return [event["reason"] for event in (await self.store.list("", "Event")).items]


@pytest.fixture
async def world(tmp_path):
    made = ScanWorld(tmp_path)
    yield made
    made.store.close()
