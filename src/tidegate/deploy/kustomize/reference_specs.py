"""Which fields of which kinds name another object: kustomize's name references, as a table."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.base.frozen import frozen
from tidegate.deploy.kustomize.fieldspecs import FieldSpec
from tidegate.deploy.kustomize.identity import Gvk


@frozen
class NameReferences:
    """Fields that may hold the name of an object of the kind `target`."""

    target: Gvk
    referrers: tuple[FieldSpec, ...]


_WORKLOADS = ("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job")
_POD_SPECS = (
    ("spec", Gvk(version="v1", kind="Pod")),
    ("template/spec", Gvk(kind="PodTemplate")),
    *(("spec/template/spec", Gvk(kind=kind)) for kind in _WORKLOADS),
    ("spec/jobTemplate/spec/template/spec", Gvk(kind="CronJob")),
)
_CONFIG_MAP = (
    "volumes/configMap/name",
    "containers/env/valueFrom/configMapKeyRef/name",
    "initContainers/env/valueFrom/configMapKeyRef/name",
    "containers/envFrom/configMapRef/name",
    "initContainers/envFrom/configMapRef/name",
    "volumes/projected/sources/configMap/name",
)
_SECRET = (
    "volumes/secret/secretName",
    "containers/env/valueFrom/secretKeyRef/name",
    "initContainers/env/valueFrom/secretKeyRef/name",
    "containers/envFrom/secretRef/name",
    "initContainers/envFrom/secretRef/name",
    "imagePullSecrets/name",
    "volumes/projected/sources/secret/name",
)
# What a pod names by one field: a service account, a claim, a priority. ReplicaSet and PodTemplate are not among them.
_BY_FIELD = (
    ("spec", "Pod"),
    ("spec/template/spec", "StatefulSet"),
    ("spec/template/spec", "Deployment"),
    ("spec/template/spec", "ReplicationController"),
    ("spec/jobTemplate/spec/template/spec", "CronJob"),
    ("spec/template/spec", "Job"),
    ("spec/template/spec", "DaemonSet"),
)
_RBAC, _ADMISSION = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"


def _in_pods(paths: tuple[str, ...]) -> Iterator[FieldSpec]:
    return (FieldSpec(f"{prefix}/{path}", selector) for prefix, selector in _POD_SPECS for path in paths)


def _by_field(path: str) -> tuple[FieldSpec, ...]:
    return tuple(FieldSpec(f"{prefix}/{path}", Gvk(kind=kind)) for prefix, kind in _BY_FIELD)


def _in(kind: str, *paths: str, group: str = "") -> tuple[FieldSpec, ...]:
    return tuple(FieldSpec(path, Gvk(group=group, kind=kind)) for path in paths)


_SCALED = _in("HorizontalPodAutoscaler", "spec/scaleTargetRef/name")
_RESOURCE_NAMES = _in("Role", "rules/resourceNames") + _in("ClusterRole", "rules/resourceNames")
_ANNOTATION = "metadata/annotations/"

NAME_REFERENCES: tuple[NameReferences, ...] = (
    *(
        NameReferences(Gvk(kind=kind), _SCALED)
        for kind in ("Deployment", "ReplicationController", "ReplicaSet", "StatefulSet")
    ),
    NameReferences(
        Gvk(version="v1", kind="ConfigMap"),
        (
            *_in_pods(_CONFIG_MAP),
            *_in("Node", "spec/configSource/configMap"),
            *_RESOURCE_NAMES,
            *_in("Ingress", rf"{_ANNOTATION}nginx.ingress.kubernetes.io\/fastcgi-params-configmap"),
        ),
    ),
    NameReferences(
        Gvk(version="v1", kind="Secret"),
        (
            *_in_pods(_SECRET),
            *_in(
                "Ingress",
                "spec/tls/secretName",
                rf"{_ANNOTATION}ingress.kubernetes.io\/auth-secret",
                rf"{_ANNOTATION}nginx.ingress.kubernetes.io\/auth-secret",
                rf"{_ANNOTATION}nginx.ingress.kubernetes.io\/auth-tls-secret",
            ),
            *_in("ServiceAccount", "imagePullSecrets/name"),
            *_in(
                "StorageClass",
                "parameters/secretName",
                "parameters/adminSecretName",
                "parameters/userSecretName",
                "parameters/secretRef",
            ),
            *_RESOURCE_NAMES,
            FieldSpec(
                "spec/template/spec/containers/env/valueFrom/secretKeyRef/name",
                Gvk("serving.knative.dev", "v1", "Service"),
            ),
            *_in("PersistentVolume", "spec/azureFile/secretName"),
        ),
    ),
    NameReferences(
        Gvk(version="v1", kind="Service"),
        (
            *_in("StatefulSet", "spec/serviceName", group="apps"),
            *_in(
                "Ingress",
                "spec/rules/http/paths/backend/serviceName",
                "spec/backend/serviceName",
                "spec/rules/http/paths/backend/service/name",
                "spec/defaultBackend/service/name",
            ),
            *_in("APIService", "spec/service/name", group="apiregistration.k8s.io"),
            *_in("ValidatingWebhookConfiguration", "webhooks/clientConfig/service", group=_ADMISSION),
            *_in("MutatingWebhookConfiguration", "webhooks/clientConfig/service", group=_ADMISSION),
        ),
    ),
    NameReferences(Gvk(group=_RBAC, kind="Role"), _in("RoleBinding", "roleRef/name", group=_RBAC)),
    NameReferences(
        Gvk(group=_RBAC, kind="ClusterRole"),
        _in("RoleBinding", "roleRef/name", group=_RBAC) + _in("ClusterRoleBinding", "roleRef/name", group=_RBAC),
    ),
    NameReferences(
        Gvk(version="v1", kind="ServiceAccount"),
        (
            *_in("RoleBinding", "subjects", group=_RBAC),
            *_in("ClusterRoleBinding", "subjects", group=_RBAC),
            *_by_field("serviceAccountName"),
        ),
    ),
    NameReferences(
        Gvk(version="v1", kind="PersistentVolumeClaim"), _by_field("volumes/persistentVolumeClaim/claimName")
    ),
    NameReferences(
        Gvk(version="v1", kind="PersistentVolume"),
        _in("PersistentVolumeClaim", "spec/volumeName") + _in("ClusterRole", "rules/resourceNames"),
    ),
    NameReferences(
        Gvk("storage.k8s.io", "v1", "StorageClass"),
        (
            *_in("PersistentVolume", "spec/storageClassName"),
            *_in("PersistentVolumeClaim", "spec/storageClassName"),
            *_in("StatefulSet", "spec/volumeClaimTemplates/spec/storageClassName"),
        ),
    ),
    NameReferences(Gvk("scheduling.k8s.io", "v1", "PriorityClass"), _by_field("priorityClassName")),
    NameReferences(
        Gvk(group=_ADMISSION, kind="ValidatingAdmissionPolicy"),
        _in("ValidatingAdmissionPolicyBinding", "spec/policyName", group=_ADMISSION),
    ),
)
