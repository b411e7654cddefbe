"""`sortOptions`: the order of the result. Without it, and with `fifo`, it is the order of the resources. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.deploy.kustomize.identity import Gvk
from tidegate.deploy.kustomize.resource import Resource, ResourceMap

FIRST = (
    "Namespace", "ResourceQuota", "StorageClass", "CustomResourceDefinition", "ServiceAccount", "PodSecurityPolicy",
    "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ConfigMap", "Secret", "Endpoints", "Service",
    "LimitRange", "PriorityClass", "PersistentVolume", "PersistentVolumeClaim", "Deployment", "StatefulSet",
    "CronJob", "PodDisruptionBudget",
)  # fmt: skip
LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def sort(resources: ResourceMap, options: Mapping[str, Any], where: Where) -> None:
    """Order the resources as `sortOptions` says; InvalidInput where it contradicts itself."""
    order, legacy = options.get("order"), options.get("legacySortOptions")
    if order not in ("fifo", "legacy"):
        raise InvalidInput("sortOptions.order must be fifo or legacy", where=where)
    if order == "fifo":
        if legacy is not None:
            raise InvalidInput("legacySortOptions belong to the order legacy", where=where)
        return
    first = FIRST if legacy is None else tuple(legacy.get("orderFirst") or ())
    last = LAST if legacy is None else tuple(legacy.get("orderLast") or ())
    places = _places(first, last)
    resources.resources.sort(key=lambda resource: _place(resource, places))


def place_of_kind(gvk: Gvk) -> tuple[int, str]:
    """Where a kind stands among all, by the order `legacy`."""
    return _PLACES.get(gvk.kind, 0), _kind_text(gvk)


def _kind_text(gvk: Gvk) -> str:
    return "_".join((gvk.group or "~G", gvk.version or "~V", gvk.kind or "~K"))


def _places(first: Sequence[str], last: Sequence[str]) -> dict[str, int]:
    return {kind: at - len(first) for at, kind in enumerate(first)} | {kind: at + 1 for at, kind in enumerate(last)}


_PLACES = _places(FIRST, LAST)


def _place(resource: Resource, places: Mapping[str, int]) -> tuple[int, str, str]:
    gvk, identity = resource.gvk, resource.id
    kind = _kind_text(gvk)
    name = "|".join((str(gvk), identity.namespace or "~X", identity.name or "~N"))
    return places.get(gvk.kind, 0), kind, name
