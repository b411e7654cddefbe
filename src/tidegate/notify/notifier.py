"""Tells what happened: follows events where there is an Alert, and sends each to the Provider of those that tell it.

It stands beside the stations and never in their way: what can't be sent is dropped at a bound, and said in an event of
its Alert. Events of before the start are not told again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from tidegate.base.errors import Conflict, InvalidInput, NotFound, TidegateError
from tidegate.base.frozen import frozen
from tidegate.engine.clock import Clock
from tidegate.engine.events import EventRecorder
from tidegate.engine.ports import Store
from tidegate.engine.view import View
from tidegate.kinds.alert import GROUP, Alert
from tidegate.kinds.alert import KIND as ALERT
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.kinds.provider import KIND as PROVIDER
from tidegate.kinds.provider import Provider
from tidegate.notify.destinations import destination_of, send_to
from tidegate.notify.messages import request_for
from tidegate.notify.receivers import CONTROLLER
from tidegate.notify.request import Request
from tidegate.notify.telling import SUMMARY, Told, concerns, needs_labels, revision_of

AT_ONCE = 4
WAITING_LIMIT = 500
"""Messages; further ones are dropped, and counted in the log."""
REPEATED_AFTER = 300.0
"""Seconds in which the same is not told again, as in Flux."""
REMEMBERED = 2_000
RETRY = 5.0
DISPATCH_FAILED = "NotificationDispatchFailed"
Sender = Callable[[Provider, Request], Awaitable[None]]
_log = logging.getLogger(f"tidegate.{CONTROLLER}")


@frozen
class _Message:
    """One event for one alert, which was read from `obj`."""

    obj: Object
    alert: Alert
    told: Told


class Notifier:
    """Give it the Store where Alerts and events are; `send` brings a request to a Provider, by default over HTTP."""

    def __init__(self, store: Store, clock: Clock, send: Sender | None = None):
        self._store = store
        self._clock = clock
        self._send = send or partial(send_to, store=store, clock=clock)
        self._events = EventRecorder(store, clock, CONTROLLER)
        self._waiting: asyncio.Queue[_Message] = asyncio.Queue(WAITING_LIMIT)
        self._told: OrderedDict[tuple[object, ...], float] = OrderedDict()
        self._alerts: dict[ObjectKey, tuple[object, Alert | None]] = {}
        self._dropped = 0

    async def run(self) -> None:
        """Tell until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._deliver())
            while True:
                with contextlib.suppress(TimeoutError):  # they can't be listed yet
                    async with View(self._store, [(GROUP, ALERT), (GROUP, PROVIDER)]) as view:
                        await self._follow(view)

    async def _follow(self, view: View) -> None:
        """Events are followed only while there is an Alert: in a cluster there are very many."""
        while True:
            await view.until(lambda objects: objects[ALERT] or None, timeout=float("inf"))
            try:
                async with contextlib.aclosing(self._store.watch("", "Event")) as events:  # type: ignore[type-var]
                    async for event in events:
                        if not (alerts := view.objects[ALERT]):
                            break
                        if event.type != "DELETED":
                            await self._offer(Told.from_event(event.object), alerts)
            except Conflict:
                continue
            except TidegateError as error:
                _log.warning("events can't be followed now: %s", error)
                await self._clock.sleep(RETRY)

    async def _offer(self, told: Told, alerts: Sequence[Object]) -> None:
        if told.key.group == GROUP:
            return  # what is said of an alert is no news for alerts
        wanted = [(obj, alert) for obj in alerts if (alert := self._read(obj)) and await self._concerns(alert, told)]
        if not wanted:
            return
        told = told.told_with(revision=revision_of(await self._involved(told)))
        for obj, alert in wanted:
            if self._is_new(alert, told):
                self._put(_Message(obj, alert, told))

    def _read(self, obj: Object) -> Alert | None:
        """None where it can't be understood: its controller says so. Read once, since there are many events."""
        version = obj["metadata"].get("resourceVersion")
        kept = self._alerts.get(key_of(obj))
        if kept is None or kept[0] != version:
            try:
                kept = (version, Alert.from_object(obj))
            except InvalidInput:
                kept = (version, None)
            self._alerts[key_of(obj)] = kept
            while len(self._alerts) > REMEMBERED:  # of deleted ones
                self._alerts.pop(next(iter(self._alerts)))
        return kept[1]

    async def _concerns(self, alert: Alert, told: Told) -> bool:
        try:
            labels = (await self._involved(told)).get("metadata", {}).get("labels") if needs_labels(alert) else None
            return concerns(alert, told, labels or {})
        except InvalidInput:  # a regular expression that is none
            return False

    async def _involved(self, told: Told) -> Object:
        try:
            return await self._store.get(told.key)
        except TidegateError:
            return {}

    def _is_new(self, alert: Alert, told: Told) -> bool:
        now = self._clock.monotonic()
        same = (alert.key, told.key, told.severity, told.reason, told.message, tuple(told.metadata.items()))
        before = self._told.get(same)
        if before is not None and now - before < REPEATED_AFTER:
            return False
        self._told[same] = now
        self._told.move_to_end(same)
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        return True

    def _put(self, message: _Message) -> None:
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            self._dropped += 1
            _log.error("too much to tell: %d messages were dropped since the start", self._dropped)

    async def _deliver(self) -> None:
        while True:
            message = await self._waiting.get()
            try:
                await self._tell(message)
            except TidegateError as error:
                text = f"failed to send notification for {message.told.key}: {error.explain()}"
                await self._events.warning(message.obj, DISPATCH_FAILED, text)

    async def _tell(self, message: _Message) -> None:
        alert = message.alert
        provider = await self._provider(alert)
        if provider.suspend:
            return
        told = message.told.told_with(**alert.metadata, **{SUMMARY: alert.summary})
        request = request_for(await destination_of(provider, self._store), told)
        if request is not None:
            await self._send(provider, request)

    async def _provider(self, alert: Alert) -> Provider:
        key = ObjectKey(GROUP, PROVIDER, alert.key.namespace, alert.provider.name)
        try:
            return Provider.from_object(await self._store.get(key))
        except NotFound:
            raise NotFound(f"the Provider {key.namespace}/{key.name} does not exist") from None
