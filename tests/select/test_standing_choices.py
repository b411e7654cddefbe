"""What stays selected whatever the tags say: pinned, held, and no downgrade that nobody asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.select.beyond_world import POLICY, BeyondWorld

from tidegate.base.errors import NotFound
from tidegate.engine.clock import rfc3339
from tidegate.engine.outcome import Ready
from tidegate.select.advice import Rule, advice
from tidegate.select.policy import Policy
from tidegate.select.standing import is_lower, unchanged

FILTERED = {"policy": {"numerical": {"order": "asc"}}, "filterTags": {"pattern": r"-(?P<n>\d+)$", "extract": "$n"}}
SEMVER = Policy.by_semver("*")
HELD = (
    "kept by tidegate.dev/no-downgrade: {}, which is selected now, is lower, and the policy itself has not changed; "
    "to take it: tidegate reconcile imagepolicy web -n flux-system --accept; "
    'tidegate.dev/no-downgrade: "false" always lets it go down, tidegate.dev/pin names another'
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[BeyondWorld]:
    found = BeyondWorld(tmp_path)
    yield found
    found.close()


async def test_a_pin_wins_over_the_policy_until_it_is_removed(world: BeyondWorld) -> None:
    await world.scanned("0.9.0", "1.0.0", "1.1.0")
    await world.asking()
    assert await world.selected() == "1.1.0"
    await world.asking(pin="0.9.0")
    outcome = await world.reconcile()
    assert outcome.message == (
        "Latest image tag for 127.0.0.1:5000/acme/web resolved to 0.9.0 "
        "(previously 127.0.0.1:5000/acme/web:1.1.0); pinned by tidegate.dev/pin; the policy itself selects 1.1.0"
    )
    assert outcome.event == outcome.message
    assert (await world.reconcile()).event is None
    _, decision = await world.controller.explain(await world.store.get(POLICY), world.context)
    assert dict(decision.rejected())["1.1.0"] == "passed over: pinned by tidegate.dev/pin"
    await world.asking()
    assert await world.selected() == "1.1.0"


async def test_a_pin_stands_although_the_policy_can_not_decide(world: BeyondWorld) -> None:
    await world.scanned("1", "2", "latest")
    await world.asking({"policy": {"numerical": {}}}, pin="1")
    outcome = await world.reconcile()
    assert outcome.message.endswith("pinned by tidegate.dev/pin; the policy itself selects none")
    assert await world.latest() == "1"


async def test_a_pinned_tag_must_have_been_there_once(world: BeyondWorld) -> None:
    await world.scanned("1.0.0", "1.0.1")
    await world.asking(pin="1.0.7")
    with pytest.raises(NotFound, match=r"the tag 1\.0\.7, pinned by .* is not among the 2 tags of the last scan"):
        await world.reconcile()
    await world.asking(pin="1.0.1")
    assert await world.selected() == "1.0.1"
    await world.scanned("1.0.0")
    assert isinstance(await world.reconcile(), Ready)
    assert await world.latest() == "1.0.1"


async def test_what_is_held_stays_and_a_pin_goes_before_it(world: BeyondWorld) -> None:
    await world.scanned("1.0.0")
    await world.asking(hold="true")
    assert await world.selected() == "1.0.0"  # there was nothing to hold
    await world.scanned("1.0.0", "1.1.0")
    outcome = await world.reconcile()
    assert await world.latest() == "1.0.0"
    assert outcome.message.endswith("; held by tidegate.dev/hold; the policy itself selects 1.1.0")
    await world.asking({"policy": {"semver": {"range": ">1.0.0"}}}, hold="true")
    assert await world.selected() == "1.0.0"
    await world.asking(hold="true", pin="1.1.0")
    outcome = await world.reconcile()
    assert outcome.message.endswith("; pinned by tidegate.dev/pin; the policy itself selects the same")
    await world.asking(hold="false")
    assert await world.selected() == "1.1.0"


async def test_a_held_choice_keeps_its_digest(world: BeyondWorld) -> None:
    old = await world.push("1.0.0", "2026-01-01T00:00:00Z")
    await world.scanned("1.0.0")
    digests = {"digestReflectionPolicy": "Always", "interval": "10m"}
    await world.asking(digests)
    await world.reconcile()
    await world.push("1.0.0", "2026-01-02T00:00:00Z")
    await world.asking(digests, hold="true")
    await world.reconcile()
    assert (await world.store.get(POLICY))["status"]["latestRef"]["digest"] == old.digest
    await world.asking(digests)
    await world.reconcile()
    assert (await world.store.get(POLICY))["status"]["latestRef"]["digest"] != old.digest


async def test_a_lower_selection_waits_where_only_the_tags_have_changed(world: BeyondWorld) -> None:
    await world.scanned("1.0.0", "1.1.0")
    await world.asking()
    assert await world.selected() == "1.1.0"
    since = await world.ready_since()
    await world.clock.advance(60)
    await world.scanned("1.0.0")
    for _ in range(2):
        outcome = await world.reconcile()
        assert isinstance(outcome, Ready)
        assert await world.latest() == "1.1.0"
    assert outcome.message.endswith(f"; {HELD.format('1.0.0')}")
    assert await world.condition("DowngradeHeld") == f"True: 1.1.0 is {HELD.format('1.0.0')}"
    assert await world.warnings() == [f"NoDowngrade x1: 1.1.0 is {HELD.format('1.0.0')}"]
    assert await world.ready_since() == since
    await world.scanned("1.0.0", "1.2.0")
    assert await world.selected() == "1.2.0"
    assert await world.condition("DowngradeHeld") is None


async def test_a_change_of_the_policy_lets_it_go_down(world: BeyondWorld) -> None:
    await world.scanned("1.0.0", "1.1.0")
    await world.asking()
    assert await world.selected() == "1.1.0"
    await world.asking({"policy": {"semver": {"range": "<1.1.0"}}})
    assert await world.selected() == "1.0.0"


async def test_no_downgrade_may_be_switched_off(world: BeyondWorld) -> None:
    await world.scanned("1.0.0", "1.1.0")
    await world.asking(no_downgrade="false")
    assert await world.selected() == "1.1.0"
    await world.scanned("1.0.0")
    assert await world.selected() == "1.0.0"


async def test_a_lower_tag_is_taken_once_where_somebody_accepts_it(world: BeyondWorld) -> None:
    await world.scanned("1.0.0", "1.1.0", "1.2.0")
    await world.asking()
    assert await world.selected() == "1.2.0"
    await world.scanned("1.0.0", "1.1.0")
    await world.asking(accept=rfc3339(world.clock.now()))
    assert await world.selected() == "1.1.0"
    assert await world.condition("DowngradeHeld") is None
    assert await world.warnings() == []  # nor does anybody think the annotation misspelt
    await world.scanned("1.0.0")
    assert await world.selected() == "1.1.0"
    assert await world.condition("DowngradeHeld")


async def test_an_acceptance_that_is_no_moment_is_told_beside_what_it_was_meant_to_end(world: BeyondWorld) -> None:
    await world.scanned("1.0.0", "1.1.0")
    await world.asking()
    assert await world.selected() == "1.1.0"
    await world.scanned("1.0.0")
    await world.asking(accept="true")
    assert await world.selected() == "1.1.0"
    held = await world.condition("DowngradeHeld")
    assert "tidegate.dev/accept accepts nothing: 'true' is no moment" in str(held)


async def test_where_the_status_keeps_no_trace_of_it_an_acceptance_counts_for_a_quarter_of_an_hour(
    world: BeyondWorld,
) -> None:
    """As with Flux's own definitions, whose API server drops the field."""
    await world.scanned("1.0.0", "1.1.0")
    await world.asking(accept=rfc3339(world.clock.now()))
    assert await world.selected() == "1.1.0"
    await world.store.patch_status(POLICY, {"lastHandledAcceptAt": None}, manager="test")
    await world.clock.advance(15 * 60)
    await world.scanned("1.0.0")
    assert await world.selected() == "1.1.0"


async def test_a_change_while_nothing_could_be_selected_still_counts(world: BeyondWorld) -> None:
    """observedGeneration has moved on with the failure, and must not hide that the policy is another one."""
    await world.scanned("1.0.0", "1.1.0")
    await world.asking()
    assert await world.selected() == "1.1.0"
    await world.push("1.0.0", "2026-01-15T11:45:00Z")
    await world.push("1.1.0", "2026-01-15T11:59:00Z")
    await world.asking(minimum_age="30m")
    await world.reconcile()
    assert await world.latest() == "1.1.0"
    await world.clock.advance(15 * 60)
    assert await world.selected() == "1.0.0"  # the age that was asked for says so


async def test_suspending_and_resuming_is_no_change_of_the_policy(world: BeyondWorld) -> None:
    await world.scanned("1.0.0", "1.1.0")
    await world.asking()
    assert await world.selected() == "1.1.0"
    await world.asking({"suspend": True})
    await world.scanned("1.0.0")
    await world.asking({"suspend": False})
    assert await world.selected() == "1.1.0"


async def test_another_image_has_other_versions(world: BeyondWorld) -> None:
    await world.scanned("1.9.0")
    await world.asking()
    assert await world.selected() == "1.9.0"
    await world.scanned("1.0.0", image="127.0.0.1:5000/acme/shop")
    assert await world.selected() == "1.0.0"


async def test_a_filter_says_what_is_lower(world: BeyondWorld) -> None:
    await world.scanned("main-9", "main-10")
    await world.asking(FILTERED)
    assert await world.selected() == "main-10"
    await world.scanned("main-9")
    assert await world.selected() == "main-10"
    await world.scanned("main-9", "a-11")
    assert await world.selected() == "a-11"


async def test_an_older_build_is_a_downgrade_where_the_newest_is_selected(world: BeyondWorld) -> None:
    await world.push("1.0.0", "2026-01-03T00:00:00Z")
    await world.push("1.1.0", "2026-01-02T00:00:00Z")
    await world.push("1.2.0", "2026-01-01T00:00:00Z")
    await world.scanned("1.0.0", "1.2.0")
    await world.asking(newest_build="true")
    assert await world.selected() == "1.0.0"
    await world.scanned("1.1.0", "1.2.0")
    assert await world.selected() == "1.0.0"
    assert "1.1.0, which is selected now, is lower" in str(await world.condition("DowngradeHeld"))
    await world.push("1.1.1", "2026-01-04T00:00:00Z")
    await world.scanned("1.1.0", "1.1.1")
    assert await world.selected() == "1.1.1"


async def test_a_tag_that_no_longer_does_stays_rather_than_a_lower_one(world: BeyondWorld) -> None:
    await world.push("1.0.0")
    await world.push("1.1.0")
    await world.scanned("1.0.0", "1.1.0")
    await world.asking(platforms="linux/amd64")
    assert await world.selected() == "1.1.0"
    await world.push("1.1.0", "", "linux/arm64")
    assert await world.selected() == "1.1.0"
    assert "1.1.0: lacks linux/amd64" in str(await world.condition("NewerRejected"))
    assert await world.condition("DowngradeHeld")


async def advised(world: BeyondWorld) -> list[str]:
    question, decision = await world.controller.explain(await world.store.get(POLICY), world.context)
    rule = Rule(question.policy, question.tag_filter, question.wishes.newest_build)
    return advice(decision, rule, excluded=["1.9.0"])


async def test_what_would_change_the_answer_is_told_of_each(world: BeyondWorld) -> None:
    await world.push("1.0.0", "2026-01-03T00:00:00Z")
    await world.push("1.1.0", "2026-01-02T00:00:00Z")
    await world.scanned("1.0.0", "1.1.0")
    await world.asking(pin="1.0.0")
    assert await advised(world) == ["without that (pinned by tidegate.dev/pin), 1.1.0 would be selected"]
    await world.asking(newest_build="true")
    assert await advised(world) == [
        "a new tag that the policy admits, of an image that is made later, would be selected"
    ]
    await world.asking()
    assert await world.selected() == "1.1.0"
    await world.scanned("1.0.0")
    assert await advised(world) == [
        "without that (kept by tidegate.dev/no-downgrade), 1.0.0 would be selected",
        "a new tag with a higher version that the range 1.x admits would be selected",
    ]
    await world.asking(hold="true")
    assert await advised(world) == ["without that (held by tidegate.dev/hold), 1.0.0 would be selected"]


@pytest.mark.parametrize(
    ("policy", "winner", "present", "lower"),
    [
        (SEMVER, "1.0.0", "1.0.1", True),
        (SEMVER, "1.0.1", "1.0.0", False),
        (SEMVER, "1.0.0", "v1.0.0", False),
        (SEMVER, "1.0.0", "2.0.0-rc.1", False),  # no version that the range admits: not compared
        (SEMVER, "1.0.0", "latest", False),
        (Policy.by_alphabet("asc"), "a", "b", True),
        (Policy.by_alphabet("desc"), "b", "a", True),
        (Policy.by_number("asc"), "9", "10", True),
        (Policy.by_number("desc"), "10", "9", True),
        (Policy.by_number("asc"), "9", "9.0", False),
        (Policy.by_number("asc"), "9", "latest", False),
    ],
)
def test_lower_is_what_the_policy_orders_after(policy: Policy, winner: str, present: str, lower: bool) -> None:
    assert is_lower(policy, None, winner, present) is lower


def test_times_of_creation_go_before_the_policys_order() -> None:
    old, new = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    assert is_lower(SEMVER, None, "2.0.0", "1.0.0", {"2.0.0": old, "1.0.0": new})
    assert not is_lower(SEMVER, None, "1.0.0", "2.0.0", {"2.0.0": old, "1.0.0": new})
    assert is_lower(SEMVER, None, "1.0.0", "2.0.0", {"1.0.0": new})  # of one the time is not known


def test_where_the_status_keeps_no_mark_the_generation_says_whether_the_policy_changed() -> None:
    def policy(**status: object) -> dict[str, object]:
        return {"metadata": {"generation": 3}, "status": status}

    assert unchanged(policy(selectedUnder="a", observedGeneration=1), "a")
    assert not unchanged(policy(selectedUnder="a", observedGeneration=3), "b")
    assert unchanged(policy(observedGeneration=3), "a")
    assert not unchanged(policy(observedGeneration=2), "a")
