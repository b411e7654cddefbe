import asyncio
import dataclasses
import errno
from contextlib import asynccontextmanager

import pytest

from tidegate.base.errors import Conflict, NotFound, Unavailable
from tidegate.engine.manager import Manager
from tidegate.engine.manual_clock import ManualClock, settle
from tidegate.engine.merge_apply import ApplyConflict, FieldConflict
from tidegate.engine.outcome import Ready, Stalled, Trigger, Waiting
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.label_selector import parse_labels
from tidegate.kinds.objects import ObjectKey, key_of

POLICY = ObjectKey("image.toolkit.fluxcd.io", "ImagePolicy", "flux-system", "web")
AUTOMATION = ObjectKey("image.toolkit.fluxcd.io", "ImageUpdateAutomation", "flux-system", "web")
REPOSITORY = ObjectKey("image.toolkit.fluxcd.io", "ImageRepository", "flux-system", "web")


def an_object(key, **spec):
    metadata = {"name": key.name, "namespace": key.namespace}
    return {"apiVersion": f"{key.group}/v1", "kind": key.kind, "metadata": metadata, "spec": spec}


class Scripted:
    """A controller whose outcomes are given; it notes when it was called."""

    name = "image-reflector-controller"
    group, kind = POLICY.group, POLICY.kind

    def __init__(self, *outcomes, triggers=()):
        self.outcomes = list(outcomes)
        self.calls = []
        self.triggers = triggers

    async def reconcile(self, obj, ctx):
        self.calls.append(ctx.clock.monotonic())
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def store(tmp_path, clock):
    found = SqliteStore(tmp_path / "store.db", clock)
    yield found
    found.close()


@asynccontextmanager
async def running(store, clock, controller, **options):
    task = asyncio.create_task(Manager(store, clock, [controller], **options).run())
    await settle()
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ready(store):
    conditions = (await store.get(POLICY))["status"]["conditions"]
    return {c["type"]: (c["status"], c["reason"]) for c in conditions}


async def test_a_new_object_is_reconciled_at_once_and_its_status_written(store, clock):
    controller = Scripted(Ready("fine", status={"latestImage": "a:1"}))
    async with running(store, clock, controller):
        await store.create(an_object(POLICY), manager="test")
        await settle()
        assert controller.calls == [0.0]
        assert await ready(store) == {"Ready": ("True", "Succeeded")}
        assert (await store.get(POLICY))["status"]["latestImage"] == "a:1"


async def test_an_interval_brings_it_again(store, clock):
    controller = Scripted(Ready("fine", requeue_after=60.0))
    await store.create(an_object(POLICY), manager="test")
    async with running(store, clock, controller):
        await clock.advance(56.9)
        assert len(controller.calls) == 1
        await clock.advance(6.2)
        assert len(controller.calls) == 2


@pytest.mark.parametrize(("interval", "times"), [(0.0, 1), (0.001, 10)])
async def test_an_interval_of_next_to_nothing_is_no_endless_loop(store, clock, interval, times):
    controller = Scripted(Ready("fine", requeue_after=interval))
    await store.create(an_object(POLICY), manager="test")
    async with running(store, clock, controller):
        for _ in range(100):
            await clock.advance(0.1)
        assert len(controller.calls) == pytest.approx(times, abs=times // 5)


@pytest.mark.parametrize(
    ("interval", "at_latest", "comes"), [(600.0, 90.0, 90.0), (None, 90.0, 90.0), (600.0, -1.0, 0.0)]
)
async def test_a_moment_that_is_named_is_kept_to_the_second(store, clock, interval, at_latest, comes):
    controller = Scripted(Ready("it waits", requeue_after=interval, at_latest=at_latest), Ready("done"))
    await store.create(an_object(POLICY), manager="test")
    async with running(store, clock, controller):
        assert len(controller.calls) == (1 if comes else 2)
        if comes:
            await clock.advance(comes - 0.01)
            assert len(controller.calls) == 1
            await clock.advance(0.02)
        assert len(controller.calls) == 2


async def test_errors_back_off_and_a_change_of_the_spec_tries_at_once(store, clock):
    controller = Scripted(Unavailable("no answer"))
    await store.create(an_object(POLICY), manager="test")
    async with running(store, clock, controller):
        await clock.advance(6)
        assert controller.calls == [0.0, 0.75, 2.25, 5.25]
        assert await ready(store) == {
            "Reconciling": ("True", "ProgressingWithRetry"),
            "Ready": ("False", "Unavailable"),
        }
        await store.patch(POLICY, {"spec": {"new": 1}}, manager="test")
        await settle()
        assert controller.calls[-1] == 6.0
        await clock.advance(0.75)
        assert controller.calls[-1] == 6.75


async def test_a_conflict_that_does_not_go_away_is_shown_and_backs_off(store, clock):
    controller = Scripted(Conflict("somebody owns .spec.interval"))
    await store.create(an_object(POLICY), manager="test")
    async with running(store, clock, controller):
        await clock.advance(0.5)
        assert "status" not in await store.get(POLICY)
        await clock.advance(0.5)
        assert len(controller.calls) == 6
        assert (await ready(store))["Ready"] == ("False", "Conflict")
        await clock.advance(20)
        assert len(controller.calls) == 6
        await clock.advance(5)
        assert len(controller.calls) == 7


async def test_a_conflict_of_an_apply_is_told_with_its_manager_and_field_and_backs_off(store, clock):
    controller = Scripted(ApplyConflict([FieldConflict('"flux"', ".spec.url", "Apply")]))
    await store.create(an_object(POLICY), manager="test")
    async with running(store, clock, controller):
        await clock.advance(6)
        assert controller.calls == [0.0, 0.75, 2.25, 5.25]
        assert (await ready(store))["Ready"] == ("False", "ApplyConflict")
        event = (await store.list("", "Event")).items[0]
        assert (event["type"], event["reason"]) == ("Warning", "ApplyConflict")
        assert 'conflict with "flux": .spec.url' in event["message"]


async def test_a_bug_in_one_reconciliation_is_shown_and_does_not_stop_the_manager(store, clock):
    controller = Scripted(KeyError("oops"), Ready("fine"))
    await store.create(an_object(POLICY), manager="test")
    async with running(store, clock, controller):
        assert (await ready(store))["Ready"] == ("False", "InternalError")
        await clock.advance(1)
        assert await ready(store) == {"Ready": ("True", "Succeeded")}


async def test_a_store_that_takes_no_status_delays_one_object_and_stops_nobody(store, clock, monkeypatch):
    async def full(*_arguments, **_options):
        raise Unavailable("the store can't be used: database or disk is full")

    controller = Scripted(Ready("fine"))
    await store.create(an_object(POLICY), manager="test")
    monkeypatch.setattr(store, "patch_status", full)
    async with running(store, clock, controller):
        await clock.advance(5.5)
        assert controller.calls == [0.0, 0.75, 2.25, 5.25]
        monkeypatch.undo()
        await clock.advance(15)
        assert await ready(store) == {"Ready": ("True", "Succeeded")}


async def test_a_full_disk_is_no_fault_of_ours(store, clock):
    controller = Scripted(OSError(errno.ENOSPC, "No space left on device", "/home/tags/one"))
    await store.create(an_object(POLICY), manager="test")
    async with running(store, clock, controller):
        (condition,) = [c for c in (await store.get(POLICY))["status"]["conditions"] if c["type"] == "Ready"]
        assert (condition["reason"], condition["message"]) == (
            "DiskFull", "the disk is full\nfree some space on the disk of /home/tags",
        )  # fmt: skip


async def test_a_stalled_object_is_not_tried_again_until_its_spec_changes(store, clock):
    controller = Scripted(Stalled("InvalidPolicy", "bad range"))
    await store.create(an_object(POLICY), manager="test")
    async with running(store, clock, controller):
        await clock.advance(86400)
        assert len(controller.calls) == 1
        await store.patch(POLICY, {"spec": {"x": 1}}, manager="test")
        await settle()
        assert len(controller.calls) == 2


async def test_a_suspended_object_sleeps_and_wakes_when_resumed(store, clock):
    controller = Scripted(Ready("fine"))
    await store.create(an_object(POLICY, suspend=True), manager="test")
    async with running(store, clock, controller):
        await clock.advance(3600)
        assert controller.calls == []
        await store.patch(POLICY, {"spec": {"suspend": False}}, manager="test")
        await settle()
        assert len(controller.calls) == 1


async def test_the_status_of_an_automation_says_whether_it_is_suspended(store, clock):
    controller = Scripted(Ready("fine"))
    controller.kind, key = AUTOMATION.kind, AUTOMATION
    await store.create(an_object(key, suspend=True), manager="test")
    async with running(store, clock, controller):
        await settle()
        assert (await store.get(key))["status"] == {"suspended": "True"}
        await store.patch(key, {"spec": {"suspend": False}}, manager="test")
        await settle()
        assert (await store.get(key))["status"]["suspended"] == "False"


async def test_requested_at_wakes_it_and_is_acknowledged(store, clock):
    controller = Scripted(Ready("fine"))
    await store.create(an_object(POLICY), manager="test")
    async with running(store, clock, controller):
        annotations = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}}
        await store.patch(POLICY, annotations, manager="flux")
        await settle()
        assert len(controller.calls) == 2
        assert (await store.get(POLICY))["status"]["lastHandledReconcileAt"] == "now"


def by_name(changed, policies):
    return [key_of(policy) for policy in policies if key_of(policy).name == key_of(changed).name]


def revision(changed):
    return (changed.get("status") or {}).get("revision")


async def test_a_trigger_wakes_only_on_a_relevant_change(store, clock):
    controller = Scripted(Waiting("a scan"), Ready("fine"), triggers=(Trigger(*_of(REPOSITORY), by_name, revision),))
    await store.create(an_object(POLICY), manager="test")
    await store.create(an_object(REPOSITORY), manager="test")
    async with running(store, clock, controller):
        before = len(controller.calls)
        await store.patch_status(REPOSITORY, {"revision": "1"}, manager="test")
        await settle()
        assert len(controller.calls) == before + 1
        await store.patch_status(REPOSITORY, {"scanTime": "later"}, manager="test")
        await settle()
        assert len(controller.calls) == before + 1


async def test_without_events_only_the_capped_interval_brings_it(store, clock):
    triggers = (Trigger(*_of(REPOSITORY), by_name, revision),)
    controller = Scripted(Ready("fine", requeue_after=600.0), triggers=triggers)
    await store.create(an_object(POLICY), manager="test")
    await store.create(an_object(REPOSITORY), manager="test")
    async with running(store, clock, controller, events=False, interval_cap=5.0):
        await store.patch_status(REPOSITORY, {"revision": "1"}, manager="test")
        await settle()
        assert len(controller.calls) == 1
        await clock.advance(5.3)
        assert len(controller.calls) == 2


def _of(key):
    return key.group, key.kind


async def test_a_shard_reconciles_only_what_its_selector_names(store, clock):
    """Flux's sharding: `--watch-label-selector=sharding.fluxcd.io/key=one`, and the main one takes what has no key."""
    key = "sharding.fluxcd.io/key"
    one, rest = Scripted(Ready("one", requeue_after=60)), Scripted(Ready("rest", requeue_after=60))
    await store.create(an_object(POLICY), manager="test")
    async with (
        running(store, clock, one, selector=parse_labels(f"{key}=one")),
        running(store, clock, rest, selector=parse_labels(f"!{key}")),
    ):
        assert (len(one.calls), len(rest.calls)) == (0, 1)
        await store.patch(POLICY, {"metadata": {"labels": {key: "one"}}}, manager="test")
        await settle()
        await clock.advance(300)
        assert len(one.calls) > 3
        assert len(rest.calls) == 1


class Failing:
    """A store whose status writes fail while `broken`, as on a full disk."""

    def __init__(self, store):
        self._store = store
        self.broken = True

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def patch_status(self, *args, **options):
        if self.broken:
            raise Unavailable("the store can't be used: the disk is full")
        return await self._store.patch_status(*args, **options)


async def test_a_store_that_fails_for_a_while_ends_nothing(store, clock):
    controller, failing = Scripted(Ready("fine")), Failing(store)
    await store.create(an_object(POLICY), manager="test")
    async with running(failing, clock, controller):
        assert "status" not in await store.get(POLICY)
        failing.broken = False
        await clock.advance(1)
        assert await ready(store) == {"Ready": ("True", "Succeeded")}


class Unreadable:
    """A store whose first listings fail."""

    def __init__(self, store, failures):
        self._store = store
        self.failures = failures

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def list(self, *args, **options):
        if self.failures:
            self.failures -= 1
            raise OSError("the disk can't be read")
        return await self._store.list(*args, **options)


async def test_a_watch_that_fails_starts_anew(store, clock):
    controller = Scripted(Ready("fine"))
    await store.create(an_object(POLICY), manager="test")
    async with running(Unreadable(store, failures=2), clock, controller):
        assert controller.calls == []
        await clock.advance(3)
        assert len(controller.calls) == 1


def _named(changed, objects):
    return [key_of(one) for one in objects if one["spec"]["ref"]["name"] == changed["metadata"]["name"]]


def _scanned(changed):
    return changed["status"]["scan"]["revision"]


async def test_a_malformed_object_keeps_no_other_from_being_woken(store, clock):
    trigger = Trigger(REPOSITORY.group, REPOSITORY.kind, _named, relevant=_scanned)
    controller = Scripted(Ready("fine"), triggers=(trigger,))
    malformed = ObjectKey(POLICY.group, POLICY.kind, "flux-system", "a-malformed-one")
    await store.create(an_object(malformed, ref="no map"), manager="test")
    await store.create(an_object(POLICY, ref={"name": REPOSITORY.name}), manager="test")
    await store.create(an_object(REPOSITORY), manager="test")
    async with running(store, clock, controller):
        before = len(controller.calls)
        await store.patch_status(REPOSITORY, {"scan": "no map"}, manager="test")
        await settle()
        assert len(controller.calls) > before
        before = len(controller.calls)
        await store.patch_status(REPOSITORY, {"scan": {"revision": "1"}}, manager="test")
        await settle()
        assert len(controller.calls) > before


class NotServed:
    """A store that doesn't serve the policies until it is told so."""

    def __init__(self, store):
        self.store = store
        self.absent = True
        self.lists = 0

    def __getattr__(self, name):
        return getattr(self.store, name)

    async def list(self, *words, **more):
        self.lists += 1
        if self.absent:
            raise NotFound("the cluster serves no kind ImagePolicy")
        return await self.store.list(*words, **more)


async def test_a_kind_that_is_not_served_is_said_once_and_looked_for_until_it_is_there(store, clock, caplog):
    controller, served = Scripted(Ready("fine")), NotServed(store)
    await store.create(an_object(POLICY), manager="test")
    async with running(served, clock, controller):
        await clock.advance(3600)
        assert [record.getMessage() for record in caplog.records] == [
            "ImagePolicy is not followed until it is there: the cluster serves no kind ImagePolicy"
        ]
        assert 30 <= served.lists <= 70
        served.absent = False
        await clock.advance(61)
        assert len(controller.calls) == 1


def named(name):
    return dataclasses.replace(POLICY, name=name)


class Slow(Scripted):
    """Waits for a host that hangs, but for the objects of another; notes who was worked on."""

    def __init__(self):
        super().__init__(Ready("fine"))
        self.begun, self.answered = [], asyncio.Event()

    async def reconcile(self, obj, ctx):
        self.begun.append(obj["metadata"]["name"])
        if obj["spec"]["host"] == "hangs":
            await self.answered.wait()
        return Ready("fine")


async def test_objects_of_a_host_that_hangs_keep_no_other_waiting(store, clock):
    for number in range(40):
        await store.create(an_object(named(f"slow-{number}"), host="hangs"), manager="test")
    await store.create(an_object(named("quick"), host="answers"), manager="test")
    controller = Slow()
    lanes = {"ImagePolicy": lambda obj: obj["spec"]["host"]}
    async with running(store, clock, controller, lanes=lanes):
        await settle()
        assert "quick" in controller.begun
        assert len(controller.begun) == 9
        await store.delete(named("slow-39"))
        controller.answered.set()
        await settle(2000)
        assert len(set(controller.begun)) == 40
        await store.create(an_object(named("late"), host="hangs"), manager="test")
        await settle()
        assert "late" in controller.begun
