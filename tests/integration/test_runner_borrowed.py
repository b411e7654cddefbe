"""Actions of other repositories in real runs, over smart HTTP: composite and JavaScript ones, nested, pinned."""

import re
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from action_host import copy_to, publish
from git_host import PASSWORD, USER, hosting
from needed import need
from runner_home import NAMESPACE, RUNNER, RunnerHome, workflow

from tidegate.git import pinned
from tidegate.runner.asking import rerun_patch

pytestmark = pytest.mark.integration


@pytest.fixture
def host(tmp_path):
    with hosting(tmp_path / "host") as host:
        yield host


@pytest.fixture
async def home(tmp_path, host):
    home = RunnerHome(tmp_path)
    await home.set_up(actions={"url": f"http://127.0.0.1:{host.port}"})
    return home


async def finish(home, steps, count=1, **more):
    home.commit(workflow(steps, **more))
    async with home.running():
        home.push()
        return (await home.finished(count))[-1]


GREET = """
inputs: {who: {default: nobody}}
outputs: {said: {value: "${{ steps.say.outputs.said }}"}}
runs:
  using: composite
  steps:
    - id: say
      shell: bash
      run: |
        echo "said=hello ${{ inputs.who }}" >> "$GITHUB_OUTPUT"
        cat "$GITHUB_ACTION_PATH/words.txt"
        echo "of $GITHUB_ACTION_REPOSITORY at $GITHUB_ACTION_REF"
        echo "from ${{ github.action_repository }}@${{ github.action_ref }}"
        test "$GITHUB_ACTION_PATH" = "${{ github.action_path }}" && echo "in ${GITHUB_ACTION_PATH#"$HOME"/}"
"""


async def test_a_composite_action_of_another_repository_runs_from_its_commit(home, host):
    commit = publish(host, "tools/greet", {"deep/er/action.yml": GREET, "deep/er/words.txt": "words\n"}, "refs/tags/v1")
    run = await finish(
        home,
        """
- id: greet
  uses: tools/greet/deep/er@v1
  with: {WHO: tide, more: 1}
- run: |
    echo "got ${{ steps.greet.outputs.said }}"
    echo "outside <$GITHUB_ACTION_REPOSITORY>"
""",
    )
    log = home.log(run)
    assert run["status"]["conclusion"] == "success", log
    lines = log.splitlines()
    for words in (
        f"Download action repository 'tools/greet@v1' (SHA:{commit})",
        "words",
        "of tools/greet at v1",
        "from tools/greet@v1",
        "in work/_actions/tools/greet/v1/deep/er",
        "got hello tide",
        "outside <>",
        "##[warning]Unexpected input 'more'; tools/greet/deep/er@v1 has: who",
    ):
        assert words in lines, log
    url = f"http://127.0.0.1:{host.port}/tools/greet.git"
    assert run["status"]["actions"] == [{"repository": "tools/greet", "ref": "v1", "commit": commit, "url": url}]
    assert run["status"]["jobs"][0]["steps"][1]["name"] == "Run tools/greet/deep/er@v1"


LIFE = """
name: Life
inputs: {name: {default: x}}
runs: {using: node20, pre: pre.js, pre-if: 'runner.os == ''Linux''', main: main.js, post: post.js}
"""
SAY = """
const fs = require('fs');
const is = (what) => `${what} ${process.env.INPUT_NAME} <${process.env.STATE_from || ''}> ${process.env.GITHUB_ACTION}`;
console.log(is('%s'), process.env.GITHUB_ACTION_REPOSITORY, process.env.GITHUB_ACTION_REF);
fs.appendFileSync(process.env.GITHUB_STATE, 'from=%s\\n');
"""
SCRIPTS = {f"{name}.js": SAY % (name, name) for name in ("pre", "main", "post")}


async def test_pre_runs_before_the_first_step_and_post_after_the_last_also_within_composites(home, host):
    need("node", "nodejs")
    publish(host, "tools/life", {"action.yml": LIFE, **SCRIPTS}, "refs/heads/v2")
    steps = "[{uses: tools/life@v2, with: {name: '${{ inputs.name }} inside'}}, {run: echo within, shell: sh}]"
    outer = f"inputs: {{name: {{}}}}\nruns: {{using: composite, steps: {steps}}}"
    publish(host, "tools/outer", {"action.yml": outer}, "refs/tags/v1")
    run = await finish(
        home,
        """
- run: echo first
- id: one
  uses: tools/life@v2
  with: {name: one}
- uses: tools/outer@v1
  with: {name: two}
- if: failure()
  uses: tools/life@v2
  with: {name: three}
""",
    )
    log = home.log(run)
    assert run["status"]["conclusion"] == "success", log
    said = [line for line in log.splitlines() if re.match(r"(pre|main|post) |first$|within$", line)]
    assert said == [
        "pre one <> one tools/life v2",
        "pre two inside <> __tools_life tools/life v2",
        "pre three <> __tools_life tools/life v2",
        "first",
        "main one <pre> one tools/life v2",
        "main two inside <pre> __tools_life tools/life v2",
        "within",
        "post three <pre> __tools_life tools/life v2",
        "post two inside <main> __tools_life tools/life v2",
        "post one <main> one tools/life v2",
    ]
    names = [step["name"] for step in run["status"]["jobs"][0]["steps"]]
    assert names[1:4] == ["Pre Run tools/life@v2", "Pre Run tools/outer@v1", "Pre Run tools/life@v2"]
    assert names[8:11] == ["Post Run tools/life@v2"] * 3


async def test_a_run_that_is_run_again_has_the_same_commits(home, host):
    action = "runs: {using: composite, steps: [{run: echo %s, shell: sh}]}"
    first = publish(host, "tools/say", {"action.yml": action % "old"}, "refs/heads/v1")
    run = await finish(home, "- uses: tools/say@v1")
    assert "old" in home.log(run).splitlines()
    publish(host, "tools/say", {"action.yml": action % "new"}, "refs/heads/v1")
    name = run["metadata"]["name"]
    async with home.running():
        key = run["metadata"]
        await home.store.patch(
            RUNNER.__class__("tidegate.dev", "WorkflowRun", key["namespace"], name),
            rerun_patch(run, home.clock.now()),
            manager="test",
        )
        (again,) = await home.until(lambda runs: runs[0]["status"].get("attempt") == 2 and is_over(runs[0]))
    assert "old" in home.log(again).splitlines()
    assert again["status"]["actions"][0]["commit"] == first
    home.commit({"README": "another push"})
    async with home.running():
        home.push()
        runs = await home.finished(2)
    (new,) = [one for one in runs if one["metadata"]["name"] != name]
    assert "new" in home.log(new).splitlines()


def is_over(run):
    return run["status"].get("status") == "completed"


async def test_a_private_host_gets_its_credential_and_nobody_else_does(home, host, tmp_path):
    host.private = True
    seen = []
    host.asked = lambda path, credential: seen.append(credential)
    publish(host, "tools/greet", {"action.yml": GREET, "words.txt": "private words\n"}, "refs/tags/v1")
    run = await finish(home, "- uses: tools/greet@v1")
    assert run["status"]["conclusion"] == "failure"
    assert re.search(
        r"ci\.yaml:7:15: 'tools/greet@v1' is not built in, and can't be had: http\S+ refused the credential",
        run["status"]["message"],
    )
    assert "look at the Secret that secretRef names" in run["status"]["message"]
    metadata = {"name": "host", "namespace": NAMESPACE}
    secret = {"username": USER, "password": PASSWORD}
    await home.store.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": secret}, manager="test"
    )
    url = f"http://127.0.0.1:{host.port}"
    await home.store.patch(RUNNER, {"spec": {"actions": {"url": url, "secretRef": {"name": "host"}}}}, manager="test")
    assert not any(seen)
    home.commit({"README": "again"})
    async with home.running():
        home.push()
        runs = await home.finished(2)
    (second,) = [one for one in runs if one["metadata"]["name"] != run["metadata"]["name"]]
    assert "private words" in home.log(second).splitlines(), second["status"]
    assert any(seen)
    kept = [path for path in (tmp_path / "home/actions").rglob("*") if path.is_file()]
    assert kept
    assert not any(PASSWORD.encode() in path.read_bytes() for path in kept)


async def test_without_a_host_a_run_is_refused_before_it_begins_and_says_which_field_to_set(home):
    await home.store.patch(RUNNER, {"spec": {"actions": None}}, manager="test")
    run = await finish(home, "- uses: tools/greet@v1")
    assert run["status"]["conclusion"] == "failure"
    assert not run["status"]["jobs"]
    why = "tools/greet is not hosted here, and no host is named to fetch it from"
    assert run["status"]["message"].splitlines() == [
        f".github/workflows/ci.yaml:7:15: 'tools/greet@v1' is not built in, and can't be had: {why}",
        "  7 |       - uses: tools/greet@v1",
        "    |               ^^^^^^^^^^^^^^",
        "  help: set spec.actions.url of the Runner acme-shop, as https://github.com, or push tools/greet here",
    ]


async def test_a_repository_that_is_hosted_here_comes_first(home, host, tmp_path):
    publish(host, "tools/greet", {"action.yml": GREET, "words.txt": "hosted here\n"}, "refs/tags/v1")
    copy_to(host, "tools/greet", tmp_path / "home/git/tools/greet.git")
    publish(host, "tools/greet", {"words.txt": "elsewhere\n"}, "refs/tags/v1")
    asked = []
    host.asked = lambda path, _: asked.append(path)
    run = await finish(home, "- uses: tools/greet@v1")
    assert "hosted here" in home.log(run).splitlines()
    assert not asked
    assert "url" not in run["status"]["actions"][0]


async def test_what_is_wrong_in_actions_elsewhere_is_told_before_the_run_at_its_line(home, host):
    composite = "runs:\n  using: composite\n  steps:\n"
    publish(host, "tools/a", {"action.yml": composite + "    - uses: tools/b@main\n    - {run: x}\n"})
    publish(host, "tools/b", {"action.yml": composite + "    - uses: tools/a@main\n    - uses: tools/gone@main\n"})
    publish(host, "tools/empty", {"README": "nothing"})
    run = await finish(
        home,
        """
- uses: tools/a@main
- uses: tools/empty/path@main
- uses: tools/a@nowhere
""",
    )
    said = run["status"]["message"]
    for words in (
        "tools/a/action.yml@main:5:7: a 'run' step of an action needs a 'shell'",
        ".github/workflows/ci.yaml:8:15: there is no action.yml in path of tools/empty@main",
        "has no tag and no branch 'nowhere'",
    ):
        assert words in said, said
    assert run["status"]["conclusion"] == "failure"


async def test_a_circle_and_too_many_levels_are_refused(home, host):
    composite = "runs:\n  using: composite\n  steps:\n    - uses: %s\n"
    publish(host, "tools/a", {"action.yml": composite % "tools/b@main"})
    publish(host, "tools/b", {"action.yml": composite % "tools/a@main"})
    for level in range(11):
        publish(host, "tools/levels", {f"{level}/action.yml": composite % f"tools/levels/{level + 1}@main"})
    publish(host, "tools/levels", {"11/action.yml": "runs: {using: composite, steps: [{run: echo, shell: sh}]}"})
    run = await finish(home, "- uses: tools/a@main\n- uses: tools/levels/0@main")
    said = run["status"]["message"]
    assert "tools/b/action.yml@main:4:13: actions use each other in a circle: tools/a@main/ → tools/b@main/" in said
    assert "tools/levels/9/action.yml@main:4:13: actions use each other more than 10 deep" in said
    run = await finish(home, "- uses: tools/levels/2@main", 2)
    assert [one["status"]["conclusion"] for one in await home.all_runs()].count("success") == 1


async def test_what_is_too_large_is_refused(home, host, monkeypatch):
    monkeypatch.setattr(pinned, "PACK_LIMIT", 20_000)
    publish(host, "tools/big", {"action.yml": GREET, "blob": "".join(map(chr, range(256, 30_000)))})
    run = await finish(home, "- uses: tools/big@main")
    assert "sends more than 0 MiB for one commit" in run["status"]["message"]
    monkeypatch.setattr(pinned, "PACK_LIMIT", 2**28)
    monkeypatch.setattr(pinned, "TREE_LIMIT", 20_000)
    home.commit({"README": "again"})
    async with home.running():
        home.push()
        runs = await home.finished(2)
    assert sum("has 2 files of" in one["status"]["message"] for one in runs) == 1


async def test_a_host_that_gives_out_only_what_its_refs_name_will_do(home, host):
    host.old_protocol = True
    publish(host, "tools/greet", {"action.yml": GREET, "words.txt": "by name\n"})
    host.git("tag", "-a", "v1", "-m", "v1", "refs/heads/main", cwd=host.folder / "tools/greet.git")
    publish(host, "tools/greet", {"words.txt": "later\n"})
    run = await finish(home, "- uses: tools/greet@v1")
    assert "by name" in home.log(run).splitlines(), run["status"]


CALLED = """
on:
  workflow_call:
    inputs: {who: {type: string}}
    outputs: {said: {value: "${{ jobs.say.outputs.said }}"}}
jobs:
  say:
    runs-on: x
    outputs: {said: "${{ steps.it.outputs.said }}"}
    steps:
      - uses: actions/checkout@v4
      - {id: it, uses: ./greet, with: {who: "${{ inputs.who }}"}}
  beside: {uses: ./.github/workflows/beside.yaml}
"""
BESIDE = "on: workflow_call\njobs: {it: {runs-on: x, steps: [{run: echo beside}]}}"


async def test_a_workflow_of_another_repository_is_called(home, host):
    files = {".github/workflows/ci.yaml": CALLED, ".github/workflows/beside.yaml": BESIDE}
    publish(host, "acme/flows", files, "refs/tags/v1")
    own = "outputs: {said: {value: '${{ steps.s.outputs.said }}'}}\ninputs: {who: {}}\nruns: {using: composite, steps: "
    own += "[{id: s, run: 'echo said=own ${{ inputs.who }} >> $GITHUB_OUTPUT', shell: sh}]}"
    home.commit(
        {
            "greet/action.yml": own,
            ".github/workflows/ci.yaml": """
on: push
jobs:
  call:
    uses: acme/flows/.github/workflows/ci.yaml@v1
    with: {who: tide}
    secrets: inherit
  build:
    needs: call
    runs-on: x
    steps: [{run: "echo got ${{ needs.call.outputs.said }}"}]
""",
        }
    )
    async with home.running():
        home.push()
        (run,) = await home.finished(1)
    assert run["status"]["conclusion"] == "success", run["status"]
    assert "got own tide" in home.log(run).splitlines()
    assert {job["name"] for job in run["status"]["jobs"]} == {"call / say", "call / beside / it", "build"}
    assert [one["repository"] for one in run["status"]["actions"]] == ["acme/flows"]


async def test_another_owners_workflow_inherits_no_secrets_and_must_be_there(home, host):
    publish(host, "far/flows", {".github/workflows/ci.yaml": BESIDE})
    home.commit(
        {
            ".github/workflows/ci.yaml": """
on: push
jobs:
  a: {uses: far/flows/.github/workflows/ci.yaml@main, secrets: inherit}
  b: {uses: far/flows/.github/workflows/gone.yaml@main}
  c: {uses: far/nothing/.github/workflows/ci.yaml@main}
""",
        }
    )
    async with home.running():
        home.push()
        (run,) = await home.finished(1)
    said = run["status"]["message"]
    for words in (
        "ci.yaml:4:13: far/flows/.github/workflows/ci.yaml@main is another owner's, and inherits no secrets",
        "ci.yaml:5:13: there is no file far/flows/.github/workflows/gone.yaml@main in that commit",
        "ci.yaml:6:13: far/nothing/.github/workflows/ci.yaml@main can't be called: ",
        "has no such repository",
    ):
        assert words in said, said
