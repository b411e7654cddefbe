"""Which Kustomizations a change makes due: of their source, of another they depend on. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.base.errors import InvalidInput
from tidegate.engine.status import REQUESTED_AT
from tidegate.kinds.conditions import find
from tidegate.kinds.kustomization import Kustomization
from tidegate.kinds.objects import Object, ObjectKey, annotation, key_of

SOURCE_GROUP, SOURCE_KIND = "source.toolkit.fluxcd.io", "GitRepository"
Artifact = tuple[str, str | None]
"""The revision and the digest of what a source has."""


def asked(obj: Object) -> object:
    """What of a Kustomization makes it due at once."""
    metadata = obj["metadata"]
    requested = annotation(obj, REQUESTED_AT)
    return metadata.get("uid"), metadata.get("generation"), metadata.get("deletionTimestamp"), requested


def source_key(obj: Object, spec: Kustomization) -> ObjectKey:
    """The source of a Kustomization; InvalidInput where its kind can't be applied here."""
    if spec.source_ref.kind != SOURCE_KIND:
        raise InvalidInput(f"spec.sourceRef.kind {spec.source_ref.kind!r} is not supported: only GitRepository is")
    return ObjectKey(
        SOURCE_GROUP, SOURCE_KIND, spec.source_ref.namespace or key_of(obj).namespace, spec.source_ref.name
    )


def artifact_of(source: Object) -> tuple[str | None, str | None]:
    """The revision and the digest of a source's files: where other ones are left out, the revision stays."""
    found = (source.get("status") or {}).get("artifact") or {}
    return found.get("revision"), found.get("digest")


def readiness(kustomization: Object) -> object:
    """What of a Kustomization those that depend on it wait for."""
    ready = find((kustomization.get("status") or {}).get("conditions") or [], "Ready") or {}
    return ready.get("status")


def of_source(source: Object, kustomizations: Sequence[Object]) -> list[ObjectKey]:
    """Those that apply this source."""
    found = key_of(source)
    wanted = []
    for kustomization in kustomizations:
        key, reference = key_of(kustomization), (kustomization.get("spec") or {}).get("sourceRef") or {}
        if (reference.get("name"), reference.get("namespace") or key.namespace) == (found.name, found.namespace):
            wanted.append(key)
    return wanted


def dependents(changed: Object, kustomizations: Sequence[Object]) -> list[ObjectKey]:
    """Those that depend on this Kustomization."""
    found = key_of(changed)
    wanted = []
    for kustomization in kustomizations:
        key = key_of(kustomization)
        named = (kustomization.get("spec") or {}).get("dependsOn") or []
        if (found.name, found.namespace) in ((one.get("name"), one.get("namespace") or key.namespace) for one in named):
            wanted.append(key)
    return wanted
