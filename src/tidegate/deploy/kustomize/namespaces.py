"""The `namespace` field: every object that can have a namespace gets it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.deploy.kustomize.fieldspecs import FieldSpec, set_fields
from tidegate.deploy.kustomize.resource import Resource, ResourceMap, text_of

NAMESPACE_PATH, NAME_PATH = "metadata/namespace", "metadata/name"
SUBJECTS_PATH = "subjects/namespace"
BINDINGS = ("RoleBinding", "ClusterRoleBinding")
MODES = ("defaultOnly", "allServiceAccounts", "none")


def set_namespace(
    resources: ResourceMap,
    namespace: str,
    specs: Sequence[FieldSpec],
    *,
    unset_only: bool = False,
    subjects: str = "defaultOnly",
) -> None:
    """Put every resource into `namespace`; InvalidInput where that makes two of them one.

    `unset_only` leaves those that have one; `subjects` is which subjects of a RoleBinding get it.
    """

    def new(value: Any) -> Any:
        if isinstance(value, (dict, list)):
            raise InvalidInput("a namespace's field must hold text")
        return value if unset_only and text_of(value) else namespace

    for resource in resources.resources:
        resource.remember_id()
        if not resource.gvk.cluster_scoped:
            metadata = resource.data.setdefault("metadata", {})
            metadata["namespace"] = new(metadata.get("namespace"))
        binding = resource.kind in BINDINGS
        if binding:
            _set_subjects(resource, new, subjects)
        wanted = [spec for spec in specs if _applies(resource, spec, binding)]
        set_fields(resource, wanted, new, make=str)
    resources.check_unique(f"the namespace {namespace}")


def _applies(resource: Resource, spec: FieldSpec, binding: bool) -> bool:
    if spec.path == NAMESPACE_PATH or (binding and spec.selector.kind in BINDINGS and spec.path == SUBJECTS_PATH):
        return False
    return spec.path != NAME_PATH or text_of(resource.data.get("apiVersion")) == "v1"


def _set_subjects(resource: Resource, new: Any, mode: str) -> None:
    for subject in resource.data.get("subjects") or []:
        if not isinstance(subject, dict):
            continue
        chosen = {
            "defaultOnly": subject.get("name") == "default",
            "allServiceAccounts": subject.get("kind") == "ServiceAccount",
            "none": False,
        }[mode]
        if chosen:
            subject["namespace"] = new(subject.get("namespace"))
