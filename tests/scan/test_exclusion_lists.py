"""exclusionList: which of a registry's tags are kept, by the rule and through the controller."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.engine.events import EventRecorder
from tidegate.engine.file_tags import FileTags
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Context, Ready, Stalled, Waiting
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.image_repository import DEFAULT_EXCLUSIONS
from tidegate.scan.controller import ImageRepositoryController
from tidegate.scan.exclusion import excluding, kept

DIGEST = "sha256-" + "0" * 64
TAGS = ["1.1.0", "1.0.0", f"{DIGEST}.sig", f"{DIGEST}.att", "a\n.sig", "sig"]


def test_by_default_signatures_are_left_out():
    assert kept(TAGS, DEFAULT_EXCLUSIONS) == ["1.0.0", "1.1.0", "a\n.sig", f"{DIGEST}.att", "sig"]


def test_the_users_list_replaces_the_default_and_is_not_anchored():
    assert kept(TAGS, (r"\.att$", "^1[.]1")) == ["1.0.0", "a\n.sig", f"{DIGEST}.sig", "sig"]


def test_a_pattern_that_is_none_is_named_by_its_place():
    with pytest.raises(InvalidInput) as caught:
        excluding(("ok", "a{1001}"))
    assert str(caught.value) == "spec.exclusionList[1]: error parsing regexp: invalid repeat count: `{1001}`"


class Registry:
    def __init__(self, *tags):
        self._tags = tags

    def using(self, access):
        return self

    async def tags(self, repository):
        return list(self._tags)


@pytest.fixture
def scan(tmp_path):
    clock = ManualClock()
    store = SqliteStore(tmp_path / "store.db", clock)
    context = Context(store, clock, EventRecorder(store, clock, "image-reflector-controller"))
    tags = FileTags(tmp_path / "tags")

    async def scanned(exclusions, *found):
        obj = {
            "apiVersion": "image.toolkit.fluxcd.io/v1",
            "kind": "ImageRepository",
            "metadata": {"name": "web", "namespace": "flux-system"},
            "spec": {
                "image": "example.org/web",
                "interval": "1m",
                **({"exclusionList": exclusions} if exclusions else {}),
            },
        }
        return await ImageRepositoryController(Registry(*found), tags).reconcile(obj, context)

    yield scanned
    store.close()


async def test_a_scan_keeps_what_is_not_excluded_and_says_by_which_list(scan):
    outcome = await scan(["^dev-", "-rc"], "1.0.0", "dev-1", "1.1.0-rc.1", "x.sig")
    assert isinstance(outcome, Ready)
    assert outcome.status["observedExclusionList"] == ["^dev-", "-rc"]
    assert outcome.status["lastScanResult"]["latestTags"] == ["x.sig", "1.0.0"]
    outcome = await scan(None, "1.0.0", "x.sig")
    assert outcome.status["observedExclusionList"] == [r"^.*\.sig$"]
    assert outcome.status["lastScanResult"]["tagCount"] == 1


async def test_a_list_that_excludes_every_tag_is_believed_and_an_empty_registry_is_not(world):
    await world.create()
    await world.scan("1.0.0")
    await world.spec(exclusionList=["."])
    await world.scan("1.0.0")
    assert (await world.status())["lastScanResult"]["tagCount"] == 0
    await world.spec(exclusionList=None)
    await world.scan("1.0.0")
    assert isinstance(await world.scan(), Waiting)


async def test_a_list_with_a_wrong_pattern_stalls_the_repository(scan):
    outcome = await scan(["("], "1.0.0")
    assert isinstance(outcome, Stalled)
    assert (outcome.reason, outcome.message) == (
        "InvalidExclusionList",
        "spec.exclusionList[0]: error parsing regexp: missing closing ): `(`",
    )
