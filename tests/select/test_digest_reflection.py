"""`digestReflectionPolicy`: when the registry is asked for the digest of the choice, and what the status says."""

import pytest
from tests.select.policy_world import IMAGE, PolicyWorld

from tidegate.base.errors import NotFound, Unavailable
from tidegate.engine.outcome import Ready, Stalled

OLD, NEW = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


@pytest.fixture
async def world(tmp_path):
    found = PolicyWorld(tmp_path, **{"1.0.0": OLD, "1.1.0": NEW})
    await found.scanned("1.0.0")
    yield found
    found.store.close()


async def test_without_a_word_the_registry_is_not_asked(world):
    await world.selecting()
    outcome = await world.reconcile()
    assert outcome.requeue_after is None
    assert world.registry.asked == []
    status = await world.status()
    assert status.pop("selectedUnder")
    assert status == {"latestRef": {"name": IMAGE, "tag": "1.0.0"}, "latestImage": f"{IMAGE}:1.0.0"}


async def test_if_not_present_asks_once_for_each_tag(world):
    await world.selecting(digestReflectionPolicy="IfNotPresent")
    outcome = await world.reconcile()
    assert outcome.message == f"Latest image tag for {IMAGE} resolved to 1.0.0 with digest {OLD}"
    assert outcome.requeue_after is None
    world.registry.digests["1.0.0"] = NEW
    await world.reconcile()
    assert world.registry.asked == [f"{IMAGE}:1.0.0"]
    assert (await world.status())["latestRef"] == {"name": IMAGE, "tag": "1.0.0", "digest": OLD}
    await world.scanned("1.0.0", "1.1.0")
    outcome = await world.reconcile()
    assert world.registry.asked == [f"{IMAGE}:1.0.0", f"{IMAGE}:1.1.0"]
    assert outcome.message == (
        f"Latest image tag for {IMAGE} resolved to 1.1.0 with digest {NEW} (previously {IMAGE}:1.0.0@{OLD})"
    )
    assert (await world.status())["observedPreviousRef"] == {"name": IMAGE, "tag": "1.0.0", "digest": OLD}


async def test_always_asks_at_each_interval_and_sees_a_tag_move(world):
    await world.selecting(digestReflectionPolicy="Always", interval="5m")
    first = await world.reconcile()
    world.registry.digests["1.0.0"] = NEW
    outcome = await world.reconcile()
    assert (first.requeue_after, outcome.requeue_after) == (300.0, 300.0)
    assert outcome.event == outcome.message
    assert (await world.status())["latestRef"]["digest"] == NEW
    assert (await world.status())["observedPreviousRef"]["digest"] == OLD
    assert (await world.reconcile()).event is None


async def test_always_needs_an_interval(world):
    await world.selecting(digestReflectionPolicy="Always")
    outcome = await world.reconcile()
    assert outcome == Stalled(
        "IntervalNotConfigured", "spec.interval must be set when spec.digestReflectionPolicy is set to 'Always'"
    )


@pytest.mark.parametrize("policy", [{}, {"digestReflectionPolicy": "IfNotPresent"}])
async def test_without_always_there_is_no_interval(world, policy):
    await world.selecting(interval="5m", **policy)
    outcome = await world.reconcile()
    assert isinstance(outcome, Stalled)
    assert outcome.message == ("spec.interval: is only accepted when spec.digestReflectionPolicy is set to 'Always'")


async def test_never_takes_the_digest_away_again(world):
    await world.selecting(digestReflectionPolicy="IfNotPresent")
    await world.reconcile()
    await world.selecting(digestReflectionPolicy="Never")
    await world.reconcile()
    assert (await world.status())["latestRef"] == {"name": IMAGE, "tag": "1.0.0"}
    assert (await world.status())["observedPreviousRef"] == {"name": IMAGE, "tag": "1.0.0", "digest": OLD}
    await world.scanned("1.0.0", "1.1.0")
    await world.reconcile()
    assert (await world.status())["observedPreviousRef"] == {"name": IMAGE, "tag": "1.0.0"}


async def test_the_first_choice_has_none_before_it_and_the_same_one_changes_nothing(world):
    await world.selecting()
    outcome = await world.reconcile()
    assert outcome.message == f"Latest image tag for {IMAGE} resolved to 1.0.0"
    again = await world.reconcile()
    assert isinstance(again, Ready)
    assert (again.message, again.event) == (outcome.message, None)


async def test_a_tag_that_is_gone_keeps_the_choice(world):
    await world.selecting(digestReflectionPolicy="Always", interval="1m")
    await world.reconcile()
    before = await world.status()
    await world.scanned("1.0.0", "1.2.0")
    with pytest.raises(NotFound, match=f"failed fetching digest of {IMAGE}:1.2.0: the registry does not have it"):
        await world.reconcile()
    assert await world.status() == before


async def test_a_registry_that_does_not_answer_keeps_the_choice(world, monkeypatch):
    async def down(reference):
        raise Unavailable("the registry ghcr.io did not answer", remedy="wait")

    monkeypatch.setattr(world.registry, "head", down)
    await world.selecting(digestReflectionPolicy="IfNotPresent")
    with pytest.raises(Unavailable) as caught:
        await world.reconcile()
    assert str(caught.value) == f"failed fetching digest of {IMAGE}:1.0.0: the registry ghcr.io did not answer"
    assert caught.value.remedy == "wait"


async def test_the_registry_is_asked_as_the_scan_asks_it(world):
    await world.scanned("1.0.0", insecure=True)
    await world.selecting(digestReflectionPolicy="IfNotPresent")
    await world.reconcile()
    assert world.registry.access.insecure
