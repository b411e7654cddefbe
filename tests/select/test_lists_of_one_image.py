"""Two ImageRepositories of one image with other exclusion lists, or other ways to it: each policy selects from its own
list.
"""

import pytest
from tests.select.registry import Registry

from tidegate.engine.events import EventRecorder
from tidegate.engine.file_tags import FileTags
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Context
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.image_repository import DEFAULT_EXCLUSIONS, ImageRepository, tags_name
from tidegate.kinds.objects import key_of
from tidegate.scan.controller import ImageRepositoryController
from tidegate.select.controller import ImagePolicyController

API = "image.toolkit.fluxcd.io/v1"


class Tagged(Registry):
    async def tags(self, repository):
        if self.access.insecure:
            return ["1.0.0", "9.9.9"]
        return ["1.0.0", "1.1.0", "2.0.0-rc.1"]


@pytest.fixture
async def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.store.close()


class World:
    def __init__(self, folder):
        clock = ManualClock()
        self.store = SqliteStore(folder / "store.db", clock)
        tags = FileTags(folder / "tags")
        self.context = Context(self.store, clock, EventRecorder(self.store, clock, "image-reflector-controller"))
        self.scanner, self.selector = ImageRepositoryController(Tagged(), tags), ImagePolicyController(tags, Tagged())

    async def scan(self, name, **spec):
        spec |= {"image": "ghcr.io/me/web", "interval": "1m"}
        metadata = {"name": name, "namespace": "apps"}
        obj = {"apiVersion": API, "kind": "ImageRepository", "metadata": metadata, "spec": spec}
        obj = (await self.store.apply(obj, manager="test", force=True)).object
        outcome = await self.scanner.reconcile(obj, self.context)
        await self.store.patch_status(key_of(obj), dict(outcome.status), manager="test")

    async def selected(self, name):
        metadata = {"name": name, "namespace": "apps"}
        spec = {"imageRepositoryRef": {"name": name}, "policy": {"semver": {"range": ">=1.0.0-0"}}}
        obj = {"apiVersion": API, "kind": "ImagePolicy", "metadata": metadata, "spec": spec}
        return (await self.selector.reconcile(obj, self.context)).status["latestRef"]["tag"]


@pytest.mark.parametrize("order", [("all", "releases"), ("releases", "all")])
async def test_each_policy_selects_from_the_list_of_its_own(world, order):
    for name in order:
        await world.scan(name, **({"exclusionList": ["-rc"]} if name == "releases" else {}))
    assert (await world.selected("all"), await world.selected("releases")) == ("2.0.0-rc.1", "1.1.0")


@pytest.mark.parametrize("order", [("ours", "theirs", "ours"), ("theirs", "ours", "theirs")])
async def test_what_another_is_told_in_the_registrys_name_is_selected_by_its_own_policies_alone(world, order):
    for name in order:
        await world.scan(name, **({"insecure": True} if name == "theirs" else {}))
    assert (await world.selected("ours"), await world.selected("theirs")) == ("2.0.0-rc.1", "9.9.9")


@pytest.mark.parametrize(
    "own",
    [
        {"insecure": True},
        {"secretRef": {"name": "login"}},
        {"certSecretRef": {"name": "ca"}},
        {"proxySecretRef": {"name": "proxy"}},
        {"serviceAccountName": "puller"},
    ],
)
def test_who_asks_the_registry_in_a_way_of_its_own_has_a_list_of_its_own(own):
    def name(of, **spec):
        spec |= {"image": "ghcr.io/me/web", "interval": "1m"}
        obj = {
            "apiVersion": API,
            "kind": "ImageRepository",
            "metadata": {"name": of, "namespace": "apps"},
            "spec": spec,
        }
        return tags_name("ghcr.io/me/web", ["-rc"], ImageRepository.from_object(obj).view)

    assert name("a") == name("b") == tags_name("ghcr.io/me/web", ["-rc"])
    assert len({name("a"), name("a", **own), name("b", **own)}) == 3


def test_the_default_list_and_none_are_kept_by_the_images_own_name():
    assert tags_name("ghcr.io/me/web", DEFAULT_EXCLUSIONS) == tags_name("ghcr.io/me/web", []) == "ghcr.io/me/web"
    assert tags_name("ghcr.io/me/web", ["-rc"]) != tags_name("ghcr.io/me/web", ["-rc", "b"])
