"""Which resources a patch or a replacement means: by kind, name, namespace, labels and annotations. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.deploy.kustomize.identity import Gvk, ResourceId
from tidegate.deploy.kustomize.patterns import matches_whole
from tidegate.deploy.kustomize.resource import Resource

_REQUIREMENT = re.compile(
    r"\s*(?:(?P<absent>!)?\s*(?P<key>[^\s=!,()<>]+)\s*"
    r"(?:(?P<operator>==|=|!=|<|>|\bin\b|\bnotin\b)\s*(?P<values>\([^()]*\)|[^\s=!,()<>]*))?)\s*(?:,|$)"
)


def select(resources: Sequence[Resource], selector: Mapping[str, Any]) -> list[Resource]:
    """The resources that a patch's target means; every part that it gives must fit, as a regular expression."""
    found = []
    for resource in resources:
        known = (resource.original_id, resource.id)
        if (
            any(_fits(selector, "namespace", one.effective_namespace) for one in known)
            and any(_fits(selector, "name", one.name) for one in known)
            and fits_kind(selector, resource.gvk)
            and has_labels(selector, resource)
        ):
            found.append(resource)
    return found


def fits_id(selector: Mapping[str, Any], identity: ResourceId) -> bool:
    """Whether an identity fits a replacement's target."""
    return (
        fits_kind(selector, identity.gvk)
        and _fits(selector, "name", identity.name)
        and _fits(selector, "namespace", identity.namespace)
    )


def fits_kind(selector: Mapping[str, Any], gvk: Gvk) -> bool:
    """Whether group, version and kind fit."""
    return all(_fits(selector, part, getattr(gvk, part)) for part in ("group", "version", "kind"))


def has_labels(selector: Mapping[str, Any], resource: Resource) -> bool:
    """Whether labels and annotations are as the selector wants them."""
    return matches_labels(str(selector.get("labelSelector") or ""), resource.labels()) and matches_labels(
        str(selector.get("annotationSelector") or ""), resource.annotations()
    )


def _fits(selector: Mapping[str, Any], part: str, value: str) -> bool:
    wanted = selector.get(part)
    return not wanted or matches_whole(str(wanted), value)


def matches_labels(text: str, labels: Mapping[str, str]) -> bool:
    """A Kubernetes label selector: `app=web,tier!=db,env in (a, b),!old`. InvalidInput where it is none."""
    return all(_holds(*requirement, labels) for requirement in _requirements(text))


def _requirements(text: str) -> list[tuple[str, str, list[str]]]:
    found: list[tuple[str, str, list[str]]] = []
    position = 0
    while position < len(text.rstrip()):
        match = _REQUIREMENT.match(text, position)
        if match is None or match.end() == position:
            raise InvalidInput(f"{text!r} is no label selector", remedy="write for example app=web,tier!=db")
        operator, values = match["operator"] or "exists", (match["values"] or "").strip()
        is_set = operator in ("in", "notin")
        if is_set != values.startswith("(") or (match["absent"] and match["operator"]):
            raise InvalidInput(f"{text!r} is no label selector", remedy="write for example app in (web, api)")
        listed = [value.strip() for value in values.strip("()").split(",")]
        found.append((match["key"], "absent" if match["absent"] else operator, listed))
        position = match.end()
    return found


def _holds(key: str, operator: str, values: list[str], labels: Mapping[str, str]) -> bool:
    if operator in ("exists", "absent"):
        return (key in labels) == (operator == "exists")
    if operator in ("<", ">"):
        try:
            found, limit = int(labels[key]), int(values[0])
        except (KeyError, ValueError):
            return False
        return found < limit if operator == "<" else found > limit
    inside = labels.get(key) in values
    return not inside if operator in ("!=", "notin") else inside
