"""Reusable workflows in real runs: inputs, secrets, outputs, matrices of callers, nesting, permissions, cancelling."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from runner_home import NAMESPACE, RUNNER, RunnerHome

from tidegate.kinds.objects import key_of

pytestmark = pytest.mark.integration
FOLDER = ".github/workflows/"


@pytest.fixture
async def home(tmp_path):
    home = RunnerHome(tmp_path)
    await home.set_up(maxJobs=4)
    return home


async def finish(home, timeout=30, **files):
    home.commit({f"{FOLDER}{name}.yaml": text for name, text in files.items()})
    async with home.running():
        home.push()
        return (await home.finished(1, timeout))[0]


def jobs_of(run):
    return {job["name"]: job["conclusion"] for job in run["status"]["jobs"]}


async def secret(home, **data):
    metadata = {"name": "own", "namespace": NAMESPACE}
    await home.store.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}, manager="test"
    )
    await home.store.patch(RUNNER, {"spec": {"secretRef": {"name": "own"}}}, manager="test")


async def test_a_called_workflow_gets_inputs_and_gives_outputs(home):
    run = await finish(
        home,
        ci="""
name: Caller
on: push
env: {FROM: caller}
jobs:
  first:
    runs-on: x
    outputs: {word: tide}
    steps: [{run: echo}]
  call:
    needs: first
    uses: ./.github/workflows/called.yaml
    with: {word: "${{ needs.first.outputs.word }}", times: 2, loud: true}
  last:
    needs: call
    runs-on: x
    steps:
      - run: echo "got ${{ needs.call.outputs.said }} and ${{ needs.call.result }} <${{ needs.call.outputs.inner }}>"
""",
        called="""
name: Called
on:
  workflow_call:
    inputs:
      word: {type: string, required: true}
      times: {type: number}
      loud: {type: boolean}
      rest: {type: string, default: 'of ${{ github.event_name }}'}
    outputs:
      said: {value: "${{ jobs.speak.outputs.said }}, ${{ jobs.speak.result }}"}
jobs:
  speak:
    name: Speaks ${{ inputs.word }}
    runs-on: x
    outputs: {said: "${{ steps.say.outputs.said }}", inner: never}
    steps:
      - id: say
        run: |
          echo "said=${{ inputs.word }} ${{ toJSON(inputs.times) }} ${{ toJSON(inputs.loud) }} $REST" >> $GITHUB_OUTPUT
        env: {REST: "${{ inputs.rest }}"}
      - run: echo "in ${{ github.workflow }} from <$FROM>"
""",
    )  # fmt: skip
    assert jobs_of(run) == {"first": "success", "call / Speaks tide": "success", "last": "success"}
    assert run["status"]["conclusion"] == "success"
    assert "got tide 2 true of push, success and success <>" in home.log(run, "last")
    assert "in Caller from <>" in home.log(run, "call / Speaks tide")


async def test_a_matrix_calls_once_for_each_combination_and_workflows_nest(home):
    run = await finish(
        home,
        ci="""
on: push
jobs:
  deploy:
    strategy: {matrix: {target: [dev, prod]}}
    uses: ./.github/workflows/middle.yaml
    with: {target: "${{ matrix.target }}"}
  skipped:
    if: github.ref == 'refs/heads/none'
    uses: ./.github/workflows/middle.yaml
    with: {target: none}
  after:
    needs: [deploy]
    runs-on: x
    steps: [{run: 'echo "last ${{ needs.deploy.outputs.where }}"'}]
""",
        middle="""
on:
  workflow_call:
    inputs: {target: {type: string}}
    outputs: {where: {value: "${{ jobs.inner.outputs.where }}"}}
jobs:
  inner:
    uses: ./.github/workflows/leaf.yaml
    with: {target: "${{ inputs.target }}-env"}
""",
        leaf="""
on:
  workflow_call:
    inputs: {target: {type: string}}
    outputs: {where: {value: "${{ jobs.go.outputs.where }}"}}
jobs:
  go:
    runs-on: x
    outputs: {where: "${{ inputs.target }}"}
    steps: [{run: 'echo "to ${{ inputs.target }}"'}]
""",
    )
    assert jobs_of(run) == {
        "deploy (dev) / inner / go": "success",
        "deploy (prod) / inner / go": "success",
        "skipped": "skipped",
        "after": "success",
    }
    assert "to dev-env" in home.log(run, "deploy (dev) / inner / go")
    assert "last prod-env" in home.log(run, "after")


SECRETS = """
on:
  workflow_call:
    secrets: {KEY: {required: false}, token: {}}
jobs:
  use:
    runs-on: x
    steps:
      - run: |
          test -n "$KEY" && echo "key has $(printf %s "$KEY" | wc -c)"
          test "$TOKEN" = "$OWN" && echo same token
          test -z "$OTHER" && echo no other
        env:
          KEY: ${{ secrets.KEY }}
          TOKEN: ${{ secrets.token }}
          OWN: ${{ secrets.GITHUB_TOKEN }}
          OTHER: ${{ secrets.OTHER }}
      - run: echo "shown ${{ secrets.KEY }} ${{ secrets.token }}"
"""


async def test_secrets_are_those_that_the_caller_passes_on(home):
    await secret(home, KEY="tide-secret", OTHER="other-secret")
    run = await finish(
        home,
        ci="""
on: push
jobs:
  call:
    uses: ./.github/workflows/called.yaml
    secrets: {KEY: "${{ secrets.KEY }}", token: "${{ secrets.GITHUB_TOKEN }}"}
  inherits:
    uses: ./.github/workflows/called.yaml
    secrets: inherit
  nothing:
    uses: ./.github/workflows/called.yaml
""",
        called=SECRETS,
    )
    explicit, inherited, nothing = (home.log(run, f"{name} / use") for name in ("call", "inherits", "nothing"))
    for words in ("key has 11", "same token", "no other", "shown *** ***"):
        assert words in explicit
    assert "key has 11" in inherited
    assert "no other" not in inherited.splitlines()
    assert not any(line.startswith("key has") for line in nothing.splitlines())
    assert "tide-secret" not in explicit + inherited + nothing
    assert not any("tgr_secret_token" in log for log in (explicit, inherited, nothing))


async def test_a_called_job_may_do_no_more_than_its_caller(home):
    run = await finish(
        home,
        ci="""
on: push
permissions: {contents: write}
jobs:
  call: {uses: ./.github/workflows/called.yaml}
  less:
    permissions: {packages: write}
    uses: ./.github/workflows/called.yaml
""",
        called="on: workflow_call\njobs: {a: {runs-on: x, steps: [{run: x=1}]}}",
    )
    assert run["status"]["conclusion"] == "success"
    assert sorted(scopes for _, scopes in home.tokens.issued) == [["packages:acme:write"], ["repo:acme/shop:write"]]


async def test_what_is_wrong_in_any_of_the_files_is_shown_at_once(home):
    run = await finish(
        home,
        ci="""
on: push
jobs:
  a: {uses: ./.github/workflows/called.yaml, with: {nope: 1}}
  b: {uses: acme/shared/.github/workflows/x.yaml@v1}
  c: {uses: ./.github/workflows/missing.yaml}
""",
        called="on: workflow_call\njobs: {a: {runs-on: x, container: {image: node, options: --privileged}, "
        "steps: [{uses: acme/unknown@v1}]}}",
    )
    message = run["status"]["message"]
    assert run["status"]["conclusion"] == "failure"
    assert run["status"]["jobs"] == []
    assert [line.partition(":")[0] for line in message.splitlines() if line.startswith(FOLDER)] == [
        *[f"{FOLDER}ci.yaml"] * 3,
        *[f"{FOLDER}called.yaml"] * 2,
    ]
    for words in (
        f"{FOLDER}ci.yaml:4:59: ./{FOLDER}called.yaml has no input 'nope'",
        f"{FOLDER}ci.yaml:5:13: acme/shared/{FOLDER}x.yaml@v1 can't be called: acme/shared is not hosted here",
        f"{FOLDER}ci.yaml:6:13: there is no file {FOLDER}missing.yaml in this commit",
        "--privileged",
        f"{FOLDER}called.yaml:2:88: 'acme/unknown@v1' is not built in, and can't be had: acme/unknown is not",
    ):
        assert words in message


async def test_a_value_that_does_not_fit_fails_the_call_and_the_run(home):
    run = await finish(
        home,
        ci="""
on: push
jobs:
  call:
    uses: ./.github/workflows/called.yaml
    with: {loud: "${{ github.ref }}"}
  after: {needs: call, runs-on: x, steps: [{run: echo}]}
""",
        called="on: {workflow_call: {inputs: {loud: {type: boolean}}}}\njobs: {a: {runs-on: x, steps: [{run: x=1}]}}",
    )
    assert jobs_of(run) == {"call": "failure", "after": "skipped"}
    assert "the input 'loud' is 'refs/heads/main'; it must be true or false" in run["status"]["message"]


async def test_a_failure_below_fails_the_caller_and_ends_the_rest_of_its_matrix(home):
    run = await finish(
        home,
        ci="""
on: push
jobs:
  call:
    strategy: {matrix: {seconds: [0, 600]}}
    uses: ./.github/workflows/called.yaml
    with: {seconds: "${{ matrix.seconds }}"}
  anyway: {needs: call, if: failure(), runs-on: x, steps: [{run: 'echo saw ${{ needs.call.result }}'}]}
""",
        called="""
on: {workflow_call: {inputs: {seconds: {type: number}}}}
jobs:
  work: {runs-on: x, steps: [{run: 'sleep ${{ inputs.seconds }}; exit 1'}]}
  never: {needs: work, runs-on: x, steps: [{run: echo}]}
""",
    )
    jobs = jobs_of(run)
    assert (jobs["call (0) / work"], jobs["call (600) / work"], jobs["anyway"]) == ("failure", "cancelled", "success")
    assert jobs["call (0) / never"] == "skipped"
    assert run["status"]["conclusion"] == "failure"
    assert "saw failure" in home.log(run, "anyway")


async def test_cancelling_the_run_cancels_what_it_called(home):
    home.commit({
        f"{FOLDER}ci.yaml": "on: push\njobs: {call: {uses: ./.github/workflows/called.yaml}}",
        f"{FOLDER}called.yaml": "on: workflow_call\njobs: {a: {runs-on: x, steps: "
        "[{run: sleep 600}, {if: cancelled(), run: echo cleaned up}]}}",
    })  # fmt: skip
    async with home.running():
        home.push()
        (run,) = await home.until(
            lambda runs: any(
                job["status"] == "in_progress" and len(job.get("steps", ())) > 1
                for run in runs
                for job in (run.get("status") or {}).get("jobs", ())
            )
        )
        await home.store.patch(key_of(run), {"spec": {"cancel": True}}, manager="test")
        (run,) = await home.finished()
    assert run["status"]["conclusion"] == "cancelled"
    assert "cleaned up" in home.log(run, "call / a")


async def test_a_called_workflow_in_the_group_of_its_caller_is_a_deadlock(home):
    group = "concurrency: deploy-${{ github.ref }}"
    run = await finish(
        home,
        ci=f"on: push\n{group}\njobs: {{call: {{uses: ./.github/workflows/called.yaml}}}}",
        called=f"on: workflow_call\n{group}\njobs: {{a: {{runs-on: x, steps: [{{run: x=1}}]}}}}",
    )
    assert jobs_of(run) == {"call": "cancelled"}
    assert "a deadlock" in run["status"]["message"]
