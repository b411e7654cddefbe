"""Which object is which: group, version, kind, name and namespace, as kustomize compares them. Pure."""

from __future__ import annotations

from tidegate.base.frozen import frozen

DEFAULT_NAMESPACE = "default"
NO_NAMESPACE = "_non_namespaceable_"

# The kinds that kustomize knows to have no namespace; any other is taken to have one.
_CLUSTER_SCOPED = frozenset(
    f"{group}/{version} {kind}".lstrip("/")
    for group, versions, kinds in (
        ("admissionregistration.k8s.io", "v1 v1beta1", "MutatingWebhookConfiguration ValidatingWebhookConfiguration"),
        ("apiextensions.k8s.io", "v1 v1beta1", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "v1 v1beta1", "APIService"),
        ("certificates.k8s.io", "v1 v1beta1", "CertificateSigningRequest"),
        ("flowcontrol.apiserver.k8s.io", "v1beta1", "FlowSchema PriorityLevelConfiguration"),
        ("networking.k8s.io", "v1 v1beta1", "IngressClass"),
        ("node.k8s.io", "v1 v1beta1", "RuntimeClass"),
        ("policy", "v1beta1", "PodSecurityPolicy"),
        ("rbac.authorization.k8s.io", "v1 v1beta1", "ClusterRole ClusterRoleBinding"),
        ("scheduling.k8s.io", "v1 v1beta1", "PriorityClass"),
        ("storage.k8s.io", "v1 v1beta1", "CSIDriver CSINode StorageClass VolumeAttachment"),
        ("", "v1", "ComponentStatus Namespace Node NodeProxyOptions PersistentVolume"),
    )
    for version in versions.split()
    for kind in kinds.split()
)


@frozen
class Gvk:
    """A group, version and kind; each may be empty where it is used as a selector."""

    group: str = ""
    version: str = ""
    kind: str = ""

    @classmethod
    def of(cls, api_version: str, kind: str) -> Gvk:
        """From an object's apiVersion and kind."""
        group, slash, version = api_version.partition("/")
        return cls(group, version, kind) if slash else cls("", group, kind)

    @property
    def cluster_scoped(self) -> bool:
        """Whether objects of this kind are known to have no namespace."""
        return str(self) in _CLUSTER_SCOPED

    def selected_by(self, selector: Gvk) -> bool:
        """Whether every part that the selector gives is this one's."""
        return (
            selector.group in ("", self.group)
            and selector.version in ("", self.version)
            and selector.kind in ("", self.kind)
        )

    def __str__(self) -> str:
        version = f"{self.group}/{self.version}" if self.group else self.version
        return f"{version} {self.kind}".strip()


@frozen
class ResourceId:
    """An object's identity. Two are the same where `same_as` says so: a missing namespace means `default`."""

    gvk: Gvk
    name: str
    namespace: str = ""

    @property
    def effective_namespace(self) -> str:
        """The namespace that counts in comparisons."""
        if self.gvk.cluster_scoped:
            return NO_NAMESPACE
        return self.namespace or DEFAULT_NAMESPACE

    def same_namespace(self, other: ResourceId) -> bool:
        """Whether both are in one namespace, or in none."""
        return self.effective_namespace == other.effective_namespace

    def same_as(self, other: ResourceId) -> bool:
        """Whether both mean the same object."""
        return self.gvk == other.gvk and self.name == other.name and self.same_namespace(other)

    def selected_by(self, selector: ResourceId) -> bool:
        """Whether every part that the selector gives is this one's."""
        return (
            selector.name in ("", self.name)
            and (not selector.namespace or selector.same_namespace(self))
            and self.gvk.selected_by(selector.gvk)
        )

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.gvk} {place}{self.name}"
