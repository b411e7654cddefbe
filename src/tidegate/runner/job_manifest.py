"""A workflow's job as a Kubernetes Job of Tidegate's own image, and the Secret with what it is given. Pure.

Two containers, so that the workflow's steps never see the repository's credential: `fetch` has it and brings the
commit; `job`, to which it is not mounted, runs the steps.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.kinds.objects import Object
from tidegate.kinds.quantity import shown
from tidegate.runner.names import label, slug
from tidegate.runner.request import JobRequest

RUN_LABEL = "tidegate.dev/run"
JOB_LABEL = "tidegate.dev/job"
ATTEMPT = "tidegate.dev/attempt"
MANAGED = {"app.kubernetes.io/managed-by": "tidegate", "app.kubernetes.io/component": "workflow-job"}
CONTAINER, FETCHER = "job", "fetch"
FILE, SOURCE_FILE = "job.json", "source.json"
FOLDER, SOURCE_FOLDER = "/var/run/tidegate", "/var/run/tidegate-source"
WORK = "/work"
USER = 65532
CPU_REQUEST, MEMORY_REQUEST = 100, 128 * 1024**2
"""Thousandths of a core, and bytes."""
# A Job's name becomes the value of a label.
NAME_LIMIT = 63
GRACE = 120
"""Seconds that a cancelled job has for its steps which run `always()`."""
DEADLINE_MARGIN = 300
KEPT = 24 * 3600
"""Seconds that a Job which has ended is kept, with its log."""


@frozen
class JobPlace:
    """What a Job needs of the cluster: Tidegate's own image, what stands in for names in FROM, and for a registry's
    host the URL from which others are pulled.
    """

    image: str
    bases: Mapping[str, str]
    mirrors: Mapping[str, str] = field(default_factory=dict)


def job_name(request: JobRequest) -> str:
    """The Job's name, the same whenever it is asked for, and another one for each attempt."""
    identity = "\0".join([request.run, str(request.attempt), request.name])
    tail = hashlib.sha256(identity.encode()).hexdigest()[:10]
    stem = f"{slug(request.run)[:30]}-{slug(request.name)[:18]}".strip("-")
    return f"{stem}-{tail}"[:NAME_LIMIT]


def secret_of(request: JobRequest, source: Mapping[str, Any], place: JobPlace, job: Object) -> Object:
    """The Secret that the Pod of `job` reads: for its steps the request with its secrets, for the fetch before them
    where the commit is and the credential for it. It goes with the Job.
    """
    names = {"bases": dict(place.bases), "mirrors": dict(place.mirrors)}
    given = {"request": request.as_json(), "url": source["url"], **names}
    commit = request.contexts["github"]["sha"]
    metadata = _metadata(request)
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"]}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "metadata": metadata | {"ownerReferences": [owner]},
        "data": {FILE: _encoded(given), SOURCE_FILE: _encoded({**source, "commit": commit})},
    }


def _encoded(value: Mapping[str, Any]) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def job_of(request: JobRequest, place: JobPlace, run: Object) -> Object:
    """The Job: one unprivileged Pod, tried once, ended by its time limit, gone with its run or a day after its end."""
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [_fetcher(place)],
        "containers": [_container(place, request.limits)],
        "volumes": [
            _secret_volume("given", request, FILE),
            _secret_volume("source", request, SOURCE_FILE),
            {"name": "work", "emptyDir": {}},
            {"name": "tmp", "emptyDir": {}},
            {"name": "fetch-tmp", "emptyDir": {}},
        ],
    }
    metadata = _metadata(request) | {"ownerReferences": [_owner(run)]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "activeDeadlineSeconds": int(request.timeout_minutes * 60) + DEADLINE_MARGIN,
            "ttlSecondsAfterFinished": KEPT,
            "template": {
                "metadata": {"labels": metadata["labels"], "annotations": metadata["annotations"]},
                "spec": pod,
            },
        },
    }


def _secret_volume(name: str, request: JobRequest, file: str) -> dict[str, Any]:
    items = [{"key": file, "path": file}]
    return {"name": name, "secret": {"secretName": job_name(request), "defaultMode": 0o440, "items": items}}


def _fetcher(place: JobPlace) -> dict[str, Any]:
    return _program(place, FETCHER, ["run-job", f"{SOURCE_FOLDER}/{SOURCE_FILE}", f"--work={WORK}", "--fetch"]) | {
        "volumeMounts": _mounts("source", SOURCE_FOLDER, "fetch-tmp"),
    }


def _container(place: JobPlace, limits: Mapping[str, Any]) -> dict[str, Any]:
    return _program(place, CONTAINER, ["run-job", f"{FOLDER}/{FILE}", f"--work={WORK}"]) | {
        "volumeMounts": _mounts("given", FOLDER, "tmp"),
        "resources": _resources(limits),
    }


def _resources(limits: Mapping[str, Any]) -> dict[str, Any]:
    """What a Runner says of resources, in a container's own fields, and no request above them. Of processes these
    have none: the kubelet's `podPidsLimit` counts.
    """
    cores = {"cpu": f"{round(limits['cpu'] * 1000)}m"} if limits.get("cpu") else {}
    sizes = {"memory": limits.get("memory"), "ephemeral-storage": limits.get("storage")}
    given = cores | {name: shown(size) for name, size in sizes.items() if size}
    cpu = min(round((limits.get("cpu") or 1) * 1000), CPU_REQUEST)
    memory = min(limits.get("memory") or MEMORY_REQUEST, MEMORY_REQUEST)
    return {"requests": {"cpu": f"{cpu}m", "memory": shown(memory)}} | ({"limits": given} if given else {})


def _program(place: JobPlace, name: str, arguments: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "image": place.image,
        "args": arguments,
        "env": [{"name": "HOME", "value": WORK}],
        "resources": _resources({}),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }


def _mounts(given: str, folder: str, tmp: str) -> list[dict[str, Any]]:
    return [
        {"name": given, "mountPath": folder, "readOnly": True},
        {"name": "work", "mountPath": WORK},
        {"name": tmp, "mountPath": "/tmp"},  # noqa: S108 - the container's own
    ]


def _owner(run: Object) -> dict[str, Any]:
    """The Job goes with its run."""
    return {
        "apiVersion": run["apiVersion"],
        "kind": run["kind"],
        "name": run["metadata"]["name"],
        "uid": run["metadata"]["uid"],
        "controller": True,
    }


def _metadata(request: JobRequest) -> dict[str, Any]:
    return {
        "name": job_name(request),
        "namespace": request.namespace,
        "labels": {**MANAGED, RUN_LABEL: label(request.run), JOB_LABEL: label(request.name) or "job"},
        "annotations": {RUN_LABEL: request.run, JOB_LABEL: request.name, ATTEMPT: str(request.attempt)},
    }
