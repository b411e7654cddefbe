"""What an ImagePolicy's annotations ask of an image before it is selected, over a real registry's answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.select.beyond_world import POLICY, BeyondWorld

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound, Unavailable
from tidegate.engine.clock import rfc3339
from tidegate.engine.outcome import Ready, Stalled, Waiting
from tidegate.select import builds


@pytest.fixture
def world(tmp_path: Path) -> Iterator[BeyondWorld]:
    found = BeyondWorld(tmp_path)
    yield found
    found.close()


async def test_without_annotations_the_registry_is_not_asked(world: BeyondWorld) -> None:
    await world.scanned("1.0.0", "1.1.0")
    await world.asking()
    outcome = await world.reconcile()
    assert outcome.message == "Latest image tag for 127.0.0.1:5000/acme/web resolved to 1.1.0"
    assert (outcome.requeue_after, outcome.conditions, world.requests.asked) == (None, (), [])


async def test_a_wrong_annotation_stalls_the_policy_and_says_what_is_allowed(world: BeyondWorld) -> None:
    await world.scanned("1.0.0")
    await world.asking(minimum_age="half an hour")
    outcome = await world.reconcile()
    assert isinstance(outcome, Stalled)
    assert outcome.reason == "InvalidAnnotation"
    assert "metadata.annotations[tidegate.dev/minimum-age]" in outcome.message
    assert "write a duration as Go does" in outcome.message


async def test_an_annotation_that_nothing_reads_is_told_once(world: BeyondWorld) -> None:
    await world.scanned("1.0.0")
    await world.asking(platform="linux/arm64")
    assert await world.selected() == "1.0.0"
    await world.reconcile()
    (warning,) = await world.warnings()
    assert warning.startswith("UnknownAnnotation x1: nothing reads tidegate.dev/platform of an ImagePolicy; there are ")
    assert "tidegate.dev/platforms" in warning


async def test_a_tag_counts_only_when_its_index_holds_all_platforms(world: BeyondWorld) -> None:
    await world.push("1.0.0", "", "linux/amd64", "linux/arm/v7", "linux/arm64")
    await world.push("1.0.1", "", "linux/amd64", "linux/arm64")
    await world.push("1.0.2")
    await world.scanned("1.0.0", "1.0.1", "1.0.2", "latest")
    await world.asking(platforms="linux/arm/v7,linux/arm64")
    outcome = await world.reconcile()
    assert isinstance(outcome, Ready)
    assert await world.latest() == "1.0.0"
    assert await world.condition("NewerRejected") == (
        "True: 1.0.2: lacks linux/arm/v7, linux/arm64: it is there for linux/amd64; "
        "1.0.1: lacks linux/arm/v7: it is there for linux/amd64, linux/arm64"
    )
    assert outcome.requeue_after == 30
    await world.push("1.0.2", "", "linux/arm/v7", "linux/arm64")  # the rest of its platforms is there
    outcome = await world.reconcile()
    assert await world.latest() == "1.0.2"
    assert (outcome.requeue_after, await world.condition("NewerRejected")) == (None, None)


async def test_what_is_rejected_is_asked_for_less_and_less(world: BeyondWorld) -> None:
    await world.push("1.0.0")
    await world.scanned("1.0.0")
    await world.asking(platforms="linux/arm64")
    waits = []
    for passed in (0, 30, 570, 2400, 100_000):
        await world.clock.advance(passed)
        outcome = await world.reconcile()
        assert isinstance(outcome, Waiting)
        waits.append(outcome.requeue_after)
    assert waits == [30, 30, 300, 1500, 1800]


async def test_no_tag_that_may_be_selected_is_waited_for_by_name(world: BeyondWorld) -> None:
    for tag in ("1.0.0", "1.0.1", "1.0.2", "1.0.3", "1.0.4"):
        await world.push(tag)
    await world.scanned("1.0.0", "1.0.1", "1.0.2", "1.0.3", "1.0.4", "1.0.5")
    await world.asking(platforms="linux/arm64")
    outcome = await world.reconcile()
    assert isinstance(outcome, Waiting)
    assert outcome.on == (
        "no tag may be selected now: 1.0.5: the registry does not have it any more; "
        "1.0.4: lacks linux/arm64: it is there for linux/amd64; "
        "1.0.3: lacks linux/arm64: it is there for linux/amd64; and 3 more"
    )


async def test_a_registry_that_does_not_answer_changes_nothing(world: BeyondWorld) -> None:
    await world.push("1.0.0")
    await world.push("1.0.1")
    await world.scanned("1.0.0")
    await world.asking(platforms="linux/amd64")
    assert await world.selected() == "1.0.0"
    await world.scanned("1.0.0", "1.0.1")
    world.requests.down = True
    with pytest.raises(Unavailable):
        await world.reconcile()
    assert await world.latest() == "1.0.0"
    world.requests.down = False
    assert await world.selected() == "1.0.1"


async def test_a_tag_counts_once_its_image_is_old_enough(world: BeyondWorld) -> None:
    await world.push("1.0.0", "2026-01-15T11:00:00Z")
    await world.push("1.0.1", "2026-01-15T11:50:00Z")  # it is 12:00
    await world.scanned("1.0.0", "1.0.1")
    await world.asking(minimum_age="30m")
    outcome = await world.reconcile()
    assert await world.latest() == "1.0.0"
    assert outcome.requeue_after == 20 * 60
    said = "True: 1.0.1: younger than 30m0s: it counts from 2026-01-15T12:20:00Z"
    assert await world.condition("NewerRejected") == said
    since = await world.ready_since()
    await world.clock.advance(20 * 60 - 1)
    outcome = await world.reconcile()
    assert (await world.latest(), outcome.requeue_after) == ("1.0.0", 1)
    await world.clock.advance(1)
    outcome = await world.reconcile()
    assert (await world.latest(), outcome.requeue_after) == ("1.0.1", None)
    assert await world.ready_since() == since


@pytest.mark.parametrize("created", ["", "1970-01-01T00:00:00Z", "2026-01-15T13:00:00Z"])
async def test_an_image_that_does_not_say_when_it_was_made_counts_from_when_it_was_seen(
    world: BeyondWorld, created: str
) -> None:
    await world.push("1.0.0", created)
    await world.scanned("1.0.0")
    await world.asking(minimum_age="30m")
    outcome = await world.reconcile()
    assert isinstance(outcome, Waiting)
    assert (outcome.reason, outcome.requeue_after) == ("NoTagAccepted", 1800)
    assert outcome.on.endswith("1.0.0: younger than 30m0s: it counts from 2026-01-15T12:30:00Z")
    await world.clock.advance(1800)
    assert await world.selected() == "1.0.0"


async def test_what_is_known_of_an_image_is_not_asked_again(world: BeyondWorld) -> None:
    await world.push("1.0.0", "2026-01-15T11:00:00Z")
    await world.scanned("1.0.0")
    await world.asking(minimum_age="30m", platforms="linux/amd64")
    await world.reconcile()
    world.requests.asked.clear()
    await world.reconcile()
    assert world.requests.asked == ["HEAD /v2/acme/web/manifests/1.0.0"]


async def test_of_what_the_policy_admits_the_newest_build_is_selected(world: BeyondWorld) -> None:
    for tag, day in (("1.0.0", 3), ("1.9.0", 1), ("1.2.0", 4), ("2.0.0", 9)):
        await world.push(tag, f"2026-01-0{day}T00:00:00Z")
    await world.push("1.3.0")
    await world.scanned("1.0.0", "1.9.0", "1.2.0", "2.0.0", "1.3.0")
    await world.asking(newest_build="true")
    outcome = await world.reconcile()
    assert await world.latest() == "1.2.0"
    assert outcome.requeue_after == 600
    assert await world.condition("NewerRejected") == "True: 1.3.0: its image does not say when it was made"
    _, decision = await world.controller.explain(await world.store.get(POLICY), world.context)
    assert dict(decision.rejected()) == {
        "1.0.0": "built before 1.2.0",
        "1.9.0": "built before 1.2.0",
        "2.0.0": "outside the range 1.x",
        "1.3.0": "its image does not say when it was made",
    }


async def test_an_image_that_says_it_was_made_long_from_now_does_not_win(world: BeyondWorld) -> None:
    now = world.clock.now()
    soon, late = (rfc3339(now + timedelta(hours=hours)) for hours in (20, 30))
    await world.push("1.0.0", soon)
    await world.push("1.1.0", late)
    await world.push("1.2.0", "9999-12-31T23:59:59Z")
    await world.scanned("1.0.0", "1.1.0", "1.2.0")
    await world.asking(newest_build="true")
    assert await world.selected() == "1.0.0"
    told = await world.condition("NewerRejected")
    assert f"1.1.0: its image says that it was made at {late}, which is yet to come" in str(told)
    await world.clock.advance(8 * 3600)
    assert await world.selected() == "1.1.0"


async def test_a_tag_that_is_pushed_anew_is_the_newest_build_once_it_is_looked_at_again(world: BeyondWorld) -> None:
    await world.push("1.0.0", "2026-01-01T00:00:00Z")
    await world.push("1.1.0", "2026-01-02T00:00:00Z")
    await world.scanned("1.0.0", "1.1.0")
    await world.asking(newest_build="true")
    assert await world.selected() == "1.1.0"
    await world.push("1.0.0", "2026-01-03T00:00:00Z")
    world.requests.asked.clear()
    assert await world.selected() == "1.1.0"
    assert world.requests.asked == []
    await world.clock.advance(600)
    assert await world.selected() == "1.0.0"
    assert len(world.requests.asked) == 4  # two HEADs, and what the new image says


async def test_more_candidates_than_can_be_read_are_an_error_that_says_what_to_do(
    world: BeyondWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builds, "MOST_BUILDS", 2)
    await world.scanned("1.0.0", "1.1.0", "1.2.0", "2.0.0")
    await world.asking(newest_build="true")
    with pytest.raises(LimitExceeded, match=r"3 tags qualify, and .*newest-build reads the images of at most 2"):
        await world.reconcile()


async def test_no_answer_about_a_build_ends_the_question_whole(world: BeyondWorld) -> None:
    await world.scanned(*(f"1.0.{number}" for number in range(30)))
    await world.asking(newest_build="true")
    world.requests.down = True
    with pytest.raises(Unavailable):
        await world.reconcile()


async def test_the_newest_build_that_is_there_for_the_platforms_wins(world: BeyondWorld) -> None:
    await world.push("1.0.0", "2026-01-02T00:00:00Z", "linux/arm64", "linux/arm/v7")
    await world.push("1.1.0", "2026-01-01T00:00:00Z", "linux/arm64", "linux/arm/v7")
    await world.push("1.2.0", "2026-01-03T00:00:00Z", "linux/arm64", "linux/amd64")
    await world.scanned("1.0.0", "1.1.0", "1.2.0")
    await world.asking(newest_build="true", platforms="linux/arm/v7")
    assert await world.selected() == "1.0.0"


async def test_where_nothing_qualifies_by_the_policy_flux_words_are_kept(world: BeyondWorld) -> None:
    await world.scanned("2.0.0")
    await world.asking(platforms="linux/arm64")
    with pytest.raises(NotFound, match="unable to determine latest version from 1 tags"):
        await world.reconcile()


async def test_a_key_that_is_not_there_or_none_is_named(world: BeyondWorld) -> None:
    await world.push("1.0.0")
    await world.scanned("1.0.0")
    await world.asking(verify="cosign-key")
    with pytest.raises(NotFound) as raised:
        await world.reconcile()
    assert "neither a Secret nor a ConfigMap flux-system/cosign-key is there" in raised.value.explain()
    assert "kubectl create secret generic cosign-key -n flux-system --from-file=cosign.pub" in raised.value.explain()
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cosign-key", "namespace": "flux-system"}}
    await world.store.create(obj | {"data": {"cosign.pub": "no key"}}, manager="test")
    with pytest.raises(
        InvalidInput, match=r"cosign\.pub of the ConfigMap flux-system/cosign-key: the public key is not one"
    ):
        await world.reconcile()
