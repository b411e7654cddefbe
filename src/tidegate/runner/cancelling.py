"""Whether a run is to end: by its annotation, its spec, or its deletion; watched while it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tidegate.base.errors import Conflict, NotFound
from tidegate.engine.outcome import Context
from tidegate.kinds.objects import Object, annotation, key_of
from tidegate.kinds.workflow_run import GROUP, KIND
from tidegate.runner.names import CANCEL


@asynccontextmanager
async def cancellation(obj: Object, ctx: Context) -> AsyncIterator[asyncio.Event]:
    """An event that is set once the run is to be cancelled: by its annotation, its spec, or its deletion."""
    cancelled = asyncio.Event()
    if is_cancelled(obj):
        cancelled.set()
    watching = asyncio.create_task(_watch(obj, ctx, cancelled))
    try:
        yield cancelled
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _watch(obj: Object, ctx: Context, cancelled: asyncio.Event) -> None:
    key = key_of(obj)
    since: str | None = obj["metadata"].get("resourceVersion")
    while not cancelled.is_set():
        try:
            async for change in ctx.store.watch(GROUP, KIND, namespace=key.namespace, since=since):
                if key_of(change.object) == key and (change.type == "DELETED" or is_cancelled(change.object)):
                    cancelled.set()
                    return
        except Conflict:
            since = None  # the position is no longer kept: look at the object itself, then at what follows
        try:
            if is_cancelled(await ctx.store.get(key)):
                cancelled.set()
        except NotFound:
            cancelled.set()


def is_cancelled(obj: Object) -> bool:
    """Whether somebody wants the run to end."""
    asked = annotation(obj, CANCEL) not in (None, "", "false") or (obj.get("spec") or {}).get("cancel") is True
    return asked or obj["metadata"].get("deletionTimestamp") is not None
