"""Kubernetes events in the Store: what happened to an object, a repeated one counted up rather than added."""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime, timedelta

from tidegate.base.errors import AlreadyExists, NotFound, TidegateError
from tidegate.base.showing import showable
from tidegate.engine.clock import Clock, rfc3339
from tidegate.engine.ports import Store
from tidegate.kinds.objects import Object, ObjectKey

MESSAGE_LIMIT = 1024
LOGGED_LIMIT = 16_384
"""Characters of it in the log."""
RETENTION = timedelta(hours=1)


class EventRecorder:
    """Records events as one controller; `component` is its name, which events and log lines carry."""

    def __init__(self, store: Store, clock: Clock, component: str):
        self._store = store
        self._clock = clock
        self._component = component
        self._log = logging.getLogger(f"tidegate.{component}")

    async def normal(self, regarding: Object, reason: str, message: str) -> None:
        """Something went as it should."""
        await self._record(regarding, "Normal", reason, message)

    async def warning(self, regarding: Object, reason: str, message: str) -> None:
        """Something needs a person's attention, or a retry."""
        await self._record(regarding, "Warning", reason, message)

    async def _record(self, regarding: Object, kind: str, reason: str, message: str) -> None:
        involved = _reference(regarding)
        message = showable(message, LOGGED_LIMIT)
        level = logging.INFO if kind == "Normal" else logging.ERROR
        self._log.log(level, message, extra={"object": involved, "reason": reason})
        now = rfc3339(self._clock.now())
        event = _event(involved, kind, reason, message[:MESSAGE_LIMIT], self._component, now)
        key = ObjectKey("", "Event", event["metadata"]["namespace"], event["metadata"]["name"])
        try:
            await self._put(key, event, now)
        except TidegateError as error:
            # Somebody else told it, its namespace is going, the store is away: none of it may stop the work.
            self._log.debug("an event was not recorded: %s", error)

    async def _put(self, key: ObjectKey, event: Object, now: str) -> None:
        """Most events are new, so it is looked for one like it only where the name is taken."""
        try:
            await self._store.create(event, manager=self._component)
        except AlreadyExists:
            await self._count_up(key, event, now)

    async def _count_up(self, key: ObjectKey, event: Object, now: str) -> None:
        before = await self._store.get(key)
        event["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
        event["count"] = int(before.get("count", 1)) + 1
        event["firstTimestamp"] = before.get("firstTimestamp", now)
        await self._store.update(event, manager=self._component)


def _reference(obj: Object) -> Object:
    metadata = obj.get("metadata", {})
    reference = {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "name": metadata.get("name"),
        "namespace": metadata.get("namespace"),
        "uid": metadata.get("uid"),
    }
    return {name: value for name, value in reference.items() if value}


def _event(involved: Object, kind: str, reason: str, message: str, component: str, now: str) -> Object:
    identity = "\0".join([*map(str, involved.values()), kind, reason, message, component])
    suffix = hashlib.sha256(identity.encode()).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{involved['name']}.{suffix}", "namespace": involved.get("namespace", "default")},
        "involvedObject": involved,
        "reason": reason,
        "message": message,
        "type": kind,
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": component,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }


async def sweep(store: Store, now: datetime) -> None:
    """Delete events older than an hour, as Kubernetes does."""
    limit = rfc3339(now - RETENTION)
    for event in (await store.list("", "Event")).items:
        if str(event.get("lastTimestamp", "")) < limit:
            metadata = event["metadata"]
            try:
                await store.delete(ObjectKey("", "Event", metadata["namespace"], metadata["name"]))
            except NotFound:
                continue
