"""A runner's home with podman and a registry: images of this machine's own busybox, and jobs that run in them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from needed import need
from runner_home import NAMESPACE, RUNNER, RunnerHome
from starlette.applications import Starlette

from tidegate.build.spawn import build_image
from tidegate.oci.auth import Endpoint
from tidegate.oci.blobs import BlobStore
from tidegate.runner.containers.engine import Podman
from tidegate.serve.auth import Authorizer
from tidegate.serve.registry import RegistryDoor

HOME_TOKEN = "home-token"
TOOLS, WEB_IMAGE = "ghcr.io/acme/tools:1", "ghcr.io/acme/web:1"
HEALTHY = 'options: --health-cmd "wget -q -O- http://localhost/word" --health-interval 2s --health-retries 20'
WEB = f"""\
services:
  web:
    image: {WEB_IMAGE}
    env: {{WORD: "hello from ${{{{ github.repository }}}}"}}
    ports: ["8080:80", 80]
    {HEALTHY}
"""
"""A job's `services`: a server that is healthy once it answers."""
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
APPLETS = (
    "sh", "cat", "ls", "id", "env", "httpd", "wget", "nc", "sleep", "ps", "mount", "echo", "test", "mkdir", "touch",
    "printf", "rm", "kill", "grep", "ln", "hostname", "ip", "stat", "pwd", "readlink",
)  # fmt: skip
# A web server that says what its variable WORD holds.
SERVE = 'echo "$WORD" >/srv/word; echo serving; exec httpd -f -p 80 -h /srv'


class ContainerHome(RunnerHome):
    """A home whose registry is asked at `endpoint`."""

    endpoint: Endpoint

    async def push_image(self, repository: str, **config: Any) -> None:
        """Push an image of busybox with the tag 1 to the home's registry."""
        await push_tools(self.endpoint.url, {"Authorization": f"Bearer {HOME_TOKEN}"}, repository, "1", **config)

    async def set_spec(self, **spec: Any) -> None:
        """Say more in the Runner's spec."""
        runner = await self.store.get(RUNNER)
        await self.store.patch(RUNNER, {"spec": {**runner["spec"], **spec}}, manager="test")

    async def set_secrets(self, **values: str) -> None:
        """Give the Runner's workflows secrets."""
        data = {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}
        metadata = {"name": "ci", "namespace": NAMESPACE}
        await self.store.create(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}, manager="test"
        )
        await self.set_spec(secretRef={"name": "ci"})

    async def seen_command_lines(self, sign: str) -> list[str]:
        """Every command line on this machine, once one of them has `sign` in it."""
        lines = command_lines()
        async with asyncio.timeout(120):
            while not any(sign in line for line in lines):
                await asyncio.sleep(0.05)
                lines = command_lines()
        return lines


def limits_of(sign: str) -> tuple[str, str]:
    """The limits of memory in bytes and of processes that hold for the process with `sign` in its command line."""
    (process,) = [
        path.parent
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip() == sign
    ]
    groups = {}
    for line in (process / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        groups |= dict.fromkeys(controllers.split(","), path)
    if "memory" in groups:
        root = Path("/sys/fs/cgroup")
        memory = root / f"memory{groups['memory']}" / "memory.limit_in_bytes"
        return memory.read_text().strip(), (root / f"pids{groups['pids']}" / "pids.max").read_text().strip()
    unified = Path(f"/sys/fs/cgroup{groups['']}")
    return (unified / "memory.max").read_text().strip(), (unified / "pids.max").read_text().strip()


def command_lines() -> list[str]:
    """The command line of each process of this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
    return found


def need_podman() -> None:
    """Skip where this machine has not what containers need."""
    for program, package in (("podman", "podman"), ("runc", "runc"), ("ip", "iproute2")):
        need(program, package)


@asynccontextmanager
async def container_world(root: Path) -> AsyncIterator[ContainerHome]:
    """The home, its registry standing in for ghcr.io with `acme/tools:1` in it, and `acme/web:1`, a server."""
    need_podman()
    authorizer = Authorizer(HOME_TOKEN)

    async def on_tag(repository: str, tag: str, digest: str) -> None:
        pass

    door = RegistryDoor(BlobStore(root / "registry"), authorizer, on_tag)
    config = uvicorn.Config(Starlette(routes=door.routes()), port=0, lifespan="off", ws="none", log_level="error")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    podman = Podman(root / "all/home/containers")
    endpoint = Endpoint(url)
    home = ContainerHome(
        root / "all", build=build_image, tokens=authorizer, endpoints={"ghcr.io": endpoint}, containers=podman
    )
    home.endpoint = endpoint
    await home.set_up()
    await home.push_image("acme/tools")
    await home.push_image("acme/web", Entrypoint=["/bin/sh", "-c", SERVE])
    try:
        yield home
    finally:
        await podman.sweep()
        server.should_exit = True
        await task
        door.close()


async def push_tools(url: str, headers: dict[str, str], repository: str, tag: str, **config: Any) -> None:
    """Push an image of busybox; `config` is more of its configuration, such as `Entrypoint`."""
    layer = _layer()
    settings = {"Env": ["PATH=/bin", "FROM_IMAGE=yes"], "Cmd": ["/bin/sh", "-c", "echo what the image runs"]}
    image = {
        "architecture": MACHINES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": settings | config,
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    async with httpx2.AsyncClient(base_url=url, trust_env=False, headers=headers, timeout=60) as http:

        async def blob(media_type: str, data: bytes) -> dict[str, Any]:
            began = await http.post(f"/v2/{repository}/blobs/uploads/")
            assert began.status_code == 202, began.text
            place = httpx2.URL(began.headers["Location"]).copy_merge_params({"digest": _digest(data)})
            answer = await http.put(place, content=data)
            assert answer.status_code == 201, answer.text
            return {"mediaType": media_type, "digest": _digest(data), "size": len(data)}

        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": await blob("application/vnd.oci.image.config.v1+json", json.dumps(image).encode()),
            "layers": [await blob("application/vnd.oci.image.layer.v1.tar", layer)],
        }
        path = f"/v2/{repository}/manifests/{tag}"
        answer = await http.put(path, content=json.dumps(manifest).encode(), headers={"Content-Type": MANIFEST})
        assert answer.status_code == 201, answer.text


def _layer() -> bytes:
    buffer = io.BytesIO()
    busybox = need("busybox", "busybox-static")
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in ("bin", "tmp", "root", "etc", "srv"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        program = tarfile.TarInfo("bin/busybox")
        program.mode, program.size = 0o755, Path(busybox).stat().st_size
        with Path(busybox).open("rb") as file:
            tar.addfile(program, file)
        for name in APPLETS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        passwd = b"root:x:0:0:root:/root:/bin/sh\n"
        entry = tarfile.TarInfo("etc/passwd")
        entry.size = len(passwd)
        tar.addfile(entry, io.BytesIO(passwd))
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def containers_of(home: RunnerHome) -> list[str]:
    """The names of all containers that this home's podman knows."""
    return _podman(home, "ps", "--all", "--format", "{{.Names}}")


def volumes_of(home: RunnerHome) -> list[str]:
    """The names of all volumes that this home's podman knows."""
    return _podman(home, "volume", "ls", "--format", "{{.Name}}")


def _podman(home: RunnerHome, *arguments: str) -> list[str]:
    folders = Podman(home.root / "home/containers").folders
    if not folders.settings.exists():
        return []
    done = subprocess.run(
        ["podman", *arguments],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **folders.environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.split()


async def job_log(home: RunnerHome, files: dict[str, str], conclusion: str = "success") -> str:
    """Push a workflow with a job `build`; its log once the run has ended so."""
    home.commit(files)
    async with home.running():
        home.push()
        (run,) = await home.finished(timeout=180)
    with contextlib.suppress(FileNotFoundError):
        log = home.log(run)
        assert run["status"]["conclusion"] == conclusion, log
        return log
    raise AssertionError(run["status"])
