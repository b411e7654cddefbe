"""A workflow in a cluster: a push becomes a run, each job a Kubernetes Job whose Pod really runs it."""

import asyncio
import base64
import shutil
import time

import pytest
import pytest_asyncio
from tests.integration.cluster_runs import IMAGE, JOBS, PASSWORD, RUNS, SECRETS, SYSTEM, RunWorld
from tests.integration.cluster_tidegate import tidegate
from tests.integration.cluster_world import started
from tests.integration.forge_player import TOKEN, Forge
from tests.integration.git_host import hosting
from tests.integration.registry_world import RegistryWorld
from tests.integration.ssh_remote import Clone

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]
BUILD = """
name: CI
on: push
jobs:
  version:
    runs-on: ubuntu-latest
    outputs: {tag: "${{ steps.count.outputs.tag }}"}
    steps:
      - uses: actions/checkout@v4
      - id: count
        run: echo "tag=1.0.$(cat number)" >> "$GITHUB_OUTPUT"
  image:
    needs: version
    runs-on: ubuntu-latest
    permissions: {contents: read, packages: write}
    steps:
      - uses: actions/checkout@v4
      - name: Look around
        run: |
          echo "the token is $TOKEN"
          echo "here: $(ls /var/run/tidegate-source 2>&1 || true)"
        env: {TOKEN: "${{ secrets.GITHUB_TOKEN }}"}
      - uses: docker/login-action@v3
        with: {registry: "REGISTRY", username: me, password: "${{ secrets.GITHUB_TOKEN }}"}
      - uses: docker/build-push-action@v6
        with:
          context: app
          platforms: linux/arm/v7,linux/amd64
          push: true
          tags: REGISTRY/acme/shop:${{ needs.version.outputs.tag }}
"""
SLOW = """
on: push
jobs:
  slow:
    runs-on: ubuntu-latest
    TIMEOUT
    steps:
      - name: Sleep
        run: echo sleeping; sleep 600
      - name: Clean up
        if: always()
        run: echo "cleaned up after ${{ job.status }}"
"""


@pytest.fixture(scope="module")
def runs_cluster(tmp_path_factory):
    yield from started(tmp_path_factory.mktemp("runs-cluster"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(runs_cluster, tmp_path_factory):
    async with RunWorld.opened(runs_cluster, tmp_path_factory.mktemp("runs")) as world:
        yield world


@pytest.fixture
def world(opened):
    """One world for all tests here, with a node that is as it should be."""
    opened.player.unpullable.clear()
    opened.player.environment.clear()
    return opened


@pytest.fixture
def registry(tmp_path):
    registry = RegistryWorld(tmp_path / "registry")
    try:
        registry.start()
        yield registry
    finally:
        registry.stop()


def steps_of(job):
    return {step["name"]: step["conclusion"] for step in job["steps"]}


async def test_a_push_is_built_in_jobs_and_its_image_is_in_the_registry(world, registry):
    host = f"127.0.0.1:{registry.port}"
    files = {"number": "7", "app/Dockerfile": 'FROM scratch\nCOPY hello /hello\nCMD ["/hello"]\n', "app/hello": "hi\n"}
    run = await world.push(BUILD.replace("REGISTRY", host), **files)
    # What the Job and its Secret are is looked at while they are there.
    seen = (await world.cluster.until(JOBS, lambda found: found["items"], 60))["items"][0]
    secret = await world.cluster.until(f"{SECRETS}/{seen['metadata']['name']}", lambda _: True)
    assert seen["metadata"]["ownerReferences"][0]["name"] == run
    assert {one["image"] for one in containers(seen)} == {IMAGE}
    assert secret["immutable"] is True
    assert PASSWORD in base64.b64decode(secret["data"]["job.json"]).decode()
    assert secret["metadata"]["ownerReferences"][0]["uid"] == seen["metadata"]["uid"]

    status = await world.ended(run)
    assert (status["conclusion"], status.get("message")) == ("success", None), await world.everything_said()
    version, image = status["jobs"]
    assert steps_of(version) == dict.fromkeys(
        ["Set up job", "Run actions/checkout@v4", step_name(version, 3), "Complete job"], "success"
    )
    assert "Look around" in steps_of(image)
    assert [one["reference"] for one in status["images"]] == [f"{host}/acme/shop:1.0.7"]
    index = registry.manifest("acme/shop", "1.0.7")
    platforms = {f"{one['platform']['os']}/{one['platform']['architecture']}" for one in index["manifests"]}
    assert platforms == {"linux/arm", "linux/amd64"}

    log = await world.log(run)
    assert log.index("==> version <==") < log.index("==> image <==")
    assert "HEAD is now at" in log
    assert "the token is ***" in log
    assert '{"n":' not in log
    # The steps see nothing of the repository's own credential.
    assert "here: ls: cannot access" in log
    assert await world.job_secrets() == []
    said = await world.everything_said()
    assert PASSWORD not in said
    assert base64.b64encode(PASSWORD.encode()).decode().rstrip("=") not in said
    assert "PRIVATE KEY" not in said
    table = await asyncio.to_thread(tidegate, world.cluster, "runs")
    assert run in table
    assert "success" in table


def containers(job):
    spec = job["spec"]["template"]["spec"]
    return [*spec["initContainers"], *spec["containers"]]


def step_name(job, number):
    return next(step["name"] for step in job["steps"] if step["number"] == number)


async def test_a_run_that_is_cancelled_or_out_of_time_still_cleans_up(world):
    run = await world.push(SLOW.replace("TIMEOUT", ""))
    await world.until_step(run, "Sleep")
    following = asyncio.create_task(asyncio.to_thread(tidegate, world.cluster, "logs", "-f", run))
    await asyncio.sleep(2)
    await world.cluster.kubectl("annotate", "workflowrun", run, "-n", SYSTEM, "tidegate.dev/cancel=true")
    status = await world.ended(run)
    assert status["conclusion"] == "cancelled"
    [job] = status["jobs"]
    assert (steps_of(job)["Sleep"], steps_of(job)["Clean up"]) == ("cancelled", "success")
    assert "cleaned up after cancelled" in await following
    assert await world.jobs_of(run) == []
    assert await world.job_secrets() == []

    began = time.monotonic()
    run = await world.push(SLOW.replace("TIMEOUT", "timeout-minutes: 0.1"))
    status = await world.ended(run)
    assert time.monotonic() - began < 90
    [job] = status["jobs"]
    assert job["conclusion"] == "timed_out"
    assert steps_of(job)["Clean up"] == "success"
    assert "it took longer than 0.1 minutes" in job["message"]
    assert "sleeping" in await world.log(run)
    assert await world.job_secrets() == []


async def test_a_pod_that_dies_is_told_with_its_reason(world):
    for end, reason in (("out_of_memory", "OOMKilled, exit code: 137"), ("evict", "Evicted The node was low on")):
        run = await world.push(SLOW.replace("TIMEOUT", "") + f"# {end}\n")
        await world.until_step(run, "Sleep")
        getattr(world.player, end)(world.player.pods[-1])
        status = await world.ended(run)
        assert status["conclusion"] == "failure"
        assert reason in status["jobs"][0]["message"]
        assert f"kubectl describe pod {world.player.pods[-1]} -n {SYSTEM}" in status["jobs"][0]["message"]
        assert await world.job_secrets() == []

    run = await world.push(SLOW.replace("TIMEOUT", "") + "# deleted\n")
    await world.until_step(run, "Sleep")
    [job] = await world.jobs_of(run)
    await world.cluster.delete(f"{JOBS}/{job['metadata']['name']}?propagationPolicy=Background")
    status = await world.ended(run)
    # Its Pod got the time to clean up, and told so.
    assert status["conclusion"] in ("failure", "cancelled")
    assert steps_of(status["jobs"][0])["Clean up"] == "success"


async def test_an_image_that_cant_be_pulled_is_told_at_once_and_waited_for_until_the_run_is_cancelled(world):
    world.player.unpullable.add(IMAGE)
    run = await world.push(SLOW.replace("TIMEOUT", ""))
    found = await world.cluster.until(
        f"{RUNS}/{run}", lambda found: "Back-off pulling" in (found.get("status") or {}).get("message", ""), 30
    )
    status = found["status"]
    assert status["status"] == "in_progress"
    reason = f'ImagePullBackOff: Back-off pulling image "{IMAGE}"'
    assert (status["message"], status["jobs"][0]["message"]) == (f"slow: {reason}", reason)
    unread = await asyncio.to_thread(tidegate, world.cluster, "logs", run, code=1)
    assert f"no Pod of the run {run} has a log: slow: {reason}" in unread
    await world.cluster.kubectl("annotate", "workflowrun", run, "-n", SYSTEM, "tidegate.dev/cancel=true")
    assert (await world.ended(run))["conclusion"] == "cancelled"
    assert await world.jobs_of(run) == []
    assert await world.job_secrets() == []


async def test_a_commit_that_cant_be_fetched_fails_the_job_with_gits_reason(world):
    world.player.environment["PATH"] = "/nowhere"  # as an image without git, or ssh, would have it
    run = await world.push(SLOW.replace("TIMEOUT", "") + "# unfetched\n")
    status = await world.ended(run)
    assert status["conclusion"] == "failure"
    assert "git" in status["jobs"][0]["message"]
    assert await world.job_secrets() == []


async def test_a_killed_controllers_run_is_swept_and_runs_again_as_the_next_attempt_on_a_new_disk(world):
    run = await world.push(
        SLOW.replace("TIMEOUT", "").replace("sleep 600", '[ "$GITHUB_RUN_ATTEMPT" = 2 ] || sleep 600')
    )
    await world.until_step(run, "Sleep")
    [first] = await world.jobs_of(run)
    [secret] = await world.job_secrets()
    world.controller.program.kill()
    await asyncio.sleep(1)
    shutil.rmtree(world.folder / "controller-data")
    (world.folder / "controller-data/mirrors").mkdir(parents=True)
    world.controller.program.start()
    await world.cluster.until(
        f"{RUNS}/{run}", lambda found: found["status"].get("attempt") == 2 and found["status"].get("jobs"), 60
    )
    assert secret not in await world.job_secrets()
    status = await world.ended(run, 120)
    assert (status["conclusion"], status["attempt"], status["interrupted"]) == ("success", 2, 1)
    [job] = await world.jobs_of(run)
    assert job["metadata"]["uid"] != first["metadata"]["uid"]
    assert job["metadata"]["annotations"]["tidegate.dev/attempt"] == "2"
    assert await world.job_secrets() == []
    assert "attempt 2" in await world.log(run)
    commit = (await world.cluster.get(f"{RUNS}/{run}"))["spec"]["commit"]
    same = [one for one in (await world.cluster.get(RUNS))["items"] if one["spec"]["commit"] == commit]
    assert [one["metadata"]["name"] for one in same] == [run]


ASKED = """
on:
  push:
  workflow_dispatch: {inputs: {whom: {required: true}}}
jobs:
  greet:
    if: github.event_name == 'workflow_dispatch'
    uses: ./.github/workflows/greet.yaml
    with: {whom: "${{ inputs.whom }}"}
    secrets: {token: "${{ secrets.GITHUB_TOKEN }}"}
"""
GREET = """
on: {workflow_call: {inputs: {whom: {type: string}}, secrets: {token: {}}}}
jobs:
  say:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: ./act
        with: {whom: "${{ inputs.whom }}"}
      - run: test -n "$TOKEN" && echo "has a token"
        env: {TOKEN: "${{ secrets.token }}"}
"""
ACT = """
inputs: {whom: {}}
runs:
  using: composite
  steps: [{run: 'echo "hello ${{ inputs.whom }}"', shell: bash}]
"""


async def test_a_workflow_is_asked_for_calls_another_one_and_uses_an_action(world):
    pushed = await world.push(ASKED, **{".github/workflows/greet.yaml": GREET, "act/action.yml": ACT})
    assert [job["conclusion"] for job in (await world.ended(pushed))["jobs"]] == ["skipped"]
    name = (await asyncio.to_thread(tidegate, world.cluster, "run", "ci.yaml", "-f", "whom=world", "--watch")).strip()
    status = await world.ended(name)
    assert [(job["name"], job["conclusion"]) for job in status["jobs"]] == [("greet / say", "success")]
    log = await world.log(name)
    assert "hello world" in log
    assert "has a token" in log
    assert PASSWORD not in log


TOOL = """
inputs: {who: {}}
runs:
  using: composite
  steps:
    - shell: bash
      run: |
        cat "$GITHUB_ACTION_PATH/words.txt"
        echo "hello ${{ inputs.who }} from $GITHUB_ACTION_REPOSITORY at $GITHUB_ACTION_REF"
        echo "source: $(ls /var/run/tidegate-source 2>&1 || true)"
"""
BORROWING = """
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: tools/greet@main
        with: {who: cluster}
"""


async def test_an_action_of_another_repository_is_brought_into_the_pod_by_its_first_container(world):
    remote = world.remote
    remote.create("tools/greet")
    tool = Clone(world.folder / "tool", remote, "tools/greet", world.key)
    commit = tool.push({"action.yml": TOOL, "words.txt": "words of the tool\n"})
    url = remote.url("tools/greet").removesuffix("/tools/greet.git")
    runner = f"/apis/tidegate.dev/v1alpha1/namespaces/{SYSTEM}/runners/shop"
    await world.cluster.merge(runner, {"spec": {"actions": {"url": url, "secretRef": {"name": "shop"}}}})
    name = await world.push(BORROWING)
    status = await world.ended(name)
    log = await world.log(name)
    assert status["conclusion"] == "success", (status, log)
    assert f"Download action repository 'tools/greet@main' (SHA:{commit})" in log
    assert "words of the tool" in log
    assert "hello cluster from tools/greet at main" in log
    assert [(one["repository"], one["commit"]) for one in status["actions"]] == [("tools/greet", commit)]
    assert "source.json" not in log


REQUESTED = """
on: pull_request
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: |
          cat words.txt
          echo "of $GITHUB_REF, secret <${{ secrets.GITHUB_TOKEN }}>"
"""


async def test_an_open_request_of_the_sources_forge_runs_in_a_pod(world):
    with hosting(world.folder / "forge") as host:
        forge = Forge(host, "gitea")
        host.api = forge.answer
        host.commit("Begin", {".github/workflows/ci.yaml": REQUESTED})
        manifest = f"""
apiVersion: v1
kind: Secret
metadata: {{name: forge, namespace: {SYSTEM}}}
stringData: {{token: {TOKEN}}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {{name: hub, namespace: {SYSTEM}}}
spec: {{interval: 1h, url: {host.url}, ref: {{branch: main}}}}
---
apiVersion: tidegate.dev/v1alpha1
kind: Runner
metadata: {{name: hub, namespace: {SYSTEM}}}
spec:
  repository: acme/hub
  sourceRef: {{name: hub}}
  secretRef: {{name: shop-ci}}
  pullRequests: {{api: gitea, secretRef: {{name: forge}}}}
"""
        await world.cluster.kubectl("apply", "-f", "-", stdin=manifest)
        base = f"/apis/tidegate.dev/v1alpha1/namespaces/{SYSTEM}/runners/hub"
        try:
            await world.cluster.until(base, lambda one: "lastPullRequest" in (one.get("status") or {}), 60)
            work = host.folder / "work"
            (work / "words.txt").write_text("words of a request\n")
            host.git("add", "--all", cwd=work)
            host.git("commit", "--quiet", "--message", "Propose", cwd=work)
            host.git("push", "--quiet", "origin", "HEAD:refs/pull/1/head", cwd=work)
            forge.add("topic", "main", owner="stranger", sha=host.git("rev-parse", "HEAD", cwd=work))
            source = f"/apis/source.toolkit.fluxcd.io/v1/namespaces/{SYSTEM}/gitrepositories/hub"
            # Its answers of the last seconds are taken for news, so it is asked until it has something to tell.
            async with asyncio.timeout(90):
                while not [one for one in (await world.cluster.get(RUNS))["items"] if _is_of_hub(one)]:
                    mark = {"reconcile.fluxcd.io/requestedAt": str(time.time())}
                    await world.cluster.merge(source, {"metadata": {"annotations": mark}})
                    await asyncio.sleep(1)
            run = await world.until_run(_is_of_hub)
            name = run["metadata"]["name"]
            status, log = await world.ended(name), await world.log(name)
        finally:
            await world.cluster.kubectl("delete", "runner/hub", "gitrepository/hub", "-n", SYSTEM)
    assert status["conclusion"] == "success", (status, log)
    assert "words of a request" in log
    assert "of refs/pull/1/merge, secret <>" in log
    assert PASSWORD not in log


def _is_of_hub(run):
    return run["spec"]["repository"] == "acme/hub"
