"""A tag that an automation took back is not selected again until a newer one is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.select.beyond_world import IMAGE, POLICY, BeyondWorld

from tidegate.engine.outcome import Ready, Stalled
from tidegate.kinds.rolled_back import ROLLED_BACK, RolledBack
from tidegate.select.advice import Rule, advice
from tidegate.select.policy import Policy

DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def world(tmp_path: Path) -> Iterator[BeyondWorld]:
    found = BeyondWorld(tmp_path)
    yield found
    found.close()


def back(bad: str = "1.2.0", good: str = "1.0.0") -> str:
    return RolledBack(f"{IMAGE}:{bad}", f"{IMAGE}:{good}", "c" * 40, "Deployment shop/web crashed").value()


async def test_what_ran_before_it_stays_until_a_newer_tag_is_there(world: BeyondWorld) -> None:
    await world.scanned("1.0.0", "1.1.0", "1.2.0")
    await world.asking()
    assert await world.selected() == "1.2.0"
    await world.asking(rolled_back=back())
    outcome = await world.reconcile()
    assert isinstance(outcome, Ready)
    # Not 1.1.0, which never ran here.
    assert await world.latest() == "1.0.0"
    told = (
        f"kept by {ROLLED_BACK}: 1.2.0 was taken back: Deployment shop/web crashed; a newer tag ends it; "
        f"to select it again: kubectl annotate imagepolicy web -n flux-system {ROLLED_BACK}-"
    )
    assert outcome.message.endswith(told)
    assert await world.condition("RolledBack") == f"True: {told}"
    assert await world.warnings() == []
    _, decision = await world.controller.explain(await world.store.get(POLICY), world.context)
    assert decision.because == f"kept by {ROLLED_BACK}: 1.2.0 was taken back: Deployment shop/web crashed"
    assert advice(decision, Rule(Policy.by_semver("1.x")))[-1].startswith("a new tag with a higher version")

    await world.scanned("1.0.0", "1.1.0", "1.2.0", "1.3.0")
    assert await world.selected() == "1.3.0"
    assert await world.condition("RolledBack") is None


async def test_where_it_is_gone_from_the_registry_nothing_between_is_selected_either(world: BeyondWorld) -> None:
    await world.scanned("1.0.0", "1.2.0")
    await world.asking(rolled_back=back())
    assert await world.selected() == "1.0.0"
    await world.scanned("1.0.0", "1.1.0")
    assert await world.selected() == "1.0.0"


async def test_removing_the_annotation_lets_it_be_selected_again(world: BeyondWorld) -> None:
    await world.scanned("1.0.0", "1.2.0")
    await world.asking(rolled_back=back())
    assert await world.selected() == "1.0.0"
    await world.asking()
    assert await world.selected() == "1.2.0"


async def test_a_pin_wins_over_it(world: BeyondWorld) -> None:
    await world.scanned("1.0.0", "1.2.0")
    await world.asking(rolled_back=back(), pin="1.2.0")
    assert await world.selected() == "1.2.0"


async def test_of_a_tag_that_moves_the_digest_counts(world: BeyondWorld) -> None:
    bad = (await world.push("main")).digest
    policy = {"policy": {"alphabetical": {}}, "digestReflectionPolicy": "Always", "interval": "1m"}
    await world.scanned("main")
    await world.asking(policy, rolled_back=back(f"main@{bad}", f"main@{DIGEST}"))
    await world.reconcile()
    assert (await world.store.get(POLICY))["status"]["latestRef"]["digest"] == DIGEST
    mended = (await world.push("main", "2026-01-15T12:00:00Z")).digest
    await world.reconcile()
    assert (await world.store.get(POLICY))["status"]["latestRef"]["digest"] == mended != bad


async def test_a_value_that_can_t_be_read_stalls_the_policy(world: BeyondWorld) -> None:
    await world.scanned("1.0.0")
    await world.asking(rolled_back="yes")
    outcome = await world.reconcile()
    assert isinstance(outcome, Stalled)
    assert f"metadata.annotations[{ROLLED_BACK}]" in outcome.message
