"""GitHub's own command line, as Debian has it, against a whole Tidegate over HTTPS."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from crash_world import World
from needed import need
from whole_world import PATIENCE, Doors, opened

from tidegate.base.process import minimal_environment, run

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]
CI = """\
name: SmartBiz CI
on: {push: {branches: [main]}, workflow_dispatch: {inputs: {whom: {default: world}}}}
jobs:
  test:
    runs-on: ubuntu-latest
    outputs: {word: "${{ steps.say.outputs.word }}"}
    steps:
      - name: Say hello
        id: say
        run: |
          echo "hello ${{ inputs.whom || 'world' }}"
          echo word=tide-${{ github.run_attempt }} >>"$GITHUB_OUTPUT"
  build:
    needs: test
    runs-on: ubuntu-latest
    steps:
      - name: Fail at first
        run: echo "${{ needs.test.outputs.word }}, attempt $GITHUB_RUN_ATTEMPT"; [ "$GITHUB_RUN_ATTEMPT" -gt 1 ]
"""
ENDLESS = """\
name: Endless
on: workflow_dispatch
jobs:
  wait: {runs-on: ubuntu-latest, steps: [{run: sleep 600}]}
"""
SHORT = """\
name: Short
on: {workflow_dispatch: {inputs: {code: {type: number, required: true}}}}
jobs:
  end: {runs-on: ubuntu-latest, steps: [{run: "sleep 2; exit ${{ inputs.code }}"}]}
"""
CALLER = """\
on: workflow_dispatch
jobs:
  check: {runs-on: ubuntu-latest, steps: [{run: echo own}]}
  call: {uses: ./.github/workflows/called.yaml}
"""
CALLED = """\
on: workflow_call
jobs:
  check: {runs-on: ubuntu-latest, steps: [{run: echo called}]}
"""
KEEPING = """\
name: Keeping
on: workflow_dispatch
jobs:
  keep:
    runs-on: ubuntu-latest
    steps:
      - run: mkdir -p out/in; echo kept >out/in/file
      - uses: actions/upload-artifact@v4
        with: {name: built, path: out}
"""
FILES = {
    "keeping.yaml": KEEPING,
    "caller.yaml": CALLER,
    "called.yaml": CALLED,
    "smartbiz-ci.yaml": CI,
    "endless.yaml": ENDLESS,
    "short.yaml": SHORT,
    "image.yaml": None,
}


class Gh:
    """gh, configured by nothing but its environment."""

    def __init__(self, doors: Doors, folder: Path):
        https = doors.world.home.server().https
        assert https is not None
        host = https.removeprefix("https://")
        self.doors = doors
        self.env = minimal_environment(
            {
                "GH_HOST": host, "GH_REPO": f"{host}/acme/shop", "GH_ENTERPRISE_TOKEN": doors.world.home.token(),
                "SSL_CERT_FILE": str(doors.world.home.pki / "ca.crt"), "GH_PROMPT_DISABLED": "1", "NO_COLOR": "1",
                "HOME": str(folder), "GH_CONFIG_DIR": str(folder / "config"), "XDG_CACHE_HOME": str(folder / "cache"),
                "XDG_STATE_HOME": str(folder / "state"), "TMPDIR": str(folder), "GH_NO_UPDATE_NOTIFIER": "1",
            }
        )  # fmt: skip

    async def __call__(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """What one command prints."""
        done = await run(["gh", *arguments], env={**self.env, **environment}, timeout=PATIENCE, check=False)
        said = (done.stdout + done.stderr).decode()
        assert done.exit_code == code, said
        return said

    async def runs(self, *arguments: str) -> list[dict[str, object]]:
        """The runs as `gh run list` shows them, the newest first."""
        fields = "databaseId,status,conclusion,event,headBranch,displayTitle,workflowName,number"
        return list(json.loads(await self("run", "list", "--json", fields, *arguments)))

    async def started(self, workflow: str, *arguments: str) -> str:
        """Run a workflow with `gh workflow run`; its run's id, once it is under way."""
        before = {one["databaseId"] for one in await self.runs("--workflow", workflow)}
        await self("workflow", "run", workflow, *arguments)
        return await self.until(workflow, lambda one: one["databaseId"] not in before and one["status"] != "queued")

    async def until(self, workflow: str, seen) -> str:
        """Wait until a run of a workflow is so; its id."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for one in await self.runs("--workflow", workflow):
                    if seen(one):
                        return str(one["databaseId"])
                await asyncio.sleep(0.2)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gh(tmp_path_factory):
    need("gh")
    need("openssl")
    world = await World.make(tmp_path_factory.mktemp("gh"))
    async with opened(world) as doors:
        await doors.commit("Run CI", {f".github/workflows/{name}": text for name, text in FILES.items()})
        await doors.push()
        yield Gh(doors, tmp_path_factory.mktemp("gh-home"))


async def pushed(gh: Gh) -> str:
    """The id of the run that the push has started."""
    return await gh.until("smartbiz-ci.yaml", lambda one: one["event"] == "push" and one["status"] == "completed")


async def test_the_guides_command_lists_the_runs(gh):
    number = await pushed(gh)
    said = await gh("run", "list", "--workflow=smartbiz-ci.yaml")
    rows = [line.split("\t") for line in said.splitlines()]
    assert [row[:7] for row in rows if row[6] == number] == [
        ["completed", "failure", "Run CI", "SmartBiz CI", "main", "push", number]
    ]
    assert await gh.runs("--branch", "none") == []
    assert [one["databaseId"] for one in await gh.runs("--branch", "main", "--limit", "1")]


async def test_a_run_is_shown_with_its_jobs_and_steps(gh):
    said = await gh("run", "view", await pushed(gh), "--verbose")
    assert "main SmartBiz CI" in said
    assert "Triggered via push" in said
    for line in ("✓ test in", "✓ Say hello", "X build in", "X Fail at first"):
        assert line in said


async def test_the_log_names_each_lines_job_and_step(gh):
    number = await pushed(gh)
    rows = [line.split("\t", 2) for line in (await gh("run", "view", number, "--log")).splitlines()]
    told = {(job, step): text.partition(" ")[2] for job, step, text in rows}
    assert told["test", "Say hello"] == "hello world"
    assert told["build", "Fail at first"] == "##[error]Process completed with exit code 1."
    assert {job for job, _ in told} == {"test", "build"}


async def test_the_log_of_what_failed_is_that_of_the_failed_steps_alone(gh):
    rows = [line.split("\t") for line in (await gh("run", "view", await pushed(gh), "--log-failed")).splitlines()]
    assert {(row[0], row[1]) for row in rows} == {("build", "Fail at first")}
    assert any(row[2].endswith("tide-1, attempt 1") for row in rows)


async def test_the_log_of_a_called_workflows_job(gh):
    number = await gh.started("caller.yaml")
    await gh("run", "watch", number, "--exit-status", "--interval", "1")
    rows = [line.split("\t", 2) for line in (await gh("run", "view", number, "--log")).splitlines()]
    said = {(job, text.partition(" ")[2]) for job, _, text in rows}
    assert {("check", "own"), ("call / check", "called")} <= said
    assert not {("check", "called"), ("call / check", "own")} & said


async def test_one_jobs_log(gh):
    number = await pushed(gh)
    jobs = json.loads(await gh("run", "view", number, "--json", "jobs"))["jobs"]
    (test,) = [str(job["databaseId"]) for job in jobs if job["name"] == "test"]
    said = await gh("run", "view", "--job", test, "--log")
    assert {line.partition("\t")[0] for line in said.splitlines()} == {"test"}


async def test_an_artifact_is_downloaded(gh, tmp_path):
    number = await gh.started("keeping.yaml")
    await gh("run", "watch", number, "--exit-status", "--interval", "1")
    assert "built" in await gh("run", "view", number)
    await gh("run", "download", number, "--name", "built", "--dir", str(tmp_path / "here"))
    assert (tmp_path / "here/in/file").read_text() == "kept\n"


@pytest.mark.parametrize(("code", "conclusion"), [("0", "success"), ("3", "failure")])
async def test_watching_ends_with_the_run_and_its_outcome(gh, code, conclusion):
    number = await gh.started("short.yaml", "-f", f"code={code}")
    await gh("run", "watch", number, "--exit-status", "--interval", "1", code=0 if code == "0" else 1)
    assert json.loads(await gh("run", "view", number, "--json", "conclusion")) == {"conclusion": conclusion}


async def test_workflows_are_listed_and_shown(gh):
    said = await gh("workflow", "list")
    assert sorted(line.split("\t")[:2] for line in said.splitlines()) == [
        [".github/workflows/called.yaml", "active"], [".github/workflows/caller.yaml", "active"],
        ["Endless", "active"], ["Keeping", "active"], ["Short", "active"], ["SmartBiz CI", "active"],
    ]  # fmt: skip
    assert "smartbiz-ci.yaml" in await gh("workflow", "view", "SmartBiz CI")
    assert CI.strip() in await gh("workflow", "view", "smartbiz-ci.yaml", "--yaml")


async def test_what_a_workflow_can_not_take_is_said_when_it_is_asked_for(gh):
    before = len(await gh.runs())
    assert "the input 'code' is required" in await gh("workflow", "run", "short.yaml", code=1)
    assert "'x' is no value of the input 'code'" in await gh("workflow", "run", "short.yaml", "-f", "code=x", code=1)
    said = await gh("workflow", "run", "short.yaml", "-f", "code=0", "--ref", "none", code=1)
    assert "no branch and no tag 'none'" in said
    assert "there are: called.yaml, caller.yaml, endless.yaml" in await gh("workflow", "run", "none.yaml", code=1)
    assert len(await gh.runs()) == before


async def test_a_run_is_cancelled_and_runs_again(gh):
    number = await gh.started("endless.yaml")
    for attempt in (1, 2):
        await gh("run", "cancel", number)
        await gh("run", "watch", number, "--exit-status", "--interval", "1", code=1)
        shown = json.loads(await gh("run", "view", number, "--json", "status,conclusion"))
        assert shown == {"status": "completed", "conclusion": "cancelled"}
        assert "cannot cancel" in (await gh("run", "cancel", number, code=1)).lower()
        if attempt == 1:
            await gh("run", "rerun", number)
            assert json.loads(await gh("run", "view", number, "--json", "status"))["status"] != "completed"


async def test_what_failed_runs_again_and_what_succeeded_stays(gh):
    number = await gh.started("smartbiz-ci.yaml", "-f", "whom=you")
    await gh("run", "watch", number, "--exit-status", "--interval", "1", code=1)
    await gh("run", "rerun", number, "--failed")
    await gh("run", "watch", number, "--exit-status", "--interval", "1")
    rows = [line.split("\t", 2) for line in (await gh("run", "view", number, "--log")).splitlines()]
    said = {(job, text.partition(" ")[2]) for job, _, text in rows}
    assert {("test", "hello you"), ("build", "tide-1, attempt 2")} <= said
    assert "no job of the run" in await gh(
        "api", f"repos/acme/shop/actions/runs/{number}/rerun-failed-jobs", "--method", "POST", code=1
    )
    await gh("run", "rerun", number)
    await gh("run", "watch", number, "--exit-status", "--interval", "1")
    assert "\ttide-3" not in await gh("run", "view", number, "--log")
    assert "tide-3, attempt 3" in await gh("run", "view", number, "--log")


async def test_gh_knows_who_it_is(gh):
    assert "as tidegate" in await gh("auth", "status")


async def test_a_wrong_token_is_refused(gh):
    said = await gh("run", "list", code=1, GH_ENTERPRISE_TOKEN="wrong")
    assert "HTTP 401: Bad credentials" in said
