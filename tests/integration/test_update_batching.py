"""Batches and windows of a real automation over a real remote: what waits, until when, and what a restart keeps."""

import asyncio
import contextlib

import pytest
from tests.integration.git_host import hosting
from tests.integration.update_world import AUTOMATION, UpdateWorld, marked

from tidegate.engine.manager import Manager
from tidegate.engine.outcome import Ready, Stalled

pytestmark = pytest.mark.integration
FILES = {"web.yaml": marked("web", "1.0.0"), "api.yaml": marked("api", "1.0.0")}


@pytest.fixture
async def world(tmp_path):
    """Thursday, 2026-01-15T12:00:00Z."""
    with hosting(tmp_path) as host:
        made = UpdateWorld(host, tmp_path)
        await made.make(FILES)
        await made.select("api", "1.0.0")
        yield made
        made.store.close()


async def test_a_batch_is_one_commit_of_what_came_within_its_time(world):
    await world.annotate(batch="5m")
    await world.select("web", "1.1.0")
    outcome = await world.reconcile()
    assert isinstance(outcome, Ready)
    assert (outcome.at_latest, outcome.event) == (300.0, None)
    pending = await world.condition("Pending")
    assert pending["message"].startswith("1 change waits until 2026-01-15T12:05:00Z (tidegate.dev/batch")
    assert "web.yaml:1: registry.test/web:1.0.0 -> registry.test/web:1.1.0, of flux-system:web" in pending["message"]
    assert await world.events("Batching") == [pending["message"]]
    assert "observedPolicies" not in (await world.store.get(AUTOMATION))["status"]

    await world.clock.advance(200)
    world.restart()
    await world.select("api", "2.0.0")
    await world.select("web", "1.2.0")
    outcome = await world.reconcile()
    assert outcome.at_latest == 100.0
    assert (await world.condition("Pending"))["message"].startswith("2 changes wait until 2026-01-15T12:05:00Z")
    assert world.commits() == ["Somebody"]

    await world.clock.advance(100)
    outcome = await world.reconcile()
    assert outcome.message.startswith("pushed commit '")
    assert world.commits() == ["Gate", "Somebody"]
    assert "web:1.2.0 " in world.show("web.yaml")
    assert "api:2.0.0 " in world.show("api.yaml")
    assert await world.condition("Pending") is None
    assert "pendingSince" not in (await world.store.get(AUTOMATION))["status"]
    assert len(await world.events("Batching")) == 1

    # The next change begins the next batch.
    await world.select("web", "1.3.0")
    assert (await world.reconcile()).at_latest == 300.0


async def test_who_asks_for_it_ends_the_batch_but_opens_no_window(world):
    await world.annotate(batch="5m")
    await world.select("web", "1.1.0")
    await world.reconcile()
    await world.ask("1")
    assert (await world.reconcile()).message.startswith("pushed commit '")
    await world.annotate(batch=None, window="Mon-Fri 22:00-23:00 Europe/Sarajevo")
    await world.select("web", "1.2.0")
    await world.ask("2")
    outcome = await world.reconcile()
    assert outcome.message == "1 change waits until 2026-01-15T22:00:00+01:00 (tidegate.dev/window)"
    assert outcome.at_latest == 9 * 3600.0
    assert world.commits() == ["Gate", "Somebody"]
    await world.clock.advance(9 * 3600.0)
    assert (await world.reconcile()).message.startswith("pushed commit '")


async def test_a_change_that_is_taken_back_waits_no_more_and_its_time_is_forgotten(world):
    await world.annotate(batch="5m")
    await world.select("web", "1.1.0")
    await world.reconcile()
    await world.select("web", "1.0.0")
    assert (await world.reconcile()).message == "repository up-to-date"
    assert await world.condition("Pending") is None
    await world.clock.advance(3600)
    await world.select("web", "1.1.0")
    assert (await world.reconcile()).at_latest == 300.0


async def test_policy_change_delay_is_a_batch(world):
    await world.store.patch(AUTOMATION, {"spec": {"policyChangeDelay": "2m"}}, manager="test")
    await world.select("web", "1.1.0")
    assert (await world.reconcile()).at_latest == 120.0
    await world.annotate(batch="10m")
    assert (await world.reconcile()).at_latest == 600.0


async def test_what_was_pushed_at_the_end_of_a_batch_is_told_also_after_a_crash(world):
    await world.annotate(batch="5m")
    await world.select("web", "1.1.0")
    await world.reconcile()
    await world.clock.advance(300)
    await world.updates.reconcile(await world.store.get(AUTOMATION), world.context)  # its status was never written
    world.restart()
    outcome = await world.reconcile()
    assert outcome.status["lastPushCommit"] == world.host.head()
    assert world.commits() == ["Gate", "Somebody"]
    assert "pendingSince" not in (await world.store.get(AUTOMATION))["status"]


async def test_a_branch_of_its_own_waits_too(world):
    await world.annotate(window="Sat-Sun Europe/Sarajevo")
    await world.store.patch(AUTOMATION, {"spec": {"git": {"push": {"branch": "auto"}}}}, manager="test")
    await world.select("web", "1.1.0")
    outcome = await world.reconcile()
    assert "until 2026-01-17T00:00:00+01:00" in outcome.message
    assert world.host.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"
    await world.clock.advance(outcome.at_latest)
    await world.reconcile()
    assert "web:1.1.0 " in world.show("web.yaml", "auto")


async def test_a_wrong_annotation_stalls_it_and_one_that_nothing_reads_is_told(world):
    await world.annotate(window="Mon-Fri 08:00-18:00 Europe/Sarajewo")
    outcome = await world.reconcile()
    assert isinstance(outcome, Stalled)
    assert outcome.reason == "InvalidAnnotation"
    assert outcome.message.startswith("metadata.annotations[tidegate.dev/window]: the time zone 'Europe/Sarajewo'")
    await world.annotate(window=None, windows="Mon")
    await world.reconcile()
    await world.reconcile()
    (message,) = await world.events("UnknownAnnotation")
    assert message.startswith("nothing reads tidegate.dev/windows of an ImageUpdateAutomation; there are ")


async def until(seen):
    for _ in range(3000):
        if await seen():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("not within a minute")


async def test_the_manager_comes_back_when_the_batch_ends_and_not_at_the_interval(world):
    async def waits():
        return "pendingSince" in ((await world.store.get(AUTOMATION)).get("status") or {})

    async def pushed():
        return world.commits() == ["Gate", "Somebody"]

    await world.annotate(batch="5m")
    await world.store.patch(AUTOMATION, {"spec": {"interval": "24h"}}, manager="test")
    await world.select("web", "1.1.0")
    manager = asyncio.create_task(Manager(world.store, world.clock, [world.updates]).run())
    try:
        await until(waits)
        await world.clock.advance(299.9)
        await world.select("api", "1.1.0")  # wakes it, in vain
        await until(lambda: contains(world, "2 changes wait"))
        assert not await pushed()
        await world.clock.advance(0.2)
        await until(pushed)
    finally:
        manager.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await manager


async def contains(world, words):
    return words in ((await world.condition("Pending")) or {}).get("message", "")
