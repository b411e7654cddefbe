"""A cluster with Tidegate in it, for the benchmark: real API server, etcd, registry and Git host on this machine.

Nothing plays the Deployment controller, which nothing here waits for.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.integration.cluster_tidegate import ControllerProcess, tidegate
from tests.integration.cluster_world import Cluster
from tests.integration.git_host import PASSWORD, USER, GitHost, hosting
from tests.integration.registry_world import RegistryWorld

AT_ONCE = 25
QUIET_SECONDS = 5.0
QUIET_SHARE = 0.05
SECRET = "bench-git"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SYSTEM = "flux-system"
IMAGE = "/apis/image.toolkit.fluxcd.io/v1/namespaces/flux-system"
SOURCE = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system"
KUSTOMIZE = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system"
TICKS = os.sysconf("SC_CLK_TCK")


class Bench:
    """A cluster with Tidegate in it, and one repository with a folder for each application."""

    def __init__(
        self, cluster: Cluster, git: GitHost, registry: RegistryWorld, process: ControllerProcess, patience: float
    ):
        self.cluster = cluster
        self.git = git
        self.registry = registry
        self.process = process
        self.patience = patience

    async def add(self, names: list[str]) -> None:
        """Applications with their first tag, in Git and as one object of each kind."""
        files: dict[str, str | None] = {
            path: text for name in names for path, text in application(name, self.image(name)).items()
        }
        await asyncio.to_thread(self.git.commit, "Add applications", files)
        for name in names:
            self.registry.push(f"bench/{name}", "1.0.0")
        objects = [obj for name in names for obj in self.objects(name)]
        for start in range(0, len(objects), AT_ONCE):
            await asyncio.gather(*(self.cluster.create(*one) for one in objects[start : start + AT_ONCE]))

    def image(self, name: str) -> str:
        return f"127.0.0.1:{self.registry.port}/bench/{name}"

    def objects(self, name: str) -> list[tuple[str, Any]]:
        source = {"kind": "GitRepository", "name": name}
        secret = {"name": SECRET}
        repository = {"interval": "10m", "ref": {"branch": "main"}, "url": self.git.url, "secretRef": secret}
        kustomization = {"interval": "10m", "path": f"./{name}", "prune": True, "sourceRef": source}
        author = {"name": "Bench", "email": "bench@example.org"}
        automation = {
            "interval": "10m",
            "sourceRef": source,
            "git": {"checkout": {"ref": {"branch": "main"}}, "commit": {"author": author}, "push": {"branch": "main"}},
            "update": {"path": f"./{name}", "strategy": "Setters"},
        }
        return [
            made(SOURCE, "GitRepository", name, repository),
            made(KUSTOMIZE, "Kustomization", name, kustomization),
            *self.image_objects(name),
            made(IMAGE, "ImageUpdateAutomation", name, automation),
        ]

    def image_objects(self, name: str) -> list[tuple[str, Any]]:
        policy = {"imageRepositoryRef": {"name": name}, "policy": {"semver": {"range": ">=1.0.0"}}}
        return [
            made(IMAGE, "ImageRepository", name, {"image": self.image(name), "interval": "10m"}),
            made(IMAGE, "ImagePolicy", name, policy),
        ]

    async def until_set(self, name: str, tag: str) -> None:
        """Until the API has the Deployment with this tag."""
        path = f"{DEPLOYMENTS}/{name}"
        await self.cluster.until(path, lambda found: image_of(found).endswith(f":{tag}"), self.patience)

    async def new_tag(self, name: str, tag: str) -> float:
        """Seconds from the poke that follows a push to the changed Deployment, read by a watch."""
        async with self.watching(DEPLOYMENTS, lambda o: image_of(o).endswith(f":{tag}")) as seen:
            self.registry.push(f"bench/{name}", tag)
            begun = time.perf_counter()
            await self.poke(name)
            await seen
            return time.perf_counter() - begun

    async def poke(self, name: str) -> None:
        stamp = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": str(time.time())}}}
        await self.cluster.merge(f"{IMAGE}/imagerepositories/{name}", stamp)

    async def new_policy(self, name: str) -> float:
        """Seconds from creating an ImageRepository and its policy to the policy's choice."""
        self.registry.push(f"bench/{name}", "1.0.0")
        path = f"{IMAGE}/imagepolicies"
        async with self.watching(
            path, lambda o: o["metadata"]["name"] == name and "latestRef" in (o.get("status") or {})
        ) as seen:
            begun = time.perf_counter()
            await asyncio.gather(*(self.cluster.create(*one) for one in self.image_objects(name)))
            await seen
            return time.perf_counter() - begun

    async def all_at_once(self, names: Sequence[str], tag: str) -> float:
        """Seconds until every Deployment has its new tag, all images having got one and been poked."""
        for name in names:
            self.registry.push(f"bench/{name}", tag)
        left = set(names)

        def done(deployment: Any) -> bool:
            if image_of(deployment).endswith(f":{tag}"):
                left.discard(deployment["metadata"]["name"])
            return not left

        async with self.watching(DEPLOYMENTS, done) as seen:
            begun = time.perf_counter()
            await asyncio.gather(*(self.poke(name) for name in names))
            await seen
            return time.perf_counter() - begun

    @asynccontextmanager
    async def watching(self, path: str, holds: Callable[[Any], bool]) -> AsyncIterator[asyncio.Task[None]]:
        """A task that ends once an object of a collection is as wanted."""
        version = (await self.cluster.get(path))["metadata"]["resourceVersion"]
        task = asyncio.create_task(self._watch(path, version, holds))
        await asyncio.sleep(0.2)
        yield task

    async def _watch(self, path: str, version: str, holds: Callable[[Any], bool]) -> None:
        query = {"watch": "true", "resourceVersion": version}
        async with (
            asyncio.timeout(self.patience),
            self.cluster.http() as http,
            http.stream("GET", path, params=query, timeout=None) as answer,
        ):
            async for line in answer.aiter_lines():
                if holds(json.loads(line)["object"]):
                    return

    def resident(self) -> float:
        """MiB of the process and its children at this moment, each counted whole."""
        return sum(map(_resident, [self.process.program.pid, *_children(self.process.program.pid)]))

    async def quiet(self) -> None:
        """Until the process has done next to nothing for a while: what set-up leaves to do is no part of a figure."""
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            before = self.cpu()
            await asyncio.sleep(QUIET_SECONDS)
            if self.cpu() - before < QUIET_SHARE * QUIET_SECONDS:
                return
        raise AssertionError(f"it was never quiet in {self.patience:g} s")

    def cpu(self) -> float:
        """Seconds that the process and its ended children have used."""
        fields = Path(f"/proc/{self.process.program.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / TICKS


@asynccontextmanager
async def bench(folder: Path, patience: float = 300.0) -> AsyncIterator[Bench]:
    """Everything started, Tidegate installed, its controller running with the rights of its account."""
    for name in ("cluster", "git"):
        (folder / name).mkdir(parents=True)
    async with AsyncExitStack() as stack:
        cluster, registry = Cluster(folder / "cluster"), RegistryWorld(folder / "registry")
        stack.callback(cluster.stop)
        stack.callback(registry.stop)
        await cluster.start()
        registry.start()
        git = stack.enter_context(hosting(folder / "git"))
        kinds = "--kinds=source,kustomize,image"
        await asyncio.to_thread(tidegate, cluster, "install", kinds)
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}}
        password = {"stringData": {"username": USER, "password": PASSWORD}}
        await cluster.create(f"/api/v1/namespaces/{SYSTEM}/secrets", secret | password)
        process = await ControllerProcess.start(cluster, folder, kinds)
        stack.callback(process.stop)
        yield Bench(cluster, git, registry, process, patience)


def _children(pid: int) -> list[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [found for child in map(int, listed) for found in [child, *_children(child)]]


def _resident(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0.0
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def made(root: str, kind: str, name: str, spec: Any) -> tuple[str, Any]:
    """A collection's path, and an object for it."""
    plural = kind.lower()[:-1] + "ies" if kind.endswith("y") else kind.lower() + "s"
    api_version = "/".join(root.split("/")[2:4])
    return f"{root}/{plural}", {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": SYSTEM},
        "spec": spec,
    }


def application(name: str, image: str) -> dict[str, str]:
    """A folder with one Deployment whose image is marked."""
    text = f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: default
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - name: app
        image: {image}:1.0.0 # {{"$imagepolicy": "{SYSTEM}:{name}"}}
"""
    return {f"{name}/deployment.yaml": text}


def image_of(deployment: Any) -> str:
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])
