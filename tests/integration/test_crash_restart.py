"""kill -9 at every named step and at random moments: after the restart the way ends as if nothing had happened."""

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from crash_world import World, adopting

from tidegate.base.sandbox_probe import probe
from tidegate.base.steps import Step

pytestmark = [pytest.mark.integration, pytest.mark.crash]

ON_SECOND_PUSH = {Step.OBJECT_PRUNED, Step.TRAFFIC_SWITCHED}
"""Steps that a first push does not reach: they need something to replace, or to prune."""
KILLS = int(os.environ.get("TIDEGATE_RANDOM_KILLS", "10"))
START = int(os.environ["TIDEGATE_SEED"])


class Settled:
    """A world that has come to the end of its first way undisturbed, and how long that took, in seconds."""

    def __init__(self, world: World, seconds: float):
        self.world = world
        self.seconds = seconds

    async def before(self, folder: Path, *, second: bool) -> World:
        """A world in which a commit is about to be pushed: the first, or one on top of the first way's end."""
        if not second:
            return await World.make(folder)
        world = await self.world.copy(folder)
        await world.change()
        return world


@pytest.fixture(scope="module", autouse=True)
def orphans():
    with adopting():
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def settled(tmp_path_factory):
    capabilities = await probe()
    if not (capabilities.isolation and shutil.which("git")):
        remedies = [missing.remedy for missing in capabilities.missing] or ["apt-get install git"]
        pytest.skip(f"this machine can't carry a commit all the way: {'; '.join(remedies)}")
    world = await World.make(tmp_path_factory.mktemp("settled"))
    process = world.start()
    try:
        await world.finish(process)
        seconds = time.monotonic() - process.started
    finally:
        world.stop()
    return Settled(world, seconds)


async def goes_on(world: World) -> None:
    """The next server brings the way to its end, and leaves nothing running when it is killed in its turn."""
    try:
        await world.finish(world.start())
    finally:
        world.stop()


@pytest.mark.parametrize("step", list(Step), ids=lambda step: step.value)
async def test_a_kill_at_a_named_step_changes_nothing_in_the_end(settled, tmp_path, step):
    world = await settled.before(tmp_path, second=step in ON_SECOND_PUSH)
    assert await world.until_killed(world.start(kill_at=step)) == -signal.SIGKILL
    world.stop()
    await goes_on(world)


@pytest.mark.parametrize("seed", range(START, START + KILLS))
async def test_kills_at_random_moments_change_nothing_in_the_end(settled, tmp_path, seed):
    """TIDEGATE_SEED=<the seed> TIDEGATE_RANDOM_KILLS=1 makes the same one again."""
    source = random.Random(seed)
    world = await settled.before(tmp_path, second=source.random() < 0.5)
    for _ in range(source.choice((1, 1, 2))):
        after = source.uniform(0, settled.seconds)
        sys.stdout.write(f"start value {seed}: killed after {after:.3f} s of {settled.seconds:.3f} s\n")
        assert await world.until_killed(world.start(), after=after) == -signal.SIGKILL
        world.stop()
    await goes_on(world)
