"""Composite actions of the repository in real runs: inputs, outputs, env, conditions, failures, nesting, cancelling."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from runner_home import NAMESPACE, RUNNER, RunnerHome, workflow

from tidegate.kinds.objects import key_of

pytestmark = pytest.mark.integration
CHECKOUT = "- uses: actions/checkout@v4\n"


@pytest.fixture
async def home(tmp_path):
    home = RunnerHome(tmp_path)
    await home.set_up(maxJobs=2)
    return home


async def finish(home, steps, job="", timeout=30, **actions):
    """A run of a workflow whose repository has these actions, `action.yml` in a folder of the name."""
    files = {f"{name.replace('__', '/')}/action.yml": text for name, text in actions.items()}
    home.commit(workflow(CHECKOUT + steps, job=job) | files)
    async with home.running():
        home.push()
        return (await home.finished(1, timeout))[0]


def lines(home, run):
    return home.log(run).splitlines()


async def test_an_action_gets_inputs_and_gives_outputs_and_its_steps_see_each_other(home):
    run = await finish(
        home,
        """
- id: greet
  uses: ./greet
  with: {WHO: tide, count: "${{ 1 == 1 }}"}
  env: {FROM_STEP: step}
- run: |
    echo "got ${{ steps.greet.outputs.said }}, ${{ steps.greet.outcome }}, <${{ steps.say.outputs.said }}>"
    echo "kept $KEPT"; hello-there
""",
        job="env: {FROM_JOB: job}",
        greet="""
name: Greet
inputs:
  who: {required: true}
  count: {default: '7'}
  rest: {default: 'of ${{ github.event_name }}'}
  empty: {}
outputs:
  said: {value: "${{ steps.say.outputs.said }}!"}
runs:
  using: composite
  steps:
    - id: say
      shell: bash
      run: |
        echo "said=hello ${{ inputs.who }} ${{ inputs.count }} ${{ inputs.rest }} <${{ inputs.empty }}>" >> $GITHUB_OUTPUT
        echo "KEPT=from action" >> "$GITHUB_ENV"
        printf '#!/bin/sh\\necho general' > "$GITHUB_ACTION_PATH/hello-there"; chmod +x "$GITHUB_ACTION_PATH/hello-there"
        echo "$GITHUB_ACTION_PATH" >> "$GITHUB_PATH"
        test -z "$INPUT_WHO" && echo no variable
    - shell: sh
      if: steps.say.outputs.said != ''
      env: {OWN: "${{ env.FROM_STEP }}"}
      run: |
        echo "second $FROM_JOB $FROM_STEP $OWN $KEPT"
        test "$GITHUB_ACTION_PATH" = "${{ github.action_path }}" && test -f "$GITHUB_ACTION_PATH/action.yml" && echo same path
    - shell: python
      run: print("snake", "${{ job.status }}", "${{ runner.os }}")
      working-directory: ${{ github.action_path }}
""",  # noqa: E501 - a script
    )
    assert run["status"]["conclusion"] == "success", home.log(run)
    log = lines(home, run)
    for words in (
        "got hello tide true of push <>!, success, <>",
        "second job step step from action",
        "kept from action",
        "general",
        "no variable",
        "same path",
        "snake success Linux",
    ):
        assert words in log, home.log(run)
    assert [step["name"] for step in run["status"]["jobs"][0]["steps"]][2] == "Run ./greet"


async def test_secrets_reach_an_action_only_as_inputs(home):
    metadata = {"name": "own", "namespace": NAMESPACE}
    await home.store.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"KEY": "tide-secret"}},
        manager="test",
    )
    await home.store.patch(RUNNER, {"spec": {"secretRef": {"name": "own"}}}, manager="test")
    run = await finish(
        home,
        "- uses: ./act\n  with: {key: '${{ secrets.KEY }}'}",
        act="""
inputs: {key: {}}
runs:
  using: composite
  steps: [{run: 'echo "has ${#KEY}: $KEY"', shell: bash, env: {KEY: "${{ inputs.key }}"}}]
""",
    )
    assert "has 11: ***" in lines(home, run)
    assert "tide-secret" not in home.log(run)


FAILING = """
outputs: {after: {value: "${{ steps.last.outcome }} ${{ steps.first.outcome }} ${{ steps.first.conclusion }}"}}
runs:
  using: composite
  steps:
    - {id: first, run: exit 3, shell: bash, continue-on-error: %s}
    - {run: echo on success, shell: bash}
    - {run: echo on failure, shell: bash, if: failure()}
    - {id: last, run: echo in the end, shell: bash, if: always()}
"""


@pytest.mark.parametrize("tolerated", [True, False])
async def test_a_failing_step_fails_the_action_unless_it_is_tolerated(home, tolerated):
    run = await finish(
        home,
        """
- id: it
  uses: ./act
- if: always()
  run: echo "outcome ${{ steps.it.outcome }}, ${{ steps.it.outputs.after }}"
- run: echo goes on
""",
        act=FAILING % str(tolerated).lower(),
    )
    log = lines(home, run)
    said = [words for words in ("on success", "on failure", "in the end", "goes on") if words in log]
    if tolerated:
        assert said == ["on success", "in the end", "goes on"]
        assert "outcome success, success failure success" in log
    else:
        assert said == ["on failure", "in the end"]
        assert "outcome failure, success failure failure" in log
        assert run["status"]["conclusion"] == "failure"


async def test_an_action_that_cleans_up_after_a_failure_looks_at_its_own_steps(home):
    run = await finish(
        home,
        "- run: exit 1\n- if: always()\n  uses: ./act\n- if: failure()\n  uses: ./act\n  continue-on-error: true",
        act="""
runs:
  using: composite
  steps:
    - {run: 'echo own steps succeed, job ${{ job.status }}', shell: bash}
    - {run: echo own steps fail, shell: bash, if: failure()}
""",
    )
    log = lines(home, run)
    assert log.count("own steps succeed, job failure") == 2
    assert "own steps fail" not in log


async def test_actions_use_actions_and_no_deeper_than_ten(home):
    run = await finish(
        home,
        "- uses: ./outer\n- uses: ./round\n  continue-on-error: true\n- run: echo after",
        outer="""
inputs: {who: {default: outer}}
runs:
  using: composite
  steps:
    - id: in
      uses: ./nested/inner
      with: {who: "${{ inputs.who }}'s"}
    - {run: 'echo "back with ${{ steps.in.outputs.word }} in ${{ github.action_path }}"', shell: bash}
""",
        nested__inner="""
inputs: {who: {}}
outputs: {word: {value: "${{ inputs.who }} word"}}
runs:
  using: composite
  steps:
    - {run: 'echo "inner ${{ inputs.who }} in ${GITHUB_ACTION_PATH##*/}"', shell: bash}
""",
        round="runs: {using: composite, steps: [{uses: ./round}]}",
    )
    log = home.log(run)
    assert "inner outer's in inner" in log
    assert "back with outer's word in /home/runner/work/shop/shop/outer" in log
    assert "actions use each other more than 10 deep" in log
    assert run["status"]["conclusion"] == "success"
    assert "\nafter" in log


async def test_built_in_actions_work_within(home):
    run = await finish(
        home,
        "- uses: ./act\n- run: cat copy/act/action.yml",
        act="""
runs:
  using: composite
  steps:
    - uses: actions/checkout@v4
      with: {path: copy}
""",
    )
    assert run["status"]["conclusion"] == "success", home.log(run)
    assert "      with: {path: copy}" in lines(home, run)


async def test_what_is_wrong_in_actions_of_the_commit_is_shown_before_anything_runs(home):
    run = await finish(
        home,
        "- uses: ./one\n- uses: ./two\n- uses: ./not-there-yet",
        one="runs:\n  using: composite\n  steps:\n    - {uses: ./three}\n    - {uses: acme/unknown@v1}\n    - {run: x}",
        two="runs: {using: node12, main: index.js}",
        three="runs:\n  using: composite\n  steps: [{uses: 'docker://alpine'}]",
    )
    message = run["status"]["message"]
    assert run["status"]["jobs"] == []
    for words in (
        "one/action.yml:6:7: a 'run' step of an action needs a 'shell'",
        "two/action.yml:1:15: 'node12' is not known here",
        "  1 | runs: {using: node12, main: index.js}",
    ):
        assert words in message
    home.commit({"one/action.yml": "runs:\n  using: composite\n  steps: [{uses: ./three}, {uses: acme/unknown@v1}]"})
    async with home.running():
        home.push()
        second = next(run for run in await home.finished(2) if run["spec"]["runNumber"] == 2)
    assert "one/action.yml:3:35: 'acme/unknown@v1' is not built in, and can't be had" in second["status"]["message"]


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ("- uses: ./nowhere", "there is no action.yml in ./nowhere of the workspace"),
        (
            "- run: 'mkdir made; echo \"runs: {using: node12, main: x}\" > made/action.yml'\n- uses: ./made",
            "made/action.yml:1:15: 'node12' is not known here",
        ),
        ("- run: 'mkdir link; ln -s /etc/passwd link/action.yml'\n- uses: ./link", "is no plain file"),
        ("- run: 'ln -s / top'\n- uses: ./top/etc", "top"),
        (
            "- run: 'mkdir huge; truncate -s 2M huge/action.yml'\n- uses: ./huge",
            "action.yml is longer than 1048576 bytes",
        ),
    ],
)
async def test_what_the_workspace_has_instead_of_an_action_fails_the_step(home, steps, words):
    run = await finish(home, steps)
    assert run["status"]["conclusion"] == "failure"
    assert words in home.log(run)


async def test_an_action_outside_of_the_workspace_is_refused(home):
    act = "runs: {using: composite, steps: [{uses: ./../up}]}"
    run = await finish(home, "- uses: ./../../etc\n- uses: ./act", act=act)
    assert "ci.yaml:8:15: './../../etc' is outside of the workspace" in run["status"]["message"]
    assert "act/action.yml:1:41: './../up' is outside of the workspace" in run["status"]["message"]


SLOW = """
runs:
  using: composite
  steps:
    - {run: sleep 600, shell: bash}
    - {run: echo never, shell: bash}
    - {run: echo cleaned within, shell: bash, if: always()}
"""


async def test_cancelling_ends_the_step_within_and_what_cleans_up_there_runs(home):
    steps = f"{CHECKOUT}- uses: ./slow\n- if: cancelled()\n  run: echo cleaned after"
    home.commit(workflow(steps) | {"slow/action.yml": SLOW})
    async with home.running():
        home.push()
        (run,) = await home.until(
            lambda runs: any(
                step["name"] == "Run ./slow" and step["status"] == "in_progress"
                for run in runs
                for job in (run.get("status") or {}).get("jobs", ())
                for step in job.get("steps", ())
            )
        )
        await home.store.patch(key_of(run), {"spec": {"cancel": True}}, manager="test")
        (run,) = await home.finished()
    log = lines(home, run)
    assert run["status"]["conclusion"] == "cancelled"
    assert ("cleaned within" in log, "cleaned after" in log, "never" in log) == (True, True, False)
    (step,) = [step for step in run["status"]["jobs"][0]["steps"] if step["name"] == "Run ./slow"]
    assert step["conclusion"] == "cancelled"


async def test_a_step_around_an_action_that_takes_too_long_is_ended(home):
    run = await finish(home, "- uses: ./slow\n  timeout-minutes: 0.02\n- if: failure()\n  run: echo after", slow=SLOW)
    log = lines(home, run)
    assert "##[error]The step has timed out after 0.02 minutes." in log
    assert "after" in log
    assert "never" not in log


async def test_files_are_hashed_in_steps_conditions_and_actions(home):
    run = await finish(
        home,
        """
- run: |
    import hashlib, os
    os.mkdir("sub")
    open("sub/lock", "w").write("one")
    print("own", hashlib.sha256(hashlib.sha256(b"one").digest()).hexdigest())
  shell: python
- run: echo "step ${{ hashFiles('**/lock') }}"
- if: hashFiles('none') == '' && hashFiles('sub') != ''
  run: echo condition holds
- uses: ./act
  with: {key: "k-${{ hashFiles(format('{0}/lock', 'sub')) }}"}
""",
        act="""
inputs: {key: {}}
runs:
  using: composite
  steps: [{run: 'echo "within ${{ inputs.key }} ${{ hashFiles(''sub/*'') }}"', shell: bash}]
""",
    )
    log = lines(home, run)
    digest = next(line.removeprefix("step ") for line in log if line.startswith("step "))
    assert len(digest) == 64
    assert f"own {digest}" in log
    assert "condition holds" in log
    assert f"within k-{digest} {digest}" in log
