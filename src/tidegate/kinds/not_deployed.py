"""A repository of which nothing is deployed: why, said as a condition until a Kustomization follows it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tidegate.kinds.common import mapping
from tidegate.kinds.conditions import Condition
from tidegate.kinds.objects import Object, ObjectKey, annotation, key_of

NOT_DEPLOYED = "tidegate.dev/not-deployed"
"""An annotation of a Runner or a GitRepository: `REASON: what to do`."""
DEPLOYED = "Deployed"


def with_reason(obj: Object, reason: str, message: str) -> Object:
    """`obj` with the annotation that says why nothing is deployed."""
    metadata = obj["metadata"]
    marks = {**(metadata.get("annotations") or {}), NOT_DEPLOYED: f"{reason}: {message}"}
    return obj | {"metadata": metadata | {"annotations": marks}}


def not_deployed(obj: Object, sources: Collection[ObjectKey], kustomizations: Iterable[Object]) -> list[Condition]:
    """The condition of an object that has the annotation; none once a Kustomization follows one of `sources`."""
    reason, colon, message = (annotation(obj, NOT_DEPLOYED) or "").partition(": ")
    if not colon or any(source_of(one) in sources for one in kustomizations):
        return []
    return [Condition(DEPLOYED, "False", reason, message)]


def source_of(kustomization: Object) -> ObjectKey:
    """The source that a Kustomization follows."""
    reference = mapping(mapping(kustomization.get("spec")).get("sourceRef"))
    namespace = str(reference.get("namespace") or key_of(kustomization).namespace)
    kind = str(reference.get("kind") or "GitRepository")
    return ObjectKey("source.toolkit.fluxcd.io", kind, namespace, str(reference.get("name", "")))
