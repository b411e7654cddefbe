"""kill -9 at any moment: after the restart nothing is lost, nothing runs twice at once, nothing of before is left."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from runner_home import RunnerHome, workflow

from tidegate.base.steps import Step

pytestmark = pytest.mark.integration
CHILD = Path(__file__).parent / "runner_process.py"
SRC = Path(__file__).parents[2] / "src"
STEPS = [Step.RUN_CREATED, Step.JOB_STARTED, Step.STEP_FINISHED, Step.RUN_FINISHED]
WORK = """
- uses: actions/checkout@v4
- run: sleep 0.2
- run: echo done; sleep 0.{marker}
"""


@pytest.fixture
async def home(tmp_path):
    home = RunnerHome(tmp_path)
    await home.set_up(maxJobs=2)
    home.commit(workflow(WORK.replace("{marker}", "1212")))
    home.push()
    home.store.close()
    return home


def start(home: RunnerHome, **variables: str) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": f"{SRC}:{os.environ.get('PYTHONPATH', '')}", **variables}
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(home.root)], env=environment, stdout=subprocess.PIPE, text=True
    )


def to_the_end(home: RunnerHome) -> list[dict]:
    child = start(home)
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    return json.loads(out.splitlines()[-1])


def nothing_left() -> bool:
    return not any(
        b"sleep\x000.1212" in path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()
    )


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_a_named_step_changes_nothing_in_the_end(home, step):
    child = start(home, TIDEGATE_KILL_AT=step.value)
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    (run,) = to_the_end(home)
    assert run["status"]["conclusion"] == "success"
    assert run["spec"]["runNumber"] == 1
    assert run["status"]["attempt"] == (1 if step in (Step.RUN_CREATED, Step.RUN_FINISHED) else 2)
    assert [one["conclusion"] for one in run["status"]["jobs"][0]["steps"]] == ["success"] * 5


def test_kills_at_random_moments_change_nothing_in_the_end(home):
    seed = int(os.environ.get("TIDEGATE_SEED", random.SystemRandom().randrange(2**32)))
    sys.stdout.write(f"the generator's start value: {seed}\n")
    source = random.Random(seed)
    for _ in range(4):
        child = start(home)
        assert child.stdout.readline() == "ready\n"
        time.sleep(source.uniform(0, 0.5))
        child.kill()
        child.communicate()
    (run,) = to_the_end(home)
    assert run["status"]["conclusion"] == "success"
    assert run["spec"]["runNumber"] == 1
    assert nothing_left()
    assert list((home.root / "home/runs/work").iterdir()) == []
