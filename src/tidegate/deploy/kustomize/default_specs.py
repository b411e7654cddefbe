"""Where kustomize's transformers work by default: its built-in field specs, as a table."""

from __future__ import annotations

from tidegate.deploy.kustomize.fieldspecs import FieldSpec
from tidegate.deploy.kustomize.identity import Gvk


def _spec(path: str, kind: str = "", group: str = "", version: str = "", *, create: bool = True) -> FieldSpec:
    return FieldSpec(path, Gvk(group, version, kind), create)


NAME = (FieldSpec("metadata/name"),)
NAMESPACE = (
    _spec("metadata/name", "Namespace"),
    _spec("spec/service/namespace", "APIService", "apiregistration.k8s.io"),
    _spec(
        "spec/conversion/webhook/clientConfig/service/namespace",
        "CustomResourceDefinition",
        "apiextensions.k8s.io",
        create=False,
    ),
)
IMAGES = tuple(
    _spec(f"{prefix}{path}")
    for prefix in ("spec/", "spec/template/spec/")
    for path in ("containers[]/image", "initContainers[]/image", "volumes[]/image/reference")
)
REPLICAS = tuple(
    _spec("spec/replicas", kind) for kind in ("Deployment", "ReplicationController", "ReplicaSet", "StatefulSet")
)
_TEMPLATES = (
    ("spec/template", "ReplicationController", "", "v1"),
    ("spec/template", "Deployment", "", ""),
    ("spec/template", "ReplicaSet", "", ""),
    ("spec/template", "DaemonSet", "", ""),
)
_JOBS = (
    ("spec/template", "Job", "batch", ""),
    ("spec/jobTemplate", "CronJob", "batch", ""),
    ("spec/jobTemplate/spec/template", "CronJob", "batch", ""),
)
TEMPLATE_LABELS = (
    _spec("metadata/labels"),
    *(_spec(f"{path}/metadata/labels", kind, group, version) for path, kind, group, version in _TEMPLATES),
    _spec("spec/template/metadata/labels", "StatefulSet", "apps"),
    _spec("spec/volumeClaimTemplates[]/metadata/labels", "StatefulSet", "apps"),
    *(_spec(f"{path}/metadata/labels", kind, group, version) for path, kind, group, version in _JOBS),
)
ANNOTATIONS = (
    _spec("metadata/annotations"),
    *(_spec(f"{path}/metadata/annotations", kind, group, version) for path, kind, group, version in _TEMPLATES),
    _spec("spec/template/metadata/annotations", "StatefulSet"),
    *(_spec(f"{path}/metadata/annotations", kind, group, version) for path, kind, group, version in _JOBS),
)
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels"
_POD_SELECTORS = (
    f"affinity/podAffinity/{_PREFERRED}",
    f"affinity/podAffinity/{_REQUIRED}",
    f"affinity/podAntiAffinity/{_PREFERRED}",
    f"affinity/podAntiAffinity/{_REQUIRED}",
    "topologySpreadConstraints/labelSelector/matchLabels",
)
COMMON_LABELS = (
    _spec("spec/selector", "Service", version="v1"),
    _spec("spec/selector", "ReplicationController", version="v1"),
    _spec("spec/selector/matchLabels", "Deployment"),
    *(_spec(f"spec/template/spec/{path}", "Deployment", "apps", create=False) for path in _POD_SELECTORS),
    _spec("spec/selector/matchLabels", "ReplicaSet"),
    _spec("spec/selector/matchLabels", "DaemonSet"),
    _spec("spec/selector/matchLabels", "StatefulSet", "apps"),
    *(_spec(f"spec/template/spec/{path}", "StatefulSet", "apps", create=False) for path in _POD_SELECTORS),
    _spec("spec/selector/matchLabels", "Job", "batch", create=False),
    _spec("spec/jobTemplate/spec/selector/matchLabels", "CronJob", "batch", create=False),
    _spec("spec/selector/matchLabels", "PodDisruptionBudget", "policy", create=False),
    _spec("spec/podSelector/matchLabels", "NetworkPolicy", "networking.k8s.io", create=False),
    _spec("spec/ingress/from/podSelector/matchLabels", "NetworkPolicy", "networking.k8s.io", create=False),
    _spec("spec/egress/to/podSelector/matchLabels", "NetworkPolicy", "networking.k8s.io", create=False),
    *TEMPLATE_LABELS,
)
