"""`namePrefix` and `nameSuffix`, and the hash that is put behind a generated object's name. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.deploy.kustomize.fieldspecs import FieldSpec, set_fields
from tidegate.deploy.kustomize.identity import Gvk
from tidegate.deploy.kustomize.resource import Resource, text_of

NAME_PATH = "metadata/name"
# Their names mean something to others, so they stay.
SKIPPED = (
    Gvk(kind="CustomResourceDefinition"),
    Gvk(group="apiregistration.k8s.io", kind="APIService"),
    Gvk(kind="Namespace"),
)


def add_prefix(resources: Sequence[Resource], prefix: str, specs: Sequence[FieldSpec]) -> None:
    """Put a prefix before every name."""
    _rename(resources, prefix, "", specs)


def add_suffix(resources: Sequence[Resource], suffix: str, specs: Sequence[FieldSpec]) -> None:
    """Put a suffix behind every name."""
    _rename(resources, "", suffix, specs)


def _rename(resources: Sequence[Resource], prefix: str, suffix: str, specs: Sequence[FieldSpec]) -> None:
    for resource in resources:
        original = resource.original_id.gvk
        if any(original.selected_by(skipped) for skipped in SKIPPED):
            continue
        for spec in specs:
            if not original.selected_by(spec.selector):
                continue
            if spec.path == NAME_PATH:
                if prefix:
                    resource.prefixes.append(prefix)
                if suffix:
                    resource.suffixes.append(suffix)
                if prefix or suffix:
                    resource.remember_id()
            set_fields(resource, [spec], lambda value: f"{prefix}{_name(value)}{suffix}", make=str)


def _name(value: Any) -> str:
    if isinstance(value, (dict, list)):
        raise InvalidInput("a name must be text")
    return text_of(value)
