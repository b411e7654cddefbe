"""The custom resource definitions of the kinds that Tidegate reconciles, put together from what the files in `crds` say
of a kind's fields and from what the vocabulary of kinds says of its names, versions and columns.

Every version has the same schema, the union of all of them, so that no version loses what another one wrote and no
conversion is needed. As in Flux's definitions, fields that no version has are dropped by the API server.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from tidegate.install.manifests import LABELS
from tidegate.kinds.columns import COLUMNS, PrinterColumn, shows_suspension
from tidegate.kinds.objects import Object
from tidegate.kinds.resources import FLUX, OURS, Resource

# A definition's words may look like variables to a Kustomization that applies it; Flux's carry this too.
ANNOTATIONS = {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}
UNOBSERVED = {"observedGeneration": -1}
_SUSPENDED = {
    "type": "string",
    "description": "Whether it was suspended when it was last looked at.",
    "enum": ["True", "False"],
}


def definitions(kinds: Iterable[str] | None = None) -> list[Object]:
    """The definitions of these kinds, or of all, in the vocabulary's order."""
    wanted = None if kinds is None else set(kinds)
    return [_definition(resource) for resource in (*FLUX, *OURS) if wanted is None or resource.kind in wanted]


def _definition(resource: Resource) -> Object:
    schema = _schema(resource)
    columns = [_column(column) for column in COLUMNS[resource.group, resource.kind]]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{resource.plural}.{resource.group}",
            "labels": dict(LABELS),
            "annotations": dict(ANNOTATIONS),
        },
        "spec": {
            "group": resource.group,
            "names": _names(resource),
            "scope": "Namespaced",
            "versions": [_version(version, resource.versions, columns, schema) for version in resource.versions],
        },
    }


def _names(resource: Resource) -> dict[str, Any]:
    names: dict[str, Any] = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.singular,
    }
    if resource.short_names:
        names["shortNames"] = list(resource.short_names)
    if resource.categories:
        names["categories"] = list(resource.categories)
    return names


def _version(
    name: str, versions: Sequence[str], columns: list[dict[str, Any]], schema: dict[str, Any]
) -> dict[str, Any]:
    """One version; the first is the one that is stored."""
    return {
        "name": name,
        "served": True,
        "storage": name == versions[0],
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": schema},
    }


def _column(column: PrinterColumn) -> dict[str, Any]:
    found: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    return found | {"priority": column.priority} if column.priority else found


def _schema(resource: Resource) -> dict[str, Any]:
    fields = _read(resource.kind.lower())
    status = {**_read("common"), **fields["status"]}
    if shows_suspension(resource.group, resource.kind):
        status["suspended"] = _SUSPENDED
    return {
        "type": "object",
        "description": fields["description"],
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "The version of this object's form."},
            "kind": {"type": "string", "description": "The kind of this object."},
            "metadata": {"type": "object"},
            "spec": fields["spec"],
            "status": {
                "type": "object",
                "description": "What was last observed of it.",
                "default": dict(UNOBSERVED),
                "properties": dict(sorted(status.items())),
            },
        },
    }


@cache
def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(files(__package__).joinpath("crds", f"{name}.yaml").read_bytes())
    return content
