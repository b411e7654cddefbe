"""The least rights with which each controller can do its work, as RBAC rules. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tidegate.kinds.controllers import CONTROLLERS, resource_of

Rule = dict[str, Any]
READ = ("get", "list", "watch")
# cluster-admin, as Flux's kustomize-controller has it: it applies whatever Git says, rights included, and acts as the
# accounts that Kustomizations name.
APPLIER = "kustomize-controller"
NOTIFIER = "notification-controller"
_READS = {
    "kustomize-controller": ("GitRepository",),
    "image-automation-controller": ("GitRepository", "ImagePolicy", "ImageRepository", "Kustomization"),
    "image-reflector-controller": ("GitRepository", "ImageUpdateAutomation", "WorkflowRun"),  # what announces a tag
    "source-controller": ("ImageUpdateAutomation",),
    "runner-controller": ("GitRepository",),
}
_SECRETS = frozenset(CONTROLLERS) - {APPLIER}


def cluster_rules(controllers: Iterable[str]) -> list[Rule]:
    """What controllers may do in every namespace, since the objects that they reconcile may lie in any."""
    rules: list[Rule] = []
    names = list(controllers)
    own = [kind for name in names for kind in CONTROLLERS[name]]
    for group in sorted({resource_of(kind).group for kind in own}):
        plurals = sorted(resource_of(kind).plural for kind in own if resource_of(kind).group == group)
        rules.append(_rule(group, plurals, (*READ, "update", "patch")))
        rules.append(_rule(group, [f"{plural}/status" for plural in plurals], ("get", "update", "patch")))
        rules.append(_rule(group, [f"{plural}/finalizers" for plural in plurals], ("update",)))
    read = sorted({kind for name in names for kind in _READS.get(name, ())} - set(own))
    rules += [_rule(resource_of(kind).group, [resource_of(kind).plural], READ) for kind in read]
    if _SECRETS.intersection(names):
        rules.append(_rule("", ["secrets", "serviceaccounts"], ("get",)))
    if "image-reflector-controller" in names:
        rules.append(_rule("", ["namespaces"], READ))
        rules.append(_rule("", ["configmaps"], ("get",)))  # the key of tidegate.dev/verify
    if "image-automation-controller" in names:
        rules += _rollback_rules()
    if NOTIFIER in names:
        rules += [*_waking_rules(), _rule("", ["events"], ("list", "watch"))]
    if "runner-controller" in names:
        rules += _runner_rules()
    rules.append(_rule("", ["events"], ("get", "create", "update", "patch")))
    return rules


def namespace_rules() -> list[Rule]:
    """What a controller may do in its own namespace: elect a leader."""
    return [_rule("coordination.k8s.io", ["leases"], ("get", "create", "update", "patch"))]


def _rollback_rules() -> list[Rule]:
    """What tidegate.dev/rollback-after needs: the workloads that an update changed, why they are not ready, and the
    policy that is marked.
    """
    policies = resource_of("ImagePolicy")
    return [
        _rule(policies.group, [policies.plural], ("patch",)),
        _rule("apps", ["deployments", "statefulsets", "daemonsets"], ("get",)),
        _rule("", ["pods"], ("get", "list")),
        _rule("", ["pods/log"], ("get",)),
        _rule("", ["events"], ("list",)),
    ]


def _waking_rules() -> list[Rule]:
    """What a Receiver may name: each kind of Flux's that reconciles when it is asked to, whoever reconciles it."""
    source, helm = "source.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"
    images = [resource_of(kind) for kind in ("ImagePolicy", "ImageRepository", "ImageUpdateAutomation")]
    deployed = resource_of("Kustomization")
    sources = ["buckets", "externalartifacts", "gitrepositories", "helmcharts", "helmrepositories", "ocirepositories"]
    wakes = ("get", "list", "patch")
    return [
        _rule(source, sources, wakes),
        _rule(helm, ["helmreleases"], wakes),
        _rule(deployed.group, [deployed.plural], wakes),
        _rule(images[0].group, [image.plural for image in images], wakes),
    ]


def _runner_rules() -> list[Rule]:
    """Jobs, what they are given, and what they print, in the namespaces of Runners."""
    runs = resource_of("WorkflowRun")
    return [
        _rule(runs.group, [runs.plural], ("create", "delete")),
        _rule("batch", ["jobs"], (*READ, "create", "delete")),
        _rule("", ["secrets"], ("create", "delete")),
        _rule("", ["pods"], READ),
        _rule("", ["pods/log"], ("get",)),
    ]


def _rule(group: str, resources: list[str], verbs: Iterable[str]) -> Rule:
    return {"apiGroups": [group], "resources": resources, "verbs": [*verbs]}
