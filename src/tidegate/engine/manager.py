"""Runs the controllers: watches their kinds, wakes them, and applies each Outcome once.

Hints come from watches, triggers and doors; what a lost hint would have said is found again at the interval and at
every start, when all objects are looked at.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from typing import Protocol

from tidegate.base.disk import disk_error, is_full
from tidegate.base.errors import Conflict, NotFound, OwnedByAnother, RateLimited, TidegateError
from tidegate.base.steps import Step, reach
from tidegate.engine.adoption import owned_by
from tidegate.engine.backoff import jittered, retry_delay
from tidegate.engine.clock import Clock, rfc3339
from tidegate.engine.events import EventRecorder
from tidegate.engine.kept import kept_of
from tidegate.engine.lanes import LaneOf, Lanes
from tidegate.engine.merge_apply import ApplyConflict
from tidegate.engine.metrics import Metrics
from tidegate.engine.outcome import Context, Controller, Failed, Handled, Outcome, Ready, Stalled, Trigger, whole
from tidegate.engine.ports import Store
from tidegate.engine.queue import WorkQueue
from tidegate.engine.status import changes, failure_patch, stalled_beside, status_patch, suspension_patch
from tidegate.kinds.common import mapping
from tidegate.kinds.label_selector import LabelSelector
from tidegate.kinds.objects import Object, ObjectKey, key_of

DEFAULT_CONCURRENCY = 16
LEAST_INTERVAL = 1.0
WAITING_DELAY = 30.0
CONFLICT_DELAY = 0.05
LONGEST_SILENCE = 30.0
ABSENT_DELAY = 60.0
"""Seconds after which a kind that the cluster doesn't serve is looked for again."""
CONFLICTS_UNTOLD = 5
"""After as many in a row somebody is not merely first once: it is a failure like any other."""
# What reading a field of the wrong shape raises: `sourceRef: x` instead of a map.
MALFORMED = (AttributeError, KeyError, TypeError, ValueError)
RECORDED = {
    "GitRepository": Step.SOURCE_RECORDED,
    "ImageRepository": Step.SCAN_RECORDED,
    "ImagePolicy": Step.SELECTION_RECORDED,
    "ImageUpdateAutomation": Step.UPDATE_RECORDED,
    "Kustomization": Step.DEPLOY_RECORDED,
}


class _Changed(Protocol):
    async def __call__(self, obj: Object, *, deleted: bool) -> None: ...


class Manager:
    """All controllers of one process. `events=False` switches hints and triggers off; `interval_cap` (seconds) bounds
    every interval in force; both are for `--poll-only`. `concurrency` is how many objects of a kind are worked on at
    once, `lanes` what of a kind may take only a part of that. With `selector` only objects with such labels are
    reconciled: a shard, whose other objects another process has.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        controllers: Sequence[Controller],
        *,
        events: bool = True,
        interval_cap: float | None = None,
        concurrency: Mapping[str, int] | None = None,
        lanes: Mapping[str, LaneOf] | None = None,
        metrics: Metrics | None = None,
        selector: LabelSelector | None = None,
    ):
        self._events = events
        limits, lanes = concurrency or {}, lanes or {}
        metrics = metrics or Metrics()
        metrics.queues(self._depths)
        self._loops = {
            (controller.group, controller.kind): _Loop(
                controller,
                store,
                clock,
                interval_cap=interval_cap,
                concurrency=limits.get(controller.kind, DEFAULT_CONCURRENCY),
                lane_of=lanes.get(controller.kind),
                triggers=controller.triggers if events else (),
                metrics=metrics,
                selector=selector or LabelSelector(),
            )
            for controller in controllers
        }

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            for loop in self._loops.values():
                group.create_task(loop.run())

    def _depths(self) -> dict[str, int]:
        return {f"{loop.name}/{kind}": loop.depth() for (_, kind), loop in self._loops.items()}

    def hint(self, key: ObjectKey) -> None:
        """Wake one object now; nothing happens where no controller has its kind, or where events are off."""
        loop = self._loops.get((key.group, key.kind))
        if loop is not None and self._events:
            loop.wake(key)


class _Loop:
    """One controller: its queue, its watches and its workers."""

    def __init__(
        self,
        controller: Controller,
        store: Store,
        clock: Clock,
        *,
        interval_cap: float | None,
        concurrency: int,
        lane_of: LaneOf | None,
        triggers: Sequence[Trigger],
        metrics: Metrics,
        selector: LabelSelector,
    ):
        self._controller = controller
        self._store = store
        self._clock = clock
        self._interval_cap = interval_cap
        self._places = asyncio.Semaphore(concurrency)
        self._triggers = triggers
        self._metrics = metrics
        self._selector = selector
        self._queue: WorkQueue[ObjectKey] = WorkQueue(clock)
        self._failures: dict[ObjectKey, int] = {}
        self._said: dict[ObjectKey, object] = {}
        self._objects: dict[ObjectKey, Object] = {}
        self._lanes = Lanes(lane_of, self._objects)
        self._seen: dict[ObjectKey, object] = {}
        self._random = random.Random()  # noqa: S311 - jitter is no secret
        self._log = logging.getLogger(f"tidegate.{controller.name}")
        self._context = Context(store, clock, EventRecorder(store, clock, controller.name))

    @property
    def name(self) -> str:
        return self._controller.name

    def depth(self) -> int:
        return self._queue.due()

    def wake(self, key: ObjectKey) -> None:
        self._queue.add(key)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(self._controller.group, self._controller.kind, self._own_change))
            for trigger in self._triggers:
                group.create_task(self._follow(trigger.group, trigger.kind, _Waker(self, trigger).changed))
            while True:
                key = await self._queue.get()
                if self._lanes.enter(key):
                    await self._places.acquire()
                    group.create_task(self._work_through(key))

    def objects(self) -> list[Object]:
        """All objects of this controller's kind that are its own to reconcile and that it has seen, without their
        status and with identifying metadata only. One that it has not seen yet is going to be woken by itself.
        """
        return list(self._objects.values())

    def _selects(self, obj: Object) -> bool:
        return self._selector.matches(obj["metadata"].get("labels") or {})

    async def _follow(self, group: str, kind: str, changed: _Changed) -> None:
        """List, then watch; list again where the watch can't go on, after a pause where the store is away."""
        failures, absent, known = 0, False, set[ObjectKey]()
        while True:
            try:
                listing = await self._store.list(group, kind)
                failures, absent, before, known = 0, False, known, {key_of(obj) for obj in listing.items}
                for key in before - known:
                    await changed(_bare(key), deleted=True)
                for obj in listing.items:
                    await changed(obj, deleted=False)
                async for event in self._store.watch(group, kind, since=listing.resource_version):
                    known.add(key_of(event.object))
                    await changed(event.object, deleted=event.type == "DELETED")
            except Conflict:
                self._log.info("the watch of %s starts anew: its position is no longer kept", kind)
            except NotFound as error:
                if not absent:
                    self._log.warning("%s is not followed until it is there: %s", kind, error)
                absent = True
                await self._clock.sleep(ABSENT_DELAY)
            except Exception as error:  # noqa: BLE001 - the process and its other kinds go on
                failures += 1
                told = error.explain() if isinstance(error, TidegateError) else repr(error)
                self._log.warning("%s can't be followed now: %s", kind, told)
                await self._clock.sleep(min(retry_delay(failures), LONGEST_SILENCE))

    async def _own_change(self, obj: Object, *, deleted: bool) -> None:
        key = key_of(obj)
        if deleted or not self._selects(obj):
            for known in (self._seen, self._failures, self._said, self._objects):
                known.pop(key, None)
            self._metrics.gone(key)
            if deleted:
                self._queue.add(key)
            return
        self._metrics.seen(obj)
        self._objects[key] = kept_of(obj)
        metadata = obj["metadata"]
        mark = (
            metadata.get("uid"),
            metadata.get("generation"),
            metadata.get("deletionTimestamp"),
            self._store.other_owner(obj),
            tuple(sorted((metadata.get("annotations") or {}).items())),
        )
        if self._seen.get(key) != mark:
            self._seen[key] = mark
            self._failures.pop(key, None)
            self._queue.add(key)

    async def _work_through(self, first: ObjectKey) -> None:
        """Reconcile an object, then those that have waited in its lane."""
        key: ObjectKey | None = first
        try:
            while key is not None:
                await self._work(key)
                key = self._lanes.leave(key)
        finally:
            self._places.release()

    async def _work(self, key: ObjectKey) -> None:
        """Reconcile, and plan the next time. Never raises: one object must not stop the others."""
        try:
            delay = await self._reconcile(key)
        except Exception as error:  # noqa: BLE001 - a fault of ours is logged whole
            # Not even its status could be written, as where the disk is full: the log is the only place left.
            delay = min(retry_delay(self._count_failure(key)), LONGEST_SILENCE)
            fault = not isinstance(error, TidegateError)
            self._log.error("%s is tried again in %.0f s: %s", key, delay, error, exc_info=fault, extra={"object": key})
        finally:
            self._queue.done(key)
        if delay is not None:
            self._queue.add(key, delay)

    async def _reconcile(self, key: ObjectKey) -> float | None:
        """Reconcile once; the answer is when to come again, in seconds."""
        try:
            obj = await self._store.get(key)
        except NotFound:
            return None
        except TidegateError as error:
            self._log.warning("%s can't be read now: %s", key, error, extra={"object": key})
            return min(retry_delay(self._count_failure(key)), LONGEST_SILENCE)
        if not self._selects(obj):
            return None
        if mapping(obj.get("spec")).get("suspend") is True and not obj["metadata"].get("deletionTimestamp"):
            await self._show_suspended(key, obj)
            return None
        started = self._clock.monotonic()
        result: Outcome | Exception
        try:
            self._check_owner(key, obj)
            # No controller asks for it, and of an object with a large status it is the larger part.
            obj["metadata"].pop("managedFields", None)
            result = await self._controller.reconcile(obj, self._context)
            delay = await self._conclude(key, obj, result)
            self._failures.pop(key, None)
        except OwnedByAnother as error:
            result = error
            delay = None
            await self._keep_off(key, obj, error)
        except Conflict as error:
            result = error
            delay = await self._conflict(key, obj, error)
        except TidegateError as error:
            result = error
            delay = await self._fail(key, obj, error.code, error.explain(), error)
        except Exception as error:  # noqa: BLE001 - one object's bug must not stop the others; it is logged whole
            result = error
            delay = await self._fail_unforeseen(key, obj, error)
        self._metrics.reconciled(self._controller.name, obj, result, self._clock.monotonic() - started)
        return delay

    async def _show_suspended(self, key: ObjectKey, obj: Object) -> None:
        """Leave a suspended object alone, but for the word in its status that its table shows."""
        if self._store.other_owner(obj) is None:
            await self._try_write(key, obj, suspension_patch(obj))

    def _check_owner(self, key: ObjectKey, obj: Object) -> None:
        if (owner := self._store.other_owner(obj)) is not None:
            raise owned_by(key, owner)

    async def _conclude(self, key: ObjectKey, obj: Object, outcome: Outcome) -> float | None:
        if isinstance(outcome, Handled):
            return self._interval(outcome.requeue_after)
        await self._write(key, obj, status_patch(obj, outcome, self._now()))
        if isinstance(outcome, Ready):
            if outcome.event is not None:
                await self._context.events.normal(obj, outcome.reason, outcome.event)
            delays = self._interval(_period(outcome.requeue_after)), outcome.at_latest
            return min((max(0.0, delay) for delay in delays if delay is not None), default=None)
        if isinstance(outcome, Stalled):
            await self._context.events.warning(obj, outcome.reason, outcome.message)
            return None
        self._log.info("%s waits: %s", key, outcome.on, extra={"object": key})
        return self._interval(outcome.requeue_after or WAITING_DELAY)

    async def _keep_off(self, key: ObjectKey, obj: Object, error: OwnedByAnother) -> None:
        """Say once who owns the object, in its status too where that takes nothing from the owner, and leave it until
        the owner is gone or the object changes: both are changes of the object, so nothing is tried again by itself.
        """
        self._failures.pop(key, None)
        said = (obj["metadata"].get("uid"), obj["metadata"].get("generation"), error.manager)
        if self._said.get(key) == said:
            return
        self._said[key] = said
        stalled = Stalled(error.code, error.explain())
        try:
            await self._store.patch_status(
                key, stalled_beside(obj, stalled, self._now()), manager=self._controller.name, beside_owner=True
            )
        except TidegateError as refused:
            self._log.debug("the status of %s is left to its owner: %s", key, refused)
        await self._context.events.warning(obj, stalled.reason, stalled.message)

    async def _conflict(self, key: ObjectKey, obj: Object, error: Conflict) -> float:
        """Try again soon where somebody was first; a conflict that stays, as an apply's does, is a failure to tell."""
        if not isinstance(error, ApplyConflict) and self._failures.get(key, 0) < CONFLICTS_UNTOLD:
            self._log.info("%s changed meanwhile, trying again: %s", key, error, extra={"object": key})
            return CONFLICT_DELAY * self._count_failure(key)
        return await self._fail(key, obj, type(error).__name__, error.explain(), error)

    async def _fail(self, key: ObjectKey, obj: Object, reason: str, message: str, error: Exception) -> float:
        further = error.conditions if isinstance(error, Failed) else ()
        await self._try_write(key, obj, failure_patch(obj, reason, message, self._now(), further))
        await self._context.events.warning(obj, reason, message)
        delay = retry_delay(self._count_failure(key))
        if isinstance(error, RateLimited):
            delay = max(delay, error.retry_after)
        return delay if self._interval_cap is None else min(delay, self._interval_cap)

    async def _fail_unforeseen(self, key: ObjectKey, obj: Object, error: Exception) -> float:
        """What nobody raised on purpose: a disk without room, else a bug."""
        if isinstance(error, OSError) and is_full(error):
            full = disk_error(error)
            return await self._fail(key, obj, full.code, full.explain(), full)
        self._log.error("an internal error on %s", key, exc_info=error, extra={"object": key})
        return await self._fail(key, obj, "InternalError", f"{type(error).__name__}: {error}", error)

    def _count_failure(self, key: ObjectKey) -> int:
        self._failures[key] = self._failures.get(key, 0) + 1
        return self._failures[key]

    async def _try_write(self, key: ObjectKey, obj: Object, patch: dict[str, object]) -> None:
        """Write a status that tells of a failure; where that fails too, the log has both."""
        try:
            await self._write(key, obj, patch)
        except TidegateError as error:
            self._log.warning("the status of %s was not written: %s", key, error, extra={"object": key})

    async def _write(self, key: ObjectKey, obj: Object, patch: dict[str, object]) -> None:
        if not changes(obj.get("status") or {}, patch):
            return
        try:
            await self._store.patch_status(key, patch, manager=self._controller.name, uid=obj["metadata"].get("uid"))
        except (NotFound, Conflict):
            self._log.info("%s was deleted or replaced meanwhile", key, extra={"object": key})
            return
        if (step := RECORDED.get(self._controller.kind)) is not None:
            reach(step)

    def _interval(self, seconds: float | None) -> float | None:
        if seconds is None:
            return self._interval_cap
        capped = seconds if self._interval_cap is None else min(seconds, self._interval_cap)
        return jittered(capped, self._random)

    def _now(self) -> str:
        return rfc3339(self._clock.now())


def _period(interval: float | None) -> float | None:
    """How often an object is looked at whose spec has this interval: with `0s` only when something changes, as by Flux,
    and never so often that it keeps a registry or a Git host busy.
    """
    return max(interval, LEAST_INTERVAL) if interval else None


def _bare(key: ObjectKey) -> Object:
    """What is left to know of an object that was deleted while nobody watched."""
    api_version = f"{key.group}/v1" if key.group else "v1"
    return {"apiVersion": api_version, "kind": key.kind, "metadata": {"name": key.name, "namespace": key.namespace}}


class _Waker:
    """Turns changes of a trigger's kind into wake-ups, once for each relevant change."""

    def __init__(self, loop: _Loop, trigger: Trigger):
        self._loop = loop
        self._trigger = trigger
        self._seen: dict[ObjectKey, object] = {}

    async def changed(self, obj: Object, *, deleted: bool) -> None:
        key = key_of(obj)
        mark = None if deleted else self._mark(obj)
        if not deleted and key in self._seen and self._seen[key] == mark:
            return
        if deleted:
            self._seen.pop(key, None)
        else:
            self._seen[key] = mark
        for woken in self._woken(obj):
            self._loop.wake(woken)

    def _mark(self, obj: Object) -> object:
        """What counts of an object; all of it where it is too malformed to say."""
        try:
            return self._trigger.relevant(obj)
        except MALFORMED:
            return whole(obj)

    def _woken(self, changed: Object) -> Sequence[ObjectKey]:
        """Asked for all objects at once; for each by itself where one is malformed, as Git may bring it: that keeps no
        other from being woken.
        """
        objects = self._loop.objects()
        try:
            return self._trigger.wakes(changed, objects)
        except MALFORMED:
            return [key_of(one) for one in objects if self._wakes(changed, one)]

    def _wakes(self, changed: Object, one: Object) -> bool:
        """Whether one object is woken; a malformed one is."""
        try:
            return key_of(one) in self._trigger.wakes(changed, [one])
        except MALFORMED:
            return True
