"""A home with real Git repositories, a real store and real jobs, for tests of the runner."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tidegate.build.request import BuildRequest, BuildResult, RegistrySettings
from tidegate.engine.clock import SystemClock
from tidegate.engine.manager import Manager
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.git.mirror import Mirrors
from tidegate.git.origins import Origins
from tidegate.git.pinned import PinnedCommits
from tidegate.git.repository import Repository
from tidegate.kinds.objects import ObjectKey
from tidegate.runner.actions.action import Services
from tidegate.runner.artifacts import Artifacts
from tidegate.runner.borrowing import Borrowing
from tidegate.runner.caches import Caches
from tidegate.runner.controller import RunnerController
from tidegate.runner.feed import RunFeed
from tidegate.runner.local_jobs import LocalJobs
from tidegate.runner.logs import RunLogs
from tidegate.runner.repositories import FollowedRepositories, hosted, mirrored
from tidegate.runner.request_watch import RequestWatch
from tidegate.runner.runs import WorkflowRunController
from tidegate.source.controller import GitRepositoryController
from tidegate.source.reading import read_source
from tidegate.source.trees import LocalTrees

NAMESPACE = "flux-system"
NOBODY = 65534
RUNNER = ObjectKey("tidegate.dev", "Runner", NAMESPACE, "acme-shop")
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


class Tokens:
    """Issues tokens that can be counted."""

    def __init__(self):
        self.live = {}
        self.issued = []

    def issue(self, subject, scopes, lifetime_s):
        token = f"tgr_secret_token_{len(self.issued)}"
        self.live[token] = list(scopes)
        self.issued.append((subject, list(scopes)))
        return token

    def revoke(self, token):
        self.live.pop(token, None)


class FakeBuild:
    """Records what it was asked to build."""

    def __init__(self):
        self.requests: list[tuple[BuildRequest, RegistrySettings, list[str]]] = []
        self.error: Exception | None = None

    async def __call__(
        self, request: BuildRequest, settings: RegistrySettings, log: Callable[[str], None], *, secrets: Any = None
    ):
        files = sorted(
            path.relative_to(request.context).as_posix()
            for path in request.context.rglob("*")
            if path.is_file() and not path.is_symlink()
        )
        self.requests.append((request, settings, files))
        if self.error:
            raise self.error
        for platform in request.platforms:
            log(f"{platform}: built")
        return BuildResult("sha256:" + "ab" * 32, {})


class RunnerHome:
    """A repository `acme/shop`, its Runner and the two controllers. `folder` is the developer's clone. Where it is
    `following`, nothing is hosted: the repository is that of a GitRepository.
    """

    def __init__(
        self,
        root: Path,
        *,
        build: Any = None,
        tokens: Any = None,
        endpoints: Any = None,
        following: bool = False,
        outside: Any = None,
        containers: Any = None,
    ):
        self.root = root
        self.following = following
        self.folder = root / "developer"
        self.bare = root / "home/git/acme/shop.git"
        self.clock = SystemClock()
        (root / "home").mkdir(mode=0o700, parents=True, exist_ok=True)
        self.store = SqliteStore(root / "home/store.db", self.clock)
        self.repository = Repository(self.bare)
        self.tokens = tokens or Tokens()
        self.build = build or FakeBuild()
        self.feed = RunFeed()
        self.logs = RunLogs(root / "home/runs/logs", self.clock)
        self.artifacts = Artifacts(root / "home/runs/artifacts", self.clock)
        self.caches = Caches(root / "home/runs/caches", self.clock)
        self.borrowing = Borrowing(PinnedCommits(root / "home/actions"), self.open)
        mirrors = Mirrors(root / "home/mirrors")
        origins = Origins(mirrors, lambda _: None, _nothing_hosted)

        async def fetch(source: Any) -> Repository:
            return (await read_source(origins, self.store, source)).repository

        followed = FollowedRepositories(self.open, mirrored(self.store, mirrors, fetch))
        repositories = followed.find if following else hosted(self.open)
        watch = RequestWatch(mirrors) if following else None
        services = Services(
            followed.open,
            self.build,
            root / "home/cache",
            endpoints=endpoints or {},
            may_read=lambda token, name: token == "tgr_reads_all",
            artifacts=self.artifacts,
            caches=self.caches,
            pinned=self.borrowing.open,
        )
        work = root / "home/runs/work"
        self.jobs = LocalJobs(
            work, services, self.clock, hidden=(root / "home",), outside=outside, containers=containers
        )
        self.runner = RunnerController(repositories, self.feed, watch)
        self.runs = WorkflowRunController(
            jobs=self.jobs,
            logs=self.logs,
            feed=self.feed,
            tokens=self.tokens,
            repositories=repositories,
            borrowing=self.borrowing,
            artifacts=self.artifacts,
            watch=watch,
            lack=containers.lack if containers else None,
        )
        self.controllers = [self.runner, self.runs]
        if following:
            self.controllers.append(GitRepositoryController(origins, LocalTrees(root / "home/trees.json")))
        self.manager = Manager(self.store, self.clock, self.controllers)

    def open(self, name: str) -> Repository | None:
        if name == "acme/shop":
            return self.repository if self.repository.exists() else None
        other = Repository(self.root / f"home/git/{name}.git")
        return other if other.exists() else None

    async def set_up(self, **spec: Any) -> None:
        if not self.following:
            await self.repository.init()
        await self.store.create(
            {
                "apiVersion": "tidegate.dev/v1alpha1",
                "kind": "Runner",
                "metadata": {"name": RUNNER.name, "namespace": NAMESPACE},
                "spec": {"repository": "acme/shop", **spec},
            },
            manager="test",
        )
        git(self.root, "init", "--quiet", "--initial-branch=main", str(self.folder))

    def commit(self, files: dict[str, str], message: str = "Change") -> str:
        for path, text in files.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--message", message)
        return git(self.folder, "rev-parse", "HEAD")

    def push(self, *refs: str) -> None:
        git(self.folder, "push", "--quiet", "--force", str(self.bare), *(refs or ("HEAD:refs/heads/main",)))
        self.manager.hint(RUNNER)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.manager = Manager(self.store, self.clock, self.controllers)  # as after a restart
        task = asyncio.create_task(self.manager.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def all_runs(self) -> list[dict[str, Any]]:
        return (await self.store.list("tidegate.dev", "WorkflowRun")).items

    async def until(
        self, condition: Callable[[list[dict[str, Any]]], bool], timeout: float = 30
    ) -> list[dict[str, Any]]:
        async with asyncio.timeout(timeout):
            while not condition(runs := await self.all_runs()):  # noqa: ASYNC110 - the store is what is looked at
                await asyncio.sleep(0.02)
        return runs

    async def finished(self, count: int = 1, timeout: float = 30) -> list[dict[str, Any]]:
        return await self.until(
            lambda runs: len([run for run in runs if (run.get("status") or {}).get("status") == "completed"]) >= count,
            timeout,
        )

    def log(self, run: dict[str, Any], job: str = "build") -> str:
        name, attempt = run["metadata"]["name"], run["status"]["attempt"]
        return "\n".join(line.partition(" ")[2] for line in self.logs.lines(name, attempt, job))


async def _nothing_hosted(_repository: Path) -> None:
    """No repository is moved by our hand."""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def workflow(steps: str, *, head: str = "on: push", job: str = "") -> dict[str, str]:
    """A workflow file with one job `build`; `steps` is YAML of its steps."""
    indented = "\n".join(f"      {line}" for line in steps.strip("\n").splitlines())
    own = "\n".join(f"    {line}" for line in job.strip("\n").splitlines())
    text = f"{head}\njobs:\n  build:\n    runs-on: ubuntu-latest\n{own}\n    steps:\n{indented}\n"
    return {".github/workflows/ci.yaml": text}


def ordinary_python(folder: Path) -> list[str]:
    """The argv with which an ordinary user starts a Python that has this project and its test tools; empty where this
    machine has none. `folder` becomes that user's own.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    candidates = (sys.executable, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}")
    python = next((found for found in map(Path, candidates) if _is_open(found)), None)
    if python is None:
        return []
    packages = next(Path(entry) for entry in sys.path if entry.endswith("site-packages"))
    paths = [_readable(path, folder) for path in (Path(__file__).parents[2] / "src", packages)]
    folder.chmod(0o755)
    os.chown(folder, NOBODY, NOBODY)
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONPATH": ":".join(paths),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }
    change = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return [*change, "env", "-i", *(f"{name}={value}" for name, value in environment.items()), str(python)]


def _is_open(path: Path) -> bool:
    """Whether everybody may reach a path."""
    resolved = path.resolve()
    return resolved.exists() and all(parent.stat().st_mode & 0o001 for parent in resolved.parents)


def _readable(path: Path, folder: Path) -> str:
    """The path itself, or a copy where only root may reach it."""
    if _is_open(path):
        return str(path)
    shutil.copytree(path, folder / path.name, ignore=shutil.ignore_patterns("ruff*", "mypy*", "uv*"))
    return str(folder / path.name)
