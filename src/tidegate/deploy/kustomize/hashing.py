"""The hash behind a generated object's name: a change of content is a change of name. kubectl's own algorithm. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tidegate.deploy.kustomize.resource import Resource, text_of

LENGTH = 10
_SUBSTITUTES = str.maketrans("013ae", "ghkmt")


def content_hash(resource: Resource) -> str:
    """The ten characters for an object's present content and name."""
    digest = hashlib.sha256(_encoded(resource).encode()).hexdigest()
    return digest[:LENGTH].translate(_SUBSTITUTES)


def _encoded(resource: Resource) -> str:
    """kustomize means to hash the name too, but looks it up where it is not: an empty one is hashed."""
    data = resource.data
    if resource.kind not in ("ConfigMap", "Secret"):
        return go_json(data)
    value: dict[str, Any] = {"kind": resource.kind, "name": "", "data": data.get("data", "")}
    further = "binaryData" if resource.kind == "ConfigMap" else "stringData"
    if isinstance(data.get(further), dict):
        value[further] = data[further]
    if resource.kind == "Secret":
        value["type"] = text_of(data.get("type"))
    return go_json(value)


def go_json(value: Any) -> str:
    """JSON as Go's encoder writes it: sorted keys, no spaces, and what means something in HTML escaped."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
