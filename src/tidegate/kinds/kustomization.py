"""Kustomization, of kustomize.toolkit.fluxcd.io: a folder of a source that is applied and kept so. Pure.

Not to be confused with kustomize's own file of that name, which the deploy station renders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.kinds.common import (
    LocalReference,
    Model,
    NamedReference,
    SourceReference,
    identity,
    local_reference,
    source_reference,
)
from tidegate.kinds.fields import Fields
from tidegate.kinds.objects import Object, ObjectKey, group_of

GROUP, KIND, VERSIONS = "kustomize.toolkit.fluxcd.io", "Kustomization", ("v1", "v1beta2", "v1beta1")
SOURCE_KINDS = ("GitRepository", "OCIRepository", "Bucket", "ExternalArtifact")
DELETION_POLICIES = ("MirrorPrune", "Delete", "WaitForTermination", "Orphan")
LEAST_TIMEOUT = 30.0
LONGEST_NAMESPACE = 63
LONGEST_AFFIX = 200


@frozen
class SubstituteFrom:
    """A ConfigMap or Secret whose entries are variables."""

    kind: str
    name: str
    optional: bool = False


@frozen
class PostBuild:
    """Variables to put into what was rendered."""

    substitute: Mapping[str, str] = field(default_factory=dict)
    substitute_from: tuple[SubstituteFrom, ...] = ()
    strategy: str = "WithVariables"


@frozen(kw_only=True)
class Kustomization(Model):
    """A folder to apply. Times are in seconds. `overlay` holds the fields that are kustomize's own (patches, images,
    components, namePrefix, …) as they were written, for the renderer to check.
    """

    source_ref: SourceReference
    interval_seconds: float
    retry_seconds: float
    timeout_seconds: float
    prune: bool
    path: str = ""
    target_namespace: str | None = None
    depends_on: tuple[NamedReference, ...] = ()
    health_check_keys: tuple[ObjectKey, ...] = ()
    wait: bool = False
    force: bool = False
    suspend: bool = False
    deletion_policy: str = "MirrorPrune"
    service_account_name: str | None = None
    kube_config: Mapping[str, Any] | None = None
    decryption_provider: str | None = None
    decryption_secret_ref: LocalReference | None = None
    common_labels: Mapping[str, str] = field(default_factory=dict)
    common_annotations: Mapping[str, str] = field(default_factory=dict)
    post_build: PostBuild | None = None
    overlay: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_object(cls, obj: Object) -> Kustomization:
        """Read an object of any served version; InvalidInput names the wrong fields."""
        key, version = identity(obj, GROUP, KIND, VERSIONS)
        fields = Fields.of(obj)
        fields.raw("validation")
        interval = fields.seconds("interval", required=True) or 0.0
        retry, timeout = fields.seconds("retryInterval"), fields.seconds("timeout")
        metadata, decryption = fields.inside("commonMetadata"), fields.child("decryption")
        return cls(
            key=key,
            version=version,
            source_ref=source_reference(fields, SOURCE_KINDS),
            interval_seconds=interval,
            retry_seconds=interval if retry is None else retry,
            timeout_seconds=max(LEAST_TIMEOUT, interval - 30.0 if timeout is None else timeout),
            prune=fields.flag("prune", required=True),
            path=fields.text("path"),
            target_namespace=fields.text("targetNamespace", longest=LONGEST_NAMESPACE) or None,
            depends_on=tuple(_dependency(one) for one in fields.children("dependsOn")),
            health_check_keys=tuple(_health_check(one) for one in fields.children("healthChecks")),
            wait=fields.flag("wait"),
            force=fields.flag("force"),
            suspend=fields.flag("suspend"),
            deletion_policy=fields.text("deletionPolicy", "MirrorPrune", choices=DELETION_POLICIES),
            service_account_name=fields.optional_text("serviceAccountName"),
            kube_config=_as_mapping(fields, "kubeConfig"),
            decryption_provider=decryption.text("provider", required=True, choices=("sops",)) if decryption else None,
            decryption_secret_ref=_decryption_secret(decryption) if decryption else None,
            common_labels=metadata.text_map("labels"),
            common_annotations=metadata.text_map("annotations"),
            post_build=_post_build(fields.child("postBuild")),
            overlay=_overlay(fields),
            unknown_fields=fields.finish(),
        )


def _dependency(fields: Fields) -> NamedReference:
    fields.raw("readyExpr")
    return NamedReference(fields.text("name", required=True), fields.optional_text("namespace"))


def _health_check(fields: Fields) -> ObjectKey:
    """Without an apiVersion, `apps/v1` is meant, as in the first version of the kind."""
    return ObjectKey(
        group_of(fields.text("apiVersion", "apps/v1")),
        fields.text("kind", required=True),
        fields.text("namespace"),
        fields.text("name", required=True),
    )


def _as_mapping(fields: Fields, name: str) -> Mapping[str, Any] | None:
    value = fields.raw(name)
    if value is not None and not isinstance(value, Mapping):
        fields.wrong(name, "must be a mapping")
        return None
    return value


def _decryption_secret(fields: Fields) -> LocalReference | None:
    fields.raw("serviceAccountName")
    return local_reference(fields, "secretRef")


def _post_build(fields: Fields | None) -> PostBuild | None:
    if fields is None:
        return None
    sources = [
        SubstituteFrom(
            one.text("kind", required=True, choices=("Secret", "ConfigMap")),
            one.text("name", required=True),
            one.flag("optional"),
        )
        for one in fields.children("substituteFrom")
    ]
    strategy = fields.text("substituteStrategy", "WithVariables", choices=("WithVariables", "Always"))
    return PostBuild(fields.text_map("substitute"), tuple(sources), strategy)


OVERLAY_LISTS = ("patches", "patchesStrategicMerge", "patchesJson6902", "images", "components", "buildMetadata")
OTHER_LISTS = ("healthCheckExprs", "ignore")


def _overlay(fields: Fields) -> dict[str, Any]:
    """The fields of `spec` that extend what is rendered, by their names there; absent ones are left out."""
    overlay: dict[str, Any] = {}
    for name in (*OVERLAY_LISTS, *OTHER_LISTS):
        value = fields.raw(name)
        if value is not None and not isinstance(value, list):
            fields.wrong(name, "must be a list")
        elif value:
            overlay[name] = value
    for name in ("namePrefix", "nameSuffix"):
        if text := fields.text(name, longest=LONGEST_AFFIX):
            overlay[name] = text
    if fields.flag("ignoreMissingComponents"):
        overlay["ignoreMissingComponents"] = True
    return overlay
