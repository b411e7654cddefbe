"""build-push with the real builder and the real registry's door: what a workflow pushes, and what it may."""

import asyncio
import gzip
import sys
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from runner_home import RunnerHome

from tidegate.build.spawn import build_image
from tidegate.kinds.reference import parse
from tidegate.oci.auth import Endpoint
from tidegate.oci.blobs import BlobStore
from tidegate.oci.client import RegistryClient
from tidegate.oci.values import ImageConfig, Index, Manifest
from tidegate.serve.auth import Authorizer
from tidegate.serve.registry import RegistryDoor

pytestmark = pytest.mark.integration
WORKFLOW = """
on: push
jobs:
  image:
    runs-on: x
    permissions: {contents: read, packages: WRITE}
    steps:
      - uses: actions/checkout@v4
      - run: ln -s SECRET app/link
      - uses: docker/login-action@v3
        with: {registry: ghcr.io, username: me, password: "PASSWORD"}
      - id: build
        uses: docker/build-push-action@v6
        with:
          context: app
          platforms: linux/arm/v7,linux/amd64
          push: true
          tags: ghcr.io/OWNER/shop:1.2.3
      - run: echo "digest ${{ steps.build.outputs.digest }}"
"""
REFERENCE = parse("ghcr.io/acme/shop:1.2.3")


@pytest.fixture
async def home(tmp_path):
    authorizer = Authorizer("home-token")

    async def on_tag(repository, tag, digest):
        pass

    door = RegistryDoor(BlobStore(tmp_path / "registry"), authorizer, on_tag)
    config = uvicorn.Config(Starlette(routes=door.routes()), port=0, lifespan="off", ws="none", log_level="error")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    endpoint = Endpoint(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
    home = RunnerHome(tmp_path / "all", build=build_image, tokens=authorizer, endpoints={"ghcr.io": endpoint})
    await home.set_up()
    home.registry = RegistryClient({"ghcr.io": endpoint}, None)
    try:
        yield home
    finally:
        await home.registry.aclose()
        server.should_exit = True
        await task
        door.close()


async def push(home, *, permission="write", owner="acme", password="${{ secrets.GITHUB_TOKEN }}"):
    text = WORKFLOW.replace("WRITE", permission).replace("OWNER", owner).replace("PASSWORD", password)
    (home.root / "home/token").write_text("the-homes-own-token")
    files = {
        ".github/workflows/ci.yaml": text.replace("SECRET", str(home.root / "home/token")),
        "app/Dockerfile": 'FROM scratch\nCOPY . /app/\nCMD ["/app/run"]\n',
        "app/run": "#!/bin/sh\n",
    }
    commit = home.commit(files)
    async with home.running():
        home.push()
        (run,) = await home.finished(timeout=60)
    return commit, run, home.log(run, "image")


async def test_what_is_pushed_is_one_index_labelled_with_its_commit(home):
    commit, run, log = await push(home)
    assert run["status"]["conclusion"] == "success", log
    descriptor, data = await home.registry.manifest(REFERENCE)
    index = Index.from_bytes(data)
    assert [str(one.platform) for one in index.manifests] == ["linux/arm/v7", "linux/amd64"]
    assert f"digest {descriptor.digest}" in log
    assert run["status"]["images"][0]["digest"] == descriptor.digest
    image = parse(f"ghcr.io/acme/shop@{index.manifests[0].digest}")
    manifest = Manifest.from_bytes((await home.registry.manifest(image))[1])
    blob = home.root / "config.json"
    await home.registry.fetch_blob(REFERENCE.repository, manifest.config, blob)
    labels = ImageConfig.from_bytes(blob.read_bytes()).config.labels
    assert labels["org.opencontainers.image.revision"] == commit
    assert labels["org.opencontainers.image.version"] == "1.2.3"
    assert labels["org.opencontainers.image.source"] == "https://github.com/acme/shop"


async def test_a_link_to_the_machine_in_the_context_brings_nothing_of_it(home):
    _, _, log = await push(home)
    layers = [path for path in (home.root.parent / "registry").rglob("*") if path.is_file()]
    for path in layers:
        data = path.read_bytes()
        plain = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        assert b"the-homes-own-token" not in plain
    assert "the-homes-own-token" not in log


async def test_without_the_permission_the_push_is_denied_and_the_line_is_named(home):
    _, run, log = await push(home, permission="read")
    assert run["status"]["conclusion"] == "failure"
    assert "add `packages: write` under `permissions:`" in log


async def test_another_owners_packages_are_out_of_reach(home):
    _, run, log = await push(home, owner="somebody")
    assert run["status"]["conclusion"] == "failure"
    assert "403" in log or "401" in log
    assert "a run of acme/shop pushes images of its owner only: name it ghcr.io/acme/shop" in log


async def test_a_real_password_does_not_go_to_the_stand_in(home):
    _, run, log = await push(home, password="a-real-password")
    assert run["status"]["conclusion"] == "success", log
    assert "a-real-password" not in log
