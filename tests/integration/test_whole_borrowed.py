"""The whole program beside a Git host: its actions for what is pushed here, its requests where it is followed."""

import asyncio
import base64
import shutil
import sys
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from action_host import publish
from crash_world import World
from git_host import hosting
from tests.integration.forge_player import TOKEN, Forge
from whole_world import opened

from tidegate.demo.layout import git

pytestmark = [
    pytest.mark.integration,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: apt-get install git"),
]
CI = ".github/workflows/ci.yaml"
SPACE = "/api/v1/namespaces/flux-system"
TOOL = """
runs:
  using: composite
  steps: [{run: 'echo "hello from $GITHUB_ACTION_REPOSITORY"', shell: bash}]
"""
USING = "on: push\njobs: {build: {runs-on: x, steps: [{uses: tools/greet@v1}]}}\n"
REQUESTED = """
on: pull_request
jobs:
  build:
    runs-on: x
    steps:
      - uses: actions/checkout@v4
      - run: cat words.txt; echo "secret <${{ secrets.KEY }}>"
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def elsewhere(tmp_path_factory):
    folder = tmp_path_factory.mktemp("borrowed")
    with hosting(folder / "host") as host:
        world = World(folder)
        world.clone.mkdir()
        await git(world.clone, "init", "--quiet", "--initial-branch=main")
        await git(world.clone, "config", "credential.helper", f"store --file={world.home.root}/git-credentials")
        async with opened(world, "--actions-from", f"http://127.0.0.1:{host.port}") as doors:
            yield host, doors


async def ended(doors, holds):
    """The run that is meant, once it is over."""

    def found(objects):
        runs = [one for one in objects["WorkflowRun"] if holds(one["spec"])]
        return [one for one in runs if (one.get("status") or {}).get("status") == "completed"]

    await doors.until("a run that is over", found)
    return found(doors.view.objects)[0]


async def test_an_action_comes_from_the_host_that_up_names(elsewhere):
    host, doors = elsewhere
    commit = publish(host, "tools/greet", {"action.yml": TOOL}, "refs/tags/v1")
    await doors.commit("Use a tool", {CI: USING})
    said = await doors.push()
    assert "success" in said
    run = await ended(doors, lambda spec: spec["event"] == "push")
    log = await doors.tidegate("logs", run["metadata"]["name"])
    assert f"Download action repository 'tools/greet@v1' (SHA:{commit})" in log
    assert "hello from tools/greet" in log
    assert run["status"]["actions"][0]["commit"] == commit


async def test_a_request_of_a_repository_that_is_followed_runs_here(elsewhere):
    host, doors = elsewhere
    forge = Forge(host, "gitea")
    host.api = forge.answer
    host.commit("Begin", {CI: REQUESTED})
    for name, key, value in (("forge", "token", TOKEN), ("own", "KEY", "tide-secret")):
        data = {key: base64.b64encode(value.encode()).decode()}
        metadata = {"name": name, "namespace": "flux-system"}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
        await doors.client.create(f"{SPACE}/secrets", secret)
    source = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "hub", "namespace": "flux-system"},
        "spec": {"url": host.url, "ref": {"branch": "main"}, "interval": "1h"},
    }
    await doors.client.create("/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories", source)
    runner = {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "Runner",
        "metadata": {"name": "hub", "namespace": "flux-system"},
        "spec": {
            "repository": "acme/hub",
            "sourceRef": {"name": "hub"},
            "secretRef": {"name": "own"},
            "pullRequests": {"api": "gitea", "secretRef": {"name": "forge"}},
        },
    }
    path = "/apis/tidegate.dev/v1alpha1/namespaces/flux-system/runners"
    await doors.client.create(path, runner)

    async def looked():
        return "lastPullRequest" in ((await doors.client.get(f"{path}/hub")).get("status") or {})

    await until(looked)
    work = host.folder / "work"
    (work / "words.txt").write_text("words of a request\n")
    host.git("add", "--all", cwd=work)
    host.git("commit", "--quiet", "--message", "Propose", cwd=work)
    host.git("push", "--quiet", "origin", "HEAD:refs/pull/1/head", cwd=work)
    forge.add("topic", "main", sha=host.git("rev-parse", "HEAD", cwd=work))

    async def started():
        await doors.reconcile("GitRepository", "hub")
        return any(one["spec"]["event"] == "pull_request" for one in doors.view.objects["WorkflowRun"])

    await until(started)
    run = await ended(doors, lambda spec: spec["event"] == "pull_request")
    name = run["metadata"]["name"]
    log = await doors.tidegate("logs", name)
    assert run["status"]["conclusion"] == "success", log
    assert "words of a request" in log
    assert "secret <>" in log
    assert name in await doors.tidegate("runs")


async def until(holds, seconds=60):
    """Wait until it holds."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - a server in another process is what is looked at
            await asyncio.sleep(0.5)
