"""Jobs in containers, with services, and steps from images, by the real podman."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from container_world import TOOLS, WEB, WEB_IMAGE, container_world, containers_of, job_log, limits_of, volumes_of
from runner_home import workflow

from tidegate.kinds.objects import key_of

pytestmark = pytest.mark.integration
IN_TOOLS = f"container: {TOOLS}\n"


@pytest.fixture
async def home(tmp_path):
    async with container_world(tmp_path) as home:
        yield home


async def test_the_steps_of_a_job_run_in_its_container(home):
    steps = """
- run: |
    echo "shell $0"
    echo "user $(id -u) in $(pwd)"
    echo "image $FROM_IMAGE own $OWN workspace $GITHUB_WORKSPACE home $HOME event $GITHUB_EVENT_PATH"
    test -s "$GITHUB_EVENT_PATH" && test ! -e /usr && test ! -e /home
    echo "answer=42" >> "$GITHUB_OUTPUT"
    echo "LATER=kept" >> "$GITHUB_ENV"
    mkdir -p $HOME/tools && printf '#!/bin/sh\\necho a tool' > $HOME/tools/own && busybox chmod +x $HOME/tools/own
    echo $HOME/tools >> "$GITHUB_PATH"
  id: first
- run: echo "answer ${{ steps.first.outputs.answer }} $LATER ${{ github.workspace }} $(own)"
- uses: actions/checkout@v4
- run: cat .github/workflows/ci.yaml | grep -c runs-on
- run: 'echo "job container ${{ job.container.id }} on ${{ job.container.network }}" | grep -v "container  on"'
- run: test "${{ hashFiles('.github/**') }}" != "" && touch $RUNNER_TEMP/made
- uses: actions/upload-artifact@v4
  with: {name: made, path: "${{ runner.temp }}/made"}
"""
    job = f'container: {{image: "{TOOLS}", env: {{OWN: "${{{{ github.ref_name }}}}"}}}}'
    log = await job_log(home, workflow(steps, job=job))
    workspace = "/__w/shop/shop"
    assert "shell: sh -e /__w/_temp/" in log
    assert f"user 0 in {workspace}" in log
    event = "/github/workflow/event.json"
    assert f"image yes own main workspace {workspace} home /github/home event {event}" in log
    assert f"answer 42 kept {workspace} a tool" in log
    assert "are the artifact 'made'" in log
    assert containers_of(home) == []


async def test_a_step_in_a_container_is_ended_and_limits_hold(home):
    steps = """
- run: sh -c 'sleep 54321; true'
  timeout-minutes: 0.2
  continue-on-error: true
- run: |
    ps | grep -v grep | grep -c 'sleep 54321' && exit 1
    test "$(ls /sys)" = ""
    test "$(cat /cache/kept 2>/dev/null)" = "" && echo word >/cache/kept
- run: echo "user $(id -u) and the volume says $(cat /cache/kept)"
"""
    job = f'container: {{image: "{TOOLS}", options: --memory 64m --pids-limit 99, volumes: ["cache:/cache"]}}'
    async with asyncio.TaskGroup() as group:
        ending = group.create_task(job_log(home, workflow(steps, job=job)))
        await home.seen_command_lines("sh -c sleep 54321; true")
        assert limits_of("sh -c sleep 54321; true") == (str(64 * 1024**2), "99")
    log = ending.result()
    assert "The step has timed out after 0.2 minutes." in log
    assert "the volume says word" in log
    assert volumes_of(home) == []


async def test_the_options_that_stay_inside_take_effect(home):
    options = (
        "--init --tmpfs /scratch --hostname box --add-host far:10.9.8.7 --cap-drop NET_RAW --ulimit nofile=512:512"
    )
    more = "--security-opt no-new-privileges --cap-add SYS_PTRACE --shm-size 32m --cpus 1 -u 1000:1000 --env A=b"
    steps = """
- run: |
    echo "host $(hostname) user $(id -u) files $(ulimit -n) $A"
    grep far /etc/hosts
    mount | grep -E "/scratch|/dev/shm"
    grep NoNewPrivs /proc/self/status
"""
    log = await job_log(home, workflow(steps, job=f'container: {{image: "{TOOLS}", options: "{options} {more}"}}'))
    assert "host box user 1000 files 512 b" in log
    assert "10.9.8.7 far" in log
    assert "tmpfs on /scratch" in log
    assert "size=32768k" in log
    assert "NoNewPrivs:\t1" in log


async def test_a_job_in_a_container_reaches_a_service_by_its_name(home):
    steps = """
- run: wget -q -O- http://web/word
- run: echo "service ${{ job.services.web.id }} on ${{ job.services.web.network }} ${{ job.services.web.ports['80'] }}"
- run: '! wget -q -O- -T 3 http://127.0.0.1:8080/word'
"""
    log = await job_log(home, workflow(steps, job=IN_TOOLS + WEB))
    assert "hello from acme/shop" in log
    assert "What the service web wrote" in log
    assert "serving" in log
    assert containers_of(home) == []


async def test_a_job_on_the_machine_reaches_a_service_by_its_mapped_port(home):
    steps = """
- run: |
    ask() { python3 -c "import urllib.request as u; print(u.urlopen('http://localhost:$1/word').read().decode())"; }
    ask 8080
    ask ${{ job.services.web.ports['80'] }}
    echo "shell $0"
"""
    log = await job_log(home, workflow(steps, job=WEB))
    assert log.count("hello from acme/shop") >= 2
    assert "shell: bash -e /home/runner/work/_temp/" in log
    assert containers_of(home) == []


async def test_services_may_listen_at_the_same_port(home):
    job = f"""\
services:
  one: {{image: {WEB_IMAGE}, env: {{WORD: first}}, ports: ["81:80"]}}
  two: {{image: {WEB_IMAGE}, env: {{WORD: second}}, ports: ["82:80"]}}
"""
    steps = """
- shell: python
  run: |
    import time, urllib.request
    def ask(port):
        for _ in range(600):
            try:
                return urllib.request.urlopen(f"http://127.0.0.1:{port}/word").read().decode().strip()
            except OSError:
                time.sleep(0.05)
    print("words", ask(81), ask(82))
"""
    log = await job_log(home, workflow(steps, job=job))
    assert "words first second" in log


async def test_a_service_that_gets_not_healthy_fails_the_job_at_its_line(home):
    job = f"""\
services:
  web:
    image: {WEB_IMAGE}
    options: --health-cmd "echo not yet; exit 3" --health-interval 100ms --health-retries 2
"""
    log = await job_log(home, workflow("- run: echo never", job=job), "failure")
    assert "ci.yaml:7:16" in log
    assert "the service web is not healthy: its check ended with 3: not yet" in log
    assert "serving" in log
    assert "never" not in log
    assert containers_of(home) == []


NEVER = f"""\
services:
  web:
    image: {WEB_IMAGE}
    options: --health-cmd "exit 1" --health-interval 1h
"""


async def test_a_job_that_waits_for_its_services_is_cancelled_at_once(home):
    home.commit(workflow("- run: echo never", job=NEVER))
    async with home.running():
        home.push()
        (run,) = await home.until(len, timeout=60)
        await home.seen_command_lines("httpd -f -p 80 -h /srv")
        await home.store.patch(key_of(run), {"spec": {"cancel": True}}, manager="test")
        (run,) = await home.finished(timeout=60)
    assert run["status"]["conclusion"] == "cancelled"
    steps = run["status"]["jobs"][0]["steps"]
    assert [(step["name"], step["conclusion"]) for step in steps] == [
        ("Set up job", "success"),
        ("Initialize containers", "cancelled"),
    ]
    assert containers_of(home) == []


async def test_a_jobs_time_counts_for_its_services_too(home):
    log = await job_log(home, workflow("- run: echo never", job=NEVER + "timeout-minutes: 0.15\n"), "timed_out")
    assert "its containers were not there after 0.15 minutes" in log
    assert containers_of(home) == []


async def test_isolation_container_runs_each_job_in_the_runners_image(home):
    await home.set_spec(isolation="container", image=TOOLS)
    log = await job_log(home, workflow("- run: echo image $FROM_IMAGE in $(pwd)"))
    assert "image yes in /__w/shop/shop" in log
