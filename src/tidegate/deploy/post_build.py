"""Variables in what was built: `spec.postBuild`, by Flux's rules. Pure.

Each object is written as YAML, as kustomize writes it, so that `replicas: ${n}` becomes a number; then its variables
are put in, and the text is read again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import yaml

from tidegate.base.errors import InvalidInput, TidegateError, Where
from tidegate.base.yaml import Schema, load_documents
from tidegate.base.yaml_scalars import NotRepresentable, untyped
from tidegate.deploy.envsubst.substitute import substitute
from tidegate.deploy.kustomize.resource import Resource
from tidegate.kinds.common import mapping
from tidegate.kinds.objects import Object

SUBSTITUTE = "kustomize.toolkit.fluxcd.io/substitute"
"""A label or annotation: with `disabled` an object stays as it is."""
_NAME = re.compile(r"[_A-Za-z][_A-Za-z0-9]*", re.ASCII)


def check_names(variables: Mapping[str, str], field: str) -> None:
    """InvalidInput where one is no variable's name."""
    for name in variables:
        if not _NAME.fullmatch(name):
            message = f"{name[:100]!r} var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'"
            raise InvalidInput(message, where=Where(field=field))


def put_in(resources: list[Resource], variables: Mapping[str, str], *, strict: bool = False) -> None:
    """Put the variables into every object that does not opt out; InvalidInput names the object at fault."""
    for resource in resources:
        if not _opts_out(resource.data):
            resource.data = _substituted(resource, variables, strict=strict)


def _substituted(resource: Resource, variables: Mapping[str, str], *, strict: bool) -> Object:
    text = yaml.dump(resource.data, Dumper=_Dumper, allow_unicode=True, width=math.inf, default_flow_style=False)
    if "$" not in text:
        return resource.data
    try:
        changed = substitute(text, variables, strict=strict)
        documents = load_documents(changed.encode(), file=resource.file or "", schema=Schema.KUBERNETES)
    except TidegateError as error:
        message = f"variable substitution failed for {resource.id}: {error.message}"
        raise InvalidInput(message, where=Where(resource.file), remedy=error.remedy) from None
    if len(documents) != 1 or not isinstance(documents[0].value, dict):
        raise InvalidInput(f"with its variables {resource.id} is no object any more", where=Where(resource.file))
    return documents[0].value


def _opts_out(obj: Object) -> bool:
    metadata = mapping(obj.get("metadata"))
    return any(mapping(metadata.get(part)).get(SUBSTITUTE) == "disabled" for part in ("labels", "annotations"))


class _Dumper(yaml.SafeDumper):
    """Writes a text plain where that reads as the same text, so that a variable alone may become another type."""

    def text(self, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else '"' if _ambiguous(value) else None
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _ambiguous(value: str) -> bool:
    try:
        return not value or not isinstance(untyped(value, Schema.KUBERNETES), str)
    except NotRepresentable:
        return True


_Dumper.add_representer(str, _Dumper.text)
