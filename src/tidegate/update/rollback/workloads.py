"""Which workloads have an image that a policy selected, since when, and whether they are ready. Pure.

Everything is read off the objects, so that a restart forgets nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.kinds.accepting import moment
from tidegate.kinds.common import mapping
from tidegate.kinds.conditions import is_true
from tidegate.kinds.health import Health, State, health
from tidegate.kinds.inventory import keys_of
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.kinds.reference import parse, parse_repository
from tidegate.kinds.rolled_back import split

SOURCE_KIND = "GitRepository"
WORKLOADS = frozenset({("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet")})


@frozen
class Rollout:
    """A live workload that has the reference which a policy (`NS:NAME`) selected, in these of its containers; which
    revisions have brought it.
    """

    policy: str
    reference: str
    workload: Object
    containers: frozenset[str]
    revisions: tuple[str, ...]

    @property
    def key(self) -> ObjectKey:
        return key_of(self.workload)

    @property
    def health(self) -> Health:
        return health(self.workload)

    @property
    def is_ready(self) -> bool:
        return self.health.state is State.CURRENT

    @property
    def may_fail(self) -> bool:
        """Whether it not being ready says something about its image: not where it is paused, goes away, or can't run
        in this home whatever its image is.
        """
        conditions = mapping(self.workload.get("status")).get("conditions") or []
        paused = mapping(self.workload.get("spec")).get("paused") is True
        return not paused and not is_true(conditions, "Stalled") and self.health.state is not State.TERMINATING

    @property
    def selector(self) -> dict[str, str]:
        """The labels that its pods have; empty where it selects in another way."""
        return dict(mapping(mapping(mapping(self.workload.get("spec")).get("selector")).get("matchLabels")))

    def since(self, pods: Iterable[Object]) -> datetime | None:
        """A moment at which it had the image already: of the managers that set it, when each last set anything; of its
        pods, when each was made. None where nothing tells.
        """
        told = [moment(line.get("time")) for line in _lines(self.workload) if _sets_image(line, self.containers)]
        told += [moment(pod["metadata"].get("creationTimestamp")) for pod in self.own(pods)]
        return min((one for one in told if one is not None), default=None)

    def own(self, pods: Iterable[Object]) -> list[Object]:
        """Its pods that have the image, the newest first; those that are ending are left out."""
        labels = self.selector
        found = [pod for pod in pods if labels and _is_of(pod, self.key.namespace, labels)]
        having = [pod for pod in found if containers_with(self.reference, mapping(pod.get("spec")))]
        return sorted(having, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True)


def rollouts(
    workloads: Mapping[ObjectKey, tuple[Object, tuple[str, ...]]], references: Mapping[str, str]
) -> list[Rollout]:
    """The workloads, each with the revisions that brought it, that have one of the references (by `NS:NAME`)."""
    found = []
    for workload, revisions in workloads.values():
        template = mapping(mapping(mapping(workload.get("spec")).get("template")).get("spec"))
        for policy, reference in references.items():
            if containers := containers_with(reference, template):
                found.append(Rollout(policy, reference, workload, containers, revisions))
    return found


def containers_with(reference: str, pod_spec: Mapping[str, Any]) -> frozenset[str]:
    """The names of the containers that have an image."""
    return frozenset(
        str(one.get("name")) for one in containers_of(pod_spec) if is_image(str(one.get("image", "")), reference)
    )


def containers_of(pod_spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All containers of a pod's spec."""
    for name in ("initContainers", "containers"):
        yield from (mapping(one) for one in pod_spec.get(name) or [])


def is_image(image: str, reference: str) -> bool:
    """Whether a container's image is the one that was selected, of which a marker may set a part alone: what both of
    them say is the same.
    """
    parts, wanted = split(image), split(reference)
    said = [(one, other) for one, other in zip(parts[1:], wanted[1:], strict=True) if one and other]
    if not said or any(one != other for one, other in said):
        return False
    try:
        parse(image)
        return parse_repository(parts[0]) == parse_repository(wanted[0])
    except InvalidInput:
        return False


def brought(kustomizations: Iterable[Object], sources: Iterable[ObjectKey]) -> dict[ObjectKey, tuple[str, ...]]:
    """The workloads in the inventories of Kustomizations that apply one of the sources, each with the revisions that
    these have applied or are applying.
    """
    wanted = set(sources)
    found: dict[ObjectKey, tuple[str, ...]] = {}
    for one in kustomizations:
        if source_of(one) not in wanted:
            continue
        revisions = revisions_of(one)
        for key in keys_of(mapping(mapping(one.get("status")).get("inventory"))):
            if (key.group, key.kind) in WORKLOADS:
                found[key] = tuple(dict.fromkeys((*found.get(key, ()), *revisions)))
    return found


def revisions_of(kustomization: Object) -> tuple[str, ...]:
    """The commits of the revisions that a Kustomization is at."""
    status = mapping(kustomization.get("status"))
    told = (str(status.get(name) or "") for name in ("lastAppliedRevision", "lastAttemptedRevision"))
    return tuple(dict.fromkeys(text.rpartition(":")[2] for text in told if text))


def applied_by(kustomization: Object) -> str:
    """The commit of the revision that a Kustomization has applied in full; empty where there is none."""
    return str(mapping(kustomization.get("status")).get("lastAppliedRevision") or "").rpartition(":")[2]


def source_of(kustomization: Object) -> ObjectKey:
    """The source that a Kustomization applies."""
    reference = mapping(mapping(kustomization.get("spec")).get("sourceRef"))
    namespace = str(reference.get("namespace") or key_of(kustomization).namespace)
    return ObjectKey(
        "source.toolkit.fluxcd.io", str(reference.get("kind", "")), namespace, str(reference.get("name", ""))
    )


def _lines(obj: Object) -> Sequence[Mapping[str, Any]]:
    listed = obj["metadata"].get("managedFields")
    return [mapping(line) for line in listed] if isinstance(listed, list) else []


def _sets_image(line: Mapping[str, Any], containers: frozenset[str]) -> bool:
    """Whether a manager owns the image of one of the containers."""
    fields: Mapping[str, Any] = mapping(line.get("fieldsV1"))
    for name in ("f:spec", "f:template", "f:spec"):
        fields = mapping(fields.get(name))
    lists = (mapping(fields.get(name)) for name in ("f:initContainers", "f:containers"))
    wanted = {f'k:{{"name":"{name}"}}' for name in containers}
    return any("f:image" in mapping(one.get(name)) for one in lists for name in wanted)


def _is_of(pod: Object, namespace: str, labels: Mapping[str, str]) -> bool:
    metadata = pod["metadata"]
    here = metadata.get("namespace") == namespace and not metadata.get("deletionTimestamp")
    return here and labels.items() <= mapping(metadata.get("labels")).items()
