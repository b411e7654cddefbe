"""Which kinds there are in the groups that everybody knows, Kubernetes' own and Flux's: a kind that such a group does
not have is a slip of the pen, and not a kind of somebody else's. Pure.
"""

from __future__ import annotations

from tidegate.kinds.objects import group_of, version_of

_KINDS = {
    "": "Binding ComponentStatus ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolume "
    "PersistentVolumeClaim Pod PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount",
    "apps": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "batch": "CronJob Job",
    "autoscaling": "HorizontalPodAutoscaler Scale",
    "networking.k8s.io": "IPAddress Ingress IngressClass NetworkPolicy ServiceCIDR",
    "policy": "Eviction PodDisruptionBudget",
    "rbac.authorization.k8s.io": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "storage.k8s.io": "CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment VolumeAttributesClass",
    "scheduling.k8s.io": "PriorityClass Workload PodGroup",
    "coordination.k8s.io": "Lease LeaseCandidate",
    "discovery.k8s.io": "EndpointSlice",
    "events.k8s.io": "Event",
    "node.k8s.io": "RuntimeClass",
    "certificates.k8s.io": "CertificateSigningRequest ClusterTrustBundle PodCertificateRequest",
    "flowcontrol.apiserver.k8s.io": "FlowSchema PriorityLevelConfiguration",
    "admissionregistration.k8s.io": "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding "
    "MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding "
    "ValidatingWebhookConfiguration",
    "apiextensions.k8s.io": "CustomResourceDefinition",
    "apiregistration.k8s.io": "APIService",
    "resource.k8s.io": "DeviceClass DeviceTaintRule ResourceClaim ResourceClaimTemplate ResourceSlice",
    "source.toolkit.fluxcd.io": "Bucket ExternalArtifact GitRepository HelmChart HelmRepository OCIRepository",
    "kustomize.toolkit.fluxcd.io": "Kustomization",
    "helm.toolkit.fluxcd.io": "HelmRelease",
    "image.toolkit.fluxcd.io": "ImagePolicy ImageRepository ImageUpdateAutomation",
    "notification.toolkit.fluxcd.io": "Alert Provider Receiver",
    "tidegate.dev": "Runner WorkflowRun",
}
KINDS = {group: tuple(kinds.split()) for group, kinds in _KINDS.items()}
_ONLY_V1 = ("", "apps", "batch")
"""Groups of which no other version is served any more, nor will be soon."""


def no_such_kind(api_version: str, kind: str) -> str:
    """Why there can be no object of a kind, in the API's words and with what was probably meant; empty where there can,
    or where the group is somebody else's.
    """
    group, version = group_of(api_version), version_of(api_version)
    kinds = KINDS.get(group)
    if kinds is None:
        return ""
    said = f'no matches for kind "{kind}" in version "{api_version}"'
    if kind in kinds:
        return f"{said}: it is served in {_written(group, 'v1')}" if group in _ONLY_V1 and version != "v1" else ""
    if near := nearest(kind, kinds):
        return f"{said}: did you mean {near}?"
    homes = [other for other, known in KINDS.items() if kind in known]
    return f"{said}: {kind} is of {' or '.join(other or 'the core group, v1' for other in homes)}" if homes else said


def nearest(word: str, known: tuple[str, ...]) -> str:
    """The known word that was probably meant; empty where none is near."""
    lowered = {one.lower(): one for one in known}
    import difflib  # noqa: PLC0415 - only errors need it

    found = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.7)
    return lowered[found[0]] if found else ""


def _written(group: str, version: str) -> str:
    return f"{group}/{version}" if group else version
