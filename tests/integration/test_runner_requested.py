"""Runs that somebody asks for: workflow_dispatch with inputs, a pull request by hand, a push once more."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from runner_home import NAMESPACE, RUNNER, RunnerHome, git, workflow

from tidegate.kinds.objects import ObjectKey, key_of
from tidegate.runner.requested import requested_run

pytestmark = pytest.mark.integration
DISPATCH = """
on:
  workflow_dispatch:
    inputs:
      target: {type: environment, required: true}
      level: {type: choice, options: [info, debug], default: info}
      loud: {type: boolean}
      count: {type: number, default: 2}
"""
STEPS = """
- run: |
    echo "to ${{ inputs.target }} at ${{ inputs.level }}, ${{ toJSON(inputs.count) == '2' }}"
    echo "event ${{ github.event_name }} ${{ toJSON(github.event.inputs.loud) }} ${{ toJSON(inputs.loud) }}"
    echo "ref ${{ github.ref }} $GITHUB_REF_NAME of ${{ github.event.repository.full_name }}"
- if: inputs.loud
  run: echo LOUD
"""


@pytest.fixture
async def home(tmp_path):
    home = RunnerHome(tmp_path)
    await home.set_up(maxJobs=4)
    return home


async def ask(home, wanted="ci.yaml", **said):
    runner = await home.store.get(RUNNER)
    return await home.store.create(requested_run(runner, wanted, **said), manager="test")


async def outcome(home, asked):
    def over(runs):
        mine = [run for run in runs if run["metadata"]["name"] == asked["metadata"]["name"]]
        return bool(mine) and (mine[0].get("status") or {}).get("status") == "completed"

    await home.until(over)
    return await home.store.get(key_of(asked))


async def test_a_dispatched_workflow_gets_its_inputs_by_their_types(home):
    home.commit(workflow(STEPS, head=DISPATCH))
    commit = home.commit({"README.md": "more"}, "Say more")
    async with home.running():
        home.push()
        first = await outcome(home, await ask(home, inputs={"target": "staging", "loud": "true"}))
        second = await outcome(home, await ask(home, inputs={"target": "production"}))
    assert first["status"]["conclusion"] == "success", first["status"]
    assert first["spec"]["commit"] == commit
    assert (first["spec"]["ref"], first["spec"]["workflow"]) == ("refs/heads/main", ".github/workflows/ci.yaml")
    assert sorted([first["spec"]["runNumber"], second["spec"]["runNumber"]]) == [1, 2]
    log = home.log(first)
    assert "to staging at info, true" in log
    assert 'event workflow_dispatch "true" true' in log
    assert "ref refs/heads/main main of acme/shop" in log
    assert "\nLOUD" in log
    assert "\nLOUD" not in home.log(second)


async def test_a_dispatch_takes_a_branch_or_a_tag(home):
    home.commit(workflow("- run: echo on ${{ github.ref }} ${{ github.ref_type }}", head="on: workflow_dispatch"))
    git(home.folder, "tag", "v1")
    async with home.running():
        home.push("HEAD:refs/heads/other", "v1")
        branch = await outcome(home, await ask(home, ref="other"))
        tag = await outcome(home, await ask(home, ref="v1"))
        nothing = await outcome(home, await ask(home, ref="nope"))
    assert "on refs/heads/other branch" in home.log(branch)
    assert "on refs/tags/v1 tag" in home.log(tag)
    assert nothing["status"]["conclusion"] == "failure"
    assert "there is no branch and no tag 'nope'" in nothing["status"]["message"]
    assert "branches here: other" in nothing["status"]["message"]


async def test_a_workflow_is_found_by_its_name_too_and_what_is_wrong_is_said(home):
    home.commit(workflow("- run: echo hello", head="name: Say hello\non: workflow_dispatch"))
    home.commit({".github/workflows/push.yaml": workflow("- run: x")[".github/workflows/ci.yaml"]})
    async with home.running():
        home.push()
        named = await outcome(home, await ask(home, "Say hello"))
        unknown = await outcome(home, await ask(home, "build.yaml"))
        other = await outcome(home, await ask(home, "push.yaml"))
        extra = await outcome(home, await ask(home, inputs={"x": "1"}))
    assert named["spec"]["workflow"] == ".github/workflows/ci.yaml"
    assert "workflows there: ci.yaml, push.yaml" in unknown["status"]["message"]
    assert ".github/workflows/push.yaml:1:" in other["status"]["message"]
    assert "no 'workflow_dispatch' trigger" in other["status"]["message"]
    assert "there is no input 'x'" in extra["status"]["message"]


async def test_a_run_for_a_repository_without_a_runner_says_so(home):
    asked = {"metadata": {"namespace": NAMESPACE}, "spec": {"repository": "acme/other"}}
    async with home.running():
        run = await home.store.create(requested_run(asked, "ci.yaml"), manager="test")
        run = await outcome(home, run)
    assert "no Runner in flux-system is for acme/other" in run["status"]["message"]


async def test_a_run_that_is_cancelled_before_its_runner_looked_never_begins(home):
    await home.store.patch(RUNNER, {"spec": {"suspend": True}}, manager="test")
    async with home.running():
        asked = await ask(home)
        await home.store.patch(key_of(asked), {"spec": {"cancel": True}}, manager="test")
        run = await outcome(home, asked)
    assert run["status"]["conclusion"] == "cancelled"


async def test_a_pull_request_by_hand_has_its_contexts_and_no_secrets(home):
    await home.store.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "own", "namespace": NAMESPACE},
         "stringData": {"KEY": "tide-secret"}},
        manager="test",
    )  # fmt: skip
    await home.store.patch(RUNNER, {"spec": {"secretRef": {"name": "own"}}}, manager="test")
    head = "on: {pull_request: {branches: [main], paths: ['src/**']}}\npermissions: {contents: write, packages: write}"
    steps = """
- uses: actions/checkout@v4
- run: |
    echo "ref $GITHUB_REF ($GITHUB_REF_NAME) base $GITHUB_BASE_REF head $GITHUB_HEAD_REF"
    echo "from ${{ github.event.pull_request.head.ref }} to ${{ github.event.pull_request.base.ref }}"
    echo "key <${{ secrets.KEY }}> $(cat src/new)"
"""
    home.commit(workflow(steps, head=head))
    async with home.running():
        home.push()
        git(home.folder, "checkout", "--quiet", "-b", "topic")
        home.commit({"src/new": "proposal"})
        home.push("HEAD:refs/heads/topic")
        run = await outcome(home, await ask(home, event="pull_request", ref="topic", base="main"))
        none = await outcome(home, await ask(home, event="pull_request", ref="main", base="main"))
        unknown = await outcome(home, await ask(home, event="pull_request", ref="topic", base="master"))
        git(home.folder, "tag", "v1")
        home.push("v1")
        tag = await outcome(home, await ask(home, event="pull_request", ref="v1", base="main"))
    assert run["status"]["conclusion"] == "success", home.log(run)
    log = home.log(run)
    assert "ref refs/pull/0/merge (0/merge) base main head topic" in log
    assert "from topic to main" in log
    assert "key <> proposal" in log
    assert home.tokens.issued[0][1] == ["repo:acme/shop:read", "packages:acme:read"]
    assert "does not run for this pull request: no file changed" in none["status"]["message"]
    assert "'master' is none" in unknown["status"]["message"]
    assert "refs/tags/v1 is no branch" in tag["status"]["message"]


async def test_what_was_asked_for_while_nothing_ran_runs_at_the_next_start(home):
    home.commit(workflow("- run: x=1", head="on: workflow_dispatch"))
    home.push()
    for _ in range(3):
        await ask(home)
    async with home.running():
        runs = await home.finished(3)
    assert sorted(run["spec"]["runNumber"] for run in runs) == [1, 2, 3]
    assert {run["status"]["conclusion"] for run in runs} == {"success"}


async def test_the_objects_own_fields_are_checked(home):
    async with home.running():
        home.commit(workflow("- run: x"))
        home.push()
        run = await outcome(home, await ask(home, event="issues"))
    assert "the event 'issues' can't be asked for" in run["status"]["message"]
    assert ObjectKey("tidegate.dev", "WorkflowRun", NAMESPACE, run["metadata"]["name"]) == key_of(run)
