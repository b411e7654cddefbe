"""From a PATCH's body and media type to the change that it makes of a live object. Pure."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.base.json_size import check_json
from tidegate.base.yaml import load_documents
from tidegate.base.yaml_nodes import Limits
from tidegate.engine.merge_patch import json_patch, merge_patch
from tidegate.engine.merge_schema import is_built_in, merge_schema
from tidegate.engine.merge_strategic import strategic_merge_patch
from tidegate.engine.sqlite_lifecycle import VALUES_LIMIT
from tidegate.kinds.objects import Object
from tidegate.kinds.resources import Resource
from tidegate.serve.kubernetes.protobuf import decode
from tidegate.serve.kubernetes.status import BadRequest, UnsupportedMediaType

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
YAML_LIMITS = Limits(size=512 * 1024, nodes=2 * VALUES_LIMIT)
_YAML = ("application/yaml", "application/x-yaml", "text/yaml", APPLY_PATCH)
Change = Callable[[Object], Object]


def media_type(header: str) -> str:
    """A Content-Type without its parameters."""
    return header.partition(";")[0].strip().lower()


def read_body(data: bytes, header: str) -> Any:
    """A body's value, JSON unless its type says YAML or protobuf. Raises BadRequest and UnsupportedMediaType."""
    kind = media_type(header)
    if kind == PROTOBUF:
        return decode(data)
    if "cbor" in kind:
        raise UnsupportedMediaType(f"{kind} is not read here", remedy="send application/json")
    if kind not in _YAML:
        return _json(data)
    # What clients call YAML is JSON as a rule, which is read a hundred times faster.
    if data.lstrip()[:1] == b"{":
        with contextlib.suppress(BadRequest):
            return _json(data)
    return _yaml(data)


def _json(data: bytes) -> Any:
    check_json(data, VALUES_LIMIT)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is no JSON: {error}") from error


def _yaml(data: bytes) -> Any:
    if len(data) > YAML_LIMITS.size:
        most = YAML_LIMITS.size
        raise LimitExceeded(f"a body of YAML may have {most} bytes", remedy="send it as JSON, as kubectl does")
    documents = load_documents(data, file="body", limits=YAML_LIMITS)
    if len(documents) != 1:
        raise BadRequest(f"the body holds {len(documents)} documents instead of one")
    return documents[0].value


def read_object(data: bytes, header: str) -> Object:
    """A body that must be an object."""
    value = read_body(data, header)
    if not isinstance(value, dict):
        raise BadRequest("the body is no object")
    return value


def change_of(data: bytes, header: str, resource: Resource) -> Change:
    """What a JSON, merge or strategic merge patch does to a live object."""
    kind = media_type(header)
    if kind not in (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH):
        known = ", ".join((JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH))
        raise UnsupportedMediaType(f"the body of the request was in an unknown format - accepted media types: {known}")
    if kind == STRATEGIC_PATCH and not is_built_in(resource.group):
        raise UnsupportedMediaType(f"a {resource.kind} takes no strategic merge patch", remedy=f"send {MERGE_PATCH}")
    patch = read_body(data, "application/json")
    if kind != JSON_PATCH and not isinstance(patch, Mapping):
        raise BadRequest("a merge patch is a map")
    schema = merge_schema(resource.group, resource.kind)

    def change(live: Object) -> Object:
        if kind == JSON_PATCH:
            result = json_patch(live, patch)
        elif kind == MERGE_PATCH:
            result = merge_patch(live, patch)
        else:
            result = strategic_merge_patch(live, patch, schema)
        if not isinstance(result, dict) or not isinstance(result.get("metadata"), dict):
            raise InvalidInput("the patch leaves no object")
        return result

    return change
