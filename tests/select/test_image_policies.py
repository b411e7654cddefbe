"""The ImagePolicy controller with a filter, over a real store and real tag files."""

import pytest
from tests.select.registry import Registry

from tidegate.base.errors import NotFound
from tidegate.engine.events import EventRecorder
from tidegate.engine.file_tags import FileTags
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Context, Ready, Stalled
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.objects import key_of
from tidegate.select.controller import ImagePolicyController

REPOSITORY = {
    "apiVersion": "image.toolkit.fluxcd.io/v1",
    "kind": "ImageRepository",
    "metadata": {"name": "web", "namespace": "flux-system"},
    "spec": {"image": "example.org/web", "interval": "1m"},
}


class World:
    def __init__(self, root):
        clock = ManualClock()
        self.store = SqliteStore(root / "store.db", clock)
        self.tags = FileTags(root / "tags")
        self.context = Context(self.store, clock, EventRecorder(self.store, clock, "image-reflector-controller"))

    async def selecting(self, filter_tags, *tags, policy=None):
        await self.tags.put("example.org/web", tags)
        spec = {"imageRepositoryRef": {"name": "web"}, "policy": policy or {"numerical": {}}, "filterTags": filter_tags}
        obj = {
            "apiVersion": "image.toolkit.fluxcd.io/v1",
            "kind": "ImagePolicy",
            "metadata": {"name": "web", "namespace": "flux-system"},
            "spec": spec,
        }
        return await ImagePolicyController(self.tags, Registry()).reconcile(obj, self.context)


@pytest.fixture
async def world(tmp_path):
    world = World(tmp_path)
    await world.store.create(REPOSITORY, manager="test")
    await world.store.patch_status(key_of(REPOSITORY), {"canonicalImageName": "example.org/web"}, manager="test")
    yield world
    world.store.close()


async def test_the_filter_decides_what_is_ordered(world):
    filter_tags = {"pattern": "^main-[a-f0-9]+-(?P<ts>[0-9]+)$", "extract": "$ts"}
    outcome = await world.selecting(filter_tags, "latest", "main-aa-9", "main-bb-10")
    assert isinstance(outcome, Ready)
    assert outcome.status["latestRef"] == {"name": "example.org/web", "tag": "main-bb-10", "digest": None}


async def test_of_tags_that_extract_the_same_flux_takes_the_last_of_the_descending_order(world):
    outcome = await world.selecting({"pattern": "-([0-9]+)$", "extract": "$1"}, "a-1", "b-1", "c-1")
    assert isinstance(outcome, Ready)
    assert outcome.status["latestRef"]["tag"] == "a-1"


async def test_a_pattern_that_is_none_stalls_the_policy_until_it_changes(world):
    outcome = await world.selecting({"pattern": "^(?=v)"}, "v1")
    assert isinstance(outcome, Stalled)
    assert outcome.reason == "InvalidPolicy"
    assert "spec.filterTags.pattern: error parsing regexp: invalid or unsupported Perl syntax" in outcome.message


async def test_where_nothing_matches_the_error_counts_why(world):
    with pytest.raises(NotFound, match="from 2 tags: 2 do not match the filter") as caught:
        await world.selecting({"pattern": "^v"}, "latest", "main")
    assert caught.value.remedy == "see: tidegate why web -n flux-system"
    assert caught.value.code == "Failure"
