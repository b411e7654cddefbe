"""`labels`, `commonLabels`, `commonAnnotations` and `replicas`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.deploy.kustomize import default_specs
from tidegate.deploy.kustomize.fieldspecs import FieldSpec, FieldSpecs, set_fields
from tidegate.deploy.kustomize.identity import Gvk
from tidegate.deploy.kustomize.resource import Resource, ResourceMap

METADATA_LABELS = FieldSpec("metadata/labels", create=True)


def set_entries(resources: Sequence[Resource], entries: Mapping[str, str], specs: Sequence[FieldSpec]) -> None:
    """Put labels or annotations wherever a spec names; mappings that are missing are made."""
    for name in sorted(entries):

        def with_entry(value: Any, name: str = name) -> Any:
            if not isinstance(value, dict):
                raise InvalidInput(f"{name} can only be set in a mapping")
            value[name] = entries[name]
            return value

        for resource in resources:
            set_fields(resource, specs, with_entry, make=dict)


def label_specs(
    label: Mapping[str, Any], own: Sequence[FieldSpec], common: Sequence[FieldSpec], templates: Sequence[FieldSpec]
) -> list[FieldSpec]:
    """Where an entry of `labels` is put: its own fields, then selectors and templates or metadata alone."""
    specs = FieldSpecs(spec_of(one or {}) for one in label.get("fields") or []).merged(own)
    if label.get("includeSelectors"):
        return specs.merged(common).specs
    if label.get("includeTemplates"):
        specs = specs.merged(templates)
    return specs.merged([METADATA_LABELS]).specs


def spec_of(value: Mapping[str, Any]) -> FieldSpec:
    """A field spec as kustomizations write it."""
    selector = Gvk(value.get("group") or "", value.get("version") or "", value.get("kind") or "")
    return FieldSpec(str(value.get("path") or ""), selector, bool(value.get("create")))


def set_replicas(
    resources: ResourceMap, name: str, count: int, specs: Sequence[FieldSpec] = default_specs.REPLICAS
) -> None:
    """Set the number of replicas of the workloads of a name; InvalidInput where there is none."""

    def counted(value: Any) -> int:
        if isinstance(value, (dict, list)):
            raise InvalidInput(f"the replicas of {name!r} are no number, but a mapping or a list")
        return count

    found = False
    for spec in specs:
        for resource in resources.resources:
            if any(known.name == name and known.gvk.selected_by(spec.selector) for known in resource.all_ids()):
                found = True
                set_fields(resource, [spec], counted, make=int)
    if not found:
        kinds = ", ".join(spec.selector.kind for spec in specs)
        raise InvalidInput(f"there is no {kinds} named {name!r} whose replicas could be set")
