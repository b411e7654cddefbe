"""Steps as they really run: shells, environment, outputs, conditions, commands, masks, times."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from runner_home import NAMESPACE, RUNNER, RunnerHome, workflow

pytestmark = pytest.mark.integration


@pytest.fixture
async def home(tmp_path):
    home = RunnerHome(tmp_path)
    await home.set_up()
    return home


async def run_steps(home, steps, **parts):
    """The finished run of a workflow with these steps, and its log."""
    home.commit(workflow(steps, **parts))
    async with home.running():
        home.push()
        (run,) = await home.finished()
    return run, home.log(run) if run["status"]["jobs"] else ""


def conclusions(run):
    return {step["name"]: step["conclusion"] for step in run["status"]["jobs"][0]["steps"]}


async def test_outputs_environment_and_path_reach_later_steps(home):
    run, log = await run_steps(
        home,
        """
- id: one
  run: |
    echo "word=tide" >> "$GITHUB_OUTPUT"
    printf 'text<<END\\nline 1\\nline 2\\nEND\\n' >> "$GITHUB_OUTPUT"
    echo "COLOUR=blue" >> "$GITHUB_ENV"
    mkdir -p tools && printf '#!/bin/sh\\necho "the tool runs"\\n' > tools/mytool && chmod +x tools/mytool
    echo "$PWD/tools" >> "$GITHUB_PATH"
- run: |
    echo "got ${{ steps.one.outputs.word }} $COLOUR ${{ env.COLOUR }}"
    echo "${{ steps.one.outputs.text }}"
    mytool
""",
    )
    assert run["status"]["conclusion"] == "success", log
    assert "got tide blue blue" in log
    assert "line 1\nline 2" in log
    assert "the tool runs" in log


async def test_a_step_gets_nothing_of_the_servers_environment(home, monkeypatch):
    monkeypatch.setenv("TIDEGATE_HOME", "/somewhere")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for jobs")
    _, log = await run_steps(home, '- run: env | sort | sed "s/^/ENV:/"', job="env: {MINE: yes-mine}")
    names = {line.removeprefix("ENV:").partition("=")[0] for line in log.splitlines() if line.startswith("ENV:")}
    assert {"MINE", "CI", "GITHUB_SHA", "GITHUB_REPOSITORY", "RUNNER_TEMP", "HOME", "PATH", "GITHUB_OUTPUT"} <= names
    own = ("GITHUB_", "RUNNER_")
    assert {name for name in names if not name.startswith(own)} == {
        "CI", "HOME", "LANG", "MINE", "PATH", "PWD", "SHLVL", "USER", "_",
    }  # fmt: skip
    assert "GITHUB_TOKEN" not in names


async def test_a_failed_step_skips_the_rest_but_what_asks_for_it(home):
    run, log = await run_steps(
        home,
        """
- name: breaks
  run: exit 3
- name: skipped
  run: echo never
- name: on failure
  if: failure()
  run: echo "status is ${{ job.status }}"
- name: always
  if: ${{ always() }}
  run: echo "cleaning"
""",
    )
    assert run["status"]["conclusion"] == "failure"
    assert conclusions(run)["breaks"] == "failure"
    assert conclusions(run)["skipped"] == "skipped"
    assert conclusions(run)["on failure"] == "success"
    assert "Process completed with exit code 3." in log
    assert "status is failure" in log
    assert "cleaning" in log
    assert "never" not in log


async def test_continue_on_error_keeps_outcome_and_conclusion_apart(home):
    run, log = await run_steps(
        home,
        """
- id: shaky
  continue-on-error: true
  run: exit 1
- run: echo "${{ steps.shaky.outcome }} then ${{ steps.shaky.conclusion }}"
""",
    )
    assert run["status"]["conclusion"] == "success"
    assert "failure then success" in log


async def test_shells_folders_and_their_defaults(home):
    run, log = await run_steps(
        home,
        """
- run: mkdir -p deep/er && pwd
- run: pwd
  working-directory: deep/er
- shell: python
  run: |
    import os
    print("python in", os.getcwd())
- shell: bash
  run: |
    set -o | grep pipefail
- shell: sh
  run: echo "sh says $0"
- shell: perl {0}
  if: false
  run: print 1
- name: pipe
  shell: bash
  run: false | true
""",
    )
    assert "/home/runner/work/shop/shop/deep/er" in log
    assert "python in /home/runner/work/shop/shop" in log
    assert "pipefail       \ton" in log
    assert conclusions(run)["pipe"] == "failure"


async def test_commands_in_the_output_do_what_they_say(home):
    run, log = await run_steps(
        home,
        """
- id: old
  run: |
    echo "::group::inside"
    echo "::set-output name=word::old way"
    echo "::endgroup::"
    echo "::error file=a.py,line=3::it is broken"
    echo "::stop-commands::xyz"
    echo "::error::only text"
    echo "::xyz::"
    echo "::warning::again"
- run: echo "output ${{ steps.old.outputs.word }}"
- name: refused
  run: echo "::set-env name=A::b"
""",
    )
    assert "##[group]inside" in log
    assert "##[error]a.py:3: it is broken" in log
    assert "::error::only text" in log
    assert "##[warning]again" in log
    assert "output old way" in log
    assert conclusions(run)["refused"] == "failure"


async def test_secrets_and_masks_never_reach_log_status_or_summary(home):
    await home.store.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "ci", "namespace": NAMESPACE},
            "stringData": {"DEPLOY_KEY": "hunter2-is-secret"},
        },
        manager="test",
    )
    runner = await home.store.get(RUNNER)
    await home.store.patch(RUNNER, {"spec": {**runner["spec"], "secretRef": {"name": "ci"}}}, manager="test")
    steps = """
- name: Use ${{ secrets.DEPLOY_KEY }}
  id: leak
  env: {KEY: "${{ secrets.DEPLOY_KEY }}"}
  run: |
    echo "key $KEY"
    echo "$KEY" | base64
    made="made-at"; made="$made-run-time"
    echo "::add-mask::$made"
    echo "$made"
    echo "key=$KEY" >> "$GITHUB_OUTPUT"
    echo "# $KEY" >> "$GITHUB_STEP_SUMMARY"
    echo "token ${{ secrets.GITHUB_TOKEN }} ${{ github.token }}"
    echo "length ${#KEY}"
"""
    run, log = await run_steps(home, steps, job="outputs: {key: '${{ steps.leak.outputs.key }}', fine: yes-it-is}")
    assert run["status"]["conclusion"] == "success", log
    everything = log + str(run) + home.logs.summary(run["metadata"]["name"], 1, "build")
    for secret in ("hunter2", "aHVudGVyMi1pcy1zZWNyZXQ", "made-at-run-time", "tgr_secret_token"):
        assert secret not in everything
    assert "length 17" in log
    assert "Skip output 'key'" in log


async def test_a_step_and_a_job_end_at_their_times(home):
    begun = time.monotonic()
    run, log = await run_steps(
        home,
        """
- name: slow
  timeout-minutes: 0.01
  run: trap 'echo interrupted' INT; sleep 60 & wait
- name: after
  if: always()
  run: echo "and on"
""",
    )
    assert time.monotonic() - begun < 20
    assert conclusions(run)["slow"] == "failure"
    assert "timed out after 0.01 minutes" in log
    assert "and on" in log


async def test_a_job_past_its_time_is_timed_out(home):
    run, _ = await run_steps(
        home,
        """
- name: endless
  run: sleep 60
- name: cleaning
  if: always()
  run: echo cleaned
""",
        job="timeout-minutes: 0.01",
    )
    assert run["status"]["conclusion"] == "timed_out"
    assert run["status"]["message"] == "build: it took longer than 0.01 minutes"
    assert conclusions(run) == {
        "Set up job": "success",
        "endless": "cancelled",
        "cleaning": "success",
        "Complete job": "success",
    }


async def test_event_data_in_a_script_does_not_reach_beyond_the_job(home):
    (home.folder).mkdir(exist_ok=True)
    home.commit(workflow("- run: echo '${{ github.event.head_commit.message }}'"), "x'; touch /tmp/evil; echo 'y")
    async with home.running():
        home.push()
        (run,) = await home.finished()
    assert run["status"]["conclusion"] == "success"
    assert not Path("/tmp/evil").exists()


async def test_an_unreadable_file_command_fails_the_step_alone(home):
    run, log = await run_steps(
        home,
        """
- name: nonsense
  run: echo "neither" >> "$GITHUB_OUTPUT"
- name: link
  if: always()
  run: rm "$GITHUB_OUTPUT" && ln -s /etc/passwd "$GITHUB_OUTPUT"
- name: pipe
  if: always()
  run: rm "$GITHUB_ENV" && mkfifo "$GITHUB_ENV"
- name: swapped
  if: always()
  run: |
    mv "$(dirname "$GITHUB_OUTPUT")" /tmp/moved
    ln -s /tmp/moved "$(dirname "$GITHUB_OUTPUT")"
""",
    )
    found = conclusions(run)
    assert (found["nonsense"], found["link"], found["pipe"], found["swapped"]) == ("failure",) * 4
    assert "neither = nor <<" in log
    assert "root:" not in log


async def test_a_flood_of_output_is_bounded_and_its_end_is_kept(home):
    home.logs._limit = 200_000
    run, log = await run_steps(home, "- run: yes 'a line of a flood' | head -n 200000; echo the-very-end; exit 1")
    assert len(log) < 500_000
    assert "bytes are not kept here" in log
    assert "the-very-end" in log
    assert run["status"]["conclusion"] == "failure"


async def test_an_endless_flood_ends_at_its_time_and_keeps_nobody_waiting(home):
    longest = 0.0

    async def beat():
        nonlocal longest
        while True:
            begun = time.monotonic()
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - begun)

    home.commit(workflow("- timeout-minutes: 0.03\n  run: yes 'a line of a flood'"))
    async with home.running():
        home.push()
        beating = asyncio.create_task(beat())
        (run,) = await home.finished(timeout=15)
        beating.cancel()
    assert run["status"]["conclusion"] == "failure"
    assert longest < 0.25, "the bound is 0.05 s on a machine with nothing else to do"


async def test_a_background_program_lives_until_its_job_ends(home):
    _, log = await run_steps(
        home,
        """
- run: |
    (while :; do date +%N > /tmp/alive; sleep 0.05; done) &
    echo started
- run: |
    first=$(cat /tmp/alive); sleep 0.3
    [ "$first" != "$(cat /tmp/alive)" ] && echo "still alive"
""",
    )
    assert "still alive" in log, log
