"""The controllers, shown as the Deployments and Pods that Flux would run: read-only, never stored. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tidegate.engine.clock import rfc3339
from tidegate.kinds.labels import part_of_flux
from tidegate.kinds.objects import Object, ObjectKey

NAMESPACE = "flux-system"
LABEL = "tidegate.dev/virtual"
CONTAINER = "manager"


class VirtualObjects:
    """One Deployment, ReplicaSet and Pod for each controller, since `started`."""

    def __init__(self, controllers: Sequence[str], started: datetime, version: str):
        made = [obj for name in controllers for obj in _objects(name, rfc3339(started), version)]
        self._objects = {_key(obj): obj for obj in made}
        self._controllers = {_pod_name(name): name for name in controllers}

    def list(self, group: str, kind: str, namespace: str | None) -> Sequence[Object]:
        """Those of a kind, sorted by name."""
        if namespace not in (None, NAMESPACE):
            return []
        found = [key for key in self._objects if (key.group, key.kind) == (group, kind)]
        return [self._objects[key] for key in sorted(found)]

    def get(self, key: ObjectKey) -> Object | None:
        """One of them, or None."""
        return self._objects.get(key)

    def controller_of(self, namespace: str, pod: str) -> str | None:
        """The controller that a Pod shows, or None."""
        return self._controllers.get(pod) if namespace == NAMESPACE else None


def _key(obj: Object) -> ObjectKey:
    group = obj["apiVersion"].partition("/")[0] if "/" in obj["apiVersion"] else ""
    return ObjectKey(group, obj["kind"], NAMESPACE, obj["metadata"]["name"])


def _pod_name(controller: str) -> str:
    return f"{controller}-0"


def _objects(name: str, started: str, version: str) -> tuple[Object, Object, Object]:
    labels = {"app": name, **part_of_flux(version), LABEL: "true"}
    condition = {"status": "True", "lastTransitionTime": started, "lastUpdateTime": started}
    replicas = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "observedGeneration": 1}
    pod_spec = {"containers": [{"name": CONTAINER, "image": f"tidegate:{version}"}], "restartPolicy": "Always"}
    spec: dict[str, Any] = {
        "replicas": 1,
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": labels}, "spec": pod_spec},
    }
    available = {"type": "Available", "reason": "MinimumReplicasAvailable", "message": "runs inside tidegate"}
    deployment = _made("apps/v1", "Deployment", name, labels, started) | {
        "spec": spec | {"strategy": {"type": "Recreate"}, "revisionHistoryLimit": 0},
        "status": replicas | {"updatedReplicas": 1, "conditions": [available | condition]},
    }
    replica_set = _owned(_made("apps/v1", "ReplicaSet", name, labels, started), deployment) | {
        "spec": spec,
        "status": replicas | {"fullyLabeledReplicas": 1},
    }
    state = {"running": {"startedAt": started}}
    container = {"name": CONTAINER, "image": f"tidegate:{version}", "ready": True, "restartCount": 0, "state": state}
    container |= {"imageID": "", "started": True}
    pod = _owned(_made("v1", "Pod", _pod_name(name), labels, started), replica_set) | {
        "spec": pod_spec,
        "status": {
            "phase": "Running",
            "startTime": started,
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": started}],
            "containerStatuses": [container],
        },
    }
    return deployment, replica_set, pod


def _made(api_version: str, kind: str, name: str, labels: dict[str, str], started: str) -> Object:
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": f"virtual-{kind.lower()}-{name}",
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": started,
        "labels": labels,
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _owned(obj: Object, owner: Object) -> Object:
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    return obj | {"metadata": obj["metadata"] | {"ownerReferences": [reference]}}
