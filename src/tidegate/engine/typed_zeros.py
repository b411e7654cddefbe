"""Fields of Kubernetes' kinds that a client sends empty because its types can't leave them out: Go's typed clients say
`resources: {}` of every container, and flux's and kubectl's comparisons would see a change in each. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tidegate.kinds.objects import Object, group_of

_TEMPLATED = {("apps", kind) for kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")} | {("batch", "Job")}
_Change = Callable[[Mapping[str, Any]], dict[str, Any]]
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def without_zeros(obj: Object) -> Object:
    """The object without them; what a person could mean by an empty field, as in `emptyDir: {}`, stays."""
    kind = (group_of(str(obj["apiVersion"])), str(obj["kind"]))
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return obj
    if kind == ("", "Pod"):
        return obj | {"spec": _pod(spec)}
    if kind == ("", "Service"):
        return obj | {"spec": _each(spec, "ports", _port)}
    if kind in _TEMPLATED:
        return obj | {"spec": _templated(spec)}
    if kind == ("batch", "CronJob"):
        return obj | {"spec": _inside(spec, "jobTemplate", lambda job: _inside(_template(job), "spec", _templated))}
    return obj


def _templated(spec: Mapping[str, Any]) -> dict[str, Any]:
    without = _without(spec, "updateStrategy", {})
    return _inside(without, "template", lambda template: _inside(_template(template), "spec", _pod))


def _template(template: Mapping[str, Any]) -> dict[str, Any]:
    dated = _inside(template, "metadata", lambda metadata: _without(metadata, "creationTimestamp", None))
    return _without(dated, "metadata", {})


def _pod(spec: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(spec)
    for field in _CONTAINERS:
        found = _each(found, field, lambda container: _without(container, "resources", {}))
    return found


def _port(port: Mapping[str, Any]) -> dict[str, Any]:
    return _without(port, "targetPort", 0)


def _without(value: Mapping[str, Any], field: str, zero: object) -> dict[str, Any]:
    """`value` without a field that is this zero, of the same type."""
    is_zero = field in value and type(value[field]) is type(zero) and value[field] == zero
    return {name: inner for name, inner in value.items() if name != field or not is_zero}


def _inside(value: Mapping[str, Any], field: str, change: _Change) -> dict[str, Any]:
    inner = value.get(field)
    return dict(value) | ({field: change(inner)} if isinstance(inner, dict) else {})


def _each(value: Mapping[str, Any], field: str, change: _Change) -> dict[str, Any]:
    items = value.get(field)
    if not isinstance(items, list):
        return dict(value)
    return dict(value) | {field: [change(item) if isinstance(item, dict) else item for item in items]}
