"""The scale subresource of Deployments and their like, as `kubectl scale` speaks it (autoscaling/v1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from tidegate.base.errors import InvalidInput, Where
from tidegate.engine.merge_patch import json_patch, merge_patch
from tidegate.kinds.objects import Object
from tidegate.serve.kubernetes.objects import Objects
from tidegate.serve.kubernetes.patching import JSON_PATCH, media_type, read_body, read_object
from tidegate.serve.kubernetes.requests import Call
from tidegate.serve.kubernetes.status import BadRequest


class Scaler:
    """Answers GET, PUT and PATCH of `…/scale`."""

    def __init__(self, objects: Objects):
        self._objects = objects

    async def get(self, call: Call) -> Response:
        """How many replicas there are and shall be."""
        return call.answer(scale_of(await self._objects.get(call.target)))

    async def update(self, call: Call) -> Response:
        """Set how many there shall be."""
        scale = read_object(await call.body(), call.content_type)
        return await self._scale(call, lambda _: scale)

    async def patch(self, call: Call) -> Response:
        """Set how many there shall be, by a patch of the Scale."""
        patch = read_body(await call.body(), "application/json")
        if media_type(call.content_type) == JSON_PATCH:
            return await self._scale(call, lambda present: json_patch(present, patch))
        return await self._scale(call, lambda present: merge_patch(present, patch))

    async def _scale(self, call: Call, change: Any) -> Response:
        self._objects.check_writable(call.target)

        def scaled(live: Object) -> Object:
            wanted = _mapping(change(scale_of(live)))
            version = _mapping(wanted.get("metadata")).get("resourceVersion")
            metadata = live["metadata"] | ({"resourceVersion": version} if version else {})
            return live | {"metadata": metadata, "spec": {**_mapping(live.get("spec")), "replicas": _replicas(wanted)}}

        stored = await self._objects.store.modify(
            call.target.key, scaled, manager=call.manager, dry_run=call.options.dry_run
        )
        return call.answer(scale_of(stored))


def scale_of(obj: Object) -> Object:
    """An object's Scale. Pure."""
    metadata, spec, status = obj["metadata"], _mapping(obj.get("spec")), _mapping(obj.get("status"))
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    labels = _mapping(_mapping(spec.get("selector")).get("matchLabels"))
    replicas = spec.get("replicas")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in kept if name in metadata},
        "spec": {"replicas": 1 if replicas is None else replicas},
        "status": {
            "replicas": status.get("replicas") or 0,
            "selector": ",".join(f"{name}={value}" for name, value in sorted(labels.items())),
        },
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _replicas(scale: Mapping[str, Any]) -> int:
    spec = scale.get("spec")
    if not isinstance(spec, Mapping):
        raise BadRequest("a Scale has a spec")
    replicas = spec.get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        raise InvalidInput("must be a whole number from 0", where=Where(field="spec.replicas"))
    return replicas
