"""A small world for the runtime's tests: a store, a manager, an image made on the fly, and a registry that gives it.

The image has only links and a program of its own; the machine's /usr is mounted into it, so that nothing is downloaded.
"""

import asyncio
import contextlib
import dataclasses
import io
import json
import os
import shutil
import socket
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from tidegate.engine.clock import SystemClock
from tidegate.engine.manager import Manager
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.objects import Object, ObjectKey
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import Reference, Repository
from tidegate.oci.values import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    ContainerConfig,
    Descriptor,
    ImageConfig,
    Manifest,
    digest_of,
)
from tidegate.runtime.local import LocalRuntime

PYTHON = "/usr/bin/python3"
SERVER = """
import http.server, json, os, signal, socketserver, sys, threading, time
WORD = os.environ.get("WORD") or open("/app/word").read().strip()
print("serving", WORD, flush=True)
time.sleep(float(os.environ.get("SLOW_START", "0")))

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/die":
            os._exit(3)
        if self.path.startswith("/slow"):
            time.sleep(0.5)
        try:
            body = json.dumps(self.answer()).encode()
            self.send_response(200)
        except OSError as error:
            body = repr(error).encode()
            self.send_response(500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def answer(self):
        if self.path.startswith("/read"):
            return open(self.path[5:]).read()
        if self.path.startswith("/write"):
            open(self.path[6:], "w").write("written")
        if self.path.startswith("/list"):
            return sorted(os.listdir(self.path[5:]))
        if self.path.startswith("/connect"):
            import socket
            socket.create_connection(("127.0.0.1", int(self.path[9:])), 2)
        if self.path == "/env":
            return dict(os.environ)
        return {"word": WORD, "pid": os.getpid(), "uid": os.getuid()}
    def log_message(self, *args):
        pass

class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    request_queue_size = 128

server = Server(("0.0.0.0", int(os.environ.get("PORT", "8000"))), Handler)
def end(*_):
    print("ending", flush=True)
    threading.Thread(target=server.shutdown).start()
signal.signal(signal.SIGTERM, end)
server.serve_forever()
"""


def layer(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """An uncompressed layer."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        folders = {str(parent) for path in files for parent in Path(path).parents if str(parent) != "."}
        for name in sorted(folders):
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


BASE = layer(
    {"etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n", "etc/group": b"root:x:0:\n"},
    {name: f"usr/{name}" for name in ("bin", "sbin", "lib", "lib64") if os.path.lexists(f"/{name}")},
)


class StandIn:
    """A registry in memory."""

    def __init__(self) -> None:
        self.manifests: dict[str, tuple[Descriptor, bytes]] = {}
        self.blobs: dict[str, bytes] = {}
        self.asked: list[str] = []

    def push(self, reference: str, *layers: bytes, config: ContainerConfig | None = None) -> str:
        """Make an image of layers; its digest."""
        config = config or ContainerConfig(cmd=(PYTHON, "-u", "/app/server.py"), working_dir="/app")
        image = ImageConfig(Platform.of_machine(), tuple(digest_of(data) for data in layers), config)
        data = image.to_bytes()
        manifest = Manifest(Descriptor.of(OCI_CONFIG, data), tuple(Descriptor.of(OCI_LAYER, item) for item in layers))
        for blob in (data, *layers):
            self.blobs[digest_of(blob)] = blob
        raw = manifest.to_bytes()
        descriptor = Descriptor.of(OCI_MANIFEST, raw)
        self.manifests[reference] = self.manifests[descriptor.digest] = (descriptor, raw)
        return descriptor.digest

    def push_word(self, tag: str, word: str) -> str:
        """The test's service, saying a word."""
        app = layer({"app/server.py": SERVER.encode(), "app/word": word.encode()})
        return self.push(f"ghcr.io/acme/web:{tag}", BASE, app)

    async def manifest(self, reference: Reference) -> tuple[Descriptor, bytes]:
        self.asked.append(str(reference))
        found = self.manifests.get(str(reference)) or self.manifests.get(str(reference.digest))
        if found is None:
            from tidegate.base.errors import NotFound

            raise NotFound(f"no image {reference}")
        return found

    async def read_blob(self, repository: Repository, descriptor: Descriptor) -> bytes:
        return self.blobs[descriptor.digest]

    async def fetch_blob(self, repository: Repository, descriptor: Descriptor, target: Path) -> None:
        self.asked.append(descriptor.digest)
        target.write_bytes(self.blobs[descriptor.digest])


@dataclasses.dataclass
class World:
    """Everything that runs, and short words for what tests say."""

    folder: Path
    store: SqliteStore
    registry: StandIn
    runtime: LocalRuntime

    async def apply(self, *objects: Object) -> None:
        for obj in objects:
            await self.store.apply(obj, manager="test")

    async def deployment(self, name: str = "web") -> Object:
        return await self.store.get(ObjectKey("apps", "Deployment", "shop", name))

    async def pods(self) -> list[Object]:
        return (await self.store.list("", "Pod", namespace="shop")).items

    async def url(self, name: str = "web") -> str:
        """Where a Service answers, once its port is open."""
        found: list[str] = []

        async def known() -> bool:
            service = await self.store.get(ObjectKey("", "Service", "shop", name))
            found[:] = [(service["metadata"].get("annotations") or {}).get("tidegate.dev/url", "")]
            return bool(found[0]) and not is_closed(int(found[0].rpartition(":")[2]))

        await self.until(known)
        return found[0]

    async def until(self, check: Callable[[], Any], seconds: float = 20.0) -> None:
        """Wait until a check (perhaps a coroutine's) holds."""
        deadline = time.monotonic() + seconds
        while True:
            value = check()
            if asyncio.iscoroutine(value):
                value = await value
            if value:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"did not come true: {check}\n{await self.describe()}")
            await asyncio.sleep(0.02)

    async def rolled_out(self, name: str = "web", replicas: int = 1) -> None:
        """Wait until kstatus would call the Deployment current."""

        async def current() -> bool:
            obj = await self.deployment(name)
            status = obj.get("status") or {}
            numbers = [status.get(field, 0) for field in ("replicas", "updatedReplicas", "availableReplicas")]
            return status.get("observedGeneration") == obj["metadata"]["generation"] and numbers == [replicas] * 3

        await self.until(current)

    async def describe(self) -> str:
        lines = []
        for kind in ("Deployment", "Pod", "Service", "Event"):
            for obj in (await self.store.list("apps" if kind == "Deployment" else "", kind)).items:
                about = obj.get("status") or obj.get("message")
                lines.append(f"{kind} {obj['metadata']['name']} {json.dumps(about)}")
                if kind == "Pod":
                    lines += self.runtime.logs.tail(obj, "web", 20)
        return "\n".join(lines)


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def is_closed(port: int) -> bool:
    """Whether nobody listens on a loopback port."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) != 0


def get(url: str, path: str = "/", timeout: float = 20) -> Any:
    """The JSON that a service answers."""
    with urllib.request.urlopen(url + path, timeout=timeout) as response:
        return json.load(response)


async def fetch(url: str, path: str = "/") -> Any:
    """The same beside the event loop."""
    return await asyncio.to_thread(get, url, path)


async def fetch_again(url: str, path: str = "/") -> Any:
    """The answer of what comes after a program that died: until then connections may be cut off."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await fetch(url, path)
            except urllib.error.HTTPError:
                raise
            except OSError:
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def running(folder: Path, registry: StandIn, **options: Any) -> AsyncIterator[World]:
    """A store and its controllers, until the block ends."""
    clock = SystemClock()
    store = SqliteStore(folder / "store.db", clock)
    runtime = await LocalRuntime.open(
        folder / "workloads", store, clock, registry, host_roots=(Path("/usr"), folder / "data"), **options
    )
    manager = Manager(store, clock, runtime.controllers)
    tasks = [asyncio.create_task(manager.run()), asyncio.create_task(runtime.run())]
    try:
        yield World(folder, store, registry, runtime)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await runtime.close()
        store.close()


def make_folder() -> Path:
    """A short-lived folder."""
    return Path(tempfile.mkdtemp(prefix="tidegate-runtime-"))


def drop_folder(folder: Path) -> None:
    """Remove it."""
    shutil.rmtree(folder, ignore_errors=True)


def deployment(tag: str = "1.0.1", *, name: str = "web", replicas: int = 1, **container: Any) -> Object:
    """A Deployment of the test's service. `container` replaces fields of the container, `pod_…` those of the pod."""
    pod = {key.removeprefix("pod_"): container.pop(key) for key in list(container) if key.startswith("pod_")}
    volumes = [{"name": "usr", "hostPath": {"path": "/usr"}}, *pod.pop("volumes", [])]
    mounts = [{"name": "usr", "mountPath": "/usr", "readOnly": True}, *container.pop("volumeMounts", [])]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "terminationGracePeriodSeconds": 5,
                    "containers": [
                        {
                            "name": "web",
                            "image": f"ghcr.io/acme/web:{tag}",
                            "ports": [{"name": "http", "containerPort": 8000}],
                            "volumeMounts": mounts,
                            **container,
                        }
                    ],
                    "volumes": volumes,
                    **pod,
                },
            },
        },
    }


def service(name: str = "web", **port: Any) -> Object:
    """The Service before it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": "http", **port}]},
    }


__all__ = [
    "BASE", "PYTHON", "StandIn", "World", "deployment", "drop_folder", "fetch", "free_port", "get", "is_closed",
    "layer", "make_folder", "running", "service",
]  # fmt: skip
