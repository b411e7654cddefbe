"""How the objects of an application's way belong together, from commit to answer, read off what is stored. Pure.

`tidegate status`, the page, the lines behind a push and the demonstration all read by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tidegate.kinds.conditions import READY, RECONCILING, STALLED, find
from tidegate.kinds.objects import Object, annotation, key_of

URL = "tidegate.dev/url"
KINDS: tuple[tuple[str, str], ...] = (
    ("tidegate.dev", "WorkflowRun"),
    ("image.toolkit.fluxcd.io", "ImageRepository"),
    ("image.toolkit.fluxcd.io", "ImagePolicy"),
    ("image.toolkit.fluxcd.io", "ImageUpdateAutomation"),
    ("source.toolkit.fluxcd.io", "GitRepository"),
    ("kustomize.toolkit.fluxcd.io", "Kustomization"),
    ("apps", "Deployment"),
    ("", "Service"),
    ("", "Pod"),
)
Objects = Mapping[str, Sequence[Object]]
"""Stored objects by kind."""


def image_of(policy: Object, repositories: Iterable[Object]) -> str:
    """The image that a policy selects from, as its ImageRepository writes it."""
    return str(((repository_of(policy, repositories) or {}).get("spec") or {}).get("image", ""))


def repository_of(policy: Object, repositories: Iterable[Object]) -> Object | None:
    """The ImageRepository of a policy."""
    reference = policy.get("spec", {}).get("imageRepositoryRef") or {}
    wanted = (reference.get("namespace") or key_of(policy).namespace, reference.get("name"))
    return next((one for one in repositories if (key_of(one).namespace, key_of(one).name) == wanted), None)


def automation_of(policy: Object, automations: Iterable[Object]) -> Object | None:
    """The automation that has looked at the policy, of its namespace before others; else the first one of its
    namespace, which is going to.
    """
    key, every = key_of(policy), list(automations)
    near = [one for one in every if key_of(one).namespace == key.namespace]
    looked = [one for one in near if key.name in status_map(one, "observedPolicies")]
    far = [one for one in every if f"{key.namespace}/{key.name}" in status_map(one, "observedPolicies")]
    return next(iter([*looked, *far, *near]), None)


def observed_policy(policy: Object, automation: Object | None) -> dict[str, Any]:
    """What an automation has last seen of a policy; empty where it has not looked at it."""
    if automation is None:
        return {}
    key, seen = key_of(policy), status_map(automation, "observedPolicies")
    near = key.namespace == key_of(automation).namespace
    return seen.get(key.name if near else f"{key.namespace}/{key.name}") or {}


def told_of(policy: Object, automation: Object) -> list[str]:
    """What the conditions of an automation say of a policy's updates besides whether it is ready: what waits, or stays.
    Such a condition has a line for each, with the policy at its end.
    """
    key, found = key_of(policy), []
    for condition in (automation.get("status") or {}).get("conditions") or []:
        head, *lines = str(condition.get("message", "")).split("\n")
        if condition.get("type") not in (READY, RECONCILING, STALLED):
            found += [f"{head}: {line}" for line in lines if line.endswith(f", of {key.namespace}:{key.name}")]
    return found


def deployment_of(image: str, deployments: Iterable[Object]) -> Object | None:
    """The Deployment that runs the image."""
    return next((found for found in deployments if image and tag_of(image, found)), None)


def tag_of(image: str, deployment: Object) -> str:
    """The tag of the image in a Deployment's template; empty where it does not use the image."""
    return tag_in(image, deployment.get("spec", {}).get("template", {}).get("spec", {}))


def tag_in(image: str, pod_spec: Mapping[str, Any]) -> str:
    """The tag of the image in a pod's spec."""
    for container in pod_spec.get("containers") or []:
        reference = str(container.get("image", ""))
        if reference.startswith(f"{image}:"):
            return reference.removeprefix(f"{image}:").partition("@")[0]
    return ""


def running_tag(image: str, deployment: Object | None) -> str:
    """The tag that a Deployment runs in full; empty while it is being replaced."""
    return tag_of(image, deployment) if deployment is not None and is_available(deployment) else ""


def is_available(deployment: Object) -> bool:
    """Whether all replicas are of the present generation and available."""
    status, wanted = deployment.get("status") or {}, deployment.get("spec", {}).get("replicas", 1)
    return bool(
        status.get("observedGeneration") == deployment["metadata"].get("generation")
        and status.get("updatedReplicas", 0) == wanted
        and status.get("availableReplicas", 0) == wanted
        and status.get("replicas", 0) == wanted
    )


def kustomization_of(obj: Object, kustomizations: Iterable[Object]) -> Object | None:
    """The Kustomization that applied an object, by its owner labels."""
    labels = obj.get("metadata", {}).get("labels") or {}
    wanted = tuple(labels.get(f"kustomize.toolkit.fluxcd.io/{part}") for part in ("namespace", "name"))
    return next((found for found in kustomizations if (key_of(found).namespace, key_of(found).name) == wanted), None)


def runs_of(image: str, runs: Iterable[Object]) -> list[Object]:
    """The runs that pushed the image, oldest first."""
    found = [run for run in runs if any(tag.startswith(f"{image}:") for tag in pushed_images(run))]
    return sorted(found, key=lambda run: int(run.get("spec", {}).get("runNumber", 0)))


def pushed_images(run: Object) -> list[str]:
    """The references that a run has pushed."""
    return [str(pushed.get("reference", "")) for pushed in (run.get("status") or {}).get("images") or []]


def last_run(image: str, runs: Sequence[Object]) -> Object | None:
    """The newest run that pushed the image."""
    found = runs_of(image, runs) if image else []
    return found[-1] if found else None


def service_url(deployment: Object | None, services: Iterable[Object]) -> str:
    """Where the Service in front of a Deployment answers on this machine."""
    if deployment is None:
        return ""
    labels = deployment.get("spec", {}).get("template", {}).get("metadata", {}).get("labels") or {}
    for service in services:
        selector = service.get("spec", {}).get("selector") or {}
        same = key_of(service).namespace == key_of(deployment).namespace
        if same and selector and selector.items() <= labels.items():
            return annotation(service, URL) or ""
    return ""


def not_ready(obj: Object) -> str:
    """Why an object is not Ready, in its condition's words; empty where it is."""
    ready = find((obj.get("status") or {}).get("conditions") or [], "Ready")
    if ready is None:
        return f"{key_of(obj)} to be reconciled"
    return "" if ready.get("status") == "True" else f"{key_of(obj)}: {ready.get('message', '')}"


def ready_message(obj: Object) -> str:
    """The words of an object's Ready condition; empty where it has none."""
    return str((find((obj.get("status") or {}).get("conditions") or [], "Ready") or {}).get("message", ""))


def status_map(obj: Object, field: str) -> dict[str, Any]:
    """A field of the status that holds a map; empty where it is none."""
    value = (obj.get("status") or {}).get(field)
    return value if isinstance(value, dict) else {}
