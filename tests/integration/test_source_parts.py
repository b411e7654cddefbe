"""`spec.sparseCheckout` and `spec.include`: an artifact that is a part of a repository, or has parts of others."""

import pytest
from tests.integration.source_world import GROUP, KIND, Remote, SourceWorld, condition

pytestmark = pytest.mark.integration


@pytest.fixture
def world(tmp_path):
    found = SourceWorld(tmp_path)
    yield found
    found.close()


@pytest.fixture
def remote(tmp_path):
    found = Remote(tmp_path / "remote")
    found.commit(
        {"apps/a.yaml": "1", "apps/b/b.yaml": "2", "apps-old/c.yaml": "3", "charts/d.yaml": "4", "e.yaml": "5"}
    )
    return found


@pytest.fixture
def other(tmp_path):
    found = Remote(tmp_path / "other")
    found.commit({"deploy/x.yaml": "x", "deploy/y/y.yaml": "y", "notes.md": "n", "pic.png": "p"})
    return found


@pytest.mark.parametrize(
    ("folders", "kept"),
    [
        (["apps"], ["apps/a.yaml", "apps/b/b.yaml"]),
        (["./apps/b/", "charts"], ["apps/b/b.yaml", "charts/d.yaml"]),
        (["apps", "apps/b"], ["apps/a.yaml", "apps/b/b.yaml"]),
        (["."], ["apps-old/c.yaml", "apps/a.yaml", "apps/b/b.yaml", "charts/d.yaml", "e.yaml"]),
    ],
)
async def test_only_some_folders(world, remote, folders, kept):
    key = await world.source(remote.url, sparseCheckout=folders)
    status = await world.reconcile(key)
    assert list(await world.files(key)) == kept
    assert status["observedSparseCheckout"] == folders


async def test_a_folder_that_is_not_there_is_named_and_the_artifact_stays(world, remote):
    before = await world.reconcile(await world.source(remote.url))
    status = await world.reconcile(await world.source(remote.url, sparseCheckout=["apps", "nothing"]))
    said = "failed to sparse checkout directories: sparse checkout dir 'nothing' does not exist in repository"
    assert condition(status, "Ready") == ("False", "GitOperationFailed", said)
    assert status["artifact"] == before["artifact"]


async def test_other_folders_are_another_artifact(world, remote):
    one = await world.reconcile(await world.source(remote.url, sparseCheckout=["apps"]))
    two = await world.reconcile(await world.source(remote.url, sparseCheckout=["charts"]))
    three = await world.reconcile(await world.source(remote.url))
    assert len({status["artifact"]["digest"] for status in (one, two, three)}) == 3
    assert "observedSparseCheckout" not in three


def included(*ways):
    return [{"repository": {"name": "other"}, **way} for way in ways]


async def test_anothers_artifact_is_laid_in(world, remote, other):
    """As it is there: without what the other source leaves out, and what this one does."""
    first = await world.reconcile(await world.source(other.url, "other"))
    include = included({}, {"fromPath": "deploy", "toPath": "base/app"}, {"fromPath": "./notes.md", "toPath": "N.md"})
    key = await world.source(remote.url, include=include, sparseCheckout=["charts"], ignore="y.yaml\n")
    status = await world.reconcile(key)
    assert await world.files(key) == {
        "charts/d.yaml": "4", "other/deploy/x.yaml": "x", "other/notes.md": "n", "base/app/x.yaml": "x", "N.md": "n",
    }  # fmt: skip
    assert status["observedInclude"] == include
    assert status["includedArtifacts"] == [first["artifact"]] * 3
    world.restart(disk="another")
    assert "base/app/x.yaml" in await world.files(key)


async def test_what_is_new_there_is_new_here(world, remote, other):
    await world.reconcile(await world.source(other.url, "other"))
    key = await world.source(remote.url, include=included({}))
    before = await world.reconcile(key)
    other.commit({"deploy/x.yaml": "new"})
    old = await world.files(key)
    await world.reconcile(await world.source(other.url, "other"))
    assert await world.files(key) == old  # until it is reconciled, which the other's new artifact asks for
    wakes = world.controller.triggers[1]
    sources = (await world.store.list(GROUP, KIND)).items
    changed = next(obj for obj in sources if obj["metadata"]["name"] == "other")
    assert list(wakes.wakes(changed, sources)) == [key]
    after = await world.reconcile(key)
    assert (await world.files(key))["other/deploy/x.yaml"] == "new"
    assert after["artifact"]["revision"] == before["artifact"]["revision"]
    assert after["artifact"]["digest"] != before["artifact"]["digest"]


async def test_what_is_not_there_yet_is_waited_for(world, remote, other):
    key = await world.source(remote.url, include=included({}))
    said = condition(await world.reconcile(key), "IncludeUnavailable")
    assert said[:2] == ("True", "NotFound")
    assert said[2].startswith("could not get resource for include 'other': ")
    there = await world.source(other.url, "other")
    said = condition(await world.reconcile(key), "IncludeUnavailable")
    assert said == ("True", "NoArtifact", "no artifact available for include 'other'")
    await world.reconcile(there)
    status = await world.reconcile(key)
    assert condition(status, "IncludeUnavailable") is None
    assert condition(status, "Ready")[0] == "True"


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ({"toPath": "apps"}, "there is something at 'apps' already"),
        ({"toPath": "e.yaml"}, "there is something at 'e.yaml' already"),
        ({"toPath": "e.yaml/below"}, "'e.yaml/below' would lie below a file"),
        ({"fromPath": "nothing"}, "there is nothing at 'nothing'"),
    ],
)
async def test_what_can_not_be_laid_in_is_named(world, remote, other, way, words):
    await world.reconcile(await world.source(other.url, "other"))
    status = await world.reconcile(await world.source(remote.url, include=included(way)))
    ready = condition(status, "Ready")
    assert ready[:2] == ("False", "CopyFailure")
    assert words in ready[2]
    assert "artifact" not in status


async def test_sources_that_include_each_other_do_not_turn_for_ever(world, remote, other):
    await world.source(other.url, "other", include=[{"repository": {"name": "cluster"}}])
    status = await world.reconcile(await world.source(remote.url, include=included({})))
    said = "spec.include leads back: cluster → other → cluster"
    assert condition(status, "Stalled") == ("True", "InvalidSpec", said)


async def test_the_artifact_that_was_read_a_moment_ago_is_still_there(world, remote):
    """Whoever renders has read the status just before the source was reconciled again."""
    before = (await world.reconcile(key := await world.source(remote.url, sparseCheckout=["apps"])))["artifact"]
    await world.reconcile(await world.source(remote.url, sparseCheckout=["charts"]))
    with await world.trees.open(key, before["revision"], before["digest"]) as files:
        assert list(files.paths()) == ["apps/a.yaml", "apps/b/b.yaml"]
