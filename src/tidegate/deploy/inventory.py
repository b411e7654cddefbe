"""A Kustomization's inventory in Flux's format: what it applied, so that what is no longer wanted is pruned. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tidegate.kinds.inventory import keys_of
from tidegate.kinds.objects import Object, ObjectKey, annotation, key_of, version_of

OWNER_NAME = "kustomize.toolkit.fluxcd.io/name"
OWNER_NAMESPACE = "kustomize.toolkit.fluxcd.io/namespace"
PRUNE = "kustomize.toolkit.fluxcd.io/prune"
# Flux's stages: what others live in or are defined by comes first, what routes to them or admits them last.
FIRST = (
    "Namespace", "CustomResourceDefinition", "ResourceQuota", "StorageClass", "ServiceAccount", "PodSecurityPolicy",
    "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ConfigMap", "Secret", "Endpoints", "Service",
    "LimitRange", "PriorityClass", "PersistentVolume", "PersistentVolumeClaim", "Deployment", "StatefulSet", "CronJob",
    "PodDisruptionBudget",
)  # fmt: skip
LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def entry_of(obj: Object) -> dict[str, str]:
    """An object's entry: `NAMESPACE_NAME_GROUP_KIND` (colons in names doubled to `__`) and its version."""
    key = key_of(obj)
    name = key.name.replace(":", "__")
    return {"id": f"{key.namespace}_{name}_{key.group}_{key.kind}", "v": version_of(obj["apiVersion"])}


def inventory_of(objects: Iterable[Object]) -> dict[str, Any]:
    """The inventory of these objects, as `status.inventory` holds it."""
    return {"entries": sorted((entry_of(obj) for obj in objects), key=lambda entry: entry["id"])}


def union(first: Mapping[str, Any] | None, second: Mapping[str, Any]) -> dict[str, Any]:
    """All entries of both: what is recorded before an apply, so that a crash in its middle forgets nothing."""
    entries = {entry["id"]: entry for entry in [*((first or {}).get("entries") or []), *second["entries"]]}
    return {"entries": [entries[identity] for identity in sorted(entries)]}


def to_prune(before: Mapping[str, Any] | None, wanted: Iterable[Object]) -> list[ObjectKey]:
    """What was applied before and is not wanted now, in the order in which to delete it."""
    kept = {key_of(obj) for obj in wanted}
    return sorted((key for key in keys_of(before) if key not in kept), key=_place, reverse=True)


def may_prune(live: Object, name: str, namespace: str) -> bool:
    """Whether the live object is this Kustomization's own and does not opt out."""
    labels = live.get("metadata", {}).get("labels") or {}
    owned = labels.get(OWNER_NAME) == name and labels.get(OWNER_NAMESPACE) == namespace
    return owned and annotation(live, PRUNE) != "disabled"


def in_order(objects: Iterable[Object]) -> list[Object]:
    """The objects in the order in which to apply them."""
    return sorted(objects, key=lambda obj: _place(key_of(obj)))


def _place(key: ObjectKey) -> tuple[int, str, str, str]:
    if key.kind in FIRST:
        place = FIRST.index(key.kind)
    else:
        place = len(FIRST) + 1 + LAST.index(key.kind) if key.kind in LAST else len(FIRST)
    return place, key.kind, key.namespace, key.name


def owned(obj: Object, name: str, namespace: str) -> Object:
    """The object with the labels by which its Kustomization finds it again."""
    metadata = dict(obj["metadata"])
    metadata["labels"] = dict(metadata.get("labels") or {}) | {OWNER_NAME: name, OWNER_NAMESPACE: namespace}
    return {**obj, "metadata": metadata}
