"""The real skopeo against the registry's door: push, inspect, pull, list, log in, delete."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette

from tidegate.base.process import Completed, minimal_environment, run
from tidegate.kinds.platform import Platform
from tidegate.oci import values
from tidegate.oci.blobs import BlobStore
from tidegate.oci.image import image_manifest
from tidegate.oci.layers import Entry, write_layer
from tidegate.oci.values import Descriptor, ImageConfig, Index, compact, digest_of
from tidegate.serve.auth import Authorizer
from tidegate.serve.registry import RegistryDoor

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed: apt-get install skopeo"),
]
HOME_TOKEN = "home-token"


@dataclass
class Served:
    """A door on a free port of this machine, and skopeo in a home of its own."""

    host: str
    folder: Path
    authorizer: Authorizer
    told: list[tuple[str, str, str]] = field(default_factory=list)

    async def skopeo(self, *arguments: str, check: bool = True) -> Completed:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder)}
        policy = self.folder / "policy.json"
        policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        argv = ["skopeo", "--policy", str(policy), *arguments]
        return await run(argv, env=environment, cwd=self.folder, check=check, package="skopeo")


@contextlib.asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Served]:
    authorizer = Authorizer(HOME_TOKEN)
    served = Served("", folder, authorizer)

    async def on_tag(repository: str, tag: str, digest: str) -> None:
        served.told.append((repository, tag, digest))

    door = RegistryDoor(BlobStore(folder / "store"), authorizer, on_tag)
    config = uvicorn.Config(
        Starlette(routes=door.routes()),
        port=0,
        lifespan="off",
        ws="none",
        log_level="error",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    served.host = f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield served
    finally:
        server.should_exit = True
        await task
        door.close()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as made:
        yield made


def oci_layout(folder: Path) -> str:
    """An image of two platforms in OCI's folder form; the digest of its index."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes) -> None:
        (blobs / digest_of(data).removeprefix("sha256:")).write_bytes(data)

    layer = write_layer([Entry("bin/app", mode=0o755, content=os.urandom(2_000_000))], folder / "layer", mtime=0)
    put(layer.path.read_bytes())
    layer.path.unlink()
    manifests = []
    for text in ("linux/amd64", "linux/arm/v7"):
        platform = Platform.parse(text)
        manifest, config = image_manifest(ImageConfig(platform, (layer.diff_id,)), [layer.descriptor])
        put(config)
        put(manifest.to_bytes())
        manifests.append(Descriptor.of(manifest.media_type, manifest.to_bytes(), platform))
    index = Index(tuple(manifests)).to_bytes()
    put(index)
    named = {"org.opencontainers.image.ref.name": "it"}
    entry = Descriptor(values.OCI_INDEX, digest_of(index), len(index), annotations=named)
    (folder / "index.json").write_bytes(compact({"schemaVersion": 2, "manifests": [entry.as_json()]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return digest_of(index)


async def test_image_goes_in_and_comes_out_with_the_same_digests(served: Served) -> None:
    digest = oci_layout(served.folder / "in")
    image = f"docker://{served.host}/acme/web:1.0.7"
    push = ("copy", "--all", "--dest-tls-verify=false", "--dest-creds", f"x:{HOME_TOKEN}", "oci:in:it", image)
    await served.skopeo(*push)
    assert served.told == [("acme/web", "1.0.7", digest)]
    raw = await served.skopeo("inspect", "--raw", "--tls-verify=false", image)
    assert digest_of(raw.stdout) == digest
    await served.skopeo("copy", "--all", "--src-tls-verify=false", image, "oci:out:it")
    there = {path.name: path.read_bytes() for path in (served.folder / "in/blobs/sha256").iterdir()}
    back = {path.name: path.read_bytes() for path in (served.folder / "out/blobs/sha256").iterdir()}
    assert back == there
    listed = await served.skopeo("list-tags", "--tls-verify=false", f"docker://{served.host}/acme/web")
    assert json.loads(listed.stdout)["Tags"] == ["1.0.7"]


async def test_one_platform_goes_through_a_plain_folder(served: Served) -> None:
    oci_layout(served.folder / "in")
    one = ("--override-os", "linux", "--override-arch", "amd64")
    await served.skopeo(*one, "copy", "oci:in:it", "dir:folder")
    image = f"docker://{served.host}/acme/web:one"
    await served.skopeo("copy", "--dest-tls-verify=false", "--dest-creds", f"x:{HOME_TOKEN}", "dir:folder", image)
    await served.skopeo(*one, "copy", "--src-tls-verify=false", image, "oci:back:it")
    shown = await served.skopeo(*one, "inspect", "--tls-verify=false", image)
    manifest = (served.folder / "folder/manifest.json").read_bytes()
    assert json.loads(shown.stdout)["Digest"] == digest_of(manifest) == served.told[0][2]
    name = digest_of(manifest).removeprefix("sha256:")
    assert (served.folder / "back/blobs/sha256" / name).read_bytes() == manifest


async def test_second_push_mounts_or_reuses_what_is_there(served: Served) -> None:
    oci_layout(served.folder / "in")
    for name in ("acme/web", "acme/copy"):
        image = f"docker://{served.host}/{name}:1"
        await served.skopeo(
            "copy", "--all", "--dest-tls-verify=false", "--dest-creds", f"x:{HOME_TOKEN}", "oci:in:it", image
        )
    assert [told[0] for told in served.told] == ["acme/web", "acme/copy"]


async def test_push_without_a_credential_or_with_a_weak_one_says_why(served: Served) -> None:
    oci_layout(served.folder / "in")
    image = f"docker://{served.host}/acme/web:1"
    push = ("copy", "--all", "--dest-tls-verify=false", "oci:in:it", image)
    refused = await served.skopeo(*push, check=False)
    assert refused.exit_code != 0
    assert b"needs a credential" in refused.stderr
    token = served.authorizer.issue("run smartbiz-1", {"packages:other:write"}, 60)
    refused = await served.skopeo(*push, "--dest-creds", f"x:{token}", check=False)
    assert refused.exit_code != 0
    assert b"packages: write" in refused.stderr
    assert token.encode() not in refused.stderr
    assert served.told == []


async def test_log_in_checks_the_token(served: Served) -> None:
    file = ("--authfile", str(served.folder / "auth.json"), "--tls-verify=false", "-u", "x")
    assert (await served.skopeo("login", *file, "-p", HOME_TOKEN, served.host)).text.strip() == "Login Succeeded!"
    wrong = await served.skopeo("login", *file, "-p", "wrong", served.host, check=False)
    assert wrong.exit_code != 0


async def test_delete_takes_the_tag_away(served: Served) -> None:
    oci_layout(served.folder / "in")
    image = f"docker://{served.host}/acme/web:1"
    creds = f"x:{HOME_TOKEN}"
    await served.skopeo("copy", "--all", "--dest-tls-verify=false", "--dest-creds", creds, "oci:in:it", image)
    await served.skopeo("delete", "--tls-verify=false", "--creds", creds, image)
    gone = await served.skopeo("inspect", "--raw", "--tls-verify=false", image, check=False)
    assert gone.exit_code != 0


FULL_DISK = """
import asyncio, json, os, sys
from pathlib import Path
import httpx2
from starlette.applications import Starlette
from tidegate.base.http import make_client
from tidegate.oci.blobs import BlobStore
from tidegate.oci.values import digest_of
from tidegate.serve.auth import Authorizer
from tidegate.serve.registry import RegistryDoor

async def main(root):
    async def on_tag(*_): pass
    door = RegistryDoor(BlobStore(root), Authorizer("t"), on_tag)
    http = make_client(httpx2.ASGITransport(Starlette(routes=door.routes())))
    http.headers["authorization"] = "Bearer t"
    seen = []
    for size in (4_000_000, 100_000):
        data = os.urandom(size)
        path = f"http://x/v2/acme/web/blobs/uploads/?digest={digest_of(data)}"
        answer = await http.post(path, content=data)
        seen.append([answer.status_code, sorted(p.stat().st_size for p in root.rglob("*") if p.is_file())])
    await http.aclose()
    print(json.dumps(seen))

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_upload_to_a_disk_that_is_really_full_leaves_nothing_behind(tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=2m,nr_inodes=1000 none "$1" && exec "$2" -c "$3" "$1"'
    inside = ["sh", "-c", mount, "sh", str(tmp_path), sys.executable, FULL_DISK]
    probe = await run(["unshare", "--map-root-user", "--mount", "true"], check=False, package="util-linux")
    if probe.exit_code != 0:
        pytest.skip("a mount namespace can't be had: allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)")
    env = minimal_environment({"PYTHONPATH": os.pathsep.join(sys.path)})
    done = await run(["unshare", "--map-root-user", "--mount", *inside], env=env)
    assert json.loads(done.stdout) == [[507, []], [201, [0, 100_000]]]
