"""Replacing a value inside JSON or YAML that is itself the text of a field, such as a ConfigMap's file. Pure."""

from __future__ import annotations

import json
import math
from typing import Any

import yaml

from tidegate.base.errors import InvalidInput
from tidegate.base.yaml import Schema, load_documents
from tidegate.base.yaml_scalars import untyped
from tidegate.deploy.kustomize.field_paths import MISSING, find_places, look_up
from tidegate.deploy.kustomize.hashing import go_json
from tidegate.deploy.kustomize.resource import fits_in_place_of, text_of


def replace_inside(root: Any, parts: list[str], value: Any, *, create: bool) -> bool:
    """Whether the path leads into a field's text, and the value was put there. Where it does not, nothing changes."""
    for count in range(1, len(parts)):
        try:
            text = look_up(root, parts[:count])
        except InvalidInput:
            continue
        if isinstance(text, (dict, list)) or text is MISSING:
            continue
        return _replace(root, parts[:count], parts[count:], text_of(text), value, create=create)
    return False


def _replace(root: Any, outer: list[str], inner: list[str], text: str, value: Any, *, create: bool) -> bool:
    try:
        documents = load_documents(text.encode(), file="a field", schema=Schema.KUSTOMIZE)
        if len(documents) != 1:
            return False
        content = documents[0].value
        places = find_places(content, inner, value if create else MISSING)
    except InvalidInput:
        return False
    if not places:
        return False
    for place in places:
        present, text_value = place.get(), text_of(value)
        if isinstance(present, (dict, list)):
            place.set(value)
        elif isinstance(present, str) and not place.created:
            place.set(text_value)
        elif place.created or fits_in_place_of(untyped(text_value, Schema.KUSTOMIZE), text_value, present):
            place.set(untyped(text_value, Schema.KUSTOMIZE))
        else:
            return True  # kustomize says nothing where the types differ, and changes nothing
    for place in find_places(root, outer):
        place.set(_written(content, text))
    return True


def _written(content: Any, before: str) -> str:
    """The content in the form it had: JSON stays JSON, on one line or indented; all else is YAML."""
    if before.lstrip()[:1] not in ("{", "["):
        return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf).strip()
    if "\n" in before and "  " in before:
        return json.dumps(json.loads(go_json(content)), indent=2, sort_keys=True, ensure_ascii=False)
    return go_json(content)


class _Dumper(yaml.SafeDumper):
    """Quotes text that could be read as something else with double quotes, as kustomize's writer does."""

    def text(self, value: str) -> yaml.ScalarNode:
        ambiguous = not value or not all(isinstance(untyped(value, schema), str) for schema in Schema)
        return self.represent_scalar("tag:yaml.org,2002:str", value, style='"' if ambiguous else None)


_Dumper.add_representer(str, _Dumper.text)
