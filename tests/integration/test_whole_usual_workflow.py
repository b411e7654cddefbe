"""One workflow in the shape that users have, unchanged: pushed, tagged, and as a pull request by hand; and what it must
not say, at every door. The real program, its builder and its registry.
"""

import json
import sys
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from crash_world import NAME, OWNER, SRC, World
from whole_world import Doors, opened

from tidegate.base.process import minimal_environment, run
from tidegate.demo.layout import commit_all, git

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]
FILE = ".github/workflows/docker-publish.yml"
PATIENCE = 120.0
SECRET = 'tide "gate" & co=p4ssw0rd'
WORKFLOW = r"""
name: Docker

on:
  schedule:
    - cron: '26 2 * * *'
  push:
    branches: [ "main" ]
    # Publish semver tags as releases.
    tags: [ 'v*.*.*' ]
    paths-ignore: ['docs/**', '**.md', deploy/**]
  pull_request:
    branches: [ "main" ]

env:
  # Use docker.io for Docker Hub if empty
  REGISTRY: ghcr.io
  # github.repository as <account>/<repo>
  IMAGE_NAME: ${{ github.repository }}

concurrency:
  group: ${{ github.workflow }}-${{ github.head_ref || github.ref }}
  cancel-in-progress: ${{ github.event_name == 'pull_request' }}

permissions:
  contents: read

jobs:
  test:
    name: test (${{ matrix.shell }}, ${{ matrix.level }})
    runs-on: ${{ matrix.os }}
    timeout-minutes: 10
    strategy:
      fail-fast: false
      max-parallel: 2
      matrix:
        os: [ubuntu-24.04]
        shell: [bash, sh]
        level: [1, 2]
        exclude:
          - {shell: sh, level: 2}
        include:
          - {shell: bash, level: 1, coverage: true}
          - {os: ubuntu-22.04, shell: python, level: 9}
    defaults:
      run:
        working-directory: app
    steps:
      - name: Checkout
        uses: actions/checkout@v4
      - name: Cache
        uses: actions/cache@v4
        with:
          path: ~/.cache/tests
          key: ${{ runner.os }}-tests-${{ hashFiles('app/**') }}
          restore-keys: ${{ runner.os }}-tests-
      - name: Test
        env:
          LEVEL: ${{ matrix.level }}
          TOKEN: ${{ secrets.DEPLOY_TOKEN }}
        shell: bash
        run: |
          test -s word
          mkdir -p ~/.cache/tests && date > ~/.cache/tests/last
          echo "level $LEVEL of ${{ matrix.shell }}, token ${TOKEN:-none}"
          echo "{\"token\": $(printf '%s' "$TOKEN" | sed 's/"/\\"/g')}" >> "$GITHUB_STEP_SUMMARY"
      - name: Coverage
        if: ${{ matrix.coverage && !cancelled() }}
        run: echo "lines 100" > coverage.txt
      - uses: actions/upload-artifact@v4
        if: matrix.coverage
        with:
          name: coverage
          path: app/coverage.txt
          retention-days: 3

  changes:
    runs-on: ubuntu-latest
    outputs:
      platforms: ${{ steps.pick.outputs.platforms }}
      short: ${{ steps.pick.outputs.short }}
    steps:
      - id: pick
        run: |
          echo 'platforms=["linux/amd64","linux/arm64"]' >> $GITHUB_OUTPUT
          echo "short=${GITHUB_SHA::7}" >> $GITHUB_OUTPUT

  build:
    runs-on: ubuntu-latest
    needs: [test, changes]
    permissions:
      contents: read
      packages: write
      # This is used to complete the identity challenge
      id-token: write
    outputs:
      digest: ${{ steps.build-and-push.outputs.digest }}
      version: ${{ steps.meta.outputs.version }}
    steps:
      - name: Checkout repository
        uses: actions/checkout@v4
      - name: Set up QEMU
        uses: docker/setup-qemu-action@v3
      - name: Set up Docker Buildx
        uses: docker/setup-buildx-action@v3
      - name: Log into registry ${{ env.REGISTRY }}
        if: github.event_name != 'pull_request'
        uses: docker/login-action@v3
        with:
          registry: ${{ env.REGISTRY }}
          username: ${{ github.actor }}
          password: ${{ secrets.GITHUB_TOKEN }}
      - name: Extract Docker metadata
        id: meta
        uses: docker/metadata-action@v5
        with:
          images: ${{ env.REGISTRY }}/${{ env.IMAGE_NAME }}
          tags: |
            type=schedule
            type=ref,event=branch
            type=ref,event=pr
            type=semver,pattern={{version}}
            type=semver,pattern={{major}}.{{minor}}
            type=sha
            type=raw,value=latest,enable={{is_default_branch}}
          labels: |
            org.opencontainers.image.title=Shop
            maintainer=ada
      - name: Build and push Docker image
        id: build-and-push
        uses: docker/build-push-action@v6
        with:
          context: app
          platforms: ${{ join(fromJSON(needs.changes.outputs.platforms), ',') }}
          push: ${{ github.event_name != 'pull_request' }}
          tags: ${{ steps.meta.outputs.tags }}
          labels: ${{ steps.meta.outputs.labels }}
          annotations: ${{ steps.meta.outputs.annotations }}
          build-args: |
            VERSION=${{ fromJSON(steps.meta.outputs.json).labels['org.opencontainers.image.version'] }}
          cache-from: type=gha
          cache-to: type=gha,mode=max
          provenance: false
      - name: Summary
        if: always()
        run: |
          echo "built ${{ steps.meta.outputs.version }} of ${{ needs.changes.outputs.short }}" >> $GITHUB_STEP_SUMMARY

  report:
    runs-on: ubuntu-latest
    needs: [test, build]
    if: ${{ always() && !cancelled() }}
    steps:
      - uses: actions/download-artifact@v4
        with: {name: coverage}
      - run: |
          cat coverage.txt
          echo "tests ${{ needs.test.result }}, build ${{ needs.build.result }}, event ${{ github.event_name }}"
          echo "version ${{ needs.build.outputs.version }} digest ${{ needs.build.outputs.digest }}"
          echo "into '${{ github.base_ref }}' from '${{ github.head_ref }}' at ${{ github.ref }}"
""".lstrip()
JOBS = ["test (bash, 1)", "test (bash, 2)", "test (sh, 1)", "test (python, 9)", "changes", "build", "report"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def doors(tmp_path_factory):
    world = await World.make(tmp_path_factory.mktemp("usual"))
    async with opened(world) as doors:
        await doors.commit("Add the workflow", {FILE: WORKFLOW, ".github/workflows/image.yaml": None})
        await doors.push()
        yield doors


async def push(doors: Doors, *refs: str) -> str:
    """`git push` of some refs; what the pusher is told."""
    doors.world.home.write_git_credentials(doors.url)
    env = minimal_environment({"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"})
    url = f"{doors.url}/git/{OWNER}/{NAME}.git"
    done = await run(["git", "-C", str(doors.world.clone), "push", url, *refs], env=env, timeout=PATIENCE, check=False)
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.exit_code == 0, said
    return said


async def tidegate(doors: Doors, *arguments: str) -> tuple[int, str, str]:
    env = minimal_environment({"PYTHONPATH": str(SRC), "TIDEGATE_HOME": str(doors.world.home.root)})
    done = await run([sys.executable, "-m", "tidegate", *arguments], env=env, timeout=PATIENCE, check=False)
    return done.exit_code, done.stdout.decode(), done.stderr.decode()


async def runs(doors: Doors) -> list[dict]:
    """The workflow's runs as the GitHub API tells them, the newest first."""
    status, text = await doors.fetch(f"/api/v3/repos/{OWNER}/{NAME}/actions/runs", **doors.credential)
    assert status == 200, text
    return json.loads(text)["workflow_runs"]


async def name_of(doors: Doors, **wanted: str) -> str:
    """The name of the newest run for which this holds, once it is over."""
    found: list[str] = []

    def seen(objects: dict) -> bool:
        ordered = sorted(objects["WorkflowRun"], key=lambda one: one["metadata"]["creationTimestamp"], reverse=True)
        found[:] = [
            one["metadata"]["name"]
            for one in ordered
            if all(str(one["spec"].get(key)) == value for key, value in wanted.items())
            and (one.get("status") or {}).get("status") == "completed"
        ]
        return bool(found)

    await doors.until(f"a run of {wanted}", seen)
    return found[0]


async def tags(doors: Doors) -> set[str]:
    _, text = await doors.fetch(f"/v2/{OWNER}/{NAME}/tags/list", **doors.credential)
    return set(json.loads(text).get("tags") or ())


async def test_a_push_tests_builds_and_reports(doors):
    name = await name_of(doors, event="push", ref="refs/heads/main")
    run_object = doors.object("WorkflowRun", name)
    log = await doors.tidegate("logs", name)
    assert run_object["status"]["conclusion"] == "success", log
    assert [job["name"] for job in run_object["status"]["jobs"]] == JOBS
    sha = run_object["spec"]["commit"]
    assert await tags(doors) == {"main", "latest", f"sha-{sha[:7]}"}
    assert f"version main digest {run_object['status']['images'][0]['digest']}" in log
    assert "tests success, build success, event push" in log
    assert "lines 100" in log
    _, text = await doors.fetch(
        f"/v2/{OWNER}/{NAME}/manifests/main", Accept="application/vnd.oci.image.index.v1+json", **doors.credential
    )
    platforms = {manifest["platform"]["architecture"] for manifest in json.loads(text)["manifests"]}
    assert platforms == {"amd64", "arm64"}
    assert f"built main of {sha[:7]}" in "".join(
        path.read_text() for path in doors.world.home.runs.rglob("*.summary.md")
    )


async def test_a_tag_makes_a_release_with_its_versions(doors):
    await git(doors.world.clone, "tag", "v1.2.3")
    await push(doors, "v1.2.3")
    name = await name_of(doors, ref="refs/tags/v1.2.3")
    log = await doors.tidegate("logs", name)
    assert doors.object("WorkflowRun", name)["status"]["conclusion"] == "success", log
    assert {"1.2.3", "1.2", "latest"} <= await tags(doors)
    assert "version 1.2.3" in log


async def test_what_only_touches_ignored_paths_starts_nothing(doors):
    before = len(await runs(doors))
    await doors.commit("Say how", {"docs/how.txt": "so", "README.md": "# Shop\n"})
    said = await doors.push()
    assert f"{FILE} does not run" in said
    assert len(await runs(doors)) == before


async def test_a_pull_request_is_tested_and_built_and_pushes_nothing(doors):
    clone = doors.world.clone
    await git(clone, "checkout", "--quiet", "-b", "topic/one")
    (clone / "app/word").write_text("a word of the topic\n")
    await commit_all(clone, "Say something else")
    said = await push(doors, "topic/one")
    assert f"{FILE} does not run" in said
    before = await tags(doors)
    await set_secret(doors)
    code, name, said = await tidegate(
        doors, "run", "docker-publish.yml", "--event", "pull_request", "--ref", "topic/one", "--base", "main", "--watch"
    )
    name = name.strip()
    log = await doors.tidegate("logs", name)
    assert (code, "success" in said) == (0, True), said + log
    assert await tags(doors) == before
    assert "level 1 of sh, token none" in log, "a request's run gets no secrets"
    assert "into 'main' from 'topic/one' at refs/pull/" in log
    assert "version pr-" in log
    assert doors.object("WorkflowRun", name)["status"].get("images") in (None, [])
    await git(clone, "checkout", "--quiet", "main")


async def set_secret(doors: Doors) -> None:
    """Give the repository's workflows a secret."""
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ci", "namespace": "flux-system"},
        "stringData": {"DEPLOY_TOKEN": SECRET},
    }  # fmt: skip
    headers = {**doors.credential, "Content_Type": "application/json"}
    status, said = await doors.fetch(
        "/api/v1/namespaces/flux-system/secrets", "POST", json.dumps(secret).encode(), **headers
    )
    assert status in (201, 409), said
    headers["Content_Type"] = "application/merge-patch+json"
    path = "/apis/tidegate.dev/v1alpha1/namespaces/flux-system/runners/acme-shop"
    patch = {"spec": {"secretRef": {"name": "ci"}, "resources": {"limits": {"memory": "1Gi", "pids": 400}}}}
    status, said = await doors.fetch(path, "PATCH", json.dumps(patch).encode(), **headers)
    assert status == 200, said


async def test_a_secret_is_seen_at_no_door(doors):
    await set_secret(doors)
    await doors.commit("Say another word", {"app/word": "with a secret\n"})
    told = await doors.push()
    name = await name_of(doors, commit=await doors.head())
    log = await doors.tidegate("logs", name)
    assert "level 1 of sh, token ***" in log
    assert "1Gi of memory, 400 processes" in log
    found = [run_ for run_ in await runs(doors) if run_["head_sha"] == await doors.head()]
    base = f"/api/v3/repos/{OWNER}/{NAME}/actions"
    _, jobs = await doors.fetch(f"{base}/runs/{found[0]['id']}/jobs", **doors.credential)
    logs = [await doors.fetch(f"{base}/jobs/{job['id']}/logs", **doors.credential) for job in json.loads(jobs)["jobs"]]
    assert "token ***" in "".join(text for _, text in logs)
    kept = "".join(path.read_text("utf-8", "replace") for path in doors.world.home.runs.rglob("*") if path.is_file())
    seen = [
        told, log, jobs, *(text for _, text in logs), json.dumps(await runs(doors)), await doors.page(), kept,
        await doors.tidegate("describe", "workflowrun", name), await doors.tidegate("runs", "view", name),
        doors.process.log.read_text(), json.dumps(doors.object("WorkflowRun", name)),
    ]  # fmt: skip
    for place, text in enumerate(seen):
        assert "p4ssw0rd" not in text, place
