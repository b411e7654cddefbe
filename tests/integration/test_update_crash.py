"""kill -9 of a process that updates a remote over smart HTTP, at every step and at random moments: one commit, told.

The repository is the remote's own, so it stays as it is; what is killed is what writes to it.
"""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.integration.git_host import hosting
from tests.integration.test_update_together import IMAGE, SPACE, World

from tidegate.base.process import die_with_parent
from tidegate.base.steps import Step
from tidegate.engine.clock import SystemClock
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.objects import ObjectKey

pytestmark = [
    pytest.mark.integration,
    pytest.mark.crash,
    pytest.mark.skipif(shutil.which("perl") is None, reason="perl is not installed: apt-get install perl-base"),
]
STEPS = (Step.COMMIT_WRITTEN, Step.COMMIT_PUSHED, Step.UPDATE_RECORDED)
KILLS = int(os.environ.get("TIDEGATE_RANDOM_KILLS", "10"))
START = int(os.environ.get("TIDEGATE_SEED", random.SystemRandom().randrange(2**32)))
PATIENCE = 90.0
LONGEST = 0.4
"""Seconds from the first line of a process to a kill; an update takes a third of that where the machine is not busy."""
PROGRAM = Path(__file__).with_name("update_process.py")
AUTHOR = "flux@example.org"


class Crashing:
    """A remote, the objects of an automation whose policies have selected new tags, and the process that is killed."""

    def __init__(self, host, folder):
        self.host, self.folder = host, folder

    async def make(self):
        world = World(self.host, self.folder, SystemClock())
        await world.make()
        for name in ("b", "c", "d", "e"):
            for kind in ("ImagePolicy", "ImageUpdateAutomation"):
                await world.store.delete(ObjectKey(IMAGE, kind, SPACE, name))
        await world.select("1.0.1", "a")
        world.store.close()

    def start(self, kill_at=None):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        environment.pop("TIDEGATE_KILL_AT", None)
        if kill_at is not None:
            environment["TIDEGATE_KILL_AT"] = kill_at.value
        return subprocess.Popen(
            [sys.executable, str(PROGRAM), str(self.folder)], env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=die_with_parent,  # noqa: PLW1509
        )  # fmt: skip

    def finish(self):
        process = self.start()
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said

    async def check(self):
        """One commit on top of what was there, with the one change; the status names it; nothing is broken."""
        git = self.host.git
        git("fsck", "--full", "--strict", "--no-dangling")
        assert git("log", "--format=%an", "main").splitlines() == [AUTHOR, "Somebody"]
        assert git("diff", "--numstat", "main^", "main") == "1\t1\ta/deploy.yaml"
        assert "a:1.0.1 #" in git("show", "main:a/deploy.yaml")
        store = SqliteStore(self.folder / "store.db", SystemClock())
        status = (await store.get(ObjectKey(IMAGE, "ImageUpdateAutomation", SPACE, "a")))["status"]
        assert status["lastPushCommit"] == self.host.head()
        store.close()
        for mirror in (self.folder / "mirrors").iterdir():
            git("--git-dir", str(mirror), "fsck", "--full", "--no-dangling", cwd=None)
            assert [*mirror.rglob("*.lock")] == []


@pytest.fixture
async def crashing(tmp_path):
    with hosting(tmp_path) as host:
        made = Crashing(host, tmp_path)
        await made.make()
        yield made


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.value)
async def test_a_kill_at_a_named_step_leaves_one_commit(crashing, step):
    process = crashing.start(kill_at=step)
    await asyncio.to_thread(process.communicate, timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL
    await asyncio.to_thread(crashing.finish)
    await crashing.check()


@pytest.mark.parametrize("seed", range(START, START + KILLS))
async def test_kills_at_random_moments_leave_one_commit(crashing, seed):
    """TIDEGATE_SEED=<the seed> TIDEGATE_RANDOM_KILLS=1 makes the same one again."""
    source = random.Random(seed)
    for _ in range(source.choice((1, 1, 2, 3))):
        after = source.uniform(0, LONGEST)
        process = await asyncio.to_thread(crashing.start)
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == "ready\n"
        began = time.monotonic()
        while process.poll() is None and time.monotonic() - began < after:  # noqa: ASYNC110 - a Popen has no event
            await asyncio.sleep(0.005)
        done = process.poll()
        process.kill()
        await asyncio.to_thread(process.communicate, timeout=PATIENCE)
        moved = "moved" if crashing.host.git("rev-list", "--count", "main") == "2" else "as it was"
        sys.stdout.write(f"start value {seed}: killed after {after:.3f} s (ended: {done}), the branch {moved}\n")
    await asyncio.to_thread(crashing.finish)
    await crashing.check()
