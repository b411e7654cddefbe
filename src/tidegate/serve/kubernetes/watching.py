"""Watches: a line of JSON for each change, bookmarks while nothing happens, selectors that objects enter and leave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.responses import Response

from tidegate.base.errors import RateLimited, TidegateError
from tidegate.base.frozen import frozen
from tidegate.engine.clock import Clock
from tidegate.engine.sqlite_tables import Change
from tidegate.kinds.objects import Object
from tidegate.serve.kubernetes.objects import Objects, in_version
from tidegate.serve.kubernetes.reading import Reader, Selection, read_include, read_selection
from tidegate.serve.kubernetes.requests import Call, stream
from tidegate.serve.kubernetes.status import BadRequest, failure
from tidegate.serve.kubernetes.tables import row, table, wants_table

BOOKMARK_SECONDS = 60.0
VERSION_DIGITS = 18
WATCHES_AT_ONCE = 64
"""Each costs memory, and time with every change of its kind; a client opens a few."""
INITIAL_END = "k8s.io/initial-events-end"
Show = Callable[[Object], Any]


@frozen
class _Wish:
    """How a client wants to watch; `seconds` None or 0 means without end."""

    initial: bool
    initial_end: bool
    bookmarks: bool
    seconds: int | None


class Watcher:
    """Answers watches. There is no deadline unless the query gives one."""

    def __init__(self, objects: Objects, reader: Reader, clock: Clock):
        self._objects = objects
        self._reader = reader
        self._clock = clock
        self._open = 0

    async def watch(self, call: Call) -> Response:
        """A stream of events; Conflict with code `Expired` where its start is no longer kept."""
        selection = read_selection(call)
        since = call.options.text("resourceVersion")
        if since and not (since.isascii() and since.isdigit() and len(since) <= VERSION_DIGITS):
            raise BadRequest(f"resourceVersion: {since[:40]!r} is none")
        # Everything that can be refused is read now, before the answer begins.
        wish = _Wish(
            initial=since in ("", "0") or call.options.flag("sendInitialEvents"),
            initial_end=call.options.flag("sendInitialEvents"),
            bookmarks=call.options.flag("allowWatchBookmarks"),
            seconds=call.options.number("timeoutSeconds"),
        )
        changes = self._changes(call, self._objects.store.latest_version() if wish.initial else since)
        show = await self._shower(call)
        if self._open >= WATCHES_AT_ONCE:
            raise RateLimited(f"{WATCHES_AT_ONCE} watches are open already", retry_after=1.0, remedy="end some of them")
        events = self._events(call, wish, selection, changes, show)
        # Counted before the answer begins, since many may come at once; one whose client is gone by then never runs.
        self._open += 1
        weakref.finalize(events, self._release)
        return stream(events)

    def _release(self) -> None:
        self._open -= 1

    def _changes(self, call: Call, since: str) -> AsyncIterator[Change]:
        resource, namespace = call.target.resource, call.target.namespace or None
        return self._objects.store.changes(resource.group, resource.kind, namespace=namespace, since=since)

    async def _shower(self, call: Call) -> Show:
        if not wants_table(call.accept):
            return lambda obj: obj
        columns, include = await self._reader.columns(call), read_include(call)

        def show(obj: Object) -> Any:
            metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            return table([row(obj, columns, self._clock.now(), include)], columns, metadata)

        return show

    async def _events(
        self, call: Call, wish: _Wish, selection: Selection, changes: AsyncIterator[Change], show: Show
    ) -> AsyncIterator[bytes]:
        target = call.target
        deadline = self._clock.monotonic() + wish.seconds if wish.seconds else None
        if wish.initial:
            for obj in filter(selection.matches, self._objects.made(target)):
                yield _line("ADDED", show(obj))
            async for _, page in self._objects.pages(target):
                for obj in filter(selection.matches, page):
                    yield _line("ADDED", show(obj))
            if wish.bookmarks and wish.initial_end:
                yield self._bookmark(call, self._objects.store.latest_version(), initial_end=True)
        try:
            async for item in self._or_pause(changes, deadline):
                if isinstance(item, str):
                    if wish.bookmarks:
                        yield self._bookmark(call, item)
                elif (kind := _seen_as(item, selection)) is not None:
                    yield _line(kind, show(in_version(item.object, target)))
        except TidegateError as error:
            yield _line("ERROR", failure(error)[1])

    async def _or_pause(self, changes: AsyncIterator[Change], deadline: float | None) -> AsyncIterator[Change | str]:
        """Changes; and after each pause of BOOKMARK_SECONDS the resource version up to which nothing was missed."""
        waiting = asyncio.ensure_future(_next(changes))
        try:
            while True:
                version = self._objects.store.latest_version()
                pause = BOOKMARK_SECONDS
                if deadline is not None:
                    pause = min(pause, deadline - self._clock.monotonic())
                    if pause <= 0:
                        return
                sleeping = asyncio.ensure_future(self._clock.sleep(pause))
                await asyncio.wait({waiting, sleeping}, return_when=asyncio.FIRST_COMPLETED)
                sleeping.cancel()
                if not waiting.done():
                    yield version
                    continue
                change = waiting.result()
                waiting = asyncio.ensure_future(_next(changes))
                yield change
        finally:
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError, TidegateError):
                await waiting

    def _bookmark(self, call: Call, version: str, *, initial_end: bool = False) -> bytes:
        metadata: dict[str, Any] = {"resourceVersion": version, "creationTimestamp": None}
        if initial_end:
            metadata["annotations"] = {INITIAL_END: "true"}
        obj = {"kind": call.target.resource.kind, "apiVersion": call.target.api_version, "metadata": metadata}
        if wants_table(call.accept):
            obj = table([], (), {"resourceVersion": version})
        return _line("BOOKMARK", obj)


async def _next(changes: AsyncIterator[Change]) -> Change:
    return await anext(changes)


def _seen_as(change: Change, selection: Selection) -> str | None:
    """A change as a selecting client sees it: entering is ADDED, leaving is DELETED, elsewhere is nothing.

    What field selectors look at does not change, but for a Pod's phase: there a leaving is not told.
    """
    if not selection.fields.matches(change.object):
        return None
    before = change.labels_before is not None and selection.labels.matches(change.labels_before)
    if change.type == "DELETED" or not selection.labels.matches(change.object["metadata"].get("labels") or {}):
        return "DELETED" if before else None
    return "MODIFIED" if before else "ADDED"


def _line(kind: str, obj: Any) -> bytes:
    return json.dumps({"type": kind, "object": obj}, separators=(",", ":")).encode() + b"\n"
