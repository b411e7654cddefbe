"""Objects as a meta.k8s.io/v1 Table: what `kubectl get` prints. Pure: the time is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tidegate.kinds.objects import Object
from tidegate.kinds.resources import Resource
from tidegate.serve.kubernetes.columns import DECLARED, UNDECLARED, Column, columns_of_definition
from tidegate.serve.kubernetes.columns_builtin import BUILT_IN


def wants_table(accept: str) -> bool:
    """Whether a client asks for a Table before anything else that we can give."""
    for part in accept.split(","):
        words = {word.strip() for word in part.split(";")}
        if "application/json" in words:
            return "as=Table" in words and "g=meta.k8s.io" in words and "v=v1" in words
    return False


def columns_for(resource: Resource, version: str, definitions: Iterable[Mapping[str, Any]]) -> Sequence[Column]:
    """The columns of a resource; of one that only a CustomResourceDefinition knows, those that it declares."""
    kind = (resource.group, resource.kind)
    if (columns := DECLARED.get(kind) or BUILT_IN.get(kind)) is not None:
        return columns
    for definition in definitions:
        spec = definition.get("spec") or {}
        if spec.get("group") == resource.group and (spec.get("names") or {}).get("kind") == resource.kind:
            return columns_of_definition(definition, version)
    return UNDECLARED


def definitions_of(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """A Table's columnDefinitions."""
    return [column.definition() for column in columns]


def row(obj: Object, columns: Sequence[Column], now: datetime, include: str) -> dict[str, Any]:
    """One row; `include` is the query's includeObject: None, Metadata (the default) or Object."""
    line: dict[str, Any] = {"cells": [column.cell(obj, now) for column in columns]}
    if include == "Object":
        return line | {"object": obj}
    if include == "None":
        return line
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
    return line | {"object": partial}


def table(rows: Sequence[dict[str, Any]], columns: Sequence[Column], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """A whole Table."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": dict(metadata),
        "columnDefinitions": definitions_of(columns),
        "rows": list(rows),
    }
