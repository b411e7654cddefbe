"""`tidegate run`, `runs rerun` and `runs cancel` against a whole Tidegate, as a person types them."""

import asyncio
import sys
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from crash_world import SRC, World
from whole_world import Doors, opened

from tidegate.base.process import minimal_environment, run

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]
TIMEOUT = 120.0
HELLO = """\
name: Say hello
on:
  workflow_dispatch:
    inputs:
      whom: {required: true}
      loud: {type: boolean}
jobs:
  hello:
    runs-on: ubuntu-latest
    steps:
      - run: echo "hello ${{ inputs.whom }} ${{ inputs.loud && 'LOUD' || 'soft' }}, attempt ${{ github.run_attempt }}"
"""
ENDLESS = """\
on: workflow_dispatch
jobs:
  wait:
    runs-on: ubuntu-latest
    steps:
      - run: sleep 600
      - if: cancelled()
        run: echo cleaned up
"""
REQUEST = """\
on: pull_request
jobs:
  check:
    runs-on: ubuntu-latest
    steps: [{run: 'echo "into $GITHUB_BASE_REF"; exit 1'}]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def doors(tmp_path_factory):
    world = await World.make(tmp_path_factory.mktemp("run"))
    async with opened(world) as doors:
        files = {"hello.yaml": HELLO, "endless.yaml": ENDLESS, "request.yaml": REQUEST, "image.yaml": None}
        await doors.commit("Say hello", {f".github/workflows/{name}": text for name, text in files.items()})
        await doors.push()
        yield doors


async def tidegate(doors: Doors, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
    env = minimal_environment({"PYTHONPATH": str(SRC), "TIDEGATE_HOME": str(doors.world.home.root)})
    argv = [sys.executable, "-m", "tidegate", *arguments]
    done = await run(argv, env=env, timeout=TIMEOUT, check=False, stdin=stdin.encode())
    return done.exit_code, done.stdout.decode(), done.stderr.decode()


async def until_said(doors: Doors, words: str, *arguments: str) -> None:
    async with asyncio.timeout(TIMEOUT):
        while words not in await doors.tidegate(*arguments):  # noqa: ASYNC110 - what the command says is looked at
            await asyncio.sleep(0.05)


async def test_a_workflow_runs_with_inputs_and_again(doors, tmp_path):
    (tmp_path / "whom").write_text("world")
    code, name, said = await tidegate(
        doors, "run", "hello.yaml", "-F", f"whom=@{tmp_path}/whom", "-f", "loud=true", "--watch"
    )
    name = name.strip()
    assert (code, "success" in said) == (0, True), said
    assert "hello world LOUD, attempt 1" in await doors.tidegate("logs", name)
    code, _, said = await tidegate(doors, "runs", "rerun", name, "--failed")
    assert (code, "no job of the run" in said) == (1, True), said
    assert (await tidegate(doors, "runs", "rerun", name))[0] == 0
    await until_said(doors, "attempt 2", "logs", "-f", name)
    code, _, said = await tidegate(doors, "runs", "cancel", name)
    assert (code, "is over: success" in said) == (1, True), said
    assert "workflow_dispatch" in await doors.tidegate("runs", "-o", "wide")


async def test_inputs_come_as_json_too(doors):
    code, name, said = await tidegate(
        doors, "run", "Say hello", "--json", "--watch", stdin='{"whom": "tide", "loud": false}'
    )
    assert code == 0, said
    assert "hello tide soft" in await doors.tidegate("logs", name.strip())


async def test_what_is_wrong_is_shown_at_its_line(doors):
    code, out, said = await tidegate(doors, "run", "hello.yaml", "-f", "loud=perhaps", "-r", "main")
    assert (code, out) == (1, ""), said
    assert ".github/workflows/hello.yaml:5:7: the input 'whom' is required" in said
    assert "      whom: {required: true}" in said
    assert "'perhaps' is no value of the input 'loud'" in said


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["hello.yaml", "-R", "acme/other"], 1, "no Runner is for acme/other"),
        (["nothing.yaml"], 1, "workflows there: endless.yaml, hello.yaml, request.yaml"),
        (["hello.yaml", "-r", "v9"], 1, "there is no branch and no tag 'v9'"),
        (["hello.yaml", "-f", "whom"], 2, "'whom' is not NAME=VALUE"),
        (["hello.yaml", "-F", "whom=@/nowhere"], 1, "/nowhere can't be read"),
        (["hello.yaml", "--base", "main"], 2, "go together"),
    ],
)
async def test_what_can_not_be_run_is_said(doors, arguments, code, words):
    done = await tidegate(doors, "run", *arguments)
    assert done[0] == code
    assert words in done[2]


async def test_a_pull_request_is_run_by_hand_and_fails_with_the_run(doors):
    code, name, said = await tidegate(
        doors, "run", "request.yaml", "--event", "pull_request", "--base", "main", "--watch"
    )
    assert (code, "failure" in said) == (1, True), said
    assert "into main" in await doors.tidegate("logs", name.strip())
    code, shown, hints = await tidegate(doors, "runs", "view", name.strip(), "--exit-status")
    assert (code, shown.splitlines()[0].startswith(f"{name.strip()}: failure after ")) == (1, True), shown
    assert "pull_request of main" in shown
    assert any(line.split()[:2] == ["check", "failure"] for line in shown.splitlines()), shown
    assert f"tidegate runs rerun {name.strip()} --failed" in hints
    assert (await tidegate(doors, "runs", "rerun", name.strip(), "--failed"))[0] == 0
    await until_said(doors, "attempt 2)", "logs", "-f", name.strip())


async def test_a_run_is_cancelled_and_can_run_again(doors):
    code, name, said = await tidegate(doors, "run", "endless.yaml")
    name = name.strip()
    assert (code, f"tidegate logs -f {name}" in said) == (0, True), said
    code, _, said = await tidegate(doors, "runs", "rerun", name)
    assert (code, "is not over yet" in said) == (1, True), said
    for attempt in ("first", "second"):
        assert (await tidegate(doors, "runs", "cancel", name))[0] == 0
        assert "cleaned up" in await doors.tidegate("logs", "-f", name)
        await until_said(doors, "cancelled", "runs", "-w", "endless.yaml")
        if attempt == "first":
            code, _, said = await tidegate(doors, "runs", "rerun", name)
            assert code == 0, said
            await until_said(doors, "in_progress", "runs", "-w", "endless.yaml")
