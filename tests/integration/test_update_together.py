"""Automations of one branch and the source that follows it: how often git and the remote are asked, and what of it."""

import asyncio
import base64
import shutil

import pytest
from tests.integration.git_host import PASSWORD, USER, hosting

from tidegate.base import process
from tidegate.base.errors import Denied, NotFound
from tidegate.engine.events import EventRecorder
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Context, Ready
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.engine.status import status_patch
from tidegate.git.mirror import Mirrors
from tidegate.git.origins import Origins
from tidegate.kinds.objects import ObjectKey
from tidegate.source.controller import LOOK_AGAIN, GitRepositoryController
from tidegate.source.trees import LocalTrees
from tidegate.update.controller import ImageUpdateAutomationController

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: apt-get install git"),
]
NAMES = ("a", "b", "c", "d", "e")
SPACE = "flux-system"
IMAGE = "image.toolkit.fluxcd.io"
SOURCE = ObjectKey("source.toolkit.fluxcd.io", "GitRepository", SPACE, "cluster")


class World:
    """A remote with an application for each name, their objects, and the controllers that write and read it."""

    def __init__(self, host, folder, clock=None):
        self.host, self.folder = host, folder
        self.clock = clock or ManualClock()
        self.store = SqliteStore(folder / "store.db", self.clock)
        self.context = Context(self.store, self.clock, EventRecorder(self.store, self.clock, "test"))
        self.restart()

    def restart(self):
        """Controllers that know nothing but what is stored."""
        origins = Origins(Mirrors(self.folder / "mirrors"), lambda _: None, None)
        self.updates = ImageUpdateAutomationController(origins, no_revision)
        self.sources = GitRepositoryController(origins, LocalTrees(self.folder / "trees.json"))

    async def make(self, password=PASSWORD):
        self.host.commit("Add", {path(name): marked(name, "1.0.0") for name in NAMES})
        await self.add_objects(password)

    async def add_objects(self, password=PASSWORD):
        given = {"username": USER, "password": password}
        data = {name: base64.b64encode(value.encode()).decode() for name, value in given.items()}
        await self.create("v1", "Secret", "push", None, data=data)
        source = {"url": self.host.url, "interval": "10m", "ref": {"branch": "main"}, "secretRef": {"name": "push"}}
        await self.create(f"{SOURCE.group}/v1", "GitRepository", SOURCE.name, source)
        for name in NAMES:
            policy = {"imageRepositoryRef": {"name": name}, "policy": {"semver": {"range": ">=1.0.0"}}}
            await self.create(f"{IMAGE}/v1", "ImagePolicy", name, policy)
            await self.automation(name)

    async def automation(self, name, folder=None):
        spec = {
            "interval": "10m",
            "sourceRef": {"kind": "GitRepository", "name": SOURCE.name},
            "git": {"checkout": {"ref": {"branch": "main"}}, "commit": {"author": {"email": "flux@example.org"}}},
            "update": {"path": f"./{folder or name}", "strategy": "Setters"},
        }
        await self.create(f"{IMAGE}/v1", "ImageUpdateAutomation", name, spec)

    async def create(self, api_version, kind, name, spec, **rest):
        obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": SPACE}, **rest}
        await self.store.create(obj | ({"spec": spec} if spec else {}), manager="test")

    async def select(self, tag, *names):
        for name in names:
            key = ObjectKey(IMAGE, "ImagePolicy", SPACE, name)
            chosen = {"latestRef": {"name": f"registry.test/{name}", "tag": tag}}
            await self.store.patch_status(key, chosen, manager="test")

    async def update(self, *names):
        """Reconcile automations at the same moment; their outcomes, or what they raised."""
        keys = [ObjectKey(IMAGE, "ImageUpdateAutomation", SPACE, name) for name in names]
        return await asyncio.gather(*(self.reconciled(self.updates, key) for key in keys), return_exceptions=True)

    async def reconciled(self, controller, key):
        """As the manager does it, with the status written."""
        obj = await self.store.get(key)
        outcome = await controller.reconcile(obj, self.context)
        await self.store.patch_status(key, status_patch(obj, outcome, "2026-01-15T12:00:00Z"), manager="test")
        return outcome

    async def source(self):
        """Reconcile the source; the commit that it then names, and the outcome."""
        outcome = await self.reconciled(self.sources, SOURCE)
        return outcome.status["artifact"]["revision"].rpartition(":")[2], outcome

    def tags(self):
        lines = (self.host.git("show", f"main:{path(name)}") for name in NAMES)
        return [line.split(" #")[0].rpartition(":")[2] for line in lines]


def path(name):
    return f"{name}/deploy.yaml"


def marked(name, tag):
    return f'image: registry.test/{name}:{tag} # {{"$imagepolicy": "{SPACE}:{name}"}}\n'


async def no_revision(_access, _image):
    return None


@pytest.fixture
async def world(tmp_path):
    with hosting(tmp_path) as host:
        made = World(host, tmp_path)
        await made.make()
        yield made
        made.store.close()


@pytest.fixture
def calls(monkeypatch):
    """The git commands that were started."""
    seen, run = [], process.run

    async def noted(argv, **options):
        words = [word for word in argv if not word.startswith("-")]
        seen.append(next(word for word in words[1:] if "=" not in word))
        return await run(argv, **options)

    monkeypatch.setattr(process, "run", noted)
    return seen


async def test_an_update_and_the_source_that_follows_it_start_two_children(world, calls):
    await world.source()
    await world.select("1.0.0", "a")
    await world.update("a")
    await world.select("1.0.1", "a")
    calls.clear()
    (outcome,) = await world.update("a")
    commit, _ = await world.source()
    assert calls == ["fast-import", "update-ref"]
    assert commit == outcome.status["lastPushCommit"] == world.host.head()


async def test_automations_that_wait_for_one_branch_push_together_with_a_commit_each(world, calls):
    await world.source()
    await world.select("1.0.1", *NAMES)
    before = world.host.head()
    calls.clear()
    world.host.requests.clear()
    outcomes = await world.update(*NAMES)
    assert "push" not in calls
    assert [one for one in world.host.requests if "receive-pack" in one] == ["/acme/shop.git/git-receive-pack"]
    assert world.tags() == ["1.0.1"] * len(NAMES)
    pushed = [outcome.status["lastPushCommit"] for outcome in outcomes]
    assert world.host.git("rev-list", "--reverse", f"{before}..main").splitlines() == pushed
    for name, commit in zip(NAMES, pushed, strict=True):
        assert world.host.git("diff", "--name-only", f"{commit}^", commit) == path(name)


async def test_when_somebody_pushes_first_all_are_redone_on_top(world):
    await world.source()
    await world.select("1.0.1", *NAMES)
    world.host.once_before(
        "acme/shop.git/git-receive-pack", lambda: world.host.commit("Be first", {"docs.md": "first\n"})
    )
    updates = asyncio.create_task(world.update(*NAMES))
    while not updates.done():
        await asyncio.sleep(0.01)
        await world.clock.advance(1.0)
    assert all(isinstance(outcome, Ready) and "lastPushCommit" in outcome.status for outcome in await updates)
    assert world.tags() == ["1.0.1"] * len(NAMES)
    assert world.host.git("show", "main:docs.md") == "first"
    assert world.host.git("rev-list", "--merges", "main") == ""


async def test_one_that_fails_does_not_keep_the_others_back(world):
    await world.automation("lost", folder="nowhere")
    await world.source()
    await world.select("1.0.1", "a", "b")
    first, lost, last = await world.update("a", "lost", "b")
    assert isinstance(lost, NotFound)
    assert "spec.update.path './nowhere' is not in the repository" in str(lost)
    assert first.status["lastPushCommit"] != last.status["lastPushCommit"]
    assert world.tags()[:2] == ["1.0.1", "1.0.1"]


async def test_a_refused_push_is_told_to_all_who_had_something_to_push(tmp_path):
    with hosting(tmp_path) as host:
        world = World(host, tmp_path)
        await world.make(password="wrong")
        await world.source()
        await world.select("1.0.1", "a", "b")
        before = host.head()
        outcomes = await world.update("a", "b", "c")
        assert [type(outcome) for outcome in outcomes] == [Denied, Denied, Ready]
        assert host.head() == before
        world.store.close()


async def test_two_that_may_change_the_same_file_make_one_commit(world):
    await world.automation("twin", folder="a")
    await world.source()
    await world.select("1.0.1", "a")
    before = world.host.head()
    outcomes = await world.update("a", "twin")
    assert ["lastPushCommit" in outcome.status for outcome in outcomes] == [True, False]
    assert world.host.git("rev-list", "--count", f"{before}..main") == "1"


async def test_after_a_crash_each_tells_of_its_own_commit(world, monkeypatch):
    await world.source()
    await world.select("1.0.1", *NAMES)

    async def lost(*_arguments, **_options):
        raise ConnectionError

    with monkeypatch.context() as dying:
        dying.setattr(world.store, "patch_status", lost)
        outcomes = await world.update(*NAMES)
    assert [type(outcome) for outcome in outcomes] == [ConnectionError] * len(NAMES)
    after = world.host.head()
    world.restart()
    outcomes = await world.update(*NAMES)
    assert world.host.head() == after
    for name, outcome in zip(NAMES, outcomes, strict=True):
        commit = outcome.status["lastPushCommit"]
        assert world.host.git("diff", "--name-only", f"{commit}^", commit) == path(name)


async def test_the_source_believes_our_own_push_and_asks_the_remote_soon(world, calls):
    await world.source()
    await world.select("1.0.1", "a")
    await world.update("a")
    calls.clear()
    world.host.requests.clear()
    commit, outcome = await world.source()
    assert (commit, outcome.requeue_after) == (world.host.head(), LOOK_AGAIN)
    assert calls == world.host.requests == []
    theirs = world.host.commit("Push right after it", {"docs.md": "x\n"})
    commit, outcome = await world.source()
    assert (commit, outcome.requeue_after) == (theirs, 600.0)
    assert world.host.requests != []


async def test_where_nothing_is_to_do_one_request_is_made_and_no_child(world, calls):
    await world.source()
    await world.select("1.0.0", "a")
    await world.update("a")
    calls.clear()
    world.host.requests.clear()
    (outcome,) = await world.update("a")
    assert outcome.message == "repository up-to-date"
    assert (calls, world.host.requests) == ([], ["/acme/shop.git/git-upload-pack"])


async def test_the_source_never_goes_back_to_our_push_from_what_came_after_it(world):
    await world.source()
    await world.select("1.0.1", "a")
    await world.update("a")
    theirs = world.host.commit("Push right after it", {"docs.md": "x\n"})
    await world.sources._origins.read(world.host.url, "refs/heads/main")
    assert (await world.source())[0] == theirs


async def test_who_asks_the_source_to_look_gets_what_is_there_now(world):
    await world.source()
    await world.select("1.0.1", "a")
    await world.update("a")
    theirs = world.host.commit("Push right after it", {"docs.md": "x\n"})
    asked = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}}
    await world.store.patch(SOURCE, asked, manager="person")
    assert (await world.source())[0] == theirs


async def test_an_automation_is_not_woken_by_its_own_push_but_by_any_other(world):
    await world.source()
    await world.select("1.0.1", "a")
    await world.update("a")
    await world.source()
    automations = (await world.store.list(IMAGE, "ImageUpdateAutomation")).items
    trigger = next(one for one in world.updates.triggers if one.kind == SOURCE.kind)
    woken = {key.name for key in trigger.wakes(await world.store.get(SOURCE), automations)}
    assert woken == set(NAMES) - {"a"}
    world.host.commit("Push something", {"docs.md": "x\n"})
    await world.source()
    assert {key.name for key in trigger.wakes(await world.store.get(SOURCE), automations)} == set(NAMES)


async def test_the_source_says_of_our_own_push_that_it_builds_nothing_and_of_any_other_what_is_known(world):
    await world.source()
    await world.select("1.0.1", "a")
    await world.update("a")
    own, outcome = await world.source()
    assert own == world.host.head()
    assert outcome.status["artifact"]["metadata"] == {"tidegate.dev/builds": "nothing"}
    theirs = world.host.commit("Push something", {"docs.md": "x\n"})
    other, outcome = await world.source()
    assert other == theirs
    assert outcome.status["artifact"]["metadata"] is None  # no workflows are there to ask
