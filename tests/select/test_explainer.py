"""Explaining a policy of a store: what was scanned, what the registry has now, and what the objects say."""

import pytest
from tests.select.policy_world import IMAGE, PolicyWorld

from tidegate.base.errors import NotFound, Unavailable
from tidegate.engine.events import EventRecorder
from tidegate.engine.outcome import Context
from tidegate.kinds.objects import ObjectKey
from tidegate.select.explainer import Explainer

REPOSITORY = ObjectKey("image.toolkit.fluxcd.io", "ImageRepository", "flux-system", "web")


class Listing:
    """A registry with these tags, or that raises."""

    def __init__(self, *tags, error=None):
        self.found, self.error = tags, error

    def using(self, access):
        return self

    async def tags(self, repository):
        if self.error is not None:
            raise self.error
        return list(self.found)


@pytest.fixture
async def world(tmp_path):
    found = PolicyWorld(tmp_path)
    await found.selecting()
    yield found
    found.store.close()


async def explain(world, listing, asked=(), name="web"):
    context = Context(world.store, world.clock, EventRecorder(world.store, world.clock, "test"))
    return await Explainer(world.controller, context, listing).explain("flux-system", name, asked)


async def test_what_is_excluded_and_what_is_not_scanned_yet_are_told(world):
    await world.scanned("1.0.0")
    await world.reconcile()
    made = await explain(world, Listing("1.0.0", "1.0.0.sig", "1.0.1"), ["1.0.1"])
    assert made.image == IMAGE
    assert made.summary() == "3 tags: 1 excluded, 1 not scanned yet, 1 candidate"
    assert made.asked == [("1.0.1", "in the registry, but not scanned yet")]
    assert made.advice[0] == "the next scan brings 1.0.1, which would be selected"
    assert (made.present, made.previous) == (f"{IMAGE}:1.0.0", None)


async def test_nothing_is_written(world):
    await world.scanned("1.0.0")
    before = await world.store.get(world.policy)
    assert (await explain(world, Listing("1.0.0"))).selected == "1.0.0"
    assert await world.store.get(world.policy) == before


async def test_a_registry_that_is_down_is_a_note(world):
    await world.scanned("1.0.0")
    made = await explain(world, Listing(error=Unavailable("the registry is down")))
    assert made.selected == "1.0.0"
    assert made.notes == ["the registry can't be asked now, so only the last scan counts: the registry is down"]


async def test_what_automations_wait_for_or_leave_alone_is_noted(world):
    await world.scanned("1.0.0")
    automation = ObjectKey("image.toolkit.fluxcd.io", "ImageUpdateAutomation", "apps", "auto")
    metadata = {"name": automation.name, "namespace": automation.namespace}
    api_version = f"{automation.group}/v1"
    await world.store.create({"apiVersion": api_version, "kind": automation.kind, "metadata": metadata}, manager="test")
    pending = "2 changes wait until noon\na.yaml:1: a -> b, of flux-system:web\na.yaml:2: a -> b, of flux-system:web2"
    conditions = [
        {"type": "Ready", "status": "True", "message": "x\ny, of flux-system:web"},
        {"type": "Pending", "status": "True", "message": pending},
    ]
    await world.store.patch_status(automation, {"conditions": conditions}, manager="test")
    made = await explain(world, Listing("1.0.0"))
    told = f"{automation}: 2 changes wait until noon: a.yaml:1: a -> b, of flux-system:web"
    assert [note for note in made.notes if "auto" in note] == [told]


async def test_what_the_objects_say_is_noted(world):
    await world.scanned("1.0.0")
    await world.reconcile()
    await world.scanned("1.0.0", "1.1.0", suspend=True)
    scan = {"scanTime": "2026-01-01T00:00:00Z", "revision": "1"}
    ready = [{"type": "Ready", "status": "False", "message": "the registry answered oddly"}]
    await world.store.patch_status(REPOSITORY, {"lastScanResult": scan, "conditions": ready}, manager="test")
    made = await explain(world, Listing("1.1.0"))
    assert made.notes == [
        "ImageRepository/flux-system/web is suspended: tidegate resume imagerepository web -n flux-system",
        "ImageRepository/flux-system/web is not ready: the registry answered oddly",
        "the last scan was at 2026-01-01T00:00:00Z, and is repeated every 1m",
        "the status still says 1.0.0: it is written with the next reconciliation",
        "scanned, but not in the registry any more: 1.0.0",
    ]


async def test_why_there_is_no_decision_is_the_answer(world):
    made = await explain(world, Listing())
    assert made.problem.startswith("failed to get the referred ImageRepository")
    assert made.notes == ["its tags come from ImageRepository flux-system/web"]
    await world.scanned("1.0.0", "x")
    await world.selecting(policy={"numerical": {}})
    made = await explain(world, Listing("1.0.0"))
    assert made.problem == (
        "the tag 'x' is no number\nlet filterTags leave out such tags, or extract the number from them"
    )
    await world.selecting(policy={"semver": {"range": "!"}})
    made = await explain(world, Listing("1.0.0"))
    assert made.problem == "spec.policy.semver.range: the range '!' is no comparison of versions"


async def test_a_pin_is_told_with_what_the_policy_says_itself(world):
    await world.scanned("1.0.0", "1.1.0")
    pin = {"metadata": {"annotations": {"tidegate.dev/pin": "1.0.0"}}}
    await world.store.patch(world.policy, pin, manager="test")
    made = await explain(world, Listing("1.0.0", "1.1.0"))
    assert (made.selected, made.because) == ("1.0.0", "pinned by tidegate.dev/pin")
    assert made.losers == [("1.1.0", "passed over: pinned by tidegate.dev/pin")]
    assert made.advice[0] == "without that (pinned by tidegate.dev/pin), 1.1.0 would be selected"
    assert made.notes[0] == "to let it go: kubectl annotate imagepolicy web -n flux-system tidegate.dev/pin-"


async def test_what_keeps_a_tag_from_going_down_is_told_with_the_command_that_lets_it(world):
    await world.scanned("1.0.0", "1.1.0")
    await world.reconcile()
    await world.scanned("1.0.0")
    made = await explain(world, Listing("1.0.0"))
    assert made.selected == "1.1.0"
    assert made.notes[0] == "to take the lower tag: tidegate reconcile imagepolicy web -n flux-system --accept"


@pytest.mark.parametrize("kind", ["Expecting", "RateLimited"])
async def test_that_scans_come_sooner_or_later_than_the_interval_is_noted(world, kind):
    await world.scanned("1.0.0")
    told = [{"type": kind, "status": "True", "message": "until 2026-01-15T12:15:00Z"}]
    await world.store.patch_status(REPOSITORY, {"conditions": told}, manager="test")
    assert "until 2026-01-15T12:15:00Z" in (await explain(world, Listing("1.0.0"))).notes


async def test_the_command_is_not_sent_to_itself(world):
    await world.scanned("x")
    with pytest.raises(NotFound) as caught:
        await world.reconcile()
    ready = [{"type": "Ready", "status": "False", "message": caught.value.explain()}]
    await world.store.patch_status(world.policy, {"conditions": ready}, manager="test")
    notes = (await explain(world, Listing("x"))).notes
    assert notes[0].startswith(
        "ImagePolicy/flux-system/web is not ready: unable to determine latest version from 1 tag"
    )
    assert "tidegate why" not in notes[0]


async def test_one_that_is_denied_says_so(world):
    await world.scanned("1.0.0")
    await world.selecting(namespace="apps", reference={"name": "web", "namespace": "flux-system"})
    context = Context(world.store, world.clock, EventRecorder(world.store, world.clock, "test"))
    made = await Explainer(world.controller, context, Listing("1.0.0")).explain("apps", "web")
    assert made.problem.startswith("AccessDenied: failed to get the referred ImageRepository: access denied: ")


async def test_a_policy_that_is_not_there_is_not_found(world):
    with pytest.raises(NotFound):
        await explain(world, Listing(), name="other")
