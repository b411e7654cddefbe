"""What a pusher hears, over a real repository and store: of every ref at once, also where nothing runs."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.lint.repositories import WORKFLOW, files, workflow

from tidegate.app import push_lint
from tidegate.app.push_lint import PushLint
from tidegate.engine.clock import SystemClock
from tidegate.engine.events import EventRecorder
from tidegate.engine.outcome import Context
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.git.repository import Repository
from tidegate.kinds.objects import ObjectKey, annotation
from tidegate.runner.controller import RunnerController
from tidegate.runner.feed import RunFeed
from tidegate.serve.bootstrap import NAMESPACE, runner_name, source_object, sync_object
from tidegate.serve.git import HostedRepositories, Push, Update
from tidegate.serve.push_feed import PushFeed, Wiring, follows

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: apt-get install git"),
]
KEY = ObjectKey("tidegate.dev", "Runner", NAMESPACE, runner_name("acme", "shop"))
RUNNER = {
    "apiVersion": "tidegate.dev/v1alpha1",
    "kind": "Runner",
    "metadata": {"name": KEY.name, "namespace": KEY.namespace},
    "spec": {"repository": "acme/shop"},
}


class World:
    """A hosted repository with a Runner that looks at it after each push."""

    def __init__(self, folder: Path):
        clock = SystemClock()
        self.work, self.feed = folder / "work", RunFeed()
        self.hosted = HostedRepositories(folder / "git", hosts=["github.com"])
        self.store = SqliteStore(folder / "store.db", clock)
        self.runner = RunnerController(self._open, self.feed)
        self.context = Context(self.store, clock, EventRecorder(self.store, clock, "runner-controller"))
        self.pushes = self.feeding()

    def feeding(self, path: str | None = None) -> PushFeed:
        """What hears pushes, of a process that was started with this --path."""
        return PushFeed(
            Wiring(
                store=self.store,
                feed=self.feed,
                repositories=self.hosted,
                source_url=lambda owner, name: f"https://git.example/{owner}/{name}",
                pushed=self._look,
                lint=PushLint().problems,
                path=path,
            )
        )

    def manifest(self, *folders: str) -> None:
        """Commit a manifest in each folder."""
        text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"
        self.write({f"{folder}/a.yaml": text for folder in folders})

    def write(self, texts: dict[str, str]) -> None:
        """Commit these files."""
        for path, text in texts.items():
            (self.work / path).parent.mkdir(parents=True, exist_ok=True)
            (self.work / path).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=files")

    def git(self, *arguments: str) -> str:
        settings = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        done = subprocess.run(["git", *settings, *arguments], cwd=self.work, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    async def _open(self, _name: str) -> Repository | None:
        return self.hosted.get("acme", "shop")

    async def _look(self, _repository: Path) -> None:
        await self.runner.reconcile(await self.store.get(KEY), self.context)

    async def push(self, *refs: str) -> list[str]:
        """Push refs and hear the lines; nothing that is heard takes as long as a Runner that never looks."""
        self.git("push", "--quiet", str(self.hosted.path("acme", "shop")), *refs)
        updates = tuple(Update(ref, None, self.git("rev-parse", ref)) for ref in refs)
        async with asyncio.timeout(20):
            return [line async for line in self.pushes.lines(Push("acme", "shop", updates))]


@pytest.fixture
async def world(tmp_path):
    world = World(tmp_path)
    world.work.mkdir()
    world.git("init", "--quiet", "--initial-branch=main")
    world.git("commit", "--quiet", "--allow-empty", "--message=one")
    await world.hosted.create("acme", "shop")
    world.hosted.set_up("acme", "shop")
    await world.store.create(RUNNER, manager="test")
    yield world
    world.store.close()


async def test_an_annotated_tag_and_a_ref_that_starts_nothing_end_the_push_at_once(world):
    world.git("tag", "--annotate", "v1", "--message=one")
    world.git("update-ref", "refs/notes/x", "HEAD")
    lines = await world.push("refs/heads/main", "refs/tags/v1", "refs/notes/x")
    assert not any("has not looked" in line for line in lines)


async def test_many_tags_at_once_are_told_to_start_nothing(world):
    tags = [f"refs/tags/v{number}" for number in range(5)]
    for tag in tags:
        world.git("update-ref", tag, "HEAD")
    lines = await world.push("refs/heads/main", *tags)
    assert lines.count("more than 3 new tags at once start nothing") == 1


def source(branch, url="https://github.com/acme/shop"):
    metadata = {"name": "shop", "namespace": "flux-system"}
    spec = {"url": url, "interval": "1m", "ref": {"branch": branch}}
    return {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": metadata, "spec": spec}


KUSTOMIZATION = {
    "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
    "kind": "Kustomization",
    "metadata": {"name": "shop", "namespace": "flux-system"},
    "spec": {"interval": "1m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "shop"}},
}


@pytest.mark.parametrize("wanted", [source("main"), source("topic", "https://github.com/acme/other")])
async def test_a_branch_that_nothing_deploys_ends_the_push_at_once(world, wanted):
    await world.store.create(wanted, manager="test")
    await world.store.create(KUSTOMIZATION, manager="test")
    world.git("branch", "topic")
    assert not any("still waiting" in line for line in await world.push("refs/heads/topic"))


@pytest.mark.parametrize(
    ("ref", "followed"),
    [
        ({"branch": "main"}, True),
        ({"name": "refs/heads/main"}, True),
        ({"name": "refs/tags/v1", "branch": "main"}, False),
        ({"tag": "v1", "branch": "main"}, False),
        ({"semver": "*"}, False),
        ({"name": "refs/heads/main", "semver": "*", "tag": "v1"}, True),
        ({"name": "refs/heads/main", "commit": "0" * 40}, False),
        ({}, False),
    ],
)
def test_which_sources_follow_a_branch(ref, followed):
    assert follows({"spec": {"ref": ref}}, "refs/heads/main") is followed
    assert follows({"spec": {"ref": {}}}, "refs/heads/master")


SYNC = ObjectKey("kustomize.toolkit.fluxcd.io", "Kustomization", NAMESPACE, "acme-second")


async def test_a_second_repository_is_deployed_by_its_own_name(world):
    world.manifest("clusters/prod")
    await world.store.create(source_object("https://git.example/acme/shop", "main"), manager="test")
    await world.hosted.create("acme", "second")
    world.git("push", "--quiet", str(world.hosted.path("acme", "second")), "main")
    await world.pushes.recover()
    assert (await world.store.get(SYNC))["spec"]["path"] == "./clusters/prod"


async def test_a_start_with_a_path_deploys_what_a_first_push_left_open(world):
    world.manifest("clusters/a", "clusters/b")
    await world.store.create(source_object("https://git.example/acme/shop", "main"), manager="test")
    await world.hosted.create("acme", "second")
    world.git("push", "--quiet", str(world.hosted.path("acme", "second")), "main")
    await world.pushes.recover()
    runner = ObjectKey("tidegate.dev", "Runner", NAMESPACE, "acme-second")
    assert str(annotation(await world.store.get(runner), "tidegate.dev/not-deployed")).startswith("SeveralPaths")
    await world.feeding("clusters/b").recover()
    assert (await world.store.get(SYNC))["spec"]["path"] == "./clusters/b"
    assert annotation(await world.store.get(runner), "tidegate.dev/not-deployed") is None


async def test_a_push_of_which_nothing_is_deployed_waits_for_nobody(world):
    other = sync_object("clusters/x", name="other")
    await world.store.create(other, manager="test")
    assert not any("waiting" in line for line in await world.push("refs/heads/main"))


async def test_a_pusher_hears_of_a_feedback_loop_and_not_of_warnings(world):
    world.git("checkout", "--quiet", "-b", "side")  # which starts nothing, so that nothing is waited for
    world.write(files())
    lines = await world.push("refs/heads/side")
    found = [line for line in lines if line.startswith("lint: ")]
    assert len(found) == 1
    assert found[0].startswith(f"lint: {WORKFLOW}:6: error: ")
    assert found[0].endswith("[feedback-loop]")
    assert any(line.startswith("  help: ") for line in lines)
    world.write(files(workflow=workflow(paths="    paths: [main.py]\n"), deployment="a: b\n"))
    assert not [line for line in await world.push("refs/heads/side") if "lint" in line]


async def test_what_lint_can_not_look_at_in_time_is_said_and_the_push_goes_on(world, monkeypatch):
    monkeypatch.setattr(push_lint, "PATIENCE", 0)
    lines = await world.push("refs/heads/main")
    assert [line for line in lines if line.startswith("lint did not look at ")]


async def test_a_commit_that_is_gone_is_not_looked_at(world):
    (line,) = await PushLint().problems(world.hosted.path("acme", "shop"), "0" * 40)
    assert line.startswith("lint did not look at 000000000000: ")
