"""Of several processes one acts: taking over, giving up in time, and clocks that can't be trusted."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tidegate.base.errors import Unavailable
from tidegate.engine.leader import Leadership, LeadershipLost
from tidegate.engine.manual_clock import ManualClock, settle
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.objects import ObjectKey

LEASE = ObjectKey("coordination.k8s.io", "Lease", "flux-system", "tidegate")


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def store(tmp_path, clock):
    found = SqliteStore(tmp_path / "store.db", clock)
    yield found
    found.close()


def contender(store, clock, identity, *names):
    return Leadership(store, clock, namespace="flux-system", names=names or ("tidegate",), identity=identity)


@asynccontextmanager
async def background(work):
    task = asyncio.ensure_future(work)
    await settle()
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def holder(store, name="tidegate"):
    return (await store.get(ObjectKey(LEASE.group, LEASE.kind, LEASE.namespace, name)))["spec"]["holderIdentity"]


async def test_the_first_one_leads_and_says_so_in_the_lease(store, clock):
    leader = contender(store, clock, "one")
    await leader.acquire()
    leader.check()
    spec = (await store.get(LEASE))["spec"]
    assert spec == {
        "holderIdentity": "one",
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-01-15T12:00:00.000000Z",
        "renewTime": "2026-01-15T12:00:00.000000Z",
        "leaseTransitions": 0,
    }


async def test_whoever_does_not_lead_may_not_act(store, clock):
    with pytest.raises(LeadershipLost):
        contender(store, clock, "one").check()


async def test_a_second_one_waits_as_long_as_the_leader_renews(store, clock):
    leader, second = contender(store, clock, "one"), contender(store, clock, "two")
    await leader.acquire()
    async with background(leader.hold()), background(second.acquire()) as waiting:
        await clock.advance(600)
        assert not waiting.done()
        leader.check()


async def test_a_dead_leader_is_followed_in_less_than_20_seconds(store, clock):
    leader, second = contender(store, clock, "one"), contender(store, clock, "two")
    await leader.acquire()
    async with background(second.acquire()) as waiting:
        await clock.advance(14)
        assert not waiting.done()
        await clock.advance(5)
        assert waiting.done()
        second.check()
    assert (await store.get(LEASE))["spec"]["leaseTransitions"] == 1


async def test_all_leases_of_a_dead_leader_are_followed_in_less_than_20_seconds(store, clock):
    names = [f"controller-{number}" for number in range(5)]
    leader, second = contender(store, clock, "one", *names), contender(store, clock, "two", *names)
    await leader.acquire()
    async with background(second.acquire()) as waiting:
        await clock.advance(14)
        assert not waiting.done()
        await clock.advance(5)
        assert waiting.done()
        second.check()


async def test_a_stopped_leader_knows_that_it_may_not_act_before_another_does(store, clock):
    """SIGSTOP: nothing of it runs, time goes on, and it continues wherever it was."""
    leader, second = contender(store, clock, "one"), contender(store, clock, "two")
    await leader.acquire()
    async with background(second.acquire()) as waiting:
        await clock.advance(10)
        assert not waiting.done()
        with pytest.raises(LeadershipLost):
            leader.check()
        await clock.advance(10)
        assert waiting.done()
        async with background(leader.hold()) as holding:
            await clock.advance(3)
            with pytest.raises(LeadershipLost):
                await holding
        assert await holder(store) == "two"


async def test_a_released_lease_is_taken_at_once(store, clock):
    leader, second = contender(store, clock, "one"), contender(store, clock, "two")
    await leader.acquire()
    await leader.release()
    with pytest.raises(LeadershipLost):
        leader.check()
    await second.acquire()
    assert await holder(store) == "two"


async def test_a_wall_clock_that_is_wrong_does_not_matter(store, clock):
    """The other process's renewTime lies an hour back, or ahead; only whether it changes counts."""
    leader = contender(store, clock, "one")
    await leader.acquire()
    for moment in ("2026-01-15T11:00:00.000000Z", "2026-01-15T13:00:00.000000Z"):
        await store.patch(LEASE, {"spec": {"renewTime": moment}}, manager="one")
        second = contender(store, clock, "two")
        async with background(second.acquire()) as waiting:
            await clock.advance(14)
            assert not waiting.done()


class Failing:
    """A store that answers with an error from when it is told to."""

    def __init__(self, store):
        self.store = store
        self.down = False

    def __getattr__(self, name):
        if self.down:
            raise Unavailable("the API server is down")
        return getattr(self.store, name)


async def test_a_leader_that_cannot_renew_gives_up_after_its_deadline(store, clock):
    failing = Failing(store)
    leader = contender(failing, clock, "one")
    await leader.acquire()
    async with background(leader.hold()) as holding:
        failing.down = True
        await clock.advance(9)
        assert not holding.done()
        leader.check()
        await clock.advance(2)
        with pytest.raises(LeadershipLost, match="could not be renewed for 10 s: the API server is down"):
            await holding


async def test_a_short_outage_of_the_store_changes_nothing(store, clock):
    failing = Failing(store)
    leader = contender(failing, clock, "one")
    await leader.acquire()
    async with background(leader.hold()) as holding:
        failing.down = True
        await clock.advance(7)
        failing.down = False
        await clock.advance(60)
        assert not holding.done()
        leader.check()


async def test_a_leader_whose_lease_was_taken_gives_up_at_once(store, clock):
    leader = contender(store, clock, "one")
    await leader.acquire()
    await store.patch(LEASE, {"spec": {"holderIdentity": "two"}}, manager="two")
    async with background(leader.hold()) as holding:
        await clock.advance(3)
        with pytest.raises(LeadershipLost):
            await holding


async def test_several_leases_are_held_together(store, clock):
    """Flux's controllers hold theirs under these names, so the two never act at once."""
    names = ("image-automation-controller-leader-election", "source-controller-leader-election")
    flux = contender(store, clock, "flux", names[1])
    ours = contender(store, clock, "ours", *names)
    await flux.acquire()
    async with background(flux.hold()) as theirs, background(ours.acquire()) as waiting:
        await clock.advance(120)
        assert not waiting.done()
        assert await holder(store, names[0]) == "ours"
        with pytest.raises(LeadershipLost):
            ours.check()
        theirs.cancel()
        await clock.advance(20)
        assert waiting.done()
        ours.check()


async def test_two_that_begin_at_once_never_both_lead(store, clock):
    contenders = [contender(store, clock, name) for name in ("one", "two", "three")]
    tasks = [asyncio.ensure_future(one.acquire()) for one in contenders]
    await clock.advance(10)
    assert [task.done() for task in tasks].count(True) == 1
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Slow:
    """A store behind a server that is so busy that each request takes a while."""

    def __init__(self, store, clock):
        self._store, self._clock, self.seconds = store, clock, 0.0

    async def get(self, key):
        await self._clock.sleep(self.seconds)
        return await self._store.get(key)

    async def create(self, obj, *, manager):
        return await self._store.create(obj, manager=manager)

    async def update(self, obj, *, manager):
        await self._clock.sleep(self.seconds)
        return await self._store.update(obj, manager=manager)


async def test_many_leases_are_renewed_in_time_at_a_slow_server(store, clock):
    slow = Slow(store, clock)
    leader = contender(slow, clock, "one", *(f"controller-{number}" for number in range(5)))
    await leader.acquire()
    slow.seconds = 1.5
    async with background(leader.hold()) as holding:
        for _ in range(60):
            await clock.advance(1)
            leader.check()
        assert not holding.done()
