"""The objects that run Tidegate in a cluster: one Deployment, or with `split` one for each controller. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from importlib.metadata import version
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.install.rights import APPLIER, NOTIFIER, cluster_rules, namespace_rules
from tidegate.kinds.controllers import CONTROLLERS, controllers_of
from tidegate.kinds.labels import part_of_flux
from tidegate.kinds.objects import Object

NAME = "tidegate"
IMAGE = "ghcr.io/tidegate/tidegate"
PORT = 8080
HOOK_PORT = 9292
USER = 65532
DATA = "/data"
LABELS = part_of_flux(version("tidegate"))
_CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@frozen
class Installation:
    """What people chose: the image, the namespace, the kinds to reconcile, and whether each controller runs alone.

    `adopt` is the moment (RFC 3339) up to which the statuses that others wrote become ours; empty for none. `bases` and
    `mirrors` are the controllers' options of these names, which jobs get too.
    """

    image: str
    namespace: str
    kinds: tuple[str, ...]
    split: bool = False
    adopt: str = ""
    bases: Mapping[str, str] = field(default_factory=dict)
    mirrors: Mapping[str, str] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """The Deployments by name, each with the controllers that it runs."""
        controllers = controllers_of(self.kinds)
        return {name: (name,) for name in controllers} if self.split else {NAME: controllers}


def manifests(chosen: Installation) -> list[Object]:
    """Everything but the custom resource definitions, in the order in which to apply it."""
    namespace = _object("v1", "Namespace", chosen.namespace)
    objects = [namespace]
    for name, controllers in chosen.parts.items():
        objects += [
            _in(chosen, _object("v1", "ServiceAccount", name)),
            *_rights(chosen, name, controllers),
            _in(chosen, _deployment(chosen, name, controllers)),
            _in(chosen, _service(name)),
            _in(chosen, _network_policy(name)),
            *(_in(chosen, obj) for obj in (_hooks(name) if NOTIFIER in controllers else ())),
        ]
    return objects


def _rights(chosen: Installation, name: str, controllers: Sequence[str]) -> list[Object]:
    """The account's roles. Whoever applies manifests is the cluster's admin, as Flux's kustomize-controller is."""
    subject = {"kind": "ServiceAccount", "name": name, "namespace": chosen.namespace}
    qualified = name if name == NAME else f"{NAME}-{name}"
    role = "cluster-admin" if APPLIER in controllers else qualified
    own = _object("rbac.authorization.k8s.io/v1", "ClusterRole", qualified) | {"rules": cluster_rules(controllers)}
    election = _in(chosen, _object("rbac.authorization.k8s.io/v1", "Role", f"{name}-leader-election"))
    return [
        *([own] if role == qualified else []),
        _binding("ClusterRoleBinding", qualified, "ClusterRole", role, subject),
        election | {"rules": namespace_rules()},
        _in(chosen, _binding("RoleBinding", f"{name}-leader-election", "Role", f"{name}-leader-election", subject)),
    ]


def _binding(kind: str, name: str, role_kind: str, role: str, subject: dict[str, str]) -> Object:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role}
    return _object("rbac.authorization.k8s.io/v1", kind, name) | {"roleRef": reference, "subjects": [subject]}


def _deployment(chosen: Installation, name: str, controllers: Sequence[str]) -> Object:
    kinds = ",".join(kind for controller in controllers for kind in CONTROLLERS[controller])
    arguments = ["controller", f"--kinds={kinds}", *_options(chosen, controllers)]
    template = {
        "metadata": {
            "labels": LABELS | {"app": name},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": str(PORT)},
        },
        "spec": {
            "serviceAccountName": name,
            "containers": [_container(chosen, arguments, hooks=NOTIFIER in controllers)],
            "securityContext": {"fsGroup": USER, "runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER},
            "terminationGracePeriodSeconds": 30,
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
        },
    }
    return _object("apps/v1", "Deployment", name) | {
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": template,
        }
    }


def _container(chosen: Installation, arguments: list[str], *, hooks: bool) -> dict[str, Any]:
    ports = [{"name": "http", "containerPort": PORT, "protocol": "TCP"}]
    if hooks:
        ports.append({"name": "http-webhook", "containerPort": HOOK_PORT, "protocol": "TCP"})

    def probe(path: str) -> dict[str, Any]:
        return {"httpGet": {"path": path, "port": "http"}, "timeoutSeconds": 5}

    return {
        "name": "manager",
        "image": chosen.image,
        "imagePullPolicy": "IfNotPresent",
        "args": [*arguments, f"--data={DATA}", f"--address=:{PORT}"],
        "env": [{"name": "RUNTIME_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}],
        "ports": ports,
        "livenessProbe": probe("/healthz") | {"initialDelaySeconds": 10, "periodSeconds": 20},
        "readinessProbe": probe("/readyz"),
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": _CONTAINER_SECURITY,
        "volumeMounts": [{"name": "data", "mountPath": DATA}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - the container's own
    }


def _hooks(name: str) -> list[Object]:
    """Flux's Service of hooks, for an Ingress of the user's own, and the way to it from anywhere."""
    ports = [{"name": "http", "port": 80, "targetPort": "http-webhook", "protocol": "TCP"}]
    service = {"selector": {"app": name}, "ports": ports, "type": "ClusterIP"}
    policy = {
        "podSelector": {"matchLabels": {"app": name}},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [{"port": HOOK_PORT, "protocol": "TCP"}]}],
    }
    return [
        _object("v1", "Service", "webhook-receiver") | {"spec": service},
        _object("networking.k8s.io/v1", "NetworkPolicy", "allow-webhooks") | {"spec": policy},
    ]


def _options(chosen: Installation, controllers: Sequence[str]) -> list[str]:
    options = [f"--registry-mirror={host}={url}" for host, url in sorted(chosen.mirrors.items())]
    if "runner-controller" in controllers:
        options += [f"--job-image={chosen.image}"]
        options += [f"--base={name}={base}" for name, base in sorted(chosen.bases.items())]
    if NOTIFIER in controllers:
        options.append(f"--hook-address=:{HOOK_PORT}")
    return options + ([f"--adopt={chosen.adopt}"] if chosen.adopt else [])


def _service(name: str) -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    return _object("v1", "Service", name) | {"spec": {"selector": {"app": name}, "ports": ports, "type": "ClusterIP"}}


def _network_policy(name: str) -> Object:
    """In: metrics, from inside the cluster. Out: Git, registries and the API server, which may be anywhere."""
    ports = [{"port": PORT, "protocol": "TCP"}]
    spec = {
        "podSelector": {"matchLabels": {"app": name}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"namespaceSelector": {}}], "ports": ports}],
        "egress": [{}],
    }
    return _object("networking.k8s.io/v1", "NetworkPolicy", name) | {"spec": spec}


def _object(api_version: str, kind: str, name: str) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "labels": dict(LABELS)}}


def _in(chosen: Installation, obj: Object) -> Object:
    return obj | {"metadata": obj["metadata"] | {"namespace": chosen.namespace}}
