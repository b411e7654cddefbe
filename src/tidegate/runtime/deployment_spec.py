"""A Deployment as values: numbers, strategy, the hash that names its template. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen
from tidegate.kinds.objects import Object
from tidegate.runtime.podspec import PodSpec, read_pod
from tidegate.runtime.rollout import Wanted, amount

NETWORK = "tidegate.dev/network"
"""The annotation of a pod template that says whether its pods reach the outside: `auto` (by default) or `none`."""
HASH_LABEL = "pod-template-hash"
REPLICAS_LIMIT = 100
"""Of one Deployment: a number beyond it is a slip of the finger, and every pod takes processes and memory."""
_SAFE = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' alphabet for generated names: no vowels, so no words."""


@frozen
class Deployment:
    """What a Deployment's spec asks for; `closed` pods reach nothing outside of themselves."""

    wanted: Wanted
    pod: PodSpec
    selector: Mapping[str, str]
    template: Mapping[str, Any] = field(hash=False)
    min_ready: int
    history: int
    deadline: int
    closed: bool = False


def read_deployment(obj: Object, *, one_at_a_time: bool) -> Deployment:
    """Read a Deployment; InvalidInput names the field. With `one_at_a_time` its strategy is Recreate, because two
    revisions can't hold one port.
    """
    spec = obj.get("spec") or {}
    template = spec.get("template")
    if not isinstance(template, Mapping):
        raise InvalidInput("spec.template is missing", where=Where(field="spec.template"))
    wished = _map(spec, "selector")
    selector = _map(wished, "matchLabels", "spec.selector.")
    metadata = _map(template, "metadata", "spec.template.")
    labels = _map(metadata, "labels", "spec.template.metadata.")
    network = _map(metadata, "annotations", "spec.template.metadata.").get(NETWORK, "auto")
    if network not in ("auto", "none"):
        where = Where(field=f"spec.template.metadata.annotations[{NETWORK}]")
        raise InvalidInput(f"the network {str(network)[:100]!r} is unknown", where=where, remedy="write auto or none")
    if not selector or not selector.items() <= labels.items():
        message = "spec.selector.matchLabels must be some of the labels of spec.template"
        raise InvalidInput(message, where=Where(field="spec.selector"))
    if wished.get("matchExpressions"):
        raise InvalidInput("spec.selector.matchExpressions is not supported on one machine")
    replicas = _count(spec, "replicas", 1)
    if replicas > REPLICAS_LIMIT:
        message = f"spec.replicas is {replicas}; one machine runs at most {REPLICAS_LIMIT}"
        raise InvalidInput(message, where=Where(field="spec.replicas"))
    strategy = _map(spec, "strategy")
    rolling = _map(strategy, "rollingUpdate", "spec.strategy.")
    surge = amount(rolling.get("maxSurge", "25%"), replicas, up=True, field="maxSurge")
    unavailable = amount(rolling.get("maxUnavailable", "25%"), replicas, up=False, field="maxUnavailable")
    wanted = Wanted(
        revision=template_hash(template),
        replicas=replicas,
        recreate=one_at_a_time or strategy.get("type") == "Recreate",
        surge=surge if surge or unavailable else 1,
        unavailable=unavailable,
        paused=spec.get("paused") is True,
    )
    return Deployment(
        wanted=wanted,
        pod=read_pod(template.get("spec"), "spec.template.spec"),
        selector=selector,
        template=template,
        min_ready=_count(spec, "minReadySeconds", 0),
        history=_count(spec, "revisionHistoryLimit", 10),
        deadline=_count(spec, "progressDeadlineSeconds", 600),
        closed=network == "none",
    )


def _map(parent: Mapping[str, Any], name: str, path: str = "spec.") -> Mapping[str, Any]:
    value = parent.get(name)
    if not isinstance(value, Mapping | None):
        raise InvalidInput(f"{path}{name} is no map", where=Where(field=f"{path}{name}"))
    return value or {}


def _count(spec: Mapping[str, Any], name: str, default: int) -> int:
    value = spec.get(name)
    value = default if value is None else value
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidInput(f"spec.{name} is no number from 0", where=Where(field=f"spec.{name}"))
    return value


def template_hash(template: Mapping[str, Any]) -> str:
    """Ten characters that stay the same as long as the template does."""
    data = json.dumps(template, sort_keys=True, separators=(",", ":")).encode()
    return safe(hashlib.sha256(data).digest(), 10)


def safe(data: bytes, length: int) -> str:
    """Bytes in Kubernetes' alphabet for names."""
    return "".join(_SAFE[byte % len(_SAFE)] for byte in data[:length])


def replica_set(deployment: Object, spec: Deployment, revision: int) -> Object:
    """The ReplicaSet of the Deployment's present template."""
    metadata, revision_hash = deployment["metadata"], spec.wanted.revision
    template = json.loads(json.dumps(spec.template))
    labels = (template.get("metadata") or {}).get("labels") or {}
    labels = labels | {HASH_LABEL: revision_hash}
    template["metadata"] = (template.get("metadata") or {}) | {"labels": labels}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name'][:52]}-{revision_hash}",
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "ownerReferences": [owner("apps/v1", "Deployment", deployment)],
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": dict(spec.selector) | {HASH_LABEL: revision_hash}},
            "template": template,
        },
    }


def pod_of(replicas: Object, deployment: str, suffix: str, node: str, annotations: Mapping[str, str]) -> Object:
    """A new Pod of a ReplicaSet; `annotations` are put to those of the template."""
    template, metadata = replicas["spec"]["template"], replicas["metadata"]
    own = (template.get("metadata") or {}).get("annotations") or {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name'][:57]}-{suffix}",
            "generateName": f"{metadata['name'][:57]}-",
            "namespace": metadata["namespace"],
            "labels": dict(template["metadata"]["labels"]),
            "annotations": dict(own) | dict(annotations),
            "ownerReferences": [owner("apps/v1", "ReplicaSet", replicas)],
        },
        "spec": dict(template["spec"]) | {"nodeName": node, "restartPolicy": "Always"},
    }


def owner(api_version: str, kind: str, obj: Object) -> dict[str, Any]:
    """The ownerReference of a controller."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owned_by(obj: Object, uids: set[str]) -> bool:
    """Whether one of `uids` controls the object."""
    references = obj["metadata"].get("ownerReferences") or []
    return any(item.get("controller") and item.get("uid") in uids for item in references)


def revision_of(replicas: Object) -> int:
    """The revision that a ReplicaSet carries, 0 where it carries none."""
    text = (replicas["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision", "")
    return int(text) if text.isdigit() else 0
