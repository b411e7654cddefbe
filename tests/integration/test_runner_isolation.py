"""What a hostile job can reach: nothing of the home, of other jobs, of the server; and nothing of it is left."""

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

from runner_home import RunnerHome, ordinary_python, workflow

from tidegate.runner import place

pytestmark = pytest.mark.integration


@pytest.fixture
async def home(tmp_path):
    home = RunnerHome(tmp_path)
    await home.set_up()
    return home


async def run_steps(home, steps, **parts):
    home.commit(workflow(steps, **parts))
    async with home.running():
        home.push()
        (run,) = await home.finished(timeout=60)
    return run, home.log(run)


def processes(marker: str) -> list[str]:
    """The command lines on this machine that hold a marker."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if marker in line:
            found.append(line)
    return found


async def test_the_home_other_jobs_and_the_server_are_out_of_sight(home):
    (home.root / "home/token").write_text("the-homes-own-token")
    steps = f"""
- run: |
    cat {home.root}/home/token && echo LEAK-token
    ls {home.root} && echo LEAK-folder
    ls {home.root}/home/runs/work && echo LEAK-other
    ls /proc/{os.getpid()} && echo LEAK-process
    kill -0 {os.getpid()} && echo LEAK-signal
    grep -l TIDEGATE /proc/[0-9]*/environ && echo LEAK-environ
    find / -name token -readable -not -path '/usr/*' -not -path '/proc/*' 2>/dev/null | grep . && echo LEAK-found
    touch /usr/evil && echo LEAK-system
    mount -t tmpfs x /mnt && echo LEAK-mount
    unshare --user --map-root-user true && echo LEAK-namespace
    echo "$(ls /proc | grep -c '^[0-9]') processes"; id -u
    true
"""
    run, log = await run_steps(home, steps)
    assert run["status"]["conclusion"] == "success"
    said = log.split("##[endgroup]")[-1]
    assert "LEAK" not in said, said
    assert "the-homes-own-token" not in said
    assert "\n1001" in said


async def test_the_hosts_loopback_is_not_the_jobs(home):
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    steps = f"""
- shell: python
  run: |
    import socket
    for host in ("127.0.0.1", "::1"):
        try:
            socket.create_connection((host, {port}), 2)
            print("REACHED", host)
        except OSError as error:
            print("refused", host, error.errno)
    inside = socket.create_server(("127.0.0.1", 8000))
    socket.create_connection(("127.0.0.1", 8000), 2)
    print("its own loopback works")
"""
    async with server:
        run, log = await run_steps(home, steps)
    assert run["status"]["conclusion"] == "success", log
    assert "its own loopback works" in log
    assert "REACHED 127" not in log


async def test_nothing_outlives_the_job(home):
    steps = """
- run: |
    setsid sh -c 'trap "" TERM INT HUP; exec sleep 4242.4242' >/dev/null 2>&1 &
    nohup sleep 4242.4242 >/dev/null 2>&1 &
    (sleep 4242.4242 &) ; sleep 0.1; echo left
"""
    run, log = await run_steps(home, steps)
    assert run["status"]["conclusion"] == "success"
    assert "\nleft" in log
    assert processes("sleep 4242.4242") == []
    assert list((home.root / "home/runs/work").iterdir()) == []


async def test_a_fork_bomb_harms_nobody(home):
    steps = """
- name: bomb
  timeout-minutes: 0.05
  run: |
    bomb() { bomb | bomb & sleep 4343.4343; }
    bomb
"""
    run, _ = await run_steps(home, steps)
    assert run["status"]["conclusion"] == "failure"
    assert processes("4343.4343") == []


async def test_a_job_that_ends_its_agent_fails_and_nothing_else_does(home):
    steps = "- run: kill -9 $PPID; sleep 5\n- if: always()\n  run: echo never"
    run, log = await run_steps(home, steps)
    assert run["status"]["conclusion"] == "failure"
    assert "the job ended the process that runs its steps" in log


async def test_a_job_that_stops_its_agent_ends_at_its_time(home, monkeypatch):
    for name in ("INTERRUPT_GRACE", "TERMINATE_GRACE"):
        monkeypatch.setattr(place, name, 0.2)
    steps = "- timeout-minutes: 0.005\n  run: kill -STOP $PPID; sleep 50"
    run, _ = await run_steps(home, steps)
    assert run["status"]["conclusion"] == "failure"


async def test_a_context_cannot_name_files_of_the_machine(home):
    (home.root / "home/token").write_text("the-homes-own-token")
    steps = f"""
- run: |
    mkdir app && ln -s {home.root}/home/token app/token && ln -s {home.root}/home app/folder
    echo FROM x > app/Dockerfile
- uses: docker/build-push-action@v6
  with: {{context: app, tags: "ghcr.io/acme/x:1", push: true}}
- uses: docker/build-push-action@v6
  if: always()
  with: {{context: ../../.., tags: "ghcr.io/acme/x:1", push: true}}
"""
    _, log = await run_steps(home, steps)
    (build,) = home.build.requests
    assert build[2] == ["Dockerfile"]
    assert "is not under the workspace" in log


async def test_a_planted_link_does_not_move_the_checkout(home):
    outside = home.root / "outside"
    outside.mkdir(mode=0o777)
    outside.chmod(0o777)
    steps = f"""
- run: ln -s {outside} sub; ln -s {outside} ../../_temp/link; rm -rf ../../_temp; ln -s {outside} ../../_temp
- uses: actions/checkout@v4
  with: {{path: sub}}
"""
    run, _ = await run_steps(home, steps)
    assert run["status"]["conclusion"] == "failure"
    assert list(outside.iterdir()) == []


async def test_without_isolation_the_job_runs_on_the_host_and_still_leaves_nothing(tmp_path):
    home = RunnerHome(tmp_path)
    await home.set_up(isolation="none")
    steps = """
- uses: actions/checkout@v4
- run: |
    setsid sh -c 'exec sleep 4444.4444' >/dev/null 2>&1 &
    git log --oneline | cat; pwd
"""
    run, log = await run_steps(home, steps)
    assert run["status"]["conclusion"] == "success", log
    assert f"{tmp_path}/home/runs/work" in log
    assert processes("sleep 4444.4444") == []


async def test_where_nothing_can_be_isolated_jobs_are_refused(home, monkeypatch):
    from tidegate.base.sandbox import Capabilities, Missing
    from tidegate.runner import local_jobs

    async def probe():
        return Capabilities(False, False, False, False, (Missing("user namespaces are off", "sysctl -w x=1"),))

    monkeypatch.setattr(local_jobs, "probe", probe)
    run, log = await run_steps(home, "- run: echo never")
    assert run["status"]["conclusion"] == "failure"
    assert "user namespaces are off" in run["status"]["message"]
    assert "sysctl -w x=1" in run["status"]["message"]
    assert "isolation to none" in log


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user for the test")
@pytest.mark.parametrize(
    "test",
    [
        "test_the_home_other_jobs_and_the_server_are_out_of_sight",
        "test_the_hosts_loopback_is_not_the_jobs",
        "test_nothing_outlives_the_job",
        "test_a_context_cannot_name_files_of_the_machine",
        "test_a_planted_link_does_not_move_the_checkout",
    ],
)
def test_the_same_holds_for_an_ordinary_user(test):
    folder = Path(tempfile.mkdtemp(prefix="tidegate-user-"))
    try:
        python = ordinary_python(folder)
        if not python:
            pytest.skip("no Python that an ordinary user may start: apt-get install python3")
        copied = shutil.copytree(
            Path(__file__).parent, folder / "tests", ignore=shutil.ignore_patterns("__pycache__", "conftest.py")
        )
        options = [
            "-q",
            "-p",
            "no:cacheprovider",
            "-o",
            "asyncio_mode=auto",
            "-o",
            "markers=integration",
            f"--rootdir={folder}",
            "--import-mode=importlib",
        ]
        done = subprocess.run(
            [*python, "-m", "pytest", *options, f"{copied}/{Path(__file__).name}::{test}"],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=folder,
        )
        assert done.returncode == 0, textwrap.indent(done.stdout[-6000:] + done.stderr[-2000:], "  ")
        assert "1 passed" in done.stdout
    finally:
        shutil.rmtree(folder)
