"""Scanning: what a thousand repositories cost at a one-minute interval, and how soon a pushed tag is selected.

The thousand are answered by a server in this process, so only Tidegate's own time is counted; a pushed tag goes to the
registry of the Tidegate that is measured, whose time therefore counts too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import httpx2

from benchmarks.demo import peak_memory
from tidegate.base.home import Home
from tidegate.base.process import die_with_parent

REPOSITORIES, TAGS = 1_000, 1_000
MANY = 100_000
LINKS = 30_000
"""As many names may one file have: ext4 allows 65 000."""
ROUNDS = 9
STEADY_SECONDS = 120.0
PATIENCE = 600.0
START_PATIENCE = 60.0
TICKS = os.sysconf("SC_CLK_TCK")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
ROOT = "/apis/image.toolkit.fluxcd.io/v1"
OBJECTS = f"{ROOT}/namespaces/flux-system"


def measure() -> Iterator[str]:
    for part in (_steady, _push_to_few, _push_to_many):
        with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder:
            yield asyncio.run(part(Path(folder)))


async def _steady(folder: Path) -> str:
    async with answering() as registry, started(folder) as tidegate:
        for start in range(0, REPOSITORIES, 50):
            numbers = range(start, min(start + 50, REPOSITORIES))
            await asyncio.gather(
                *(tidegate.add(f"app-{number}", f"{registry}/bench/app-{number}") for number in numbers)
            )
        await tidegate.until_selected(f"app-{number}" for number in range(REPOSITORIES))
        before = tidegate.cpu()
        await asyncio.sleep(STEADY_SECONDS)
        used = 100 * (tidegate.cpu() - before) / STEADY_SECONDS
        peak = peak_memory(tidegate.pid)
    return (
        f"{REPOSITORIES} repositories of {TAGS} tags, each scanned every minute   {used:.1f} % of a core  (goal 10 %), "
        f"{peak:.1f} MiB at the peak  (goal 64)"
    )


async def _push_to_few(folder: Path) -> str:
    async with started(folder) as tidegate:
        tidegate.push("1.0.0")
        await tidegate.add("app", "ghcr.io/bench/app")
        await tidegate.until_selected(["app"])
        taken = [await tidegate.selects(f"1.0.{number}") for number in range(1, ROUNDS + 1)]
    return f"a pushed tag to latestRef, a few tags   {_spread(taken)}  (goal 0.05 s, Flux 0.07 s)"


async def _push_to_many(folder: Path) -> str:
    async with started(folder) as tidegate:
        tidegate.push("0.0.0")
        await asyncio.to_thread(_fill, tidegate.home.registry / "repositories/bench/app/_tags")
        await tidegate.add("app", "ghcr.io/bench/app")
        await tidegate.until_selected(["app"])
        taken = [await tidegate.selects(f"9.0.{number}") for number in range(1, ROUNDS + 1)]
        peak = peak_memory(tidegate.pid)
    return (
        f"a pushed tag to latestRef, {MANY} tags   {_spread(taken)}  (goal 0.4 s, Flux 0.38 s), "
        f"{peak:.1f} MiB at the peak  (goal 64, Flux 190)"
    )


def _fill(tags: Path) -> None:
    """Give an image of a registry's folder MANY tags."""
    digest = (tags / "0.0.0").read_bytes()
    for number in range(MANY):
        if number % LINKS == 0:
            first = tags / tag(number)
            first.write_bytes(digest)
        else:
            (tags / tag(number)).hardlink_to(first)


def tag(number: int) -> str:
    return f"1.{number // 977}.{number % 977}"


def _spread(seconds: list[float]) -> str:
    return f"{median(seconds):.3f} s ({min(seconds):.3f}-{max(seconds):.3f})"


class Tidegate:
    """A `tidegate up`, looked at through its doors."""

    def __init__(self, home: Home, pid: int, http: httpx2.AsyncClient):
        self.home = home
        self.pid = pid
        self.http = http
        self._manifest = b""
        self._registry = httpx2.Client(base_url=str(http.base_url), headers=http.headers, trust_env=False, timeout=60)

    async def add(self, name: str, image: str) -> None:
        """An ImageRepository and its policy."""
        metadata = {"name": name, "namespace": "flux-system"}
        policy = {"imageRepositoryRef": {"name": name}, "policy": {"semver": {"range": ">=0.0.0"}}}
        for kind, plural, spec in (
            ("ImageRepository", "imagerepositories", {"image": image, "interval": "1m", "insecure": True}),
            ("ImagePolicy", "imagepolicies", policy),
        ):
            obj = {"apiVersion": "image.toolkit.fluxcd.io/v1", "kind": kind, "metadata": metadata, "spec": spec}
            (await self.http.post(f"{OBJECTS}/{plural}", json=obj)).raise_for_status()

    async def until_selected(self, names: Iterable[str]) -> None:
        """Wait until each policy has selected; asked one by one, since a list of a thousand takes memory, too."""
        async with asyncio.timeout(PATIENCE):
            for name in names:
                while True:
                    policy = (await self.http.get(f"{OBJECTS}/imagepolicies/{name}")).json()
                    if "latestRef" in (policy.get("status") or {}):
                        break
                    await asyncio.sleep(0.5)

    def push(self, name: str) -> None:
        """Set a tag, on an image without layers."""
        path = "/v2/bench/app"
        if not self._manifest:
            config = {"mediaType": "application/vnd.oci.image.config.v1+json"} | self._blob(path, b"{}")
            document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}
            self._manifest = json.dumps(document).encode()
        answer = self._registry.put(
            f"{path}/manifests/{name}", content=self._manifest, headers={"content-type": MANIFEST}
        )
        answer.raise_for_status()

    async def selects(self, name: str) -> float:
        """Push a tag; the seconds until the policy's status names it."""
        listing = (await self.http.get(f"{OBJECTS}/imagepolicies")).json()
        query = {"watch": "true", "resourceVersion": listing["metadata"]["resourceVersion"]}
        async with (
            asyncio.timeout(PATIENCE),
            self.http.stream("GET", f"{OBJECTS}/imagepolicies", params=query, timeout=None) as answer,
        ):
            begun = time.perf_counter()
            pushing = asyncio.create_task(asyncio.to_thread(self.push, name))
            async for line in answer.aiter_lines():
                if json.loads(line)["object"]["status"].get("latestRef", {}).get("tag") == name:
                    break
            taken = time.perf_counter() - begun
            await pushing
        await asyncio.sleep(1)
        return taken

    def cpu(self) -> float:
        """Seconds that the process and its ended children have used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / TICKS

    def _blob(self, path: str, data: bytes) -> dict[str, Any]:
        begun = self._registry.post(f"{path}/blobs/uploads/")
        begun.raise_for_status()
        digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        target = httpx2.URL(begun.headers["location"]).copy_merge_params({"digest": digest})
        self._registry.put(target, content=data).raise_for_status()
        return {"digest": digest, "size": len(data)}


@contextlib.asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Tidegate]:
    """A Tidegate with a home below `folder`."""
    home = Home(folder / "home").make()
    process = await asyncio.to_thread(_start, home)
    try:
        server = home.server()
        headers = {"authorization": f"Bearer {home.token()}"}
        async with httpx2.AsyncClient(base_url=server.url, headers=headers, trust_env=False, timeout=60) as http:
            yield Tidegate(home, server.pid, http)
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 60)


def _start(home: Home) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tidegate", "up", "--home", str(home.root), "--port", "0", "--stand-in", "ghcr.io"]
    (home.root / "server.json").unlink(missing_ok=True)  # that of a process before
    with home.root.with_name("log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=die_with_parent)  # noqa: PLW1509
    deadline = time.monotonic() + START_PATIENCE
    while not (home.root / "server.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            sys.exit(home.root.with_name("log").read_text())
        time.sleep(0.05)
    return process


@contextlib.asynccontextmanager
async def answering() -> AsyncIterator[str]:
    """A registry that has TAGS tags of every image, and gives them all at once; its host."""
    body = json.dumps({"name": "bench", "tags": [tag(number) for number in range(TAGS)]}).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(head + body)
                await writer.drain()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
