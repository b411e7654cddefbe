"""OpenAPI as far as kubectl needs it: which parameters PATCH takes (else `apply` refuses), and a word on each kind.

PATCH lists no strategic merge patch: kubectl then takes the merge rules of Kubernetes' kinds from its own types.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tidegate.kinds.resources import Resource

SWAGGER_ASKED = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
SWAGGER_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""Clients ask with an `@`, which is wrong in a media type, so Kubernetes answers with a dot."""
_VERIFIED = ("dryRun", "fieldManager", "fieldValidation", "force")
_ANY: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def index(resources: Sequence[Resource]) -> dict[str, Any]:
    """`/openapi/v3`: a document for each group and version; its URL changes when the document does."""
    paths = {}
    for group, version in _group_versions(resources):
        name = f"apis/{group}/{version}" if group else f"api/{version}"
        mark = hashlib.sha256(json.dumps(document(resources, group, version)).encode()).hexdigest()[:16].upper()
        paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={mark}"}
    return {"paths": paths}


def document(resources: Iterable[Resource], group: str, version: str) -> dict[str, Any]:
    """`/openapi/v3/apis/GROUP/VERSION`."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for resource in resources:
        if resource.group == group and version in resource.versions:
            name = schema_name(resource, version)
            paths |= _paths(resource, version, name)
            schemas[name] = _schema(resource, version)
    info = {"title": "Tidegate", "version": "v1"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def swagger() -> dict[str, Any]:
    """`/openapi/v2`, which clients fall back to: nothing is told there."""
    info = {"title": "Tidegate", "version": "v1"}
    return {"swagger": "2.0", "info": info, "paths": {}, "definitions": {}}


def swagger_protobuf() -> bytes:
    """The same as gnostic's openapi.v2.Document, the only form of it that kubectl reads."""
    info = _text_field(1, "Tidegate") + _text_field(2, "v1")
    return _text_field(1, "2.0") + bytes([2 << 3 | 2, len(info)]) + info


def _text_field(number: int, text: str) -> bytes:
    return bytes([number << 3 | 2, len(text)]) + text.encode()


def schema_name(resource: Resource, version: str) -> str:
    """A schema's name as Kubernetes writes it: `io.fluxcd.toolkit.image.v1.ImagePolicy`."""
    package = ".".join(reversed((resource.group or "core.api.k8s.io").split(".")))
    return f"{package}.{version}.{resource.kind}"


def _group_versions(resources: Iterable[Resource]) -> list[tuple[str, str]]:
    return sorted({(resource.group, version) for resource in resources for version in resource.versions})


def _paths(resource: Resource, version: str, schema: str) -> dict[str, Any]:
    root = f"/apis/{resource.group}/{version}" if resource.group else f"/api/{version}"
    collection = (
        f"{root}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else f"{root}/{resource.plural}"
    )
    mark = {"x-kubernetes-group-version-kind": _kind(resource, version)}
    body = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    answer = {"200": {"description": "OK", "content": {"application/json": body}}}
    verified = [{"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}} for name in _VERIFIED]
    patches = {f"application/{form}": {"schema": _ANY} for form in _PATCH_FORMS}
    patch = {"requestBody": {"content": patches}, "parameters": verified, "responses": answer}
    post = {"requestBody": {"content": {"*/*": body}}, "parameters": verified, "responses": answer}
    return {
        collection: {"get": {"responses": answer} | mark, "post": post | mark},
        f"{collection}/{{name}}": {
            "get": {"responses": answer} | mark,
            "put": post | mark,
            "patch": patch | mark,
            "delete": {"responses": {"200": {"description": "OK"}}} | mark,
        },
    }


_PATCH_FORMS = ("json-patch+json", "merge-patch+json", "apply-patch+yaml")


def _kind(resource: Resource, version: str) -> Mapping[str, str]:
    return {"group": resource.group, "version": version, "kind": resource.kind}


def _schema(resource: Resource, version: str) -> dict[str, Any]:
    text = {"type": "string"}
    properties: dict[str, Any] = {
        "apiVersion": text
        | {"description": f"The version of this representation: {resource.api_version_of(version)}."},
        "kind": text | {"description": f"The kind: {resource.kind}."},
        "metadata": _ANY | {"description": "Standard object metadata: name, namespace, labels, annotations."},
        "spec": _ANY | {"description": f"What is wanted of this {resource.kind}."},
    }
    if resource.has_status:
        properties["status"] = _ANY | {"description": f"What was last observed of this {resource.kind}."}
    return {
        "description": f"{resource.kind} of {resource.api_version_of(version)}.",
        "type": "object",
        "properties": properties,
        "x-kubernetes-group-version-kind": [dict(_kind(resource, version))],
    }
