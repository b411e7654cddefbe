"""The Store port of one machine: objects in one SQLite file, with the Kubernetes API's semantics.

Every write is one short transaction on the event loop's thread, so a kill at any moment leaves all of it or nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tidegate.base.errors import AlreadyExists, Conflict, InvalidInput, NotFound, Unavailable
from tidegate.engine import merge_apply
from tidegate.engine import sqlite_lifecycle as lifecycle
from tidegate.engine.clock import Clock
from tidegate.engine.merge_patch import merge_patch
from tidegate.engine.ports import Applied, Listing, WatchEvent
from tidegate.engine.sqlite_objects import NAMESPACE, OWNER, Objects
from tidegate.engine.sqlite_tables import Change, Tables, checkpoint, open_file
from tidegate.kinds.objects import Object, ObjectKey

HISTORY = 4096
"""How many changes are kept for watches that come late."""
PAGE = 100
VERSION_DIGITS = 18
CHECKPOINT_WRITES = 500
TRIM_WRITES = 128
KEPT_AT_LEAST = 1024
"""Watches that sleep are woken with each trimming, so they are never further behind than this."""
STATUS = "status"
Page = list[Object]


class SqliteStore:
    """Objects in the file `path`, made where it is missing. One process at a time has it open.

    Raises InvalidInput where the file is no store or was written by a newer Tidegate; its calls raise Unavailable where
    the disk refuses. Events are not tracked by manager and bring no namespace about: telling must never fail or change
    what is told.
    """

    def __init__(self, path: Path, clock: Clock, *, history: int = HISTORY):
        self._path = path
        self._history = max(history, KEPT_AT_LEAST)
        self._connection = open_file(path)
        self._tables = Tables(self._connection)
        self._objects = Objects(self._tables, clock)
        self._sleeping: dict[tuple[str, str], set[asyncio.Event]] = {}
        self._writes = 0
        self._checkpoint: asyncio.Task[None] | None = None
        self._sweeping = asyncio.Lock()
        self._ensure_default_namespace()

    def close(self) -> None:
        """Close the file; nothing is lost where this isn't called."""
        if self._checkpoint is not None:
            self._checkpoint.cancel()
        self._connection.close()

    # What is read

    async def get(self, key: ObjectKey) -> Object:
        """The object; NotFound."""
        return self._objects.live(key)

    async def list(
        self, group: str, kind: str, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Listing:
        """All objects of a kind, by namespace and by equality of labels, sorted by namespace and name."""
        wanted = (labels or {}).items()
        items: Page = []
        version = ""
        async for page_version, page in self.pages(group, kind, namespace=namespace):
            version = page_version
            items += [obj for obj in page if wanted <= (obj["metadata"].get("labels") or {}).items()]
        return Listing(items, version)

    async def pages(
        self, group: str, kind: str, *, namespace: str | None = None, after: tuple[str, str] | None = None
    ) -> AsyncIterator[tuple[str, Page]]:
        """Objects of a kind in pages of at most PAGE, each with the listing's resource version: the first page's, so
        that a watch from it misses nothing; what later pages already hold of the meantime it tells once more.

        There is always at least one page, perhaps empty. `after` is a namespace and name. The event loop runs on
        between pages, and nothing is held open while the caller is slow.
        """
        version = str(self._tables.latest())
        while True:
            rows, more = self._tables.page(group, kind, namespace, after, PAGE)
            yield version, [obj for _, obj in rows]
            if not more:
                return
            after = rows[-1][0]
            await asyncio.sleep(0)

    def kinds(self) -> Sequence[tuple[str, str, str, bool]]:
        """Group, kind, version and whether namespaced, of each kind that has objects now."""
        return self._tables.kinds()

    # What is written

    async def create(self, obj: Object, *, manager: str, dry_run: bool = False) -> Object:
        """Store a new object, without its status; AlreadyExists."""
        obj = lifecycle.plain_copy(obj)
        if not obj["metadata"].get("name") and isinstance(obj["metadata"].get("generateName"), str):
            obj["metadata"]["name"] = lifecycle.generated_name(obj["metadata"]["generateName"])
        key = lifecycle.checked_key(obj)
        with self._writing(dry_run):
            if self._tables.read(key) is not None:
                raise AlreadyExists(f"{key} already exists")
            created = self._objects.insert(key, obj, manager)
        await asyncio.sleep(0)
        return lifecycle.unwritten(created, None) if dry_run else created

    async def update(self, obj: Object, *, manager: str, dry_run: bool = False) -> Object:
        """Replace all but status. With `metadata.resourceVersion` set, Conflict unless it is the present one."""
        wanted = lifecycle.plain_copy(obj)
        key = lifecycle.checked_key(wanted)
        return await self.modify(key, lambda _: wanted, manager=manager, dry_run=dry_run)

    async def patch(self, key: ObjectKey, patch: Mapping[str, Any], *, manager: str, dry_run: bool = False) -> Object:
        """JSON merge patch (RFC 7396) of all but status."""
        return await self.modify(key, lambda live: merge_patch(live, patch), manager=manager, dry_run=dry_run)

    async def patch_status(
        self,
        key: ObjectKey,
        status: Mapping[str, Any],
        *,
        manager: str,
        uid: str | None = None,
        beside_owner: bool = False,
    ) -> Object:
        """JSON merge patch (RFC 7396) of status alone; lists are replaced whole. With `uid`, Conflict on another."""

        def change(live: Object) -> Object:
            lifecycle.check_preconditions(live, uid, None)
            return live | {"status": merge_patch(live.get("status"), status)}

        return await self.modify(key, change, manager=manager, status=True)

    async def modify(
        self,
        key: ObjectKey,
        change: Callable[[Object], Object],
        *,
        manager: str,
        status: bool = False,
        dry_run: bool = False,
    ) -> Object:
        """Read, change and write in one step: `change` gives the new object from the live one, which it may not touch.

        Of its answer all but the status counts, or with `status` the status alone. Nothing is written where nothing
        changes.
        """
        with self._writing(dry_run):
            live = self._objects.live(key)
            wanted = lifecycle.plain_copy(change(live))
            if status:
                lifecycle.check_preconditions(
                    live, wanted["metadata"].get("uid"), wanted["metadata"].get("resourceVersion")
                )
                after = lifecycle.with_status(live, wanted.get("status") or {})
            else:
                wanted["metadata"] = {"name": key.name} | wanted["metadata"]
                if key.namespace:
                    wanted["metadata"].setdefault("namespace", key.namespace)
                if lifecycle.checked_key(wanted) != key:
                    raise InvalidInput(f"an update can't make {key} into {lifecycle.checked_key(wanted)}")
                after = lifecycle.succeeding(live, wanted)
            if key.kind != "Event":
                noted = STATUS if status else ""
                after = merge_apply.note_update(
                    live, after, manager=manager, now=self._objects.now(), subresource=noted
                )
            result = self._objects.replace(key, live, after)
        await self.sweep()
        return lifecycle.unwritten(result, live) if dry_run else result

    async def apply(
        self,
        obj: Object,
        *,
        manager: str,
        force: bool = False,
        dry_run: bool = False,
        check: Callable[[Object], None] | None = None,
    ) -> Applied:
        """Server-side apply: fields this manager gave before and no longer gives are removed; a field that another
        manager owns with another value is an ApplyConflict that names it, unless `force`. Nothing is written where
        nothing changes. Status is never touched. `check` may refuse the merged object by raising.
        """
        config = lifecycle.plain_copy(obj)
        key = lifecycle.checked_key(config)
        config.pop("status", None)
        if config["metadata"].get("managedFields"):
            raise InvalidInput("metadata.managedFields must be empty in what is applied")
        expected = config["metadata"].pop("resourceVersion", None), config["metadata"].pop("uid", None)
        with self._writing(dry_run):
            live = self._tables.read(key)
            if live is None and any(expected):
                raise NotFound(f"{key} does not exist")
            if live is not None:
                lifecycle.check_preconditions(live, expected[1], expected[0])
            merged = merge_apply.apply(live, config, manager=manager, force=force, now=self._objects.now())
            if check is not None:
                check(merged)
            if live is None:
                created = self._objects.insert(key, merged, manager, owned=True)
                answer = lifecycle.unwritten(created, None) if dry_run else created
                return Applied(answer, created=True, changed=True)
            after = lifecycle.succeeding(live, merged)
            result = self._objects.replace(key, live, after)
            answer = lifecycle.unwritten(result, live) if dry_run else result
            applied = Applied(answer, created=False, changed=lifecycle.content_changed(live, after))
        await self.sweep()
        return applied

    async def apply_status(self, obj: Object, *, manager: str, force: bool = False, dry_run: bool = False) -> Object:
        """Server-side apply of the status alone, by the rules of `apply`; NotFound where there is no such object."""
        config = lifecycle.plain_copy(obj)
        key = lifecycle.checked_key(config)
        metadata = config["metadata"]
        identity = {"name": key.name} | ({"namespace": key.namespace} if key.namespace else {})
        with self._writing(dry_run):
            live = self._objects.live(key)
            lifecycle.check_preconditions(live, metadata.get("uid"), metadata.get("resourceVersion"))
            wanted = {"apiVersion": config["apiVersion"], "kind": config["kind"], "metadata": identity}
            merged = merge_apply.apply(
                live,
                wanted | {STATUS: config.get(STATUS) or {}},
                manager=manager,
                force=force,
                now=self._objects.now(),
                subresource=STATUS,
            )
            after = lifecycle.with_status(live, merged.get(STATUS) or {})
            result = self._objects.replace(key, live, after | {"metadata": merged["metadata"]})
        await self.sweep()
        return lifecycle.unwritten(result, live) if dry_run else result

    def other_owner(self, obj: Object) -> str | None:
        """Nobody: one process has this store."""
        return None

    async def delete(
        self,
        key: ObjectKey,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        orphan: bool = False,
        dry_run: bool = False,
    ) -> None:
        """Delete, and then whatever it owned, unless `orphan`; with finalizers, set deletionTimestamp and wait for
        them to be removed. A namespace goes once everything in it is gone. NotFound.
        """
        with self._writing(dry_run):
            live = self._objects.live(key)
            lifecycle.check_preconditions(live, uid, resource_version)
            self._objects.delete(key, live, orphan=orphan)
        await self.sweep()

    # Watching

    def watch(
        self, group: str, kind: str, *, namespace: str | None = None, since: str | None = None
    ) -> AsyncIterator[WatchEvent]:
        """Changes after a resource version (None: from this call on), in order and without a gap; Conflict with code
        `Expired` where that version is no longer kept (the API's 410).
        """
        return self._events(self.changes(group, kind, namespace=namespace, since=since))

    async def _events(self, changes: AsyncIterator[Change]) -> AsyncIterator[WatchEvent]:
        async for change in changes:
            yield WatchEvent(change.type, change.object)

    def changes(
        self, group: str, kind: str, *, namespace: str | None = None, since: str | None = None
    ) -> AsyncIterator[Change]:
        """As `watch`, each with the labels that the object had before, as label selectors need them."""
        position = self._tables.latest()
        if since is not None:
            if not (since.isascii() and since.isdigit() and len(since) <= VERSION_DIGITS):
                raise InvalidInput(f"{since!r} is no resource version")
            self._check_kept(int(since))
            position = int(since)
        return self._follow(group, kind, namespace, position)

    def latest_version(self) -> str:
        """The resource version of the newest change of any object."""
        return str(self._tables.latest())

    async def _follow(self, group: str, kind: str, namespace: str | None, position: int) -> AsyncIterator[Change]:
        with self._woken_by(group, kind) as woken:
            while True:
                woken.clear()
                self._check_kept(position)
                latest = self._tables.latest()
                found, more = self._tables.changes_after(group, kind, namespace, position, PAGE)
                for change in found:
                    position = change.resource_version
                    yield change
                if not more:
                    position = latest
                    await woken.wait()

    def _check_kept(self, version: int) -> None:
        oldest, latest = self._tables.oldest_watchable(), self._tables.latest()
        if not oldest <= version <= latest:
            raise Conflict(f"too old resource version: {version} ({oldest})", code="Expired", remedy="list again")

    @contextlib.contextmanager
    def _woken_by(self, group: str, kind: str) -> Iterator[asyncio.Event]:
        woken = asyncio.Event()
        sleepers = self._sleeping.setdefault((group, kind), set())
        sleepers.add(woken)
        try:
            yield woken
        finally:
            sleepers.discard(woken)

    # One transaction

    @contextlib.contextmanager
    def _writing(self, dry_run: bool = False) -> Iterator[None]:
        """A transaction; afterwards watchers are woken. A dry run does everything and then takes it back."""
        before = self._tables.latest()
        try:
            with self._tables.transaction():
                yield
                self._take_back_if(dry_run)
        except _TakeBack:
            return
        self._after_write(self._tables.latest() - before)

    @staticmethod
    def _take_back_if(dry_run: bool) -> None:
        if dry_run:
            raise _TakeBack

    def _after_write(self, written: int) -> None:
        before, self._writes = self._writes, self._writes + written
        trims = before // TRIM_WRITES != self._writes // TRIM_WRITES
        for kind, sleepers in self._sleeping.items():
            if trims or kind in self._tables.touched:
                for woken in sleepers:
                    woken.set()
        self._tables.touched.clear()
        if trims:
            # The write itself is done: what can't be trimmed now is trimmed later.
            with contextlib.suppress(Unavailable), self._tables.transaction():
                self._tables.trim(self._history, 2 * TRIM_WRITES)
        if before // CHECKPOINT_WRITES != self._writes // CHECKPOINT_WRITES and self._checkpoint is None:
            self._checkpoint = asyncio.create_task(self._move_log())

    async def _move_log(self) -> None:
        try:
            await asyncio.to_thread(checkpoint, self._path)
        finally:
            self._checkpoint = None

    # Sweeping: what a delete leads to, in batches, and again after a crash

    async def sweep(self) -> None:
        """Finish what deletes began: dependents of what is gone, and everything in namespaces that are going."""
        # Others get their turn after every write, however many a caller makes in a row.
        await asyncio.sleep(0)
        if self._sweeping.locked():
            return
        async with self._sweeping:
            while waiting := self._tables.garbage():
                for sort, mark in waiting:
                    await (self._sweep_namespace(mark) if sort == NAMESPACE else self._sweep_owner(mark))

    async def _sweep_owner(self, uid: str) -> None:
        while keys := self._tables.owned_by(uid, PAGE):
            with self._writing():
                for key in keys:
                    self._objects.lose_owner(key, uid)
            await asyncio.sleep(0)
        with self._writing():
            self._tables.drop_garbage(OWNER, uid)

    async def _sweep_namespace(self, name: str) -> None:
        place = 0
        while rows := self._tables.in_namespace(name, place, PAGE):
            place = rows[-1][0]
            with self._writing():
                for _, key in rows:
                    self._objects.end(key)
            await asyncio.sleep(0)
        with self._writing():
            self._tables.drop_garbage(NAMESPACE, name)
            self._objects.end_namespace(name)

    def _ensure_default_namespace(self) -> None:
        key = ObjectKey("", "Namespace", "", "default")
        if self._tables.read(key) is None:
            with self._tables.transaction():
                self._objects.insert(key, lifecycle.new_namespace("default"), "tidegate")


class _TakeBack(Exception):
    """No error: it ends a dry run's transaction."""
