"""GET: one object, or a collection with selectors and pages, as objects or as a Table."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.responses import Response

from tidegate.base.frozen import frozen
from tidegate.engine.clock import Clock
from tidegate.kinds.label_selector import LabelSelector
from tidegate.kinds.objects import Object
from tidegate.serve.kubernetes.catalogue import Catalogue
from tidegate.serve.kubernetes.columns import Column
from tidegate.serve.kubernetes.objects import Objects, Place, place_of
from tidegate.serve.kubernetes.requests import Call, stream
from tidegate.serve.kubernetes.selectors import FieldSelector, parse_fields, parse_labels
from tidegate.serve.kubernetes.status import BadRequest
from tidegate.serve.kubernetes.tables import columns_for, definitions_of, row, table, wants_table


@frozen
class Selection:
    """Which objects of a collection are wanted."""

    labels: LabelSelector
    fields: FieldSelector

    def matches(self, obj: Object) -> bool:
        """Whether an object is among them."""
        return self.labels.matches(obj["metadata"].get("labels") or {}) and self.fields.matches(obj)


def read_selection(call: Call) -> Selection:
    """The query's labelSelector and fieldSelector. Raises BadRequest."""
    kind = call.target.resource.kind
    fields = parse_fields(call.options.text("fieldSelector"), kind)
    if call.target.name:
        fields = FieldSelector((*fields.terms, ("metadata.name", call.target.name, True)))
    return Selection(parse_labels(call.options.text("labelSelector")), fields)


def read_include(call: Call) -> str:
    """The query's includeObject. Raises BadRequest."""
    value = call.options.text("includeObject") or "Metadata"
    if value not in ("None", "Metadata", "Object"):
        raise BadRequest(f"includeObject: {value!r} is none of None, Metadata, Object")
    return value


class Reader:
    """Answers GET for objects and collections."""

    def __init__(self, objects: Objects, catalogue: Catalogue, clock: Clock):
        self._objects = objects
        self._catalogue = catalogue
        self._clock = clock

    async def columns(self, call: Call) -> Sequence[Column]:
        """The columns of a call's resource."""
        definitions = await self._catalogue.definitions()
        return columns_for(call.target.resource, call.target.version, definitions)

    async def get(self, call: Call) -> Response:
        """One object."""
        obj = await self._objects.get(call.target)
        if not wants_table(call.accept):
            return call.answer(obj)
        columns = await self.columns(call)
        rows = [row(obj, columns, self._clock.now(), read_include(call))]
        return call.answer(table(rows, columns, {"resourceVersion": obj["metadata"].get("resourceVersion", "")}))

    async def list(self, call: Call) -> Response:
        """A collection. It is sent while it is read, so its size costs no memory."""
        selection, limit = read_selection(call), call.options.number("limit") or 0
        start = _read_continue(call.options.text("continue"))
        listing = _Listing(self._objects, call, selection, limit, start)
        if wants_table(call.accept):
            columns, include, now = await self.columns(call), read_include(call), self._clock.now()
            head = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "columnDefinitions": definitions_of(columns)}
            return stream(listing.json(head, "rows", lambda obj: row(obj, columns, now, include)))
        head = {"kind": f"{call.target.resource.kind}List", "apiVersion": call.target.api_version}
        return stream(listing.json(head, "items", lambda obj: obj))


@frozen
class _Start:
    """Where a listing goes on, and the resource version that its first page had."""

    place: Place | None = None
    version: str = ""


def _read_continue(token: str) -> _Start:
    if not token:
        return _Start()
    try:
        version, namespace, name = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadRequest("continue key is not valid") from error
    return _Start((str(namespace), str(name)), str(version))


def _continue_token(version: str, place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps([version, *place]).encode()).decode()


class _Listing:
    """One answer to a list: what of the pages is wanted, up to the limit, and how to go on."""

    def __init__(self, objects: Objects, call: Call, selection: Selection, limit: int, start: _Start):
        self._objects = objects
        self._call = call
        self._selection = selection
        self._limit = limit
        self._start = start
        self._metadata: dict[str, Any] = {"resourceVersion": start.version}

    async def json(self, head: dict[str, Any], field: str, show: Any) -> AsyncIterator[bytes]:
        """The list's JSON; its metadata comes last, since only the end tells how to go on."""
        yield f'{json.dumps(head, separators=(",", ":"))[:-1]},"{field}":['.encode()
        comma = ""
        async for found in self._batches():
            text = ",".join(json.dumps(show(obj), separators=(",", ":")) for obj in found)
            if text:
                yield f"{comma}{text}".encode()
                comma = ","
        yield f'],"metadata":{json.dumps(self._metadata)}}}\n'.encode()

    async def _batches(self) -> AsyncIterator[list[Object]]:
        target, sent, last = self._call.target, 0, self._start.place
        if last is None:
            # Made-up objects come with the first answer, beyond its limit: they have no place to go on from.
            yield list(filter(self._selection.matches, self._objects.made(target)))
        async for version, page in self._objects.pages(target, last):
            self._metadata["resourceVersion"] = self._start.version or version
            found = list(filter(self._selection.matches, page))
            if self._limit and sent + len(found) > self._limit:
                found = found[: self._limit - sent]
                last = place_of(found[-1]) if found else last
                assert last is not None
                self._metadata["continue"] = _continue_token(self._metadata["resourceVersion"], last)
                yield found
                return
            sent += len(found)
            last = place_of(found[-1]) if found else last
            yield found
