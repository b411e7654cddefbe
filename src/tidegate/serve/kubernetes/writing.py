"""POST, PUT, PATCH and DELETE: each becomes one step of the store, after the object was checked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from tidegate.base.errors import InvalidInput, NotFound, Where
from tidegate.kinds.objects import Object, ObjectKey
from tidegate.serve.kubernetes.objects import Objects, in_version
from tidegate.serve.kubernetes.patching import APPLY_PATCH, change_of, media_type, read_object
from tidegate.serve.kubernetes.reading import read_selection
from tidegate.serve.kubernetes.requests import Call
from tidegate.serve.kubernetes.status import About, BadRequest, Forbidden, success
from tidegate.serve.kubernetes.target import Target
from tidegate.serve.kubernetes.validation import check, field_validation

STATUS = "status"
READ_AT_ONCE = 16 * 1024
_KEPT_NAMESPACES = ("default",)


class Writer:
    """Answers writes of objects, of collections and of the status subresource."""

    def __init__(self, objects: Objects):
        self._objects = objects
        self._store = objects.store

    async def create(self, call: Call) -> Response:
        """A new object in a collection."""
        obj = _addressed(await _sent(call, call.content_type), call.target)
        if not obj["metadata"].get("name") and not obj["metadata"].get("generateName"):
            raise InvalidInput("name or generateName is required", where=Where(field="metadata.name"))
        name = call.request.state.name = str(obj["metadata"].get("name") or "")
        self._objects.check_writable(_named(call.target, name))
        warnings = check(_with_name(obj), field_validation(call.options.text("fieldValidation")))
        created = await self._store.create(obj, manager=call.manager, dry_run=call.options.dry_run)
        return call.answer(in_version(created, call.target), 201, warnings)

    async def update(self, call: Call) -> Response:
        """The whole of an object, or of its status, anew."""
        self._objects.check_writable(call.target)
        wanted = _addressed(await _sent(call, call.content_type), call.target)
        return await self._modify(call, wanted)

    async def patch(self, call: Call) -> Response:
        """A change by one of the four kinds of patches."""
        self._objects.check_writable(call.target)
        if media_type(call.content_type) == APPLY_PATCH:
            return await self._apply(call)
        change = change_of(await call.body(), call.content_type, call.target.resource)

        def changed(live: Object) -> Object:
            return _addressed(change(in_version(live, call.target)), call.target)

        return await self._modify(call, changed)

    async def _modify(self, call: Call, change: Any) -> Response:
        warnings: list[str] = []
        validation = field_validation(call.options.text("fieldValidation"))
        status = call.target.subresource == STATUS

        def changed(live: Object) -> Object:
            after: Object = change if isinstance(change, dict) else change(live)
            if not status and not live["metadata"].get("deletionTimestamp"):
                warnings.extend(check(after, validation))
            # An object keeps the version in which it was stored: a client's preference is no change.
            return after | {"apiVersion": live["apiVersion"]}

        stored = await self._store.modify(
            call.target.key, changed, manager=call.manager, status=status, dry_run=call.options.dry_run
        )
        return call.answer(in_version(stored, call.target), warnings=warnings)

    async def _apply(self, call: Call) -> Response:
        if not call.options.text("fieldManager"):
            raise BadRequest("fieldManager: is required for apply patch")
        config = _addressed(await _sent(call, APPLY_PATCH), call.target)
        force, dry_run = call.options.flag("force"), call.options.dry_run
        if call.target.subresource == STATUS:
            stored = await self._store.apply_status(config, manager=call.manager, force=force, dry_run=dry_run)
            return call.answer(in_version(stored, call.target))
        warnings: list[str] = []
        validation = field_validation(call.options.text("fieldValidation"))
        applied = await self._store.apply(
            config,
            manager=call.manager,
            force=force,
            dry_run=dry_run,
            # What is applied may be a part of the object; what comes of it must be whole.
            check=lambda merged: warnings.extend(check(merged, validation)),
        )
        return call.answer(in_version(applied.object, call.target), 201 if applied.created else 200, warnings)

    async def delete(self, call: Call) -> Response:
        """One object. Where finalizers hold it, the answer is the object that waits for them."""
        options = await _delete_options(call)
        target = call.target
        self._objects.check_writable(target)
        if target.key in _kept_keys():
            raise Forbidden("this namespace may not be deleted")
        live = await self._store.get(target.key)
        await self._delete(target.key, options, dry_run=call.options.dry_run or options.get("dryRun") == ["All"])
        try:
            left = await self._store.get(target.key)
        except NotFound:
            left = None
        if left is not None and left["metadata"].get("uid") == live["metadata"].get("uid") and _is_dying(left):
            return call.answer(in_version(left, target))
        about = About(target.resource, target.name)
        return call.answer(success(about, uid=str(live["metadata"].get("uid"))))

    async def delete_collection(self, call: Call) -> Response:
        """Every object of a collection that the selectors choose."""
        options, selection, target = await _delete_options(call), read_selection(call), call.target
        dry_run = call.options.dry_run or options.get("dryRun") == ["All"]
        resource = target.resource
        kept = _kept_keys()
        pages = self._store.pages(resource.group, resource.kind, namespace=target.namespace or None)
        async for _, page in pages:
            for obj in filter(selection.matches, page):
                metadata = obj["metadata"]
                key = ObjectKey(resource.group, resource.kind, str(metadata.get("namespace") or ""), metadata["name"])
                try:
                    if key not in kept:
                        await self._delete(key, options, dry_run=dry_run)
                except NotFound:
                    continue
        return call.answer(success(About(resource)))

    async def _delete(self, key: ObjectKey, options: Mapping[str, Any], *, dry_run: bool) -> None:
        preconditions = options.get("preconditions") or {}
        await self._store.delete(
            key,
            uid=preconditions.get("uid"),
            resource_version=preconditions.get("resourceVersion"),
            orphan=options.get("propagationPolicy") == "Orphan" or options.get("orphanDependents") is True,
            dry_run=dry_run,
        )


async def _sent(call: Call, content_type: str) -> Object:
    """The body as an object; a large one is read aside, where it holds up nobody."""
    data = await call.body()
    if len(data) <= READ_AT_ONCE:
        return read_object(data, content_type)
    return await asyncio.to_thread(read_object, data, content_type)


def _kept_keys() -> frozenset[ObjectKey]:
    return frozenset(ObjectKey("", "Namespace", "", name) for name in _KEPT_NAMESPACES)


def _is_dying(obj: Object) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def _named(target: Target, name: str) -> Target:
    return Target(target.resource, target.version, target.namespace, name)


def _with_name(obj: Object) -> Object:
    """For models, which need a name: the one that is going to be made up."""
    metadata = obj["metadata"]
    return obj if metadata.get("name") else obj | {"metadata": metadata | {"name": f"{metadata['generateName']}x"}}


def _addressed(obj: Object, target: Target) -> Object:
    """The object as the path addresses it: what it says itself must agree; what it leaves out is filled in."""
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        raise InvalidInput("an object needs metadata", where=Where(field="metadata"))
    expected = {"apiVersion": target.api_version, "kind": target.resource.kind}
    for field, value in expected.items():
        if obj.get(field) not in (None, "", value):
            raise BadRequest(f"the {field} in the data ({obj[field]}) does not match the expected one ({value})")
    metadata = dict(metadata)
    for field, value in (("namespace", target.namespace), ("name", target.name)):
        given = metadata.get(field)
        if given and given != value and (value or field == "namespace"):
            raise BadRequest(f"the {field} of the object ({given}) does not match the {field} on the URL ({value})")
        if value:
            metadata[field] = value
    return obj | expected | {"metadata": metadata}


async def _delete_options(call: Call) -> dict[str, Any]:
    data = await call.body()
    options = read_object(data, call.content_type) if data.strip() else {}
    policy = call.options.text("propagationPolicy")
    options = options | ({"propagationPolicy": policy} if policy else {})
    if options.get("propagationPolicy") not in (None, "", "Orphan", "Background", "Foreground"):
        raise BadRequest(f"propagationPolicy: {json.dumps(options['propagationPolicy'])} is not known")
    if not isinstance(options.get("preconditions") or {}, dict):
        raise BadRequest("preconditions are a map")
    return options
