"""Which lists of Kubernetes' own kinds merge by key: a table of what kustomize's built-in OpenAPI (1.21) says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Protocol

from tidegate.base.frozen import frozen


class MergeType(Protocol):
    """A type, as far as merging asks: whether a list of it merges, by which keys, and the types below it."""

    @property
    def keys(self) -> tuple[str, ...] | None: ...

    @property
    def items(self) -> MergeType | None: ...

    def field(self, name: str) -> MergeType | None: ...


@frozen
class Schema:
    """A type: `fields` are those that lead to a list that merges. `keys` is None where the value is no such list; empty
    for a list of scalars, else the fields that identify an item.
    """

    fields: Mapping[str, Schema] = field(default_factory=dict)
    keys: tuple[str, ...] | None = None
    items: Schema | None = None

    def field(self, name: str) -> Schema | None:
        """The type of a field; None where nothing below it merges by key."""
        return self.fields.get(name)


def _list(*keys: str, **fields: Schema) -> Schema:
    return Schema(keys=keys, items=Schema(fields))


def _type(**fields: Schema) -> Schema:
    return Schema(fields)


_META = _type(finalizers=_list(), ownerReferences=_list("uid"))
_CONDITIONS = _type(conditions=_list("type"))
_ENV = {"env": _list("name"), "volumeDevices": _list("devicePath"), "volumeMounts": _list("mountPath")}
_CONTAINERS = _list("name", ports=_list("containerPort", "protocol"), **_ENV)
_CLAIM = _type(metadata=_META, status=_CONDITIONS)
_POD_SPEC = _type(
    containers=_CONTAINERS,
    initContainers=_CONTAINERS,
    ephemeralContainers=_list("name", **_ENV),
    hostAliases=_list("ip"),
    imagePullSecrets=_list("name"),
    topologySpreadConstraints=_list("topologyKey", "whenUnsatisfiable"),
    volumes=_list("name", ephemeral=_type(volumeClaimTemplate=_type(metadata=_META))),
)
_TEMPLATE = _type(metadata=_META, spec=_POD_SPEC)
_JOB_SPEC = _type(template=_TEMPLATE)
_PLAIN = _type(metadata=_META)
_WORKLOAD = _type(metadata=_META, spec=_type(template=_TEMPLATE), status=_CONDITIONS)
_WEBHOOKS = _type(metadata=_META, webhooks=_list("name"))
_WITH_CONDITIONS = _type(metadata=_META, status=_CONDITIONS)

_OWN = {
    "MutatingWebhookConfiguration": _WEBHOOKS,
    "ValidatingWebhookConfiguration": _WEBHOOKS,
    "APIService": _WITH_CONDITIONS,
    "DaemonSet": _WORKLOAD,
    "Deployment": _WORKLOAD,
    "ReplicaSet": _WORKLOAD,
    "ReplicationController": _WORKLOAD,
    "StatefulSet": _type(
        metadata=_META,
        spec=Schema({"template": _TEMPLATE, "volumeClaimTemplates": Schema(items=_CLAIM)}),
        status=_CONDITIONS,
    ),
    "Job": _type(metadata=_META, spec=_JOB_SPEC, status=_CONDITIONS),
    "CronJob": _type(metadata=_META, spec=_type(jobTemplate=_type(metadata=_META, spec=_JOB_SPEC))),
    "PodDisruptionBudget": _WITH_CONDITIONS,
    "CSINode": _type(metadata=_META, spec=_type(drivers=_list("name"))),
    "ComponentStatus": _type(metadata=_META, conditions=_list("type")),
    "Namespace": _WITH_CONDITIONS,
    "Node": _type(
        metadata=_META,
        spec=_type(podCIDRs=_list()),
        status=_type(addresses=_list("type"), conditions=_list("type")),
    ),
    "PersistentVolumeClaim": _CLAIM,
    "Pod": _type(metadata=_META, spec=_POD_SPEC, status=_type(conditions=_list("type"), podIPs=_list("ip"))),
    "PodTemplate": _type(metadata=_META, template=_TEMPLATE),
    "Service": _type(metadata=_META, spec=_type(ports=_list("port", "protocol")), status=_CONDITIONS),
    "ServiceAccount": _type(metadata=_META, secrets=_list("name")),
}
_RBAC = "ClusterRole ClusterRoleBinding Role RoleBinding"
_STORAGE = "CSIDriver CSINode StorageClass VolumeAttachment"
_HOOKS = "MutatingWebhookConfiguration ValidatingWebhookConfiguration"
_KNOWN = {
    "v1": "Binding ComponentStatus ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolume "
    "PersistentVolumeClaim Pod PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount",
    "admissionregistration.k8s.io/v1": _HOOKS,
    "admissionregistration.k8s.io/v1beta1": _HOOKS,
    "apiextensions.k8s.io/v1": "CustomResourceDefinition",
    "apiextensions.k8s.io/v1beta1": "CustomResourceDefinition",
    "apiregistration.k8s.io/v1": "APIService",
    "apiregistration.k8s.io/v1beta1": "APIService",
    "apps/v1": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "autoscaling/v1": "HorizontalPodAutoscaler Scale",
    "autoscaling/v2beta1": "HorizontalPodAutoscaler",
    "autoscaling/v2beta2": "HorizontalPodAutoscaler",
    "batch/v1": "CronJob Job",
    "batch/v1beta1": "CronJob",
    "certificates.k8s.io/v1": "CertificateSigningRequest",
    "certificates.k8s.io/v1beta1": "CertificateSigningRequest",
    "coordination.k8s.io/v1": "Lease",
    "coordination.k8s.io/v1beta1": "Lease",
    "discovery.k8s.io/v1": "EndpointSlice",
    "discovery.k8s.io/v1beta1": "EndpointSlice",
    "events.k8s.io/v1": "Event",
    "events.k8s.io/v1beta1": "Event",
    "extensions/v1beta1": "Ingress",
    "flowcontrol.apiserver.k8s.io/v1beta1": "FlowSchema PriorityLevelConfiguration",
    "networking.k8s.io/v1": "Ingress IngressClass NetworkPolicy",
    "networking.k8s.io/v1beta1": "Ingress IngressClass",
    "node.k8s.io/v1": "RuntimeClass",
    "node.k8s.io/v1beta1": "RuntimeClass",
    "policy/v1": "PodDisruptionBudget",
    "policy/v1beta1": "PodDisruptionBudget PodSecurityPolicy",
    "rbac.authorization.k8s.io/v1": _RBAC,
    "rbac.authorization.k8s.io/v1beta1": _RBAC,
    "scheduling.k8s.io/v1": "PriorityClass",
    "scheduling.k8s.io/v1beta1": "PriorityClass",
    "storage.k8s.io/v1": _STORAGE,
    "storage.k8s.io/v1beta1": f"{_STORAGE} CSIStorageCapacity",
}


def schema_of(api_version: str, kind: str) -> Schema | None:
    """The type of a kind; None for one that is not Kubernetes' own: its lists are replaced whole."""
    if kind not in _KNOWN.get(api_version, "").split():
        return None
    return _OWN.get(kind, _PLAIN)
