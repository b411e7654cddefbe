"""Markers that name ImagePolicies of other namespaces, which may be written where the policy allows it."""

import pytest
from tests.integration.git_host import hosting
from tests.integration.update_world import AUTOMATION, IMAGE, UpdateWorld, marked

from tidegate.kinds.allowing import ALLOW_FROM
from tidegate.kinds.objects import ObjectKey

pytestmark = pytest.mark.integration
MANIFEST = marked("near", "1.0.0") + marked("far", "1.0.0", namespace="shared")
FAR = ObjectKey(IMAGE, "ImagePolicy", "shared", "far")
REFUSED = (
    "web.yaml:2: the marker names shared:far, and no ImagePolicy of that name lets namespace flux-system use it: "
    'annotate it with tidegate.dev/allow-from: "flux-system"'
)


@pytest.fixture
async def world(tmp_path):
    with hosting(tmp_path) as host:
        made = UpdateWorld(host, tmp_path)
        await made.make({"web.yaml": MANIFEST})
        await made.select("near", "1.1.0")
        yield made
        made.store.close()


async def allow(world, value):
    await world.store.patch(FAR, {"metadata": {"annotations": {ALLOW_FROM: value}}}, manager="test")


def tags(world):
    return [line.split(" #")[0].rpartition(":")[2] for line in world.show("web.yaml").splitlines()]


async def test_one_that_allows_it_is_written_in_the_same_commit_and_seen_by_its_whole_name(world):
    await world.select("far", "2.0.0", "shared", annotations={ALLOW_FROM: "apps, flux-system"})
    await world.reconcile()
    assert (tags(world), world.commits()) == (["1.1.0", "2.0.0"], ["Gate", "Somebody"])
    status = (await world.store.get(AUTOMATION))["status"]
    assert {name: seen["tag"] for name, seen in status["observedPolicies"].items()} == {
        "near": "1.1.0",
        "shared/far": "2.0.0",
    }
    outcome = await world.reconcile()
    assert outcome.message == "repository up-to-date"


async def test_without_leave_it_is_told_as_if_there_were_none_and_the_rest_is_written(world):
    outcome = await world.reconcile()
    assert REFUSED in outcome.message
    before = outcome.message.partition("web.yaml:2")[2]
    await world.select("far", "2.0.0", "shared", annotations={ALLOW_FROM: "apps"})
    outcome = await world.reconcile()
    assert outcome.message.partition("web.yaml:2")[2] == before
    assert tags(world) == ["1.1.0", "1.0.0"]
    await allow(world, "*")
    await world.reconcile()
    assert tags(world) == ["1.1.0", "2.0.0"]
    await allow(world, None)
    await world.select("far", "2.1.0", "shared")
    assert REFUSED in (await world.reconcile()).message
    assert tags(world) == ["1.1.0", "2.0.0"]


async def test_its_change_wakes_those_whose_markers_name_it(world):
    trigger = next(one for one in world.updates.triggers if one.kind == "ImagePolicy")
    await world.select("far", "2.0.0", "shared")
    automation, far = await world.store.get(AUTOMATION), await world.store.get(FAR)
    assert trigger.wakes(far, [automation]) == []
    await world.reconcile()
    assert trigger.wakes(far, [automation]) == [AUTOMATION]
    before = trigger.relevant(far)
    await allow(world, "flux-system")
    assert trigger.relevant(await world.store.get(FAR)) != before


async def test_one_that_says_nonsense_of_a_rollback_keeps_nobody_s_update_back(world):
    back = '{"from": "registry.test/far:2.0.0", "to": "registry.test/far:no tag", "commit": "x", "cause": "y"}'
    marks = {ALLOW_FROM: "*", "tidegate.dev/rolled-back": back}
    await world.select("far", "2.0.0", "shared", annotations=marks)
    await world.reconcile()
    assert tags(world)[0] == "1.1.0"
