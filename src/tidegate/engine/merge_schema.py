"""How the fields of each kind merge: which lists are associative and by what keys, which maps are atomic.

One table for server-side apply and for strategic merge patches, taken from Kubernetes' published OpenAPI. Pure.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tidegate.base.frozen import frozen

Path = tuple[str, ...]
"""Field names from the object's root; list items add nothing: a container's image is `("spec", …, "image")`."""


@frozen
class ListType:
    """An associative list: items are one and the same where `keys` are equal; without keys it is a set of scalars.

    `patch_key` is the single key of strategic merge patches, which are older than lists with several keys.
    """

    keys: tuple[str, ...]
    patch_key: str = ""

    @property
    def is_set(self) -> bool:
        return not self.keys

    @property
    def merge_key(self) -> str:
        return self.patch_key or (self.keys[0] if self.keys else "")


KEY_DEFAULTS: Mapping[str, Any] = {"protocol": "TCP"}
"""What a key's field means where it is left out."""

_SET = ListType(())
_NAME = ListType(("name",))
_METADATA_LISTS: dict[Path, ListType] = {("ownerReferences",): ListType(("uid",)), ("finalizers",): _SET}
_CONTAINER_LISTS: dict[Path, ListType] = {
    (): _NAME,
    ("env",): _NAME,
    ("ports",): ListType(("containerPort", "protocol"), "containerPort"),
    ("volumeMounts",): ListType(("mountPath",)),
    ("volumeDevices",): ListType(("devicePath",)),
    ("resources", "claims"): _NAME,
}
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_POD_LISTS: dict[Path, ListType] = {
    **{(name, *path): kind for name in _CONTAINERS for path, kind in _CONTAINER_LISTS.items()},
    ("volumes",): _NAME,
    ("imagePullSecrets",): _NAME,
    ("resources", "claims"): _NAME,
    ("hostAliases",): ListType(("ip",)),
    ("resourceClaims",): _NAME,
    ("schedulingGates",): _NAME,
    ("topologySpreadConstraints",): ListType(("topologyKey", "whenUnsatisfiable"), "topologyKey"),
}
_POD_ATOMIC: frozenset[Path] = frozenset(
    {
        ("nodeSelector",),
        ("imagePullSecrets",),
        ("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"),
        ("topologySpreadConstraints", "labelSelector"),
    }
)
_ATOMIC_NAMES = frozenset(
    {
        "configMapKeyRef", "secretKeyRef", "fieldRef", "resourceFieldRef", "secretRef", "nodePublishSecretRef",
        "nodeStageSecretRef", "nodeExpandSecretRef", "controllerPublishSecretRef", "controllerExpandSecretRef",
    }
)  # fmt: skip
"""References to one thing: Kubernetes replaces them whole wherever they stand."""
_POD_SPECS: dict[str, Path] = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    **dict.fromkeys(
        ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController", "Job"),
        ("spec", "template", "spec"),
    ),
}
_OWN_LISTS: dict[str, dict[Path, ListType]] = {
    "Pod": {("status", "podIPs"): ListType(("ip",))},
    "Service": {("spec", "ports"): ListType(("port", "protocol"), "port")},
    "ServiceAccount": {("secrets",): _NAME},
}
_OWN_ATOMIC: dict[str, frozenset[Path]] = {
    "Service": frozenset({("spec", "selector")}),
    "ServiceAccount": frozenset({("secrets",)}),
    "Event": frozenset({("involvedObject",), ("related",)}),
    "PersistentVolumeClaim": frozenset({("spec", "selector"), ("spec", "dataSource")}),
    "PersistentVolume": frozenset({("spec", "claimRef"), ("spec", "nodeAffinity", "required")}),
    "PodDisruptionBudget": frozenset({("spec", "selector")}),
    "NetworkPolicy": frozenset({("spec", "podSelector")}),
    "Ingress": frozenset({("spec", "defaultBackend", "resource"), ("spec", "defaultBackend", "service", "port")}),
    "CronJob": frozenset({("spec", "jobTemplate", "spec", "selector")}),
    **dict.fromkeys(("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"), frozenset({("spec", "selector")})),
}
_BUILT_IN_GROUPS = frozenset({"", "apps", "batch", "policy", "autoscaling", "extensions"})


@frozen
class MergeSchema:
    """The associative lists and the atomic maps of one kind; any other list is atomic, any other map granular.

    A path of an associative list among `atomic_maps` means its items.
    """

    lists: Mapping[Path, ListType] = field(default_factory=dict)
    atomic_maps: frozenset[Path] = frozenset()
    atomic_names: frozenset[str] = frozenset()

    def list_type(self, path: Path) -> ListType | None:
        """How the list at `path` merges; None where it is atomic."""
        return self.lists.get(path)

    def is_atomic(self, path: Path) -> bool:
        """Whether the map at `path` is replaced and owned as a whole."""
        return path in self.atomic_maps or (bool(path) and path[-1] in self.atomic_names)


def is_built_in(group: str) -> bool:
    """Whether Kubernetes itself defines the kinds of a group, and so accepts strategic merge patches for them."""
    return group in _BUILT_IN_GROUPS or group.endswith(".k8s.io")


@functools.lru_cache(maxsize=64)
def merge_schema(group: str, kind: str) -> MergeSchema:
    """The schema of a kind. Of kinds that Kubernetes doesn't define only metadata and conditions are known."""
    lists = _below(("metadata",), _METADATA_LISTS)
    atomic: set[Path] = {("metadata", "ownerReferences")}
    lists["status", "conditions"] = ListType(("type",))
    if not is_built_in(group):
        return MergeSchema(lists, frozenset(atomic))
    lists |= _OWN_LISTS.get(kind, {})
    atomic |= _OWN_ATOMIC.get(kind, frozenset())
    if (pod := _POD_SPECS.get(kind)) is not None:
        lists |= _below(pod, _POD_LISTS)
        atomic |= {(*pod, *path) for path in _POD_ATOMIC}
        if len(pod) > 1:
            lists |= _below((*pod[:-1], "metadata"), _METADATA_LISTS)
            atomic.add((*pod[:-1], "metadata", "ownerReferences"))
    return MergeSchema(lists, frozenset(atomic), _ATOMIC_NAMES)


def _below(prefix: Path, lists: Mapping[Path, ListType]) -> dict[Path, ListType]:
    return {(*prefix, *path): list_type for path, list_type in lists.items()}


def item_key(item: object, keys: tuple[str, ...]) -> tuple[object, ...] | None:
    """The values of an item's keys, defaults filled in; None where the item has not all of them."""
    if not isinstance(item, Mapping):
        return None
    values = tuple(item.get(key, KEY_DEFAULTS.get(key)) for key in keys)
    return None if any(value is None or isinstance(value, (dict, list)) for value in values) else values
