"""What a job takes is bounded: memory, processes, cores, disk, files, time; and its log says which bound it met."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from runner_home import RUNNER, RunnerHome, ordinary_python, workflow

from tidegate.base.cgroups import Cgroups, Limits
from tidegate.runner import fence, limits

pytestmark = pytest.mark.integration


async def run_steps(tmp_path, steps, *, spec=None, job=""):
    home = RunnerHome(tmp_path)
    await home.set_up(**(spec or {}))
    home.commit(workflow(steps, job=job))
    async with home.running():
        home.push()
        (run,) = await home.finished(timeout=90)
    assert list((home.root / "home/runs/work").iterdir()) == []
    return run, home.log(run)


def at_most(**given):
    return {"resources": {"limits": given}}


def here():
    """What control groups hold on this machine, for this user."""
    group = Cgroups().make("look", Limits(1, 2**26, 100))
    group.remove()
    return group


def own_groups():
    return [path for mounted in Cgroups()._own.values() for path in mounted.folder.glob(f"tidegate-{os.getpid()}-*")]


HOG = """
- shell: python
  run: |
    import os, time
    for _ in range(4):
        if os.fork() == 0:
            kept = bytearray(100 * 1024 * 1024)
            for place in range(0, len(kept), 4096):
                kept[place] = 1
            time.sleep(60)
    os.wait()
    raise SystemExit(1)
- if: always()
  run: echo the next step
"""


async def test_all_processes_of_a_job_share_its_memory(tmp_path):
    run, log = await run_steps(tmp_path, HOG, spec=at_most(memory="192Mi"))
    assert run["status"]["conclusion"] == "failure"
    assert "it has used all of its 192Mi of memory" in log
    assert "spec.resources.limits.memory" in log
    if here().holds("memory"):
        assert "\nthe next step" in log, "only the process that was too large has ended"
    else:
        assert "No control group holds memory" in log
    assert own_groups() == []


async def test_one_process_that_wants_too_much_is_refused_or_ended(tmp_path):
    steps = """
- shell: python
  run: |
    try:
        kept = bytearray(3000 * 1024 * 1024)
    except MemoryError:
        raise SystemExit("refused")
    print("it had", len(kept))
"""
    run, log = await run_steps(tmp_path, steps, spec=at_most(memory="128Mi"))
    assert run["status"]["conclusion"] == "failure"
    assert "\nit had" not in log


async def test_a_fork_bomb_meets_its_bound_and_the_log_says_so(tmp_path):
    steps = """
- name: bomb
  shell: python
  run: |
    import os, time
    for number in range(200):
        try:
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
        except BlockingIOError as error:
            print(number, "and then:", error)
            break
- if: always()
  run: echo the next step
"""
    _, log = await run_steps(tmp_path, steps, spec=at_most(pids=64))
    (reached,) = [
        int(line.split()[0]) for line in log.splitlines() if line.endswith("Resource temporarily unavailable")
    ]
    assert reached < 64
    if here().holds("pids"):
        assert "The job was refused more than its 64 processes" in log


async def test_cores_are_shared_out(tmp_path):
    if not here().holds("cpu"):
        spin = "import os; print('nice', os.nice(0))"
    else:
        spin = textwrap.dedent("""
            import time
            begun = time.monotonic()
            while time.process_time() < 0.3:
                pass
            print("spun", time.monotonic() - begun)
        """).strip()
    steps = "- shell: python\n  run: |\n" + textwrap.indent(spin, "    ")
    _, log = await run_steps(tmp_path, steps, spec=at_most(cpu="200m"))
    assert "Limits: 0.2 cores" in log
    if here().holds("cpu"):
        (took,) = [float(line.split()[1]) for line in log.splitlines() if line.startswith("spun ")]
        assert took > 1.0, "0.3 s of a core at a fifth of one"
    else:
        assert "No control group holds cpu" in log
        assert "\nnice 10" in log


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "for i in $(seq 300); do head -c 1M /dev/zero >f$i || exit 9; done; sleep 60",
            "more than its 40Mi on the disk",
        ),
        (
            "head -c 30M /dev/zero >/tmp/a; head -c 30M /dev/zero >/var/tmp/b; sleep 60",
            "more than its 40Mi on the disk",
        ),
    ],
)
async def test_a_job_that_fills_the_disk_is_ended(tmp_path, script, said):
    steps = f"- run: '{script}'\n- if: always()\n  run: echo never; sleep 60"
    run, log = await run_steps(tmp_path, steps, spec=at_most(**{"ephemeral-storage": "40Mi"}), job="timeout-minutes: 1")
    assert run["status"]["conclusion"] == "failure"
    assert said in log
    assert said in run["status"]["message"]


async def test_one_file_is_no_larger_than_all_may_be(tmp_path):
    run, log = await run_steps(
        tmp_path, "- run: head -c 400M /dev/zero >f", spec=at_most(**{"ephemeral-storage": "40Mi"})
    )
    assert run["status"]["conclusion"] == "failure"
    assert "File too large" in log or "more than its 40Mi on the disk" in log, "the watch may be faster"


async def test_a_job_that_makes_files_without_end_is_ended(tmp_path):
    steps = """
- shell: python
  run: |
    import os, time
    for number in range(30_000):
        os.close(os.open(f"f{number}", os.O_CREAT))
    time.sleep(60)
"""
    run, log = await run_steps(tmp_path, steps, spec=at_most(**{"ephemeral-storage": "40Mi"}))
    assert run["status"]["conclusion"] == "failure"
    assert "more than its 10000 files" in log


async def test_what_lies_too_deep_to_be_counted_counts_as_too_much(tmp_path):
    steps = """
- shell: python
  run: |
    import os, time
    for number in range(300):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    time.sleep(60)
"""
    run, log = await run_steps(tmp_path, steps, spec=at_most(**{"ephemeral-storage": "40Mi"}))
    assert run["status"]["conclusion"] == "failure"
    assert "files" in run["status"]["message"], log


async def test_a_nearly_full_disk_ends_a_job_and_begins_none(tmp_path, monkeypatch):
    plenty = fence.machine(tmp_path)
    monkeypatch.setattr(limits, "LEFT_FREE", plenty.disk_size)
    monkeypatch.setattr(limits.Machine, "floor", property(lambda machine: machine.disk_free + 1))
    run, log = await run_steps(tmp_path, "- run: echo never")
    assert run["status"]["conclusion"] == "failure"
    assert "which no job may take: free some space" in run["status"]["message"]
    assert "\nnever" not in log


async def test_a_runner_bounds_the_time_that_a_workflow_gives_itself(tmp_path):
    steps = "- run: sleep 60"
    run, log = await run_steps(tmp_path, steps, spec={"timeout": "2s"}, job="timeout-minutes: 9000")
    assert run["status"]["conclusion"] == "timed_out"
    assert "0.0333333 minutes" in log


async def test_on_the_host_a_job_that_ends_its_agent_leaves_nothing_either(tmp_path):
    steps = "- run: |\n    setsid sleep 4646.4646 >/dev/null 2>&1 &\n    sleep 0.2; kill -9 $PPID; sleep 4646.4646"
    run, log = await run_steps(tmp_path, steps, spec={"isolation": "none"})
    assert run["status"]["conclusion"] == "failure"
    if here().folders:
        for _ in range(200):
            left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if _has(path, b"4646.4646")]
            if not left:
                break
            await asyncio.sleep(0.05)
        assert left == []
    assert own_groups() == [], log


def _has(path, word):
    try:
        return word in path.read_bytes()
    except OSError:
        return False


async def test_a_wrong_limit_is_refused_by_its_name(tmp_path):
    home = RunnerHome(tmp_path)
    await home.set_up(**at_most(memory="lots", cpu="1"))
    async with home.running():
        async with asyncio.timeout(20):
            while not ((await home.store.get(RUNNER)).get("status") or {}).get("conditions"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    conditions = (await home.store.get(RUNNER))["status"]["conditions"]
    assert any("spec.resources.limits.memory" in condition["message"] for condition in conditions)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user for the test")
@pytest.mark.parametrize(
    "test",
    [
        "test_all_processes_of_a_job_share_its_memory",
        "test_a_fork_bomb_meets_its_bound_and_the_log_says_so",
        "test_cores_are_shared_out",
        "test_a_job_that_makes_files_without_end_is_ended",
    ],
)
def test_the_same_holds_for_an_ordinary_user(test):
    folder = Path(tempfile.mkdtemp(prefix="tidegate-user-"))
    try:
        python = ordinary_python(folder)
        if not python:
            pytest.skip("no Python that an ordinary user may start: apt-get install python3")
        ignored = shutil.ignore_patterns("__pycache__", "conftest.py")
        copied = shutil.copytree(Path(__file__).parent, folder / "tests", ignore=ignored)
        options = ["-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "-o", "markers=integration"]
        options += [f"--rootdir={folder}", "--import-mode=importlib"]
        done = subprocess.run(
            [*python, "-m", "pytest", *options, f"{copied}/{Path(__file__).name}::{test}"],
            check=False,
            capture_output=True,
            text=True,
            timeout=150,
            cwd=folder,
        )
        assert done.returncode == 0, textwrap.indent(done.stdout[-6000:] + done.stderr[-2000:], "  ")
        assert "1 passed" in done.stdout
    finally:
        shutil.rmtree(folder)
