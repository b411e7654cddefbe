"""`openapi`: which types a build knows, and so which of their lists merge by key. Pure.

A file of types (Swagger 2, JSON or YAML) stands in place of Kubernetes' own types, not beside them, and the first
kustomization of a build that names one decides for all of them, as in kustomize.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.yaml import load_documents
from tidegate.deploy.kustomize import merge_keys
from tidegate.deploy.kustomize.merge_keys import MergeType

BUILT_IN_VERSION = "v1.21.2"
_REFERENCE = "#/definitions/"
_KINDS = "x-kubernetes-group-version-kind"
_STRATEGY, _KEY, _KEYS = "x-kubernetes-patch-strategy", "x-kubernetes-patch-merge-key", "x-kubernetes-list-map-keys"
_LONGEST_CHAIN = 20

Definitions = Mapping[str, Any]


class Types:
    """The types of one build: Kubernetes' own until a kustomization file says otherwise."""

    def __init__(self) -> None:
        self._decided = False
        self._own: Mapping[tuple[str, str], _DefinedType] | None = None

    def use_built_in(self, version: str, where: Where) -> None:
        """`openapi.version`: InvalidInput for one that kustomize does not have."""
        if not self._decided and version != BUILT_IN_VERSION:
            raise InvalidInput(
                f"the OpenAPI version {version} is not built in", where=where, remedy=f"write {BUILT_IN_VERSION}"
            )
        self._decided = True

    def use_file(self, data: bytes, file: str) -> None:
        """`openapi.path`: InvalidInput where the file holds no types."""
        if not self._decided:
            self._own = _read(data, file)
        self._decided = True

    def of(self, api_version: str, kind: str) -> MergeType | None:
        """The type of a kind; None for one that is not known: its lists are replaced whole."""
        if self._own is None:
            return merge_keys.schema_of(api_version, kind)
        return self._own.get((api_version, kind))


class _DefinedType:
    """A type as a file says it; what it refers to is looked up when it is asked for, so it may refer to itself."""

    def __init__(self, schema: Any, definitions: Definitions):
        self._definitions = definitions
        self._schema = _resolved(schema, definitions)

    @property
    def keys(self) -> tuple[str, ...] | None:
        if "merge" not in str(self._schema.get(_STRATEGY, "")).split(","):
            return None
        several, one = self._schema.get(_KEYS), self._schema.get(_KEY)
        if isinstance(several, list):
            return tuple(str(key) for key in several)
        return (str(one),) if one is not None else ()

    @property
    def items(self) -> _DefinedType | None:
        return self._below(self._schema.get("items"))

    def field(self, name: str) -> _DefinedType | None:
        properties = self._schema.get("properties")
        if isinstance(properties, dict) and name in properties:
            return self._below(properties[name])
        return self._below(self._schema.get("additionalProperties"))

    def _below(self, schema: Any) -> _DefinedType | None:
        return _DefinedType(schema, self._definitions) if isinstance(schema, dict) else None


def _resolved(schema: Any, definitions: Definitions) -> Mapping[str, Any]:
    for _ in range(_LONGEST_CHAIN):
        if not isinstance(schema, dict):
            return {}
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith(_REFERENCE):
            return schema
        schema = definitions.get(reference.removeprefix(_REFERENCE))
    return {}


def _read(data: bytes, file: str) -> Mapping[tuple[str, str], _DefinedType]:
    documents = load_documents(data, file=file, unique_keys=False)
    value = documents[0].value if documents else None
    if not isinstance(value, dict):
        raise InvalidInput("the file must hold an OpenAPI document with definitions", where=Where(file))
    definitions = value.get("definitions") or {}
    if not isinstance(definitions, dict):
        raise InvalidInput("must be a mapping of names to types", where=documents[0].where(("definitions",)))
    found = {}
    for schema in definitions.values():
        for gvk in (schema.get(_KINDS) or []) if isinstance(schema, dict) else []:
            if isinstance(gvk, dict):
                group, version = gvk.get("group") or "", gvk.get("version") or ""
                api_version = f"{group}/{version}" if group else str(version)
                found[api_version, str(gvk.get("kind") or "")] = _DefinedType(schema, definitions)
    return found
