"""A server that is killed leaves nothing running, and the next one goes on where it was."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from runtime_world import StandIn, deployment, drop_folder, fetch, make_folder, running, service

from tidegate.base.steps import Step

pytestmark = [pytest.mark.integration, pytest.mark.crash]

SERVER = """
import asyncio, json, sys
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[2])
from runtime_world import StandIn, deployment, running, service

async def main():
    registry = StandIn()
    registry.push_word("1.0.1", "one")
    registry.push_word("1.0.2", "two")
    async with running(Path(sys.argv[1]), registry) as world:
        await world.apply(deployment("1.0.1", replicas=2), service())
        print(await world.url(), flush=True)
        await world.rolled_out(replicas=2)
        print("one", flush=True)
        await world.apply(deployment("1.0.2", replicas=2))
        await world.rolled_out(replicas=2)
        print("two", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
async def folder() -> AsyncIterator[Path]:
    made = make_folder()
    yield made
    drop_folder(made)


def start(folder: Path, kill_at: str = "") -> subprocess.Popen[str]:
    environment = dict(os.environ) | ({"TIDEGATE_KILL_AT": kill_at} if kill_at else {})
    paths = json.dumps([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, "-c", SERVER, str(folder), paths]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def inside(folder: Path) -> list[int]:
    """Processes whose root or mounts lie in the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            mounts = path.read_text()
        except OSError:
            continue
        if f"{folder.name}/" in mounts:
            found.append(int(path.parent.name))
    return found


def wait_until_empty(folder: Path) -> None:
    deadline = time.monotonic() + 5
    while inside(folder) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert inside(folder) == []


def stand_in() -> StandIn:
    registry = StandIn()
    registry.push_word("1.0.1", "one")
    registry.push_word("1.0.2", "two")
    return registry


async def test_a_killed_server_leaves_nothing_running_and_the_next_one_goes_on(folder: Path) -> None:
    server = start(folder)
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    assert server.stdout.readline() == "one\n"
    assert len(inside(folder)) >= 4, "two inits and two servers run"
    server.kill()
    server.wait()
    server.stdout.close()
    wait_until_empty(folder)
    async with running(folder, stand_in()) as world:
        await world.apply(deployment("1.0.2", replicas=2))
        await world.rolled_out(replicas=2)
        assert (await fetch(url))["word"] == "two"

        async def no_more() -> bool:
            return len(await world.pods()) == 2

        await world.until(no_more)


@pytest.mark.parametrize("step", [Step.ROOTFS_READY, Step.REPLICA_STARTED, Step.TRAFFIC_SWITCHED, Step.REPLICA_STOPPED])
async def test_killed_at_every_step_it_comes_to_the_same_end(folder: Path, step: Step) -> None:
    server = start(folder, step)
    assert await asyncio.to_thread(server.wait, 60) == -signal.SIGKILL
    assert server.stdout is not None
    server.stdout.close()
    wait_until_empty(folder)
    async with running(folder, stand_in()) as world:
        await world.apply(deployment("1.0.2", replicas=2), service())
        await world.rolled_out(replicas=2)
        assert (await fetch(await world.url()))["word"] == "two"

        async def only_two() -> bool:
            return len(await world.pods()) == 2 and len(list((folder / "workloads/pods").iterdir())) == 2

        await world.until(only_two)
