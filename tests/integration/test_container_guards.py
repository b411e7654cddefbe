"""What containers of jobs must not reach, show or leave behind, by the real podman."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import httpx2
import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from container_world import (
    HOME_TOKEN,
    TOOLS,
    WEB_IMAGE,
    command_lines,
    container_world,
    containers_of,
    job_log,
    push_tools,
)
from needed import need
from runner_home import workflow
from tests.integration.cluster_program import Program
from tests.integration.cluster_world import free_ports
from tests.integration.secure_registry import HTPASSWD, PASSWORD, USER

from tidegate.oci.credentials import Login

pytestmark = pytest.mark.integration
CHILD = Path(__file__).parent / "container_process.py"
SRC = Path(__file__).parents[2] / "src"
IN_TOOLS = f"container: {TOOLS}\n"


@pytest.fixture
async def home(tmp_path):
    async with container_world(tmp_path) as home:
        yield home


async def test_a_container_reaches_neither_the_machine_nor_its_processes(home):
    (home.root / "home/token").write_text("the-homes-own-token")
    url = home.endpoint.url
    steps = f"""
- run: |
    echo "processes $(ps | grep -c -v PID)"
    ! wget -q -T 3 -O- {url}/v2/
    ! cat {home.root}/home/token
    ! mount -t tmpfs none /srv
    ! cat /proc/1/environ | grep -a CONTAINERS_CONF
    grep -E "^ +0 +[1-9]" /proc/self/uid_map
"""
    await job_log(home, workflow(steps, job=IN_TOOLS + "permissions: {contents: read}\n"))


async def test_secrets_are_in_no_command_line_and_masked(home):
    await home.set_secrets(PASSWORD="correct-horse")
    job = f"""\
container:
  image: {TOOLS}
  env: {{KEY: "${{{{ secrets.PASSWORD }}}}"}}
services:
  web: {{image: {WEB_IMAGE}, env: {{WORD: "${{{{ secrets.PASSWORD }}}}"}}}}
"""
    steps = """- run: sh -c "while test ! -e /__w/_temp/go; do sleep 0.1; done"; echo the key is $KEY"""
    home.commit(workflow(steps, job=job))
    async with home.running():
        home.push()
        lines = await home.seen_command_lines("podman run --detach --rm --pull=never --preserve-fds=1 --no-hosts")
        await home.seen_command_lines("test ! -e /__w/_temp/go")
        lines += command_lines()
        assert not [line for line in lines if "correct-horse" in line]
        go = next((home.root / "home/runs/work").glob("*/home/work/_temp")) / "go"
        go.touch()
        (run,) = await home.finished(timeout=180)
    log = home.log(run)
    assert run["status"]["conclusion"] == "success", log
    assert "the key is ***" in log
    assert "correct-horse" not in log


REGISTRY = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: basic, path: {passwords}}}}}
"""


@contextlib.asynccontextmanager
async def closed_registry(folder):
    """Debian's docker-registry, which asks for a password, with `acme/tools:1` in it; its host and port."""
    folder.mkdir()
    (port,) = free_ports(1)
    (folder / "htpasswd").write_text(HTPASSWD)
    config = folder / "config.yml"
    config.write_text(REGISTRY.format(root=folder / "data", port=port, passwords=folder / "htpasswd"))
    program = Program([str(need("docker-registry")), "serve", str(config)], folder / "registry.log")
    program.start()
    try:
        headers = {"Authorization": str(Login(USER, PASSWORD).basic)}
        async with httpx2.AsyncClient(trust_env=False, headers=headers) as http, asyncio.timeout(60):
            while True:
                with contextlib.suppress(httpx2.TransportError):
                    if (await http.get(f"http://127.0.0.1:{port}/v2/")).status_code == 200:
                        break
                await asyncio.sleep(0.05)
        await push_tools(f"http://127.0.0.1:{port}", headers, "acme/tools", "1")
        yield f"127.0.0.1:{port}"
    finally:
        program.kill()


async def test_credentials_open_a_registry_and_count_for_their_container_alone(home):
    await home.set_secrets(PASSWORD=PASSWORD)
    async with closed_registry(home.root / "closed") as host:
        job = f"""\
container:
  image: {host}/acme/tools:1
  credentials: {{username: {USER}, password: "${{{{ secrets.PASSWORD }}}}"}}
"""
        steps = f"""
- run: echo "in the image $FROM_IMAGE with {PASSWORD}"
- uses: docker://{host}/acme/tools:1
"""
        log = await job_log(home, workflow(steps, job=job), "failure")
        assert "in the image yes with ***" in log
        assert "the registry does not give" in log
        assert PASSWORD not in log
    assert not list((home.root / "home/containers").glob("pull-*"))


async def test_a_kill_of_the_process_leaves_no_container(home):
    job = f"container: {TOOLS}\nservices: {{web: {{image: {WEB_IMAGE}}}}}"
    steps = '- run: test "$GITHUB_RUN_ATTEMPT" != 1 || sh -c "sleep 98765; true"\n- run: echo second'
    home.commit(workflow(steps, job=job))
    home.push()
    home.store.close()
    child = await start(home)
    await home.seen_command_lines("sleep 98765; true")
    os.kill(child.pid, signal.SIGKILL)
    await child.wait()
    async with asyncio.timeout(60):  # nothing of the job outlives the process for long, before anybody sweeps
        while any("sleep 98765; true" in line for line in command_lines()):  # noqa: ASYNC110 - /proc tells nobody
            await asyncio.sleep(0.05)
    child = await start(home)
    out, _ = await asyncio.wait_for(child.communicate(), 180)
    (run,) = json.loads(out.splitlines()[-1])
    assert run["status"]["conclusion"] == "success"
    assert run["status"]["attempt"] == 2
    assert containers_of(home) == []


async def start(home):
    command = [sys.executable, str(CHILD), str(home.root), home.endpoint.url, HOME_TOKEN]
    environment = {**os.environ, "PYTHONPATH": f"{SRC}:{os.environ.get('PYTHONPATH', '')}"}
    return await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)


async def test_without_podman_a_workflow_is_refused_before_it_runs(home, monkeypatch, tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()
    for folder in ("/usr/sbin", "/usr/bin"):
        for path in Path(folder).iterdir():
            if path.name != "podman" and not (programs / path.name).exists():
                (programs / path.name).symlink_to(path)
    monkeypatch.setenv("PATH", str(programs))
    home.commit(workflow("- run: echo never", job=IN_TOOLS))
    async with home.running():
        home.push()
        (run,) = await home.finished()
    assert run["status"]["conclusion"] == "failure"
    assert not run["status"].get("jobs")
    said = json.dumps(run["status"])
    assert ".github/workflows/ci.yaml:5:5: 'container' can't run here: the program 'podman' is not installed" in said
    assert "apt-get install podman" in said
