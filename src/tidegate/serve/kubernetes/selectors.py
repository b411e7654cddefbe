"""Label and field selectors, as `-l` and `--field-selector` give them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.kinds import label_selector
from tidegate.kinds.label_selector import LabelSelector
from tidegate.kinds.objects import Object
from tidegate.serve.kubernetes.status import BadRequest

_SELECTABLE = {
    "": frozenset({"metadata.name", "metadata.namespace"}),
    "Event": frozenset(
        {
            "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
            "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
            "reason", "reportingComponent", "source", "type",
        }
    ),
    "Pod": frozenset({"spec.nodeName", "spec.restartPolicy", "status.phase", "status.podIP"}),
    "Secret": frozenset({"type"}),
    "Namespace": frozenset({"status.phase"}),
}  # fmt: skip


def parse_labels(text: str) -> LabelSelector:
    """Read a label selector. Raises BadRequest."""
    try:
        return label_selector.parse_labels(text)
    except InvalidInput as error:
        raise BadRequest(error.message) from error


@frozen
class FieldSelector:
    """Fields by path with the values that they must have (or, where `equal` is false, must not)."""

    terms: tuple[tuple[str, str, bool], ...] = ()

    def matches(self, obj: Object) -> bool:
        """Whether the object is selected. An absent field counts as empty."""
        return all((_field(obj, path) == value) == equal for path, value, equal in self.terms)

    def value_of(self, path: str) -> str | None:
        """The value that a path must have, or None."""
        return next((value for term, value, equal in self.terms if term == path and equal), None)


def parse_fields(text: str, kind: str) -> FieldSelector:
    """Read `metadata.name=a,involvedObject.kind!=Pod`. Raises BadRequest for a path that can't be selected by."""
    terms = []
    for part in filter(None, re.split(r"(?<!\\),", text)):
        path, operator, value = _term(part)
        if not operator:
            raise BadRequest(f"invalid selector: {part!r}; can't understand it")
        if path not in _SELECTABLE[""] and path not in _SELECTABLE.get(kind, frozenset()):
            raise BadRequest(f"field label not supported: {path}")
        terms.append((path, re.sub(r"\\(.)", r"\1", value), operator != "!="))
    return FieldSelector(tuple(terms))


def _term(part: str) -> tuple[str, str, str]:
    for operator in ("!=", "==", "="):
        path, found, value = part.partition(operator)
        if found:
            return path.strip(), operator, value
    return part, "", ""


def _field(obj: Object, path: str) -> str:
    if path == "source" and obj.get("kind") == "Event":
        path = "source.component"
    value: Any = obj
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return "" if value is None else str(value)
