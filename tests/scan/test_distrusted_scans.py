"""An answer that looks like a registry's fault keeps the last good result until it is believed."""

import pytest

from tidegate.base.errors import Unavailable
from tidegate.engine.outcome import Ready, Waiting
from tidegate.engine.ports import TagsLost
from tidegate.engine.status import status_patch
from tidegate.kinds.accepting import ACCEPT
from tidegate.kinds.objects import key_of
from tidegate.scan.policies import has_lost_tags, scanned_by

FULL = [f"1.0.{number}" for number in range(9)]
IMAGE = "ghcr.io/me/web"
COMMAND = "tidegate reconcile imagerepository web -n flux-system --accept"


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([], "has no tags any more, though it had 9"),
        (FULL[:4], "has only 4 tags, though it had 9: more than half of them are gone"),
        (["9.9.9"], "has only 1 tag, though it had 9"),
    ],
)
async def test_what_is_seen_is_said_and_what_was_seen_is_kept(world, found, says):
    await world.create()
    await world.scan(*FULL)
    before = (await world.status())["lastScanResult"]
    outcome = await world.scan(*found)
    assert isinstance(outcome, Waiting)
    assert outcome.requeue_after == 60
    ready, status = await world.condition(), await world.status()
    assert (ready["status"], ready["reason"]) == ("False", "ScanDistrusted")
    assert ready["message"].startswith(f"{IMAGE} {says}")
    assert "The last good result is kept." in ready["message"]
    assert "(1 so far)" in ready["message"]
    assert COMMAND in ready["message"]
    assert status["lastScanResult"] == before
    assert await world.kept.get(IMAGE) == FULL
    assert await world.events() == ["ScanDistrusted"]


async def test_three_scans_that_agree_are_believed_even_across_restarts(world):
    await world.create()
    await world.scan(*FULL)
    await world.scan("1.0.0")
    world.restart()
    await world.scan("1.0.0")
    assert (await world.status())["distrustedScanResult"]["scans"] == 2
    world.restart()
    assert isinstance(await world.scan("1.0.0"), Ready)
    status = await world.status()
    assert status["lastScanResult"]["tagCount"] == 1
    assert "distrustedScanResult" not in status
    assert await world.kept.get(IMAGE) == ["1.0.0"]


async def test_three_scans_that_agree_are_believed_where_the_status_can_not_count_them(world):
    """As with Flux's own definitions, whose API server drops the field."""
    await world.create()
    await world.scan(*FULL)
    for _ in range(2):
        assert isinstance(await world.scan("1.0.0"), Waiting)
        await world.forget("distrustedScanResult")
    assert isinstance(await world.scan("1.0.0"), Ready)
    await world.scan(*FULL)
    assert isinstance(await world.scan("1.0.0"), Waiting)


async def test_scans_that_disagree_are_not_believed(world):
    await world.create()
    await world.scan(*FULL)
    for found in ([], FULL[:1], [], FULL[:2], [], FULL[:3]):
        assert isinstance(await world.scan(*found), Waiting)
    assert await world.kept.get(IMAGE) == FULL


async def test_a_burst_of_scans_is_no_agreement(world):
    await world.create()
    await world.scan(*FULL)
    for _ in range(10):
        assert isinstance(await world.scan(after=1), Waiting)
    assert await world.kept.get(IMAGE) == FULL


async def test_a_good_answer_ends_the_doubt(world):
    await world.create()
    await world.scan(*FULL)
    await world.scan()
    await world.scan()
    assert isinstance(await world.scan(*FULL), Ready)
    assert "distrustedScanResult" not in await world.status()
    assert isinstance(await world.scan(), Waiting)
    assert isinstance(await world.scan(), Waiting)


async def test_what_is_accepted_is_believed_once(world):
    await world.create()
    await world.scan(*FULL)
    await world.scan()
    await world.annotate(**{ACCEPT: world.clock.now().isoformat()})
    assert isinstance(await world.scan(), Ready)
    assert (await world.status())["lastScanResult"]["tagCount"] == 0
    await world.scan(*FULL)
    assert isinstance(await world.scan(), Waiting)
    assert await world.kept.get(IMAGE) == FULL


async def test_an_acceptance_that_is_no_moment_is_told_where_it_is_looked_for(world):
    await world.create()
    await world.scan(*FULL)
    await world.annotate(**{ACCEPT: "true"})
    assert isinstance(await world.scan(), Waiting)
    assert "tidegate.dev/accept accepts nothing: 'true' is no moment" in (await world.condition())["message"]


async def test_an_acceptance_counts_once_where_its_status_field_is_not_kept(world):
    await world.create()
    await world.scan(*FULL)
    await world.annotate(**{ACCEPT: world.clock.now().isoformat()})
    assert isinstance(await world.scan("1.0.0"), Ready)
    await world.scan(*FULL)
    await world.forget("lastHandledAcceptAt")
    assert isinstance(await world.scan(), Waiting)


async def test_a_selected_tag_that_alone_is_gone_leads_to_no_downgrade(world):
    await world.create()
    await world.scan(*FULL)
    await world.selected("1.0.8")
    assert isinstance(await world.scan(*FULL[:-1]), Waiting)
    assert f"{IMAGE} has no longer 1.0.8, which is selected, and nothing new" in (await world.condition())["message"]
    assert await world.kept.get(IMAGE) == FULL


async def test_other_tags_may_go(world):
    await world.create()
    await world.scan(*FULL)
    await world.selected("1.0.8")
    await world.selected("1.0.0", name="of-another-image", image="ghcr.io/me/other")
    await world.selected("1.0.0", name="of-another-repository", repository="other")
    assert isinstance(await world.scan(*FULL[4:]), Ready)
    assert await world.events() == []


async def test_a_selected_tag_that_is_gone_with_newer_ones_come_is_told(world):
    await world.create()
    await world.scan(*FULL)
    await world.selected("1.0.8")
    assert isinstance(await world.scan(*FULL[:-1], "1.0.9"), Ready)
    assert "SelectedTagGone" in await world.events()


async def test_another_image_or_a_stricter_exclusion_list_is_no_fault_of_the_registry(world):
    await world.create()
    await world.scan(*FULL, *(f"dev-{number}" for number in range(99)))
    await world.spec(exclusionList=["^dev-"])
    assert isinstance(await world.scan(*FULL, *(f"dev-{number}" for number in range(99))), Ready)
    await world.spec(image="ghcr.io/me/other")
    assert isinstance(await world.scan("0.1"), Ready)


async def test_a_stricter_exclusion_list_hides_no_fault(world):
    await world.create()
    await world.scan(*FULL, "dev-1")
    await world.spec(exclusionList=["^dev-"])
    assert isinstance(await world.scan(FULL[0]), Waiting)


async def test_without_the_tags_on_disk_their_number_is_enough_to_doubt(world):
    await world.create()
    await world.scan(*FULL)
    await world.kept.delete(IMAGE)
    assert isinstance(await world.scan(), Waiting)
    assert isinstance(await world.scan(FULL[0]), Waiting)
    assert isinstance(await world.scan(*FULL), Ready)
    assert await world.kept.get(IMAGE) == FULL


async def test_an_error_of_the_registry_is_no_answer(world):
    await world.create()
    await world.scan(*FULL)
    await world.scan()
    world.error = Unavailable("the registry ghcr.io repeats its pages of tags")
    for _ in range(3):
        with pytest.raises(Unavailable):
            await world.scan()
    world.error = None
    assert (await world.status())["distrustedScanResult"]["scans"] == 1
    assert await world.kept.get(IMAGE) == FULL


async def test_a_policy_without_its_tags_on_disk_has_them_scanned(world):
    await world.create()
    await world.selected("1.0.8")
    [policy] = (await world.store.list("image.toolkit.fluxcd.io", "ImagePolicy")).items
    lost = Waiting("no tags are stored", reason=TagsLost.code)
    waiting = policy | {"status": status_patch(policy, lost, "2026-01-15T12:00:00Z")}
    repositories = (await world.store.list("image.toolkit.fluxcd.io", "ImageRepository")).items
    assert not has_lost_tags(policy)
    assert has_lost_tags(waiting)
    assert scanned_by(waiting, repositories) == [key_of(repositories[0])]
    assert scanned_by(policy, repositories) == []
