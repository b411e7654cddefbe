"""The Runner's controller against a crash between its two writes: the runs are created, the refs are not recorded."""

import subprocess
from pathlib import Path

import pytest

from tidegate.engine.events import EventRecorder
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Context, Ready, Stalled, Waiting
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.git.repository import Repository
from tidegate.runner.controller import RunnerController
from tidegate.runner.feed import RunFeed
from tidegate.runner.repositories import hosted

pytestmark = pytest.mark.integration
CI = "on: push\njobs:\n  a:\n    runs-on: x\n    steps: [{run: x}]\n"
RUNNER = {
    "apiVersion": "tidegate.dev/v1alpha1",
    "kind": "Runner",
    "metadata": {"name": "acme-shop", "namespace": "flux-system"},
    "spec": {"repository": "acme/shop"},
}


class World:
    def __init__(self, root: Path):
        clock = ManualClock()
        self.store = SqliteStore(root / "store.db", clock)
        self.context = Context(self.store, clock, EventRecorder(self.store, clock, "runner-controller"))
        self.repository = Repository(root / "shop.git")
        self.controller = RunnerController(
            hosted(lambda _: self.repository if self.repository.exists() else None), RunFeed()
        )
        self.folder = root / "clone"

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        command = ["git", *identity, "-C", str(self.folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def commit(self, files: dict[str, str], ref: str = "refs/heads/main") -> None:
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Change")
        self.git("push", "--quiet", "--force", str(self.repository.path), f"HEAD:{ref}")

    async def look(self, status: dict) -> Ready:
        outcome = await self.controller.reconcile({**RUNNER, "status": status}, self.context)
        assert isinstance(outcome, Ready)
        return outcome

    async def runs(self) -> list[dict]:
        return (await self.store.list("tidegate.dev", "WorkflowRun")).items


@pytest.fixture
async def world(tmp_path):
    world = World(tmp_path)
    await world.repository.init()
    world.folder.mkdir()
    world.git("init", "--quiet", "--initial-branch=main")
    yield world
    world.store.close()


async def test_a_second_look_without_a_record_creates_nothing_twice(world):
    world.commit({".github/workflows/ci.yaml": CI, ".github/workflows/also.yml": CI})
    first = await world.look({})
    second = await world.look({})
    assert len(await world.runs()) == 2
    assert dict(first.status) == dict(second.status)
    assert first.event is not None
    assert second.event is None


async def test_a_ref_that_comes_between_does_not_change_the_names_of_the_others(world):
    world.commit({".github/workflows/ci.yaml": CI})
    await world.look({})
    world.git("push", "--quiet", str(world.repository.path), "HEAD:refs/heads/a-first-by-name")
    await world.look({})
    assert sorted(run["spec"]["ref"] for run in await world.runs()) == ["refs/heads/a-first-by-name", "refs/heads/main"]
    assert sorted(run["spec"]["runNumber"] for run in await world.runs()) == [1, 2]


async def test_what_is_recorded_starts_nothing_again(world):
    world.commit({".github/workflows/ci.yaml": CI})
    status = dict((await world.look({})).status)
    outcome = await world.look(status)
    assert len(await world.runs()) == 1
    assert dict(outcome.status) == status


async def test_numbers_go_on_where_old_runs_are_gone(world):
    world.commit({".github/workflows/ci.yaml": CI})
    await world.look({"runNumbers": {".github/workflows/ci.yaml": 41}})
    (run,) = await world.runs()
    assert run["spec"]["runNumber"] == 42


async def test_a_run_tells_who_wrote_its_commit_and_how_it_is_found(world):
    world.commit({".github/workflows/ci.yaml": CI})
    await world.look({})
    (run,) = await world.runs()
    assert run["spec"]["actor"] == "Ada"
    assert run["metadata"]["annotations"] == {
        "tidegate.dev/title": "Change",
        "tidegate.dev/author": "Ada <ada@example.com>",
    }
    assert run["metadata"]["labels"]["tidegate.dev/repository"] == "acme.shop"


async def test_a_new_branch_counts_only_its_own_commits(world):
    paths = "on: {push: {paths: [src/**]}}\njobs:\n  a:\n    runs-on: x\n    steps: [{run: x}]\n"
    world.commit({".github/workflows/ci.yaml": paths, "src/a": "1"})
    status = dict((await world.look({})).status)
    world.commit({"docs/a": "1"}, "refs/heads/docs")
    world.git("push", "--quiet", str(world.repository.path), "HEAD~1:refs/heads/nothing-new")
    status = dict((await world.look(status)).status)
    assert len(await world.runs()) == 1
    world.commit({"src/b": "1"}, "refs/heads/code")
    await world.look(status)
    assert sorted(run["spec"]["ref"] for run in await world.runs()) == ["refs/heads/code", "refs/heads/main"]


async def test_a_deleted_ref_is_forgotten(world):
    world.commit({".github/workflows/ci.yaml": CI})
    world.git("push", "--quiet", str(world.repository.path), "HEAD:refs/heads/other")
    status = dict((await world.look({})).status)
    world.git("push", "--quiet", str(world.repository.path), ":refs/heads/other")
    outcome = await world.look(status)
    assert outcome.status["refs"]["refs/heads/other"] is None


async def test_before_the_first_push_it_waits(world, tmp_path):
    world.repository = Repository(tmp_path / "none.git")
    outcome = await world.controller.reconcile(RUNNER, world.context)
    assert isinstance(outcome, Waiting)


async def test_a_wrong_spec_is_stalled(world):
    outcome = await world.controller.reconcile({**RUNNER, "spec": {"repository": "nothing"}}, world.context)
    assert isinstance(outcome, Stalled)


async def test_an_unreadable_workflow_stays_in_the_condition_until_it_is_mended(world):
    world.commit({".github/workflows/ci.yaml": "on: push\njobs: 3\n"})
    outcome = await world.look({})
    (condition,) = outcome.conditions
    assert (condition.type, condition.status) == ("WorkflowsValid", "False")
    assert ".github/workflows/ci.yaml:2" in condition.message
    stored = [
        {"type": condition.type, "status": "False", "reason": condition.reason, "message": condition.message},
    ]
    again = await world.look({**outcome.status, "conditions": stored})
    assert list(again.conditions) == [condition]
    world.commit({".github/workflows/ci.yaml": CI})
    mended = await world.look({**outcome.status, "conditions": stored})
    assert list(mended.conditions) == []
