"""An ImagePolicy with annotations, over images in our own registry, without a socket; reconciled as the engine does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
from tests.integration.cosign_world import Images
from tests.serve.registry_door import HOST, World

from tidegate.base.http import make_client
from tidegate.engine.clock import rfc3339
from tidegate.engine.events import EventRecorder
from tidegate.engine.file_tags import FileTags
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Context, Handled, Outcome
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.engine.status import status_patch
from tidegate.kinds.conditions import find
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.kinds.reference import parse_repository
from tidegate.oci.auth import Endpoint
from tidegate.oci.client import RegistryClient
from tidegate.oci.credentials import Login
from tidegate.oci.facts_cache import FactsCache
from tidegate.select.controller import ImagePolicyController

GROUP = "image.toolkit.fluxcd.io"
IMAGE = "127.0.0.1:5000/acme/web"
POLICY = ObjectKey(GROUP, "ImagePolicy", "flux-system", "web")


class Watching(httpx2.AsyncBaseTransport):
    """Passes requests on and keeps what was asked; where `down`, nothing answers."""

    def __init__(self, transport: httpx2.AsyncBaseTransport):
        self._transport = transport
        self.asked: list[str] = []
        self.down = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(f"{request.method} {request.url.path}")
        if self.down:
            raise httpx2.ConnectError("nobody listens")
        return await self._transport.handle_async_request(request)


class BeyondWorld(Images):
    def __init__(self, folder: Path):
        self.clock = ManualClock()
        self.store = SqliteStore(folder / "store.db", self.clock)
        self.tags = FileTags(folder / "tags")
        self.requests = Watching(World(folder / "registry").transport)
        self.facts = FactsCache(folder / "facts.db")
        endpoints = {"127.0.0.1:5000": Endpoint(HOST, Login("u", "home-token"))}

        async def no_sleep(_seconds: float) -> None:
            pass

        client = RegistryClient(endpoints, http=make_client(self.requests), sleep=no_sleep)
        super().__init__(client, parse_repository(IMAGE))
        self.controller = ImagePolicyController(self.tags, client, self.facts)
        events = EventRecorder(self.store, self.clock, "image-reflector-controller")
        self.context = Context(self.store, self.clock, events)

    def close(self) -> None:
        self.facts.close()
        self.store.close()

    async def scanned(self, *tags: str, image: str = IMAGE) -> None:
        """What a good scan that finds these tags leaves behind."""
        obj: Object = {
            "apiVersion": f"{GROUP}/v1",
            "kind": "ImageRepository",
            "metadata": {"name": "web", "namespace": "flux-system"},
            "spec": {"image": image, "interval": "1m"},
        }
        await self.store.apply(obj, manager="test", force=True)
        revision = await self.tags.put(image, tags)
        status = {"canonicalImageName": image, "lastScanResult": {"revision": revision}}
        await self.store.patch_status(key_of(obj), status, manager="test")

    async def asking(self, policy: Object | None = None, /, **annotations: str) -> None:
        """Write the policy with these annotations under `tidegate.dev/`, and no others."""
        named = {f"tidegate.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
        obj: Object = {
            "apiVersion": f"{GROUP}/v1",
            "kind": "ImagePolicy",
            "metadata": {"name": "web", "namespace": "flux-system", "annotations": named},
            "spec": {"imageRepositoryRef": {"name": "web"}, "policy": {"semver": {"range": "1.x"}}} | (policy or {}),
        }
        await self.store.apply(obj, manager="test", force=True)

    async def reconcile(self) -> Any:
        """The outcome, whose status is written as the engine writes it."""
        obj = await self.store.get(POLICY)
        outcome: Outcome = await self.controller.reconcile(obj, self.context)
        assert not isinstance(outcome, Handled)
        await self.store.patch_status(
            POLICY, status_patch(obj, outcome, rfc3339(self.clock.now())), manager="image-reflector-controller"
        )
        return outcome

    async def selected(self) -> str:
        """Reconcile; the tag in the status."""
        await self.reconcile()
        return await self.latest()

    async def latest(self) -> str:
        return str((await self.store.get(POLICY))["status"]["latestRef"]["tag"])

    async def condition(self, kind: str) -> str | None:
        """The message of a condition; None where there is none."""
        found = find((await self.store.get(POLICY))["status"]["conditions"], kind)
        return None if found is None else f"{found['status']}: {found['message']}"

    async def ready_since(self) -> str:
        found = find((await self.store.get(POLICY))["status"]["conditions"], "Ready")
        assert found is not None
        return f"{found['status']} {found['lastTransitionTime']}"

    async def warnings(self) -> list[str]:
        found = (await self.store.list("", "Event")).items
        return [
            f"{one['reason']} x{one.get('count', 1)}: {one['message']}" for one in found if one["type"] == "Warning"
        ]
