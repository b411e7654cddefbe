"""JavaScript actions of the repository in real runs, by the machine's Node.js: inputs, files, post, cancelling."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from needed import need
from runner_home import RunnerHome, workflow

from tidegate.kinds.objects import key_of

pytestmark = pytest.mark.integration
CHECKOUT = "- uses: actions/checkout@v4\n"
ACTION = """
inputs:
  who to greet: {default: "of ${{ github.event_name }}"}
  given: {}
  unset: {}
runs:
  using: node20
  pre: pre.js
  main: dist/main.js
  post: post.js
"""
MAIN = """
const fs = require('fs'), env = process.env
const add = (name, text) => fs.appendFileSync(env[name], text + '\\n')
console.log(`hello ${env['INPUT_WHO_TO_GREET']} ${env.INPUT_GIVEN} <${env.INPUT_UNSET}> ${env.FROM_STEP} ${env.GITHUB_ACTION}`)
console.log(`in ${process.cwd() === env.GITHUB_WORKSPACE} token <${env.GITHUB_TOKEN || ''}> path <${env.GITHUB_ACTION_PATH || ''}>`)
add('GITHUB_OUTPUT', 'said=' + env.INPUT_GIVEN)
add('GITHUB_ENV', 'KEPT=kept')
add('GITHUB_PATH', __dirname)
add('GITHUB_STATE', 'pid=' + env.INPUT_GIVEN)
console.log('::save-state name=old::way')
console.log('::add-mask::hush-hush')
console.log('hush-hush')
if (env.INPUT_GIVEN === 'fail') { console.log('::error::it failed'); process.exitCode = 1 }
"""  # noqa: E501 - a script
POST = """
const env = process.env
console.log(`post ${env.INPUT_GIVEN} ${env.STATE_pid} ${env.STATE_old} ${env.KEPT} ${env.FROM_STEP}`)
if (env.INPUT_GIVEN === 'fail-after') process.exit(3)
"""


@pytest.fixture
async def home(tmp_path):
    need("node", "nodejs")
    home = RunnerHome(tmp_path)
    await home.set_up()
    return home


async def finish(home, steps, action=ACTION, main=MAIN):
    files = {"act/action.yml": action, "act/dist/main.js": main, "act/post.js": POST, "act/pre.js": "throw 1"}
    home.commit(workflow(CHECKOUT + steps) | files)
    async with home.running():
        home.push()
        (run,) = await home.finished(1, 60)
    return run, home.log(run)


def conclusions(run):
    return [(step["name"], step["conclusion"]) for step in run["status"]["jobs"][0]["steps"]][2:-1]


async def test_a_script_gets_inputs_and_leaves_outputs_and_comes_back_when_all_is_over(home):
    run, log = await finish(
        home,
        """
- id: one
  name: One
  uses: ./act
  with: {given: first, Who To Greet: tide}
  env: {FROM_STEP: step}
- name: Two
  uses: ./act
  with: {given: second}
- name: Last
  run: |
    echo "got ${{ steps.one.outputs.said }} $KEPT <$STATE_pid> ${PATH%%:*}"
""",
    )
    assert run["status"]["conclusion"] == "success", log
    assert "hello tide first <> step one" in log
    assert "hello of push second <> undefined __self" in log
    assert "in true token <> path <>" in log
    assert "got first kept <> /home/runner/work/shop/shop/act/dist" in log
    assert "hush-hush" not in log.replace("::add-mask::hush-hush", "")
    assert "##[warning]The action's 'pre' is not run" in log
    assert conclusions(run) == [
        ("One", "success"), ("Two", "success"), ("Last", "success"), ("Post Two", "success"), ("Post One", "success"),
    ]  # fmt: skip
    assert log.index("post second second way kept undefined") < log.index("post first first way kept step")


async def test_a_script_that_fails_fails_its_step_and_its_post_script_still_runs(home):
    run, log = await finish(
        home,
        """
- {name: Bad, uses: ./act, with: {given: fail}, continue-on-error: true}
- {name: Late, uses: ./act, with: {given: fail-after}}
""",
    )
    assert "Process completed with exit code 1." in log
    assert "post fail fail way" in log
    assert conclusions(run) == [
        ("Bad", "success"), ("Late", "success"), ("Post Late", "failure"), ("Post Bad", "success"),
    ]  # fmt: skip
    assert run["status"]["conclusion"] == "failure"


@pytest.mark.parametrize(
    ("condition", "conclusion"), [("failure()", "success"), ("success()", "skipped"), ("job.status == 'x'", "skipped")]
)
async def test_a_post_script_has_its_own_condition(home, condition, conclusion):
    run, _ = await finish(home, "- {name: It, uses: ./act}\n- run: exit 1", ACTION + f"  post-if: {condition}\n")
    assert conclusions(run)[-1] == ("Post It", conclusion)


async def test_scripts_work_within_composite_actions(home):
    home.commit(
        {
            "outer/action.yml": """
outputs: {said: {value: "${{ steps.in.outputs.said }}"}}
runs:
  using: composite
  steps: [{id: in, name: Inner, uses: ./act, with: {given: within}}]
"""
        }
    )
    run, log = await finish(home, '- {id: out, uses: ./outer}\n- run: echo "got ${{ steps.out.outputs.said }}"')
    assert "got within" in log
    assert conclusions(run)[-1] == ("Post Inner", "success")
    assert "post within within way" in log


async def test_a_cancelled_script_ends_and_cleans_up(home):
    main = """
process.on('SIGINT', () => { console.log('told'); process.exit(1) })
setTimeout(() => 0, 1e8)
console.log('begun')
"""
    files = {"act/action.yml": ACTION, "act/dist/main.js": main, "act/post.js": POST}
    home.commit(workflow(f"{CHECKOUT}- {{name: It, uses: ./act, with: {{given: x}}}}\n- run: echo never") | files)
    async with home.running():
        home.push()
        (run,) = await home.until(lambda runs: len(runs) == 1 and "status" in runs[0] and _begun(home, runs[0]), 60)
        await home.store.patch(
            key_of(run), {"metadata": {"annotations": {"tidegate.dev/cancel": "now"}}}, manager="test"
        )
        (run,) = await home.finished(1, 60)
    log = home.log(run)
    assert run["status"]["conclusion"] == "cancelled"
    assert "\ntold\n" in log
    assert "post x undefined undefined" in log
    assert ("It", "cancelled") in conclusions(run)
    assert conclusions(run)[-1] == ("Post It", "success")


def _begun(home, run):
    try:
        return "\nbegun" in home.log(run)
    except Exception:
        return False


async def test_a_version_that_the_machine_has_not_is_told(home):
    run, log = await finish(
        home,
        "- {uses: ./act}\n- run: |\n    echo $GITHUB_STATE | grep -c save_state",
        ACTION.replace("node20", "node24"),
    )
    assert run["status"]["conclusion"] == "success", log
    version = int(log.partition("this machine has v")[2].partition(".")[0] or 24)
    assert ("##[warning]The action asks for Node.js 24" in log) == (version < 24)


async def test_without_node_the_step_says_what_to_install(home):
    steps = """
- run: |
    mkdir -p ~/empty; printf '#!/bin/sh\\nexit 127\\n' > ~/empty/node; chmod +x ~/empty/node
    echo ~/empty >> $GITHUB_PATH
- uses: ./act
"""
    run, log = await finish(home, steps)
    assert run["status"]["conclusion"] == "failure"
    assert "this machine has no Node.js, and the action asks for version 20" in log
    assert "apt-get install nodejs" in log
