"""The door over a real store, real log files and a real repository, asked in the same process."""

import os
import subprocess

import httpx2
import pytest
from starlette.applications import Starlette

from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.git.repository import Repository
from tidegate.kinds.objects import ObjectKey
from tidegate.runner.artifacts import Artifacts
from tidegate.runner.logs import RunLogs
from tidegate.serve.auth import Authorizer
from tidegate.serve.github.door import GitHubDoor, Parts

TOKEN = "the-home-token"
ADMIN = {"Authorization": f"token {TOKEN}"}
API = "/api/v3"
REPO = f"{API}/repos/acme/shop"
CI = ".github/workflows/ci.yaml"
WORKFLOW = """
name: CI
on:
  push:
  workflow_dispatch:
    inputs: {whom: {required: true}, loud: {type: boolean}}
jobs:
  build: {runs-on: x, steps: [{run: echo}]}
"""
ENVIRONMENT = {
    "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com", "GIT_AUTHOR_DATE": "1768478400 +0000",
    "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com", "GIT_COMMITTER_DATE": "1768478400 +0000",
}  # fmt: skip


class World:
    """A store with a Runner, a repository `acme/shop` with two workflows (one is broken), and the door."""

    def __init__(self, root):
        self.clock = ManualClock()
        self.store = SqliteStore(root / "store.db", self.clock)
        self.root = root
        self.logs = RunLogs(root / "logs", self.clock)
        self.artifacts = Artifacts(root / "artifacts", self.clock)
        self.authorizer = Authorizer(TOKEN)
        self.repository = Repository(root / "shop.git")
        self.commit = _commit(root / "work", root / "shop.git")
        self.clients = []

    def client(self, headers, **options):
        def repository(name):
            return self.repository if name == "acme/shop" else None

        options.setdefault("artifacts", self.artifacts)
        parts = Parts(self.store, self.authorizer, repository, self.logs, self.clock, "0.1.0", **options)
        door = GitHubDoor(parts)
        transport = httpx2.ASGITransport(app=Starlette(routes=list(door.routes())))
        client = httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1:8421", headers=headers)
        self.clients.append(client)
        return client

    async def add_runner(self, **spec):
        metadata = {"name": "acme-shop", "namespace": "flux-system"}
        spec = {"repository": "acme/shop", **spec}
        runner = {"apiVersion": "tidegate.dev/v1alpha1", "kind": "Runner", "metadata": metadata, "spec": spec}
        await self.store.create(runner, manager="test")

    async def add_run(self, name, *, status=None, annotations=None, **spec):
        """A run, a second after the one before it."""
        await self.clock.advance(1)
        defaults = {
            "repository": "acme/shop", "workflow": CI, "event": "push", "ref": "refs/heads/main", "commit": self.commit,
            "actor": "Ada", "runNumber": 1,
        }  # fmt: skip
        metadata = {"name": name, "namespace": "flux-system", "annotations": annotations or {}}
        run = {"apiVersion": "tidegate.dev/v1alpha1", "kind": "WorkflowRun", "metadata": metadata}
        made = await self.store.create({**run, "spec": {**defaults, **spec}}, manager="test")
        if status:
            await self.store.patch_status(_key(name), status, manager="test")
        return made

    async def stored(self, name):
        return await self.store.get(_key(name))

    def add_log(self, run, job, steps, attempt=1):
        """A job's log, of lines by the step's number."""
        log = self.logs.open(run, attempt, job)
        for number, lines in steps:
            log.write(lines, str(number))
        log.close()


def _key(name):
    return ObjectKey("tidegate.dev", "WorkflowRun", "flux-system", name)


def _commit(folder, bare):
    def git(*arguments):
        argv = ["git", "-C", str(folder), *arguments]
        return subprocess.run(argv, env=ENVIRONMENT, check=True, capture_output=True, text=True).stdout.strip()

    (folder / ".github/workflows").mkdir(parents=True)
    (folder / CI).write_text(WORKFLOW)
    (folder / ".github/workflows/broken.yaml").write_text("on: push\njobs: 7\n")
    git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--quiet", "--message", "Say hello\n\nto everybody")
    subprocess.run(["git", "clone", "--quiet", "--bare", str(folder), str(bare)], env=ENVIRONMENT, check=True)
    return git("rev-parse", "HEAD")


@pytest.fixture
async def world(tmp_path):
    world = World(tmp_path)
    yield world
    for client in world.clients:
        await client.aclose()
    world.store.close()


@pytest.fixture
def http(world):
    return world.client(ADMIN)


@pytest.fixture
def anonymous(world):
    return world.client({})


SUCCEEDED = {
    "status": "completed", "conclusion": "success", "attempt": 1,
    "startedAt": "2026-01-15T12:00:02Z", "completedAt": "2026-01-15T12:01:00Z",
    "jobs": [
        {
            "id": "build", "name": "build", "status": "completed", "conclusion": "success",
            "startedAt": "2026-01-15T12:00:05Z", "completedAt": "2026-01-15T12:00:59Z",
            "steps": [
                {"number": 1, "name": "Set up job", "status": "completed", "conclusion": "success"},
                {"number": 2, "name": "Run echo", "status": "completed", "conclusion": "success",
                 "startedAt": "2026-01-15T12:00:06Z", "completedAt": "2026-01-15T12:00:07Z"},
            ],
        }
    ],
}  # fmt: skip
