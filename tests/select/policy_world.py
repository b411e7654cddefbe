"""ImagePolicy objects in a real store, reconciled as the engine does: what comes out is merged into their status."""

from types import SimpleNamespace

from tests.select.registry import Registry

from tidegate.engine.file_tags import FileTags
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Ready
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.image_repository import ImageRepository, tags_name
from tidegate.kinds.objects import key_of
from tidegate.select.controller import ImagePolicyController

API = "image.toolkit.fluxcd.io/v1"
IMAGE = "ghcr.io/me/web"


class PolicyWorld:
    """An ImageRepository and an ImagePolicy, each in a namespace of its own if need be."""

    def __init__(self, folder, **digests):
        self.clock = ManualClock()
        self.store = SqliteStore(folder / "store.db", self.clock)
        self.tags = FileTags(folder / "tags")
        self.registry = Registry(**digests)
        self.controller = ImagePolicyController(self.tags, self.registry)
        self.policy = None

    async def scanned(self, *tags, namespace="flux-system", **spec):
        obj = {
            "apiVersion": API,
            "kind": "ImageRepository",
            "metadata": {"name": "web", "namespace": namespace},
            "spec": {"image": IMAGE, "interval": "1m", **spec},
        }
        await self.store.apply(obj, manager="test", force=True)
        revision = await self.tags.put(tags_name(IMAGE, (), ImageRepository.from_object(obj).view), tags)
        status = {"canonicalImageName": IMAGE, "lastScanResult": {"revision": revision}}
        await self.store.patch_status(key_of(obj), status, manager="test")

    async def selecting(self, namespace="flux-system", **spec):
        """Write the policy's spec."""
        reference = spec.pop("reference", {"name": "web"})
        obj = {
            "apiVersion": API,
            "kind": "ImagePolicy",
            "metadata": {"name": "web", "namespace": namespace},
            "spec": {"imageRepositoryRef": reference, "policy": {"semver": {"range": "*"}}, **spec},
        }
        self.policy = key_of((await self.store.apply(obj, manager="test", force=True)).object)

    async def reconcile(self):
        """What the reconciliation comes to; a choice is written to the status."""
        obj = await self.store.get(self.policy)
        outcome = await self.controller.reconcile(obj, SimpleNamespace(store=self.store, clock=self.clock))
        if isinstance(outcome, Ready):
            await self.store.patch_status(self.policy, outcome.status, manager="test")
        return outcome

    async def status(self):
        return (await self.store.get(self.policy))["status"]
