"""The vocabulary of kinds: group, versions, plural, short names, scope and categories, as API discovery tells them.

Pure. Kinds that are not listed here exist too, once somebody stores one; `resource_of_definition` and `guessed` name
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.kinds.objects import group_of, version_of


@frozen
class Resource:
    """A kind and its names. The first of `versions` is the preferred one; the core group is the empty string."""

    group: str
    versions: tuple[str, ...]
    kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...] = ()
    namespaced: bool = True
    categories: tuple[str, ...] = ()
    has_status: bool = True
    has_scale: bool = False

    @property
    def api_version(self) -> str:
        """The preferred version as an object's apiVersion."""
        return self.api_version_of(self.versions[0])

    def api_version_of(self, version: str) -> str:
        """A version as an object's apiVersion: `apps/v1`, `v1`."""
        return f"{self.group}/{version}" if self.group else version


def _kind(
    group: str,
    versions: str,
    kind: str,
    short: str = "",
    *,
    plural: str = "",
    namespaced: bool = True,
    categories: str = "",
    has_status: bool = True,
    has_scale: bool = False,
) -> Resource:
    return Resource(
        group=group,
        versions=tuple(versions.split()),
        kind=kind,
        plural=plural or plural_of(kind),
        singular=kind.lower(),
        short_names=tuple(short.split()),
        namespaced=namespaced,
        categories=tuple(categories.split()),
        has_status=has_status,
        has_scale=has_scale,
    )


def plural_of(kind: str) -> str:
    """The plural that Kubernetes would guess: `Policy` → `policies`, `Ingress` → `ingresses`."""
    name = kind.lower()
    if name.endswith("s"):
        return f"{name}es"
    if name.endswith("y"):
        return f"{name[:-1]}ies"
    return f"{name}s"


_SOURCE, _KUSTOMIZE = "source.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io"
_IMAGE, _NOTIFICATION = "image.toolkit.fluxcd.io", "notification.toolkit.fluxcd.io"
OUR_GROUP = "tidegate.dev"

FLUX: tuple[Resource, ...] = (
    _kind(_SOURCE, "v1 v1beta2 v1beta1", "GitRepository", "gitrepo", plural="gitrepositories"),
    _kind(_KUSTOMIZE, "v1 v1beta2 v1beta1", "Kustomization", "ks"),
    _kind(_IMAGE, "v1 v1beta2 v1beta1", "ImageRepository", "imgrepo imagerepo", plural="imagerepositories"),
    _kind(_IMAGE, "v1 v1beta2 v1beta1", "ImagePolicy", "imgpol imagepol", plural="imagepolicies"),
    _kind(_IMAGE, "v1 v1beta2 v1beta1", "ImageUpdateAutomation", "iua imgupd imgauto"),
    _kind(_NOTIFICATION, "v1beta3 v1beta2 v1beta1", "Alert"),
    _kind(_NOTIFICATION, "v1beta3 v1beta2 v1beta1", "Provider"),
    _kind(_NOTIFICATION, "v1 v1beta2 v1beta1", "Receiver"),
)
OURS: tuple[Resource, ...] = (
    _kind(OUR_GROUP, "v1alpha1", "Runner", categories="tidegate"),
    _kind(OUR_GROUP, "v1alpha1", "WorkflowRun", "wfr", categories="tidegate"),
)
BUILT_IN: tuple[Resource, ...] = (
    _kind("", "v1", "ConfigMap", "cm", has_status=False),
    _kind("", "v1", "Endpoints", "ep", plural="endpoints", has_status=False),
    _kind("", "v1", "Event", "ev", has_status=False),
    _kind("", "v1", "LimitRange", "limits", has_status=False),
    _kind("", "v1", "Namespace", "ns", namespaced=False),
    _kind("", "v1", "Node", "no", namespaced=False),
    _kind("", "v1", "PersistentVolumeClaim", "pvc"),
    _kind("", "v1", "PersistentVolume", "pv", namespaced=False),
    _kind("", "v1", "Pod", "po", categories="all"),
    _kind("", "v1", "ResourceQuota", "quota"),
    _kind("", "v1", "Secret", has_status=False),
    _kind("", "v1", "ServiceAccount", "sa", has_status=False),
    _kind("", "v1", "Service", "svc", categories="all"),
    _kind("apps", "v1", "DaemonSet", "ds", categories="all"),
    _kind("apps", "v1", "Deployment", "deploy", categories="all", has_scale=True),
    _kind("apps", "v1", "ReplicaSet", "rs", categories="all", has_scale=True),
    _kind("apps", "v1", "StatefulSet", "sts", categories="all", has_scale=True),
    _kind("batch", "v1", "CronJob", "cj", categories="all"),
    _kind("batch", "v1", "Job", categories="all"),
    _kind("autoscaling", "v2", "HorizontalPodAutoscaler", "hpa", categories="all"),
    _kind("networking.k8s.io", "v1", "Ingress", "ing"),
    _kind("networking.k8s.io", "v1", "IngressClass", namespaced=False, has_status=False),
    _kind("networking.k8s.io", "v1", "NetworkPolicy", "netpol", has_status=False),
    _kind("policy", "v1", "PodDisruptionBudget", "pdb"),
    _kind("rbac.authorization.k8s.io", "v1", "ClusterRole", namespaced=False, has_status=False),
    _kind("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", namespaced=False, has_status=False),
    _kind("rbac.authorization.k8s.io", "v1", "Role", has_status=False),
    _kind("rbac.authorization.k8s.io", "v1", "RoleBinding", has_status=False),
    _kind("storage.k8s.io", "v1", "StorageClass", "sc", namespaced=False, has_status=False),
    _kind("scheduling.k8s.io", "v1", "PriorityClass", "pc", namespaced=False, has_status=False),
    _kind("coordination.k8s.io", "v1", "Lease", has_status=False),
    _kind("discovery.k8s.io", "v1", "EndpointSlice", has_status=False),
    _kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "crd crds", namespaced=False),
)
KNOWN: tuple[Resource, ...] = (*BUILT_IN, *FLUX, *OURS)
_BY_KIND: Mapping[tuple[str, str], Resource] = {(resource.group, resource.kind): resource for resource in KNOWN}


def known(group: str, kind: str) -> Resource | None:
    """The resource of a kind that this vocabulary lists, or None."""
    return _BY_KIND.get((group, kind))


def guessed(group: str, kind: str, versions: Iterable[str], *, namespaced: bool) -> Resource:
    """A resource for a kind of which only objects are known."""
    return _kind(group, " ".join(versions), kind, namespaced=namespaced)


def resource_of_definition(definition: Mapping[str, Any]) -> Resource | None:
    """The resource that a CustomResourceDefinition defines; None where it names no kind or serves no version."""
    spec = definition.get("spec")
    names = spec.get("names") if isinstance(spec, Mapping) else None
    if not isinstance(spec, Mapping) or not isinstance(names, Mapping) or not names.get("kind"):
        return None
    versions = [item for item in spec.get("versions") or [] if isinstance(item, Mapping) and item.get("served", True)]
    ordered = sorted((str(item.get("name")) for item in versions), key=version_priority)
    if not ordered:
        return None
    kind = str(names["kind"])
    return Resource(
        group=str(spec.get("group") or ""),
        versions=tuple(ordered),
        kind=kind,
        plural=str(names.get("plural") or plural_of(kind)),
        singular=str(names.get("singular") or kind.lower()),
        short_names=tuple(map(str, names.get("shortNames") or ())),
        namespaced=spec.get("scope") != "Cluster",
        categories=tuple(map(str, names.get("categories") or ())),
        has_status=any("status" in (item.get("subresources") or {}) for item in versions),
    )


def version_priority(version: str) -> tuple[int, int, int, str]:
    """A sort key by Kubernetes' version priority: v2, v1, v1beta2, v1beta1, v1alpha1, then everything else by name."""
    digits, stage, number = _split_version(version)
    if digits is None:
        return (3, 0, 0, version)
    return ({"": 0, "beta": 1, "alpha": 2}[stage], -digits, -number, version)


def _split_version(version: str) -> tuple[int | None, str, int]:
    body = version.removeprefix("v")
    for stage in ("alpha", "beta"):
        major, found, minor = body.partition(stage)
        if found and major.isdecimal() and minor.isdecimal():
            return int(major), stage, int(minor)
    if version.startswith("v") and body.isdecimal():
        return int(body), "", 0
    return None, "", 0


def is_namespaced(api_version: str, kind: str) -> bool | None:
    """Whether a listed kind lives in namespaces; None where the kind is not listed."""
    resource = known(group_of(api_version), kind)
    return resource.namespaced if resource is not None else None


def serves(resource: Resource, api_version: str) -> bool:
    """Whether a resource is served in the version that an object names."""
    return group_of(api_version) == resource.group and version_of(api_version) in resource.versions
