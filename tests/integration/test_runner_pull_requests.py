"""Runs of open pull requests, as three forges tell of them beside a real Git host."""

import asyncio
import base64
import json
import shutil
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from git_host import hosting
from runner_home import NAMESPACE, RUNNER, RunnerHome
from tests.integration.forge_player import TOKEN, Forge

from tidegate.engine.clock import rfc3339
from tidegate.kinds.objects import ObjectKey
from tidegate.runner.asking import rerun_patch

pytestmark = pytest.mark.integration
SOURCE = ObjectKey("source.toolkit.fluxcd.io", "GitRepository", NAMESPACE, "shop")
CI = ".github/workflows/ci.yaml"
WORKFLOW = """
on:
  pull_request:
    branches: [main]
    paths: ['src/**']
jobs:
  build:
    runs-on: ubuntu-latest
    permissions: write-all
    steps:
      - uses: actions/checkout@v4
      - run: |
          cat src/main.txt
          echo "of ${{ github.ref }} ${{ github.base_ref }} ${{ github.head_ref }} ${{ github.event.action }}"
          echo "number ${{ github.event.number }} by ${{ github.actor }}, $GITHUB_REF_NAME"
          echo "secret <${{ secrets.KEY }}>"
          echo "head ${{ github.event.pull_request.head.sha }} fork ${{ github.event.pull_request.head.repo.fork }}"
          test "$(git rev-parse HEAD)" = "$GITHUB_SHA" && echo checked out
"""
FOLDER = {"github": "pull", "gitea": "pull", "gitlab": "merge-requests"}


class World:
    """The host's repository, the forge beside it, and a home that follows it."""

    def __init__(self, home, host, forge):
        self.home, self.host, self.forge = home, host, forge
        host.api = forge.answer

    async def make(self, **wish):
        metadata = {"namespace": NAMESPACE}
        await self.home.set_up(
            sourceRef={"name": "shop"},
            secretRef={"name": "own"},
            pullRequests={"api": self.forge.kind, "secretRef": {"name": "forge"}, **wish},
            maxJobs=4,
        )
        await self.secret("own", KEY="tide-secret")
        await self.secret("forge", token=TOKEN)
        spec = {"url": self.host.url, "ref": {"branch": "main"}, "interval": "1h"}
        await self.home.store.create(
            {
                "apiVersion": "source.toolkit.fluxcd.io/v1",
                "kind": "GitRepository",
                "metadata": {"name": "shop", **metadata},
                "spec": spec,
            },
            manager="test",
        )

    async def secret(self, name, **data):
        metadata = {"name": name, "namespace": NAMESPACE}
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        await self.home.store.create(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded}, manager="test"
        )

    def propose(self, branch, files, *, base="main", number=None, owner="acme", merges=True):
        """A commit on a branch, and its request; the request's number, and the commit."""
        work = self.host.folder / "work"
        self.host.git("fetch", "--quiet", "origin", cwd=work)
        known = self.host.git("for-each-ref", f"refs/heads/{branch}")
        self.host.git("checkout", "--quiet", "-B", branch, f"origin/{branch if known else base}", cwd=work)
        for name, text in files.items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_text(text)
        self.host.git("add", "--all", cwd=work)
        self.host.git("commit", "--quiet", "--message", f"Propose {branch}", cwd=work)
        commit = self.host.git("rev-parse", "HEAD", cwd=work)
        if number is None:
            self.forge.add(branch, base, owner=owner, sha=commit, title=f"Change {branch}")
            number = len(self.forge.pulls)
        self.forge.pulls[number - 1]["sha"] = commit
        refs = [f"refs/{FOLDER[self.forge.kind]}/{number}/head"]
        if owner == "acme":
            refs.append(f"refs/heads/{branch}")
        for ref in refs:
            self.host.git("push", "--quiet", "--force", "origin", f"HEAD:{ref}", cwd=work)
        if merges and self.forge.kind != "gitea":
            self.host.git("checkout", "--quiet", "--detach", f"origin/{base}", cwd=work)
            self.host.git("merge", "--quiet", "--no-ff", "--message", "Merged", commit, cwd=work)
            ref = f"refs/{FOLDER[self.forge.kind]}/{number}/merge"
            self.host.git("push", "--quiet", "--force", "origin", f"HEAD:{ref}", cwd=work)
        self.host.git("checkout", "--quiet", "main", cwd=work)
        return number, commit

    async def look(self):
        """Have the source, and so the forge, looked at."""
        moment = rfc3339(self.home.clock.now())
        annotations = {"reconcile.fluxcd.io/requestedAt": f"{moment} {len(self.forge.requests)}"}
        await self.home.store.patch(SOURCE, {"metadata": {"annotations": annotations}}, manager="test")

    async def runner(self):
        return await self.home.store.get(RUNNER)

    async def until_status(self, holds, timeout=30):
        async with asyncio.timeout(timeout):
            # The store is what is looked at.
            while not holds(status := (await self.runner()).get("status") or {}):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return status

    async def until_known(self, *numbers):
        """Wait until these requests, and no others, are known to be open."""
        names = {str(number) for number in numbers}
        return await self.until_status(
            lambda status: "lastPullRequest" in status and set(status.get("pullRequests") or ()) == names
        )


@pytest.fixture(params=["github", "gitea", "gitlab"])
def world(request, tmp_path, monkeypatch):
    monkeypatch.setattr("tidegate.runner.request_watch.SOONEST", 0.0)
    with hosting(tmp_path / "host") as host:
        host.commit("Begin", {CI: WORKFLOW, "src/main.txt": "old\n"})
        home = RunnerHome(tmp_path, following=True)
        yield World(home, host, Forge(host, request.param))
        home.store.close()


async def test_a_request_runs_what_it_would_become_without_secrets_and_with_a_token_that_reads(world):
    await world.make()
    async with world.home.running():
        await world.until_known()
        number, commit = world.propose("topic", {"src/main.txt": "new\n"})
        await world.look()
        (run,) = await world.home.finished(1)
        log = world.home.log(run)
        assert run["status"]["conclusion"] == "success", log
        for words in (
            "new",
            f"of refs/pull/{number}/merge main topic opened",
            f"number {number} by bot, {number}/merge",
            "secret <>",
            f"head {commit} fork ",
            "checked out",
        ):
            assert words in log.splitlines(), log
        merged = world.host.git("rev-parse", f"{run['spec']['commit']}^@").split()
        expected = [world.host.head(), commit] if world.forge.kind != "gitea" else [world.host.head()]
        assert merged == expected
        assert all(level == "read" for _, level in permissions_in(log)), log
        assert not any("write" in scope for _, scopes in world.home.tokens.issued for scope in scopes)
        world.propose("topic", {"src/main.txt": "newer\n"}, number=number)
        await world.look()
        runs = await world.home.finished(2)
        (second,) = [one for one in runs if one["metadata"]["name"] != run["metadata"]["name"]]
        assert "newer" in world.home.log(second).splitlines()
        assert f"of refs/pull/{number}/merge main topic synchronize" in world.home.log(second).splitlines()
    assert world.forge.tokens == {f"{'token' if world.forge.kind == 'gitea' else 'Bearer'} {TOKEN}"}
    status = (await world.runner())["status"]
    assert [one["status"] for one in status["conditions"] if one["type"] == "PullRequests"] == ["True"]
    assert "tide-secret" not in json.dumps(await world.home.all_runs())


def permissions_in(log):
    lines = log.splitlines()
    begin = lines.index("##[group]GITHUB_TOKEN Permissions")
    return [line.split(": ") for line in lines[begin + 1 : lines.index("##[endgroup]", begin)]]


async def test_filters_are_of_the_base_and_of_what_the_branch_changes(world):
    await world.make()
    async with world.home.running():
        await world.until_known()
        world.propose("docs", {"README": "no source\n"})
        world.propose("other", {"src/main.txt": "x\n"}, base="docs")
        world.host.commit("Go on", {"src/main.txt": "main has gone on\n"})
        third, _ = world.propose("wanted", {"src/more.txt": "x\n"})
        world.propose("skipped", {"src/more.txt": "x\n", "src/b": "[skip ci]"})
        work = world.host.folder / "work"
        world.host.git("checkout", "--quiet", "skipped", cwd=work)
        world.host.git("commit", "--quiet", "--amend", "--message", "Not now [skip ci]", cwd=work)
        commit = world.host.git("rev-parse", "HEAD", cwd=work)
        world.host.git("push", "--quiet", "--force", "origin", f"HEAD:refs/{FOLDER[world.forge.kind]}/4/head", cwd=work)
        world.forge.pulls[3]["sha"] = commit
        world.host.git("checkout", "--quiet", "main", cwd=work)
        await world.look()
        status = await world.until_known(1, 2, 3, 4)
        (run,) = await world.home.finished(1)
    assert run["spec"]["cause"]["number"] == str(third)
    assert status["lastPullRequest"] == 4
    assert len(await world.home.all_runs()) == 1


async def test_a_fork_runs_from_its_head_and_can_be_left_out(world):
    await world.make()
    async with world.home.running():
        await world.until_known()
        _, commit = world.propose("theirs", {"src/main.txt": "a fork's\n"}, owner="stranger", merges=False)
        await world.look()
        (run,) = await world.home.finished(1)
        assert run["spec"]["commit"] == commit
        assert run["spec"]["cause"]["fork"] == "true"
        assert "a fork's" in world.home.log(run).splitlines()
        assert "secret <>" in world.home.log(run).splitlines()
        await world.home.store.patch(RUNNER, {"spec": {"isolation": "none"}}, manager="test")
        world.propose("theirs", {"src/main.txt": "again\n"}, number=1, owner="stranger", merges=False)
        await world.look()
        runs = await world.home.finished(2)
        (refused,) = [one for one in runs if one["metadata"]["name"] != run["metadata"]["name"]]
        assert "does not run without isolation" in refused["status"]["message"]
        assert not refused["status"]["jobs"]
        spec = {"isolation": None, "pullRequests": {"forks": False}}
        await world.home.store.patch(RUNNER, {"spec": spec}, manager="test")
        world.propose("more", {"src/main.txt": "more of it\n"}, owner="stranger", merges=False)
        await world.look()
        await world.until_known(1, 2)
        assert len(await world.home.all_runs()) == 2


async def test_what_was_open_before_starts_nothing_and_what_is_closed_is_let_go_of_and_may_come_back(world):
    number, _ = world.propose("old", {"src/main.txt": "old one\n"})
    await world.make()
    async with world.home.running():
        await world.until_known(number)
        assert not await world.home.all_runs()
        world.propose("old", {"src/main.txt": "moved\n"}, number=number)
        await world.look()
        await world.home.finished(1)
        world.forge.pulls[0]["state"] = "closed"
        await world.look()
        await world.until_known()
        mirror = next((world.home.root / "home/mirrors").glob("shop-*.git"))
        assert not world.host.git("for-each-ref", "refs/pull", "refs/merge-requests", cwd=mirror)
        world.forge.pulls[0]["state"] = "open"
        await world.look()
        runs = await world.home.finished(2)
    assert sorted(run["spec"]["cause"]["action"] for run in runs) == ["reopened", "synchronize"]


async def test_what_the_forge_refuses_is_told_once_and_pushes_go_on(world):
    await world.make()
    await world.home.store.patch(
        ObjectKey("", "Secret", NAMESPACE, "forge"),
        {"data": {"token": base64.b64encode(b"wrong-token").decode()}},
        manager="test",
    )
    async with world.home.running():
        status = await world.until_status(
            lambda status: any(one["type"] == "PullRequests" for one in status.get("conditions") or ())
        )
        asked = len(world.forge.requests)
        world.host.commit("Push", {CI: "on: push\njobs: {build: {runs-on: x, steps: [{run: echo pushed}]}}"})
        await world.look()
        (run,) = await world.home.finished(1)
    (told,) = [one for one in status["conditions"] if one["type"] == "PullRequests"]
    assert (told["status"], told["reason"]) == ("False", "Denied")
    assert "wrong-token" not in json.dumps(status)
    assert "give the token the right to read" in told["message"]
    assert run["spec"]["event"] == "push"
    assert len(world.forge.requests) == asked == 1


async def test_a_run_that_is_run_again_on_a_new_disk_fetches_its_commits(world, tmp_path):
    await world.make()
    async with world.home.running():
        await world.until_known()
        _, commit = world.propose("topic", {"src/main.txt": "new\n"})
        await world.look()
        (run,) = await world.home.finished(1)
    shutil.rmtree(tmp_path / "home/mirrors")
    world.home = RunnerHome(tmp_path, following=True)
    key = ObjectKey("tidegate.dev", "WorkflowRun", NAMESPACE, run["metadata"]["name"])
    async with world.home.running():
        await world.home.store.patch(key, rerun_patch(run, world.home.clock.now()), manager="test")
        (again,) = await world.home.until(
            lambda runs: runs[0]["status"].get("attempt") == 2 and runs[0]["status"]["status"] == "completed"
        )
    assert again["status"]["conclusion"] == "success", again["status"]
    assert again["spec"]["cause"]["head"] == commit
    assert "new" in world.home.log(again).splitlines()
