"""Who plays the parts of a cluster that a test's cluster has not: nothing here is Kubernetes' own.

    async with playing(cluster) as player:       # a stand-in for the Deployment controller and the kubelets
        ...                                       # Deployments get a ReplicaSet and Pods, and become Available
        player.broken.add(":2.0.0")               # an image that ends so never starts: its Deployment doesn't get on

    await end_job(cluster, namespace, "run-1")    # a stand-in for the Job controller: the Job is Complete (or Failed)

The stand-in for Deployments rolls out at once and in one step: the Pods of the new revision are made and said to be
ready, then those of older ones are deleted. It knows no surge, no progress in between, no scheduling and no resources.
What a Deployment leaves behind is deleted, as the garbage collector would.
"""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx2
from tests.integration.cluster_world import Cluster

DEPLOYMENTS = "/apis/apps/v1/deployments"
HASH = "pod-template-hash"
RETRY = 0.1
TLS_END = 0.2
"""Seconds in which a watch's TLS connection says goodbye; the event loop must not end before."""


class DeploymentPlayer:
    """Brings each Deployment's status to what its spec says. `broken` are ends of images that never start."""

    def __init__(self, cluster: Cluster):
        self._cluster = cluster
        self.broken: set[str] = set()

    async def play(self) -> None:
        """Follow all Deployments until cancelled; begins anew where the watch ends or the server is away."""
        while True:
            with contextlib.suppress(AssertionError, httpx2.TransportError):
                listing = await self._cluster.get(DEPLOYMENTS)
                for deployment in listing["items"]:
                    await self.reconcile({"apiVersion": "apps/v1", "kind": "Deployment", **deployment})
                await self._watch(listing["metadata"]["resourceVersion"])
            await asyncio.sleep(RETRY)

    async def _watch(self, version: str) -> None:
        query = {"watch": "true", "resourceVersion": version}
        async with self._cluster.http() as http, http.stream("GET", DEPLOYMENTS, params=query, timeout=None) as answer:
            async for line in answer.aiter_lines():
                event = json.loads(line)
                if event["type"] in ("ADDED", "MODIFIED"):
                    await self.reconcile(event["object"])
                elif event["type"] == "DELETED":
                    await self._clear(event["object"])
                else:
                    return

    async def reconcile(self, deployment: Any) -> None:
        """Play one Deployment through, unless its status is up to date."""
        if (deployment.get("status") or {}).get("observedGeneration") == deployment["metadata"]["generation"]:
            return
        containers = deployment["spec"]["template"]["spec"]["containers"]
        starts = not any(one["image"].endswith(tuple(self.broken)) for one in containers)
        current = await self._replica_set(deployment)
        await self._pods(current, starts=starts)
        if starts:
            for old in await self._owned_by(deployment, "/apis/apps/v1", "replicasets"):
                if old["metadata"]["name"] != current["metadata"]["name"] and old["spec"]["replicas"]:
                    path = f"{_path(old, '/apis/apps/v1', 'replicasets')}/{old['metadata']['name']}"
                    await self._pods(await self._cluster.merge(path, {"spec": {"replicas": 0}}), starts=True)
        path = f"{_path(deployment, '/apis/apps/v1', 'deployments')}/{deployment['metadata']['name']}/status"
        await self._cluster.merge(path, {"status": deployment_status(deployment, starts=starts)})

    async def _replica_set(self, deployment: Any) -> Any:
        """The ReplicaSet of the Deployment's present template, with as many replicas as it wants."""
        wanted = replica_set(deployment)
        path = _path(wanted, "/apis/apps/v1", "replicasets")
        await self._made(path, wanted)
        replicas = {"spec": {"replicas": wanted["spec"]["replicas"]}}
        return await self._cluster.merge(f"{path}/{wanted['metadata']['name']}", replicas)

    async def _pods(self, replicas: Any, *, starts: bool) -> None:
        """Make a ReplicaSet's Pods, delete those past its number, and say so in its status."""
        path, count = _path(replicas, "/api/v1", "pods"), replicas["spec"]["replicas"]
        names = [f"{replicas['metadata']['name']}-{number}" for number in range(count)]
        for name in names:
            await self._made(path, pod(replicas, name))
            status = pod_status(replicas["spec"]["template"]["spec"]["containers"], starts=starts)
            await self._cluster.merge(f"{path}/{name}/status", {"status": status})
        for found in await self._owned_by(replicas, "/api/v1", "pods"):
            if found["metadata"]["name"] not in names:
                await self._cluster.delete(f"{path}/{found['metadata']['name']}?gracePeriodSeconds=0")
        ready = count if starts else 0
        status = {"replicas": count, "fullyLabeledReplicas": count, "readyReplicas": ready, "availableReplicas": ready}
        status["observedGeneration"] = replicas["metadata"]["generation"]
        own = f"{_path(replicas, '/apis/apps/v1', 'replicasets')}/{replicas['metadata']['name']}"
        await self._cluster.merge(f"{own}/status", {"status": status})

    async def _clear(self, deployment: Any) -> None:
        for found in await self._owned_by(deployment, "/apis/apps/v1", "replicasets"):
            for one in await self._owned_by(found, "/api/v1", "pods"):
                await self._cluster.delete(f"{_path(one, '/api/v1', 'pods')}/{one['metadata']['name']}")
            path = f"{_path(found, '/apis/apps/v1', 'replicasets')}/{found['metadata']['name']}"
            await self._cluster.delete(f"{path}?propagationPolicy=Background")

    async def _owned_by(self, owner: Any, root: str, plural: str) -> list[Any]:
        found = (await self._cluster.get(_path(owner, root, plural)))["items"]
        uid = owner["metadata"]["uid"]
        return [one for one in found if uid in [its["uid"] for its in one["metadata"].get("ownerReferences", [])]]

    async def _made(self, path: str, obj: Any) -> None:
        try:
            await self._cluster.create(path, obj)
        except AssertionError as error:
            if "AlreadyExists" not in str(error):
                raise


@contextlib.asynccontextmanager
async def playing(cluster: Cluster) -> AsyncIterator[DeploymentPlayer]:
    """A DeploymentPlayer that plays until the block ends."""
    player = DeploymentPlayer(cluster)
    task = asyncio.create_task(player.play())
    try:
        yield player
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(TLS_END)


async def end_job(cluster: Cluster, namespace: str, name: str, *, succeeded: bool = True) -> None:
    """Play the Job controller to the end of a Job: as when its Pod has run and ended."""
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}/status"
    await cluster.merge(path, {"status": {"startTime": _now(), "active": 1, "ready": 1}})
    await cluster.merge(path, {"status": job_status(succeeded=succeeded)})


def replica_set(deployment: Any) -> Any:
    """The ReplicaSet that a Deployment's present template has."""
    metadata, spec = deployment["metadata"], deployment["spec"]
    identity = hashlib.sha256(json.dumps(spec["template"], sort_keys=True).encode()).hexdigest()[:10]
    labels = spec["template"]["metadata"].get("labels", {}) | {HASH: identity}
    template = spec["template"] | {"metadata": spec["template"]["metadata"] | {"labels": labels}}
    owned = _owned(deployment, f"{metadata['name']}-{identity}", labels)
    selector = {"matchLabels": spec["selector"].get("matchLabels", {}) | {HASH: identity}}
    body = {"replicas": spec.get("replicas", 1), "selector": selector, "template": template}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": owned, "spec": body}


def pod(replicas: Any, name: str) -> Any:
    """A Pod of a ReplicaSet."""
    template = replicas["spec"]["template"]
    owned = _owned(replicas, name, template["metadata"]["labels"])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": owned, "spec": template["spec"]}


def deployment_status(deployment: Any, *, starts: bool) -> dict[str, Any]:
    """What the Deployment controller writes once a rollout is over, or has failed."""
    replicas = deployment["spec"].get("replicas", 1)
    ready = replicas if starts else 0
    available = "MinimumReplicasAvailable" if starts else "MinimumReplicasUnavailable"
    progressing = "NewReplicaSetAvailable" if starts else "ProgressDeadlineExceeded"
    return {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": replicas,
        "updatedReplicas": replicas,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": replicas - ready,
        "conditions": [_condition("Available", starts, available), _condition("Progressing", starts, progressing)],
    }


def pod_status(containers: list[Any], *, starts: bool) -> dict[str, Any]:
    """What a kubelet writes of a Pod that runs, or whose image can't be pulled."""
    ready = {"type": "Ready", "status": str(starts), "lastTransitionTime": _now()}
    return {
        "phase": "Running" if starts else "Pending",
        "startTime": _now(),
        "conditions": [ready],
        "containerStatuses": [_container_status(one, starts=starts) for one in containers],
    }


def job_status(*, succeeded: bool) -> dict[str, Any]:
    """What the Job controller writes last."""
    kinds = ("SuccessCriteriaMet", "Complete") if succeeded else ("FailureTarget", "Failed")
    reason = "CompletionsReached" if succeeded else "BackoffLimitExceeded"
    conditions = [_condition(kind, True, reason) for kind in kinds]
    for condition in conditions:
        del condition["lastUpdateTime"]
    counted = {"succeeded": 1, "completionTime": _now()} if succeeded else {"failed": 1}
    return {"active": 0, "ready": 0, "terminating": 0, "conditions": conditions, **counted}


def _container_status(container: Any, *, starts: bool) -> dict[str, Any]:
    image = container["image"]
    digest = f"{image.rpartition(':')[0]}@sha256:{hashlib.sha256(image.encode()).hexdigest()}"
    state = {"running": {"startedAt": _now()}} if starts else {"waiting": {"reason": "ImagePullBackOff"}}
    status = {"name": container["name"], "image": image, "imageID": digest if starts else "", "ready": starts}
    return status | {"restartCount": 0, "state": state}


def _condition(kind: str, holds: bool, reason: str) -> dict[str, Any]:
    times = {"lastTransitionTime": _now(), "lastUpdateTime": _now()}
    return {"type": kind, "status": str(holds), "reason": reason, "message": "played by a test", **times}


def _owned(owner: Any, name: str, labels: dict[str, str]) -> dict[str, Any]:
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
    reference |= {"uid": owner["metadata"]["uid"], "controller": True}
    namespace = owner["metadata"]["namespace"]
    return {"name": name, "namespace": namespace, "labels": labels, "ownerReferences": [reference]}


def _path(obj: Any, root: str, plural: str) -> str:
    return f"{root}/namespaces/{obj['metadata']['namespace']}/{plural}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
