"""What `tidegate init` lays out and `tidegate new app` adds, pushed to a whole Tidegate: each application answers."""

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from crash_world import NAME, OWNER, World
from needed import need_debian_keys
from whole_world import Doors, opened

from tidegate.cli.main import run
from tidegate.demo.layout import commit_all, git
from tidegate.kinds.objects import key_of
from tidegate.kinds.platform import Platform

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
BASE = "python:3.11-slim=debian:bookworm"
PLATFORMS = "platforms: linux/arm/v7,linux/arm64,linux/amd64\n"
URL = "tidegate.dev/url"


def address(doors: Doors, name: str) -> str | None:
    """Where an application's Service answers."""
    services = [one for one in doors.view.objects["Service"] if key_of(one).name == name]
    return services[0]["metadata"].get("annotations", {}).get(URL) if services else None


async def answers(doors: Doors, name: str) -> None:
    """Wait until an application answers with its name and the version of the commit that was pushed last."""
    pushed = await git(doors.world.clone, "rev-list", "--count", "HEAD")
    await doors.answers(lambda: address(doors, name), f"{name} 1.0.{pushed}\n")


async def test_a_new_repository_and_a_second_application_are_deployed_by_their_pushes(tmp_path, capfd):
    need_debian_keys()
    world = World(tmp_path)
    assert await asyncio.to_thread(run, ["init", str(world.clone), "--owner", OWNER, "--name", NAME]) == 0
    await git(world.clone, "config", "credential.helper", f"store --file={world.home.root}/git-credentials")
    workflow = world.clone / ".github/workflows/hello-ci.yaml"
    platforms = f"platforms: {Platform.of_machine()}\n"  # making the other bases takes long, and shows nothing new
    workflow.write_text(workflow.read_text().replace(PLATFORMS, platforms))
    world.pushed.append(await commit_all(world.clone, "Lay the shop out"))
    async with opened(world, "--base", BASE, kinds=[("", "Service")]) as doors:
        said = await doors.push()
        assert "error" not in said.lower(), said
        await answers(doors, "hello")
        await doors.settled()

        await doors.pull()
        await doors.tidegate("new", "app", "web", "--path", str(world.clone), "--yes")
        assert platforms in (world.clone / ".github/workflows/web-ci.yaml").read_text(), "as the other application"
        await commit_all(world.clone, "Add the web")
        assert "lint: " not in await doors.push()
        await answers(doors, "web")
        await doors.settled()

        authors = (await git(world.hosted, "log", "--format=%an", "refs/heads/main")).splitlines()
        assert len(authors) == 4, "two pushes, and an automation's commit for each"
        assert len(doors.view.objects["WorkflowRun"]) == 2, "no automation's commit starts a build"
    capfd.readouterr()
