"""Killed with SIGKILL right after each durable step of a push, the store is whole, and the same push goes through."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tidegate.base.process import minimal_environment, run
from tidegate.base.steps import Step
from tidegate.oci.blobs import BlobStore

pytestmark = [pytest.mark.integration, pytest.mark.crash]
PUSH = """
import asyncio, json, sys
from pathlib import Path
import httpx2
from starlette.applications import Starlette
from tidegate.base.http import make_client
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import Reference, parse_repository
from tidegate.oci.auth import Endpoint
from tidegate.oci.blobs import BlobStore
from tidegate.oci.client import RegistryClient
from tidegate.oci.credentials import Login
from tidegate.oci.image import push_image, push_index
from tidegate.oci.values import ImageConfig
from tidegate.serve.auth import Authorizer
from tidegate.serve.registry import RegistryDoor

async def main(root):
    told = []
    async def on_tag(*tag):
        told.append(tag)
    door = RegistryDoor(BlobStore(root), Authorizer("t"), on_tag)
    http = make_client(httpx2.ASGITransport(Starlette(routes=door.routes())))
    endpoint = Endpoint("http://127.0.0.1:5000", Login("u", "t"))
    client = RegistryClient({"127.0.0.1:5000": endpoint}, http=http)
    repository = parse_repository("127.0.0.1:5000/acme/web")
    image = await push_image(client, repository, ImageConfig(Platform("linux", "arm", "v7")), [])
    index = await push_index(client, [Reference(repository, "1.0.0")], [image])
    print(json.dumps({"told": told, "image": image.digest, "index": index.digest}))
    await http.aclose()

asyncio.run(main(Path(sys.argv[1])))
"""


async def push(root: Path, **environment: str) -> tuple[int | None, Any]:
    env = minimal_environment({"PYTHONPATH": os.pathsep.join(sys.path)} | environment)
    done = await run([sys.executable, "-W", "error", "-c", PUSH, str(root)], env=env, check=False)
    assert done.exit_code in (0, -signal.SIGKILL), done.stderr.decode()
    return done.exit_code, json.loads(done.stdout or b"null")


@pytest.mark.parametrize(
    ("step", "manifests", "tags"),
    [(Step.BLOB_STORED, 0, 0), (Step.MANIFEST_STORED, 1, 0), (Step.TAG_SET, 2, 1)],
)
async def test_push_that_was_killed_goes_through_the_second_time(
    tmp_path: Path, step: Step, manifests: int, tags: int
) -> None:
    code, _ = await push(tmp_path, TIDEGATE_KILL_AT=step.value)
    assert code == -signal.SIGKILL
    store = BlobStore(tmp_path)
    assert len(store.manifests("acme/web")) == manifests
    assert len(store.tags("acme/web") if manifests else []) == tags
    assert list((tmp_path / "uploads").iterdir()) == []
    code, done = await push(tmp_path)
    assert code == 0
    assert done["told"] == [["acme/web", "1.0.0", done["index"]]]
    assert BlobStore(tmp_path).manifests("acme/web") == sorted([done["image"], done["index"]])
    assert BlobStore(tmp_path).tag("acme/web", "1.0.0") == done["index"]
