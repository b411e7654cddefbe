"""`spec.ignore` and `.sourceignore` on real repositories: what is rendered from, and what stays to be seen."""

import random
import subprocess

import pytest
from tests.integration.source_world import Remote, SourceWorld

from tidegate.base.errors import NotFound
from tidegate.deploy.render import Wish, render
from tidegate.source.ignoring import Ignoring
from tidegate.source.trees import FetchedTrees, LocalTrees

pytestmark = pytest.mark.integration
FILES = {
    "deploy/app.yaml": "a", "deploy/notes.md": "b", "deploy/logo.png": "c", "notes.md": "d",
    ".github/workflows/ci.yaml": "on: push\n", ".gitignore": "x",
}  # fmt: skip


@pytest.fixture
def world(tmp_path):
    found = SourceWorld(tmp_path)
    yield found
    found.close()


@pytest.fixture
def remote(tmp_path):
    return Remote(tmp_path / "remote")


async def test_the_artifact_has_what_flux_would_pack(world, remote):
    remote.commit(FILES)
    key = await world.source(remote.url)
    status = await world.reconcile(key)
    assert sorted(await world.files(key)) == ["deploy/app.yaml", "deploy/notes.md", "notes.md"]
    assert "observedIgnore" not in status
    assert status["artifact"]["digest"].startswith("sha256:")


async def test_other_patterns_are_another_artifact_of_the_same_revision(world, remote):
    """Flux's revision stays and its digest does not, which is what wakes a Kustomization."""
    remote.commit(FILES)
    before = await world.reconcile(await world.source(remote.url))
    key = await world.source(remote.url, ignore="/*\n!/deploy\n*.md\n")
    await world.clock.advance(60)
    after = await world.reconcile(key)
    assert sorted(await world.files(key)) == ["deploy/app.yaml", "deploy/logo.png"]
    assert after["observedIgnore"] == "/*\n!/deploy\n*.md\n"
    assert after["artifact"]["revision"] == before["artifact"]["revision"]
    assert after["artifact"]["digest"] != before["artifact"]["digest"]
    assert after["artifact"]["lastUpdateTime"] > before["artifact"]["lastUpdateTime"]
    again = await world.reconcile(await world.source(remote.url))
    assert again["artifact"]["digest"] == before["artifact"]["digest"]
    assert "observedIgnore" not in again


async def test_files_in_the_repository_say_what_is_left_out(world, remote):
    remote.commit({**FILES, ".sourceignore": "*.md\n", "deploy/.sourceignore": "!notes.md\nlogo.*\n"})
    key = await world.source(remote.url)
    await world.reconcile(key)
    assert sorted(await world.files(key)) == [
        ".github/workflows/ci.yaml", ".sourceignore", "deploy/.sourceignore", "deploy/app.yaml", "deploy/notes.md",
    ]  # fmt: skip


async def test_what_is_left_out_looks_as_if_it_were_not_there(world, remote):
    remote.commit({"deploy/kustomization.yaml": "resources: [a.yaml]\n", "deploy/a.yaml": "{}", "docs/x.md": "x"})
    key = await world.source(remote.url, ignore="a.yaml\ndocs/\n")
    revision = (await world.reconcile(key))["artifact"]["revision"]
    with await world.trees.open(key, revision) as files:
        assert files.is_dir("deploy")
        assert not files.is_dir("docs")
        assert not files.is_file("deploy/a.yaml")
        with pytest.raises(NotFound, match=r"spec.ignore or a .sourceignore leaves it out"):
            files.read("deploy/a.yaml")
        with pytest.raises(NotFound):
            render(files, Wish("deploy"))


async def test_workflows_and_marked_files_stay_to_be_seen(world, remote):
    """A Runner and an automation read the repository: Flux's automation honours no patterns either."""
    commit = remote.commit(FILES)
    key = await world.source(remote.url, ignore="/*\n")
    await world.reconcile(key)
    assert await world.files(key) == {}
    repository, head = await world.origins.read(remote.url, "refs/heads/main")
    assert head == commit
    with repository.files(head) as files:
        assert ".github/workflows/ci.yaml" in files.paths()


async def test_another_process_leaves_out_the_same(world, remote):
    remote.commit(FILES)
    key = await world.source(remote.url, ignore="*.md")
    await world.reconcile(key)
    here = await world.files(key)
    world.restart()
    assert await world.files(key) == here
    world.restart(disk="another")
    assert await world.files(key) == here


async def test_a_process_apart_follows_other_patterns(world, remote):
    """It has the commit already, so only the digest tells that what it is made from is another."""
    remote.commit(FILES)
    key = await world.source(remote.url)
    before = (await world.reconcile(key))["artifact"]
    apart, controller = FetchedTrees(LocalTrees(world.folder / "apart.json"), world.origins, world.store), world.trees
    with await apart.open(key, before["revision"], before["digest"]) as files:
        assert files.is_file("notes.md")
    after = (await world.reconcile(await world.source(remote.url, ignore="*.md")))["artifact"]
    for trees in (apart, controller):
        with await trees.open(key, after["revision"], after["digest"]) as files:
            assert not files.is_file("notes.md")
            assert files.is_dir("deploy")


async def test_a_link_is_no_sourceignore(world, remote):
    """It could lead out of the repository, and its content would be a path."""
    (remote.folder / ".sourceignore").symlink_to("deploy/app.yaml")
    remote.commit(FILES)
    key = await world.source(remote.url)
    await world.reconcile(key)
    assert "deploy/logo.png" not in await world.files(key)


# ASCII alone: to git `?` is one byte, to Flux one character.
NAMES = ("a", "b", "ab", "a.md", "b.yaml", "deploy", "x.jpg", "a b", "#a", "-", "[a]", "a*")
BITS = ("a", "b", "*", "?", "[ab]", "[^a]", "[a-c]", "\\a", "\\*", "deploy", "*.md", "a*", "*b", "x.jpg", "a b", "-")


FOLDERS = ("", "a", "a/b", "deploy")


def random_pattern(chance):
    """One that git and Flux read alike: see source/patterns.py for the others."""
    parts = ["".join(chance.choices(BITS, k=chance.choice((1, 1, 2)))) for _ in range(chance.choice((1, 1, 2, 3)))]
    parts = [part.replace("**", "*") for part in parts]
    if chance.random() < 0.2:
        parts = ["**", parts[0]]
    return chance.choice(("", "/")) + "/".join(parts) + chance.choice(("", "/")) + chance.choice(("", " "))


def random_path(chance):
    return "/".join(chance.choices(NAMES, k=chance.randint(1, 4)))


def left_out_by_git(folder, files, paths):
    for name, text in files.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / ".gitignore").write_text(text)
    asked = subprocess.run(
        ["git", "check-ignore", "--no-index", "-z", "--stdin"], cwd=folder, input="\0".join(paths).encode(),
        capture_output=True, check=False, timeout=60, env={"PATH": "/usr/bin:/bin", "GIT_CONFIG_GLOBAL": "/dev/null"},
    )  # fmt: skip
    assert asked.returncode in (0, 1), asked.stderr
    return set(filter(None, asked.stdout.decode().split("\0")))


@pytest.mark.parametrize("seed", range(40))
def test_git_leaves_out_the_same_where_nothing_is_taken_in_again(tmp_path, seed):
    chance = random.Random(seed)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True, timeout=60)
    folders = chance.sample(FOLDERS, 2)
    files = {name: "\n".join(random_pattern(chance) for _ in range(4)) + "\n" for name in folders}
    paths = sorted({random_path(chance) for _ in range(150)} - {*FOLDERS})
    ignoring = Ignoring(files)
    judged = left_out_by_git(tmp_path, files, paths)
    assert {path for path in paths if ignoring.leaves_out(path)} == judged, files
