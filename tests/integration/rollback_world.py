"""A remote over HTTP, an automation with `rollback-after`, and the parts that the deploying and running side write: a
Kustomization's status, a Deployment, its Pods. Time passes by hand; Git and both image controllers are real.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from tests.integration.git_host import PASSWORD, USER, GitHost

from tidegate.engine.clock import rfc3339
from tidegate.engine.events import EventRecorder
from tidegate.engine.file_tags import FileTags
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Context, Ready
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.engine.status import status_patch
from tidegate.git.mirror import Mirrors
from tidegate.git.origins import Origins
from tidegate.kinds.conditions import find
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.kinds.rolled_back import RolledBack, rolled_back_of
from tidegate.select.controller import ImagePolicyController
from tidegate.update.controller import ImageUpdateAutomationController

SPACE, SHOP = "flux-system", "shop"
IMAGE = "registry.test/acme/web"
GROUP = "image.toolkit.fluxcd.io"
AUTOMATION = ObjectKey(GROUP, "ImageUpdateAutomation", SPACE, "auto")
POLICY = ObjectKey(GROUP, "ImagePolicy", SPACE, "web")
KUSTOMIZATION = ObjectKey("kustomize.toolkit.fluxcd.io", "Kustomization", SPACE, "apps")
DEPLOYMENT = ObjectKey("apps", "Deployment", SHOP, "web")
PATH = "apps/web/deploy.yaml"
MARKER = '# {"$imagepolicy": "flux-system:web"}'
MANIFEST = f"spec:\n  image: {IMAGE}:1.0.0 {MARKER}\n"
AFTER = 600.0


class RollbackWorld:
    def __init__(self, host: GitHost, folder: Path, clock: ManualClock | None = None):
        self.host, self.folder = host, folder
        self.clock = clock or ManualClock()
        self.store = SqliteStore(folder / "store.db", self.clock)
        self.context = Context(self.store, self.clock, EventRecorder(self.store, self.clock, "test"))
        self.tags = FileTags(folder / "tags")
        self.revision: str | None = None
        self.logs: dict[tuple[str, str, str, bool], list[str]] = {}
        self.restart()

    def restart(self) -> None:
        """Controllers that know nothing but what is stored."""
        origins = Origins(Mirrors(self.folder / "mirrors"), lambda _: None, nothing_hosted)
        self.updates = ImageUpdateAutomationController(origins, self._revision_of, self._last_lines)
        self.policies = ImagePolicyController(self.tags, None)

    async def _revision_of(self, _access: object, _image: str) -> str | None:
        """From which commit every image was built."""
        return self.revision

    async def _last_lines(self, namespace: str, pod: str, container: str, before: bool) -> list[str]:
        return self.logs.get((namespace, pod, container, before), [])

    async def make(
        self, *, template: str = "", after: str = "10m", push: dict[str, Any] | None = None, text: str = MANIFEST
    ) -> None:
        self.host.commit("Add", {PATH: text})
        given = {"username": USER, "password": PASSWORD}
        data = {name: base64.b64encode(value.encode()).decode() for name, value in given.items()}
        await self.create("v1", "Secret", "push", data=data)
        source = {"url": self.host.url, "interval": "10m", "ref": {"branch": "main"}, "secretRef": {"name": "push"}}
        await self.create("source.toolkit.fluxcd.io/v1", "GitRepository", "fleet", spec=source)
        await self.create(f"{GROUP}/v1", "ImageRepository", "web", spec={"image": IMAGE, "interval": "1m"})
        policy = {"imageRepositoryRef": {"name": "web"}, "policy": {"semver": {"range": ">=1.0.0"}}}
        await self.create(f"{GROUP}/v1", "ImagePolicy", "web", spec=policy)
        commit = {"author": {"name": "Gate", "email": "gate@example.org"}}
        git: dict[str, Any] = {"commit": commit | ({"messageTemplate": template} if template else {})}
        git |= {"push": push} if push else {}
        spec = {"interval": "30m", "sourceRef": {"kind": "GitRepository", "name": "fleet"}, "git": git}
        marks = {"tidegate.dev/rollback-after": after} if after else {}
        spec["update"] = {"path": "./apps", "strategy": "Setters"}
        await self.create(f"{GROUP}/v1", "ImageUpdateAutomation", "auto", annotations=marks, spec=spec)
        applies = {"interval": "10m", "path": "./apps", "prune": True}
        applies["sourceRef"] = {"kind": "GitRepository", "name": "fleet"}
        await self.create("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "apps", spec=applies)

    async def create(
        self, api_version: str, kind: str, name: str, *, annotations: dict[str, str] | None = None, **rest: Any
    ) -> Object:
        metadata: Object = {"name": name, "namespace": SPACE}
        metadata |= {"annotations": annotations} if annotations else {}
        return await self.store.create(
            {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}, manager="test"
        )

    # The image side

    async def scanned(self, *tags: str) -> None:
        """A good scan that found these tags; the policy selects."""
        revision = await self.tags.put(IMAGE, tags)
        key = ObjectKey(GROUP, "ImageRepository", SPACE, "web")
        await self.store.patch_status(
            key, {"canonicalImageName": IMAGE, "lastScanResult": {"revision": revision}}, manager="test"
        )
        await self.select()

    async def select(self) -> str:
        """Reconcile the policy; the tag."""
        await self._reconciled(self.policies, POLICY)
        return str((await self.store.get(POLICY))["status"]["latestRef"]["tag"])

    async def update(self) -> Ready:
        """Reconcile the automation."""
        outcome = await self._reconciled(self.updates, AUTOMATION)
        assert isinstance(outcome, Ready), outcome
        return outcome

    async def _reconciled(self, controller: Any, key: ObjectKey) -> Any:
        obj = await self.store.get(key)
        outcome = await controller.reconcile(obj, self.context)
        patch = status_patch(obj, outcome, rfc3339(self.clock.now()))
        await self.store.patch_status(key, patch, manager="test")
        return outcome

    # The deploying and running side

    async def applied(self, *, ready: bool = False, kind: str = "Deployment", image: str = "") -> None:
        """What Git says is applied: the workload has the image."""
        head = self.host.head()
        image = image or self.image()
        key = ObjectKey("apps", kind, SHOP, "web")
        obj = workload(kind, image)
        applied = await self.store.apply(obj, manager="kustomize-controller", force=True)
        entry = {"id": f"{SHOP}_web_apps_{kind}", "v": "v1"}
        revision = f"main@sha1:{head}"
        status: Object = {"lastAttemptedRevision": revision, "inventory": {"entries": [entry]}}
        status |= {"lastAppliedRevision": revision}
        await self.store.patch_status(KUSTOMIZATION, status, manager="test")
        await self.state(ready=ready, generation=applied.object["metadata"]["generation"], key=key)

    async def state(self, *, ready: bool, generation: int | None = None, key: ObjectKey = DEPLOYMENT) -> None:
        """The workload's status."""
        live = await self.store.get(key)
        count = 1 if ready else None
        counts = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": count, "availableReplicas": count}
        status = {"observedGeneration": generation or live["metadata"]["generation"], **counts}
        await self.store.patch_status(key, status, manager="test")

    async def pod(self, name: str, status: Object, *, env: list[Object] | None = None, **container: Any) -> Object:
        """A pod of the workload with the image that Git says, and a status for its container."""
        spec = {"containers": [{"name": "web", "image": self.image(), **({"env": env} if env else {}), **container}]}
        metadata = {"name": name, "namespace": SHOP, "labels": {"app": "web"}}
        obj = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        made = await self.store.create(obj, manager="test")
        whole = {"phase": "Running", "containerStatuses": [{"name": "web", "image": self.image(), **status}]}
        await self.store.patch_status(key_of(made), whole, manager="test")
        return made

    # What came of it

    def image(self) -> str:
        """The marked value."""
        return self.host.git("show", f"main:{PATH}").split("image: ")[1].split(" #")[0]

    def message(self, commit: str = "main") -> str:
        return self.host.git("log", "-1", "--format=%B", commit)

    def commits(self) -> int:
        return int(self.host.git("rev-list", "--count", "main"))

    async def held(self) -> RolledBack | None:
        return rolled_back_of(await self.store.get(POLICY))

    async def condition(self, kind: str, key: ObjectKey = AUTOMATION) -> str:
        """A condition's status, reason and message."""
        status = (await self.store.get(key)).get("status") or {}
        found = find(status.get("conditions") or [], kind)
        return "" if found is None else f"{found['status']} {found['reason']}: {found['message']}"

    async def events(self, reason: str) -> list[str]:
        listed = (await self.store.list("", "Event")).items
        return [f"{one['involvedObject']['kind']}: {one['message']}" for one in listed if one["reason"] == reason]


def workload(kind: str, image: str) -> Object:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    metadata = {"name": "web", "namespace": SHOP}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


CRASHED = {
    "ready": False,
    "restartCount": 3,
    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}},
    "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
}
UNPULLED = {
    "ready": False,
    "restartCount": 0,
    "state": {"waiting": {"reason": "ImagePullBackOff", "message": "the registry has no such tag"}},
}
UNREADY = {"ready": False, "restartCount": 0, "state": {"running": {"startedAt": "2026-01-15T12:00:00Z"}}}


async def nothing_hosted(_path: Path) -> None:
    raise AssertionError("nothing is hosted here")
