"""Which workflows a real commit starts that build: for expecting a tag."""

import shutil
import subprocess

import pytest

from tidegate.app.announcing import Announcements
from tidegate.git.repository import Repository

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: apt-get install git"),
]
MAIN = "refs/heads/main"
CI = ".github/workflows/ci.yaml"
BUILD = """\
name: Build
on:
  push:
    branches: [main]
    paths: ['src/**']
jobs:
  build:
    runs-on: ubuntu-latest
    steps: [{uses: docker/build-push-action@v6}]
"""
TESTS = "on: push\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps: [{run: pytest}]\n"
AFTER = BUILD.replace("  push:\n    branches: [main]\n    paths: ['src/**']", "  workflow_run:\n    workflows: [Build]")


class World:
    """A repository that commits are made in; `go` says what the step from the last commit to a new one announces."""

    def __init__(self, folder):
        self.folder = folder
        self.announcements = Announcements()
        self.git("init", "--quiet", "--initial-branch=main")
        self.head = None

    def git(self, *arguments):
        settings = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        done = subprocess.run(
            ["git", *settings, *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    async def go(self, files, *, message="a change", ref=MAIN, old=None):
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", f"--message={message}")
        old, self.head = old or self.head, self.git("rev-parse", "HEAD")
        return await self.announcements.of_push(Repository(self.folder / ".git"), ref, old, self.head)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


async def test_without_workflows_nothing_is_known(world):
    assert await world.go({"README.md": "1"}) is None


async def test_only_a_path_that_a_building_workflow_looks_at_announces(world):
    await world.go({CI: BUILD, ".github/workflows/tests.yaml": TESTS})
    assert await world.go({"README.md": "1"}) == []
    assert await world.go({"src/main.py": "1"}) == [CI]
    assert await world.go({"src/main.py": "2"}, message="[skip ci] a change") == []
    assert await world.go({"src/main.py": "3"}, ref="refs/heads/dev") == []


async def test_a_workflow_that_only_tests_announces_nothing(world):
    assert await world.go({".github/workflows/tests.yaml": TESTS}) == ()


async def test_where_the_commit_before_is_not_known_paths_count_as_changed(world):
    await world.go({CI: BUILD})
    assert await world.go({"README.md": "1"}, old="d" * 40) == [CI]


async def test_a_workflow_that_follows_one_which_starts(world):
    await world.go({CI: TESTS, ".github/workflows/after.yaml": AFTER})
    assert await world.go({"README.md": "1"}) == [".github/workflows/after.yaml"]


async def test_one_that_can_not_be_read_here_may_run_elsewhere(world):
    assert await world.go({CI: "on: push\njobs: {one: {steps: 1}}\n"}) == [CI]
