"""Plays the controllers of Flux that stay, or have been, in a test's cluster. Nothing here is Flux's own.

    flux = FluxPlayer(cluster, clone)
    await flux.define()                             # Flux's definitions, its namespace and its Deployments
    await flux.has_worked(path, manager, status)    # what a controller of Flux has left: its status, its finalizer
    async with flux.playing():                      # source- and kustomize-controller follow the branch's head

Each writes as Flux does: a status by a merge patch under the controller's field manager, what Git holds by server-side
apply under `kustomize-controller`.
"""

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from tests.integration.cluster_players import TLS_END
from tests.integration.cluster_world import Cluster
from tests.integration.ssh_remote import Clone

from tidegate.install.crds import definitions

SYSTEM = "flux-system"
LABELS = {"app.kubernetes.io/part-of": "flux", "app.kubernetes.io/version": "v2.9.5"}
CONTROLLERS = (
    "source-controller",
    "kustomize-controller",
    "image-reflector-controller",
    "image-automation-controller",
)
FINALIZER = "finalizers.fluxcd.io"
POLL = 0.5


class FluxPlayer:
    """Flux in one cluster; `clone` is a clone of the repository `fleet` that the GitRepository of this name follows."""

    def __init__(self, cluster: Cluster, clone: Clone):
        self._cluster = cluster
        self._clone = clone
        self._over = False
        self.looks = 0

    async def define(self) -> None:
        """What `flux install` makes, as far as it concerns an installation beside it."""
        found = copy.deepcopy(definitions(["GitRepository", "Kustomization", *IMAGE_KINDS]))
        for definition in found:
            definition["metadata"]["labels"] = dict(LABELS)
        await self._cluster.define(found)
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM, "labels": dict(LABELS)}}
        await self._cluster.create("/api/v1/namespaces", namespace)
        for name in CONTROLLERS:
            await self._cluster.create(f"/apis/apps/v1/namespaces/{SYSTEM}/deployments", _deployment(name))

    async def has_worked(self, path: str, manager: str, status: dict[str, Any]) -> None:
        """A controller of Flux has reconciled the object at `path` just now."""
        await self._cluster.merge(f"{path}?fieldManager={manager}", {"metadata": {"finalizers": [FINALIZER]}})
        await self._cluster.merge(f"{path}/status?fieldManager={manager}", {"status": status})

    @contextlib.asynccontextmanager
    async def playing(self) -> AsyncIterator["FluxPlayer"]:
        """Follow the branch until the block ends."""
        task = asyncio.create_task(self._play())
        try:
            yield self
        finally:
            self._over = True
            await task
            await asyncio.sleep(TLS_END)

    async def _play(self) -> None:
        """Look, say so in the GitRepository's status whether or not there is something new, and apply what is new."""
        applied = ""
        while not self._over:
            await asyncio.to_thread(self._clone.git, "pull", "-q", "--rebase", "origin", "main")
            commit = await asyncio.to_thread(self._clone.git, "rev-parse", "HEAD")
            revision = f"main@sha1:{commit}"
            artifact = {"revision": revision, "path": "p", "url": "http://source-controller/p", "lastUpdateTime": now()}
            artifact["digest"] = f"sha256:{'0' * 64}"
            status = {"artifact": artifact, "observedGeneration": 1, "conditions": [ready(f"stored {revision}")]}
            await self._say("source", "gitrepositories", "fleet", "source-controller", status)
            self.looks += 1
            if revision != applied:
                await self._cluster.kubectl(
                    "apply", "--server-side", "--force-conflicts", "--field-manager=kustomize-controller",
                    "-f", str(self._clone.folder / "apps"),
                )  # fmt: skip
                status = {"lastAppliedRevision": revision, "conditions": [ready(f"Applied revision: {revision}")]}
                await self._say("kustomize", "kustomizations", "apps", "kustomize-controller", status)
                applied = revision
            await asyncio.sleep(POLL)

    async def _say(self, group: str, plural: str, name: str, manager: str, status: dict[str, Any]) -> None:
        path = f"/apis/{group}.toolkit.fluxcd.io/v1/namespaces/{SYSTEM}/{plural}/{name}"
        await self._cluster.merge(f"{path}/status?fieldManager={manager}", {"status": status})


IMAGE_KINDS = ("ImageRepository", "ImagePolicy", "ImageUpdateAutomation")


def ready(message: str) -> dict[str, Any]:
    """The condition Ready=True as a controller of Flux writes it."""
    return {
        "type": "Ready",
        "status": "True",
        "reason": "Succeeded",
        "message": message,
        "lastTransitionTime": now(),
        "observedGeneration": 1,
    }


def now() -> str:
    """The present time as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _deployment(name: str) -> Any:
    labels = {**LABELS, "app": name}
    container = {"name": "manager", "image": f"ghcr.io/fluxcd/{name}:v1.9.5"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    metadata = {"name": name, "namespace": SYSTEM, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
