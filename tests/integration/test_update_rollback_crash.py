"""kill -9 of a process that takes an update back, at every step of that: one commit with its cause, told."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.integration.git_host import hosting
from tests.integration.rollback_world import AFTER, AUTOMATION, IMAGE, POLICY, UNPULLED, RollbackWorld

from tidegate.base.process import die_with_parent
from tidegate.base.steps import Step
from tidegate.engine.clock import SystemClock
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.conditions import is_true
from tidegate.kinds.rolled_back import rolled_back_of

pytestmark = [
    pytest.mark.integration,
    pytest.mark.crash,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: apt-get install git"),
]
PROGRAM = Path(__file__).with_name("update_process.py")
PATIENCE = 90.0


def start(folder: Path, kill_at: Step | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("TIDEGATE_KILL_AT", None)
    if kill_at is not None:
        environment["TIDEGATE_KILL_AT"] = kill_at.value
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(folder), "RolledBack"], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=die_with_parent,  # noqa: PLW1509
    )  # fmt: skip


@pytest.mark.parametrize("step", [Step.COMMIT_WRITTEN, Step.COMMIT_PUSHED, Step.UPDATE_RECORDED])
async def test_killed_at_every_step_it_is_taken_back_once(tmp_path: Path, step: Step) -> None:
    with hosting(tmp_path) as host:
        world = RollbackWorld(host, tmp_path, ManualClock(datetime.now(UTC) - timedelta(seconds=AFTER + 60)))
        await world.make()
        await world.scanned("1.0.0", "1.0.1")
        await world.update()
        await world.applied()
        await world.pod("web-1", UNPULLED)
        updated = host.head()
        world.store.close()

        process = start(tmp_path, step)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == -signal.SIGKILL
        process = start(tmp_path)
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said

        host.git("fsck", "--full", "--strict", "--no-dangling")
        assert host.git("rev-parse", "main^") == updated
        assert host.git("diff", f"{updated}^", "main") == ""
        assert "ImagePullBackOff: the registry has no such tag" in host.git("log", "-1", "--format=%B", "main")
        store = SqliteStore(tmp_path / "store.db", SystemClock())
        status = (await store.get(AUTOMATION))["status"]
        assert status["lastPushCommit"] == host.head()
        assert is_true(status["conditions"], "RolledBack")
        held = rolled_back_of(await store.get(POLICY))
        store.close()
        assert held is not None
        assert (held.bad, held.good, held.commit) == (f"{IMAGE}:1.0.1", f"{IMAGE}:1.0.0", updated)
