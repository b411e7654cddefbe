"""What this machine runs and what it keeps without running it, each by name: nothing is dropped in silence. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tidegate.kinds.objects import Object, group_of

_RUN = {("apps", "Deployment"), ("", "Service"), ("", "ConfigMap"), ("", "Secret"), ("", "Namespace")}
_HARMLESS = {
    ("", "Event"), ("", "ServiceAccount"), ("", "Pod"), ("apps", "ReplicaSet"), ("", "Endpoints"),
    ("discovery.k8s.io", "EndpointSlice"), ("coordination.k8s.io", "Lease"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
}  # fmt: skip
_FLUX = {
    ("source.toolkit.fluxcd.io", "GitRepository"), ("kustomize.toolkit.fluxcd.io", "Kustomization"),
    ("image.toolkit.fluxcd.io", "ImageRepository"), ("image.toolkit.fluxcd.io", "ImagePolicy"),
    ("image.toolkit.fluxcd.io", "ImageUpdateAutomation"), ("notification.toolkit.fluxcd.io", "Receiver"),
    ("notification.toolkit.fluxcd.io", "Alert"), ("notification.toolkit.fluxcd.io", "Provider"),
}  # fmt: skip
_OURS = "tidegate.dev"
_WHY = {
    "Ingress": "reach the Service at its annotation tidegate.dev/url instead",
    "StatefulSet": "only Deployments are run",
    "DaemonSet": "only Deployments are run",
    "Job": "only Deployments are run",
    "CronJob": "only Deployments are run",
    "SealedSecret": "nothing here can open it; give the Secret itself",
    "PersistentVolumeClaim": "use a hostPath under an allowed root",
    "PersistentVolume": "use a hostPath under an allowed root",
    "NetworkPolicy": "no replica reaches another; the annotation tidegate.dev/network: none closes the outside",
    "HorizontalPodAutoscaler": "set spec.replicas",
}
_POD_FIELDS = {
    "containers", "volumes", "terminationGracePeriodSeconds", "securityContext", "nodeSelector", "imagePullSecrets",
    "hostname", "restartPolicy",
}  # fmt: skip
# Without effect on one machine, and nothing is lost by that.
_POD_IGNORED = {
    "serviceAccount", "serviceAccountName", "automountServiceAccountToken", "affinity", "tolerations", "dnsPolicy",
    "dnsConfig", "enableServiceLinks", "priorityClassName", "priority", "preemptionPolicy", "schedulerName",
    "topologySpreadConstraints", "setHostnameAsFQDN", "shareProcessNamespace",
}  # fmt: skip
_CONTAINER_FIELDS = {
    "name", "image", "imagePullPolicy", "command", "args", "workingDir", "ports", "env", "envFrom", "volumeMounts",
    "readinessProbe", "livenessProbe", "startupProbe", "lifecycle", "securityContext", "resources",
    "terminationMessagePath", "terminationMessagePolicy",
}  # fmt: skip
_CONTAINER_SECURITY = {
    "runAsUser", "runAsGroup", "runAsNonRoot", "readOnlyRootFilesystem", "allowPrivilegeEscalation", "capabilities",
    "privileged", "seccompProfile", "seLinuxOptions", "appArmorProfile", "procMount",
}  # fmt: skip
_POD_SECURITY = {
    "runAsUser", "runAsGroup", "runAsNonRoot", "fsGroup", "fsGroupChangePolicy", "supplementalGroups", "seccompProfile",
    "seLinuxOptions", "appArmorProfile",
}  # fmt: skip
_VOLUME_KINDS = {"emptyDir", "hostPath", "configMap", "secret"}
_PROBE_FIELDS = {
    "httpGet", "tcpSocket", "exec", "initialDelaySeconds", "periodSeconds", "timeoutSeconds", "successThreshold",
    "failureThreshold", "terminationGracePeriodSeconds",
}  # fmt: skip


def unsupported(obj: Object) -> str | None:
    """Why this machine keeps `obj` but can't run it; None where it can, or where there is nothing to run."""
    group, kind = group_of(str(obj.get("apiVersion", ""))), str(obj.get("kind", ""))
    if (group, kind) in _HARMLESS | _FLUX or group == _OURS:
        return None
    if (group, kind) not in _RUN:
        reason = _WHY.get(kind, "nothing on this machine acts on that kind")
        return f"{kind} is kept but has no effect on one machine: {reason}"
    problems = list(_problems(obj, kind))
    return f"{kind}: {'; '.join(problems)} not supported on one machine" if problems else None


def _problems(obj: Object, kind: str) -> Iterator[str]:
    spec = obj.get("spec")
    if not isinstance(spec, Mapping):
        return
    if kind == "Deployment":
        template = spec.get("template")
        pod = template.get("spec") if isinstance(template, Mapping) else None
        if isinstance(pod, Mapping):
            yield from pod_problems(pod, "spec.template.spec")
    elif kind == "Service":
        yield from service_problems(spec)


def service_problems(spec: Mapping[str, Any]) -> Iterator[str]:
    """The parts of a Service's spec that this machine does not do, by field."""
    if spec.get("type") == "ExternalName":
        yield "spec.type ExternalName"
    elif not spec.get("selector"):
        yield "a Service without spec.selector"
    for at, port in enumerate(_items(spec.get("ports"))):
        if port.get("protocol", "TCP") != "TCP":
            yield f"spec.ports[{at}].protocol {port['protocol']}"


def pod_problems(pod: Mapping[str, Any], where: str) -> Iterator[str]:
    """The parts of a pod's spec that this machine does not do, by field."""
    for name, value in pod.items():
        if name not in _POD_FIELDS | _POD_IGNORED and value not in (None, False, [], {}):
            yield f"{where}.{name}"
    if pod.get("restartPolicy", "Always") != "Always":
        yield f"{where}.restartPolicy {pod['restartPolicy']}"
    yield from _unknown(pod.get("securityContext"), _POD_SECURITY, f"{where}.securityContext")
    selector = pod.get("nodeSelector")
    yield from _unknown(selector, {"kubernetes.io/arch", "kubernetes.io/os"}, f"{where}.nodeSelector")
    for at, volume in enumerate(_items(pod.get("volumes"))):
        yield from _unknown(volume, _VOLUME_KINDS | {"name"}, f"{where}.volumes[{at}]")
    containers = _items(pod.get("containers"))
    if len(containers) > 1:
        yield f"more than one container in {where}.containers"
    for at, container in enumerate(containers[:1]):
        yield from _container_problems(container, f"{where}.containers[{at}]")


def _container_problems(container: Mapping[str, Any], where: str) -> Iterator[str]:
    yield from _unknown(container, _CONTAINER_FIELDS, where)
    security = container.get("securityContext") or {}
    yield from _unknown(security, _CONTAINER_SECURITY, f"{where}.securityContext")
    if security.get("privileged"):
        yield f"{where}.securityContext.privileged"
    added = (security.get("capabilities") or {}).get("add") or []
    if set(added) - {"NET_BIND_SERVICE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"}:
        yield f"{where}.securityContext.capabilities.add"
    for name in ("readinessProbe", "livenessProbe", "startupProbe"):
        yield from _unknown(container.get(name), _PROBE_FIELDS, f"{where}.{name}")
    yield from _unknown(container.get("lifecycle"), {"preStop"}, f"{where}.lifecycle")
    for at, variable in enumerate(_items(container.get("env"))):
        source = variable.get("valueFrom") or {}
        yield from _unknown(source, {"configMapKeyRef", "secretKeyRef", "fieldRef"}, f"{where}.env[{at}].valueFrom")
    for at, mount in enumerate(_items(container.get("volumeMounts"))):
        known = {"name", "mountPath", "readOnly", "subPath", "recursiveReadOnly"}
        yield from _unknown(mount, known, f"{where}.volumeMounts[{at}]")


def _unknown(value: object, known: set[str], where: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, content in value.items():
            if name not in known and content not in (None, [], {}):
                yield f"{where}.{name}"


def _items(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
