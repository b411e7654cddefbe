"""Updating: how soon a selection is a commit on a remote over smart HTTP, in repositories of up to ten thousand files.

Beside the time on the clock stands the CPU time of the Tidegate and its children, which other work on the machine does
not stretch as much. A tenth of the files is marked, and each new tag changes ten of them (all, where there are fewer).
The remote is git's own `http-backend` in this process; its time counts, too.
"""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

from tests.integration.git_host import PASSWORD, USER, GitHost, hosting

from benchmarks.demo import peak_memory
from benchmarks.scan import Tidegate, started

SIZES = (1, 100, 1_000, 10_000)
LARGEST = SIZES[-1]
EDITS = 10
ROUNDS = 15
RESTARTS = 3
PATIENCE = 30.0
POLL = 0.001
SETTLED = 1.5
"""Seconds between rounds, for what follows an update: the source's next look, the scan."""
SPACE = "flux-system"
IMAGE = f"/apis/image.toolkit.fluxcd.io/v1/namespaces/{SPACE}"
SOURCE = f"/apis/source.toolkit.fluxcd.io/v1/namespaces/{SPACE}"
POLICIES, AUTOMATIONS = f"{IMAGE}/imagepolicies", f"{IMAGE}/imageupdateautomations"
REPOSITORIES = f"{SOURCE}/gitrepositories"


def measure() -> Iterator[str]:
    for size in SIZES:
        with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder, asyncio.Runner() as runner:
            lines = _figures(Path(folder), size)
            while (line := runner.run(anext(lines, None))) is not None:
                yield line


async def _figures(folder: Path, size: int) -> AsyncIterator[str]:
    goal = {1: "goal 0.1 s, Flux 0.065 s", 100: "Flux 0.4 s", 1_000: "Flux 2.1 s", LARGEST: "goal 0.3 s, Flux 18 s"}
    (folder / "git").mkdir()
    with hosting(folder / "git") as git:
        git.commit("Add applications", dict(_files(size)))
        async with started(folder) as tidegate:
            world = World(git, tidegate)
            await world.set_up(size)
            what = f"selection to commit, {min(size, EDITS)} of {size} files"
            yield await world.line(what, world.update, goal[size])
            if size == LARGEST:
                what = "somebody's commit, looked at by source and automation"
                yield await world.line(what, world.theirs, "goal 0.2 s, Flux 3.8 s")
            yield await world.line(f"nothing to do, {size} files", world.nothing, "goal 0.03 s")
            await world.suspend()
            peak = peak_memory(tidegate.pid)
        if size < LARGEST:
            return
        cold = []
        for number in range(RESTARTS):
            async with started(folder) as tidegate:
                cold.append(await World(git, tidegate).first(f"2.0.{number}"))
                peak = max(peak, peak_memory(tidegate.pid))
        yield _line(f"the first commit after a restart, {EDITS} of {size} files", cold, "goal 1.5 s")
        yield f"resident at the peak of all that, the process alone    {peak:.1f} MiB  (goal 64)"


class World:
    """A remote, and a Tidegate whose automation writes to it."""

    def __init__(self, git: GitHost, tidegate: Tidegate):
        self.git = git
        self.tidegate = tidegate
        self.http = tidegate.http
        self.branch = git.bare / "refs/heads/main"

    async def set_up(self, size: int) -> None:
        """The objects, and everything as it is to be when the measuring begins."""
        given = {"username": USER, "password": PASSWORD}
        data = {name: base64.b64encode(value.encode()).decode() for name, value in given.items()}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git", "namespace": SPACE}, "data": data}
        (await self.http.post(f"/api/v1/namespaces/{SPACE}/secrets", json=secret)).raise_for_status()
        reference = {"name": "git"}
        source = {"interval": "10m", "url": self.git.url, "ref": {"branch": "main"}, "secretRef": reference}
        await self._create(REPOSITORIES, "GitRepository", source)
        self.tidegate.push("1.0.0")
        await self.tidegate.add("app", "ghcr.io/bench/app")
        for number in range(1, max(1, size // EDITS // EDITS)):
            rule = {"imageRepositoryRef": {"name": "app"}, "policy": {"semver": {"range": "1.0.0"}}}
            await self._create(POLICIES, "ImagePolicy", rule, f"other-{number}")
        await self.tidegate.until_selected(["app"])
        automation = {
            "interval": "10m",
            "sourceRef": {"kind": "GitRepository", "name": "app"},
            "git": {"commit": {"author": {"name": "Bench", "email": "bench@example.org"}}},
            "update": {"path": "./", "strategy": "Setters"},
        }
        async with self.watching(AUTOMATIONS, lambda status: "observedSourceRevision" in status) as seen:
            await self._create(AUTOMATIONS, "ImageUpdateAutomation", automation)
            await seen
        await asyncio.sleep(SETTLED)

    async def line(self, what: str, once: Callable[[int], Awaitable[float]], goal: str) -> str:
        """The figures of ROUNDS rounds. What a round sets off besides, such as the scan, is in its CPU time."""
        before, taken = self.tidegate.cpu(), []
        for number in range(1, ROUNDS + 1):
            taken.append(await once(number))
            await asyncio.sleep(SETTLED)
        cpu = (self.tidegate.cpu() - before) / ROUNDS
        return _line(what, taken, f"{cpu:.3f} s of CPU in all; {goal}")

    async def update(self, number: int) -> float:
        """Seconds from the selection of a new tag, as a watch shows it, to the moved branch of the remote."""
        tag = f"1.1.{number}"
        before = self.branch.read_bytes()
        async with self.watching(POLICIES, lambda status: _selected(status) == tag) as seen:
            pushing = asyncio.create_task(asyncio.to_thread(self.tidegate.push, tag))
            moved = asyncio.create_task(self._moved(before))
            selected = await seen
            taken = await moved - selected
            await pushing
        return taken

    async def theirs(self, number: int) -> float:
        """Seconds from asking the source to look to the automation's status that names somebody's commit."""
        commit = await asyncio.to_thread(self.git.commit, "Write", {"docs/notes.md": f"{number}\n"})
        revision = f"main@sha1:{commit}"
        async with self.watching(AUTOMATIONS, lambda status: status.get("observedSourceRevision") == revision) as seen:
            begun = time.perf_counter()
            await self._poke(f"{REPOSITORIES}/app")
            return await seen - begun

    async def nothing(self, _: int) -> float:
        """Seconds from asking the automation to look to its status that says it has."""
        stamp = str(time.time())
        async with self.watching(AUTOMATIONS, lambda status: status.get("lastHandledReconcileAt") == stamp) as seen:
            begun = time.perf_counter()
            await self._poke(f"{AUTOMATIONS}/app", stamp)
            return await seen - begun

    async def first(self, tag: str) -> float:
        """Seconds from the wish to go on to the commit, for an automation that this process has never looked at. It is
        left suspended, so that the next process has not either.
        """
        path = f"{AUTOMATIONS}/app"
        self.tidegate.push(tag)
        async with asyncio.timeout(PATIENCE):
            while _selected((await self._get(f"{POLICIES}/app"))["status"]) != tag:  # noqa: ASYNC110 - nobody waits for speed here
                await asyncio.sleep(0.1)
        await asyncio.sleep(SETTLED)
        before, begun = self.branch.read_bytes(), time.perf_counter()
        await self._patch(path, {"spec": {"suspend": False}})
        taken = await self._moved(before) - begun
        await self._patch(path, {"spec": {"suspend": True}})
        return taken

    async def suspend(self) -> None:
        await self._patch(f"{AUTOMATIONS}/app", {"spec": {"suspend": True}})

    @asynccontextmanager
    async def watching(self, path: str, holds: Callable[[Any], bool]) -> AsyncIterator[asyncio.Task[float]]:
        """A task that answers when an object's status came to be as wanted."""
        version = (await self._get(path))["metadata"]["resourceVersion"]
        task = asyncio.create_task(self._watch(path, version, holds))
        await asyncio.sleep(0.1)
        yield task

    async def _watch(self, path: str, version: str, holds: Callable[[Any], bool]) -> float:
        query = {"watch": "true", "resourceVersion": version}
        async with (
            asyncio.timeout(PATIENCE),
            self.http.stream("GET", path, params=query, timeout=None) as answer,
        ):
            async for line in answer.aiter_lines():
                if holds(json.loads(line)["object"].get("status") or {}):
                    return time.perf_counter()
        raise AssertionError(f"the watch of {path} ended")

    async def _moved(self, before: bytes) -> float:
        async with asyncio.timeout(PATIENCE):
            while self.branch.read_bytes() == before:  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(POLL)
        return time.perf_counter()

    async def _poke(self, path: str, stamp: str = "") -> None:
        value = stamp or str(time.time())
        await self._patch(path, {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": value}}})

    async def _patch(self, path: str, patch: Any) -> None:
        headers = {"content-type": "application/merge-patch+json"}
        (await self.http.patch(path, content=json.dumps(patch), headers=headers)).raise_for_status()

    async def _get(self, path: str) -> Any:
        return (await self.http.get(path)).raise_for_status().json()

    async def _create(self, path: str, kind: str, spec: Any, name: str = "app") -> None:
        group = path.removeprefix("/apis/").partition("/namespaces")[0]
        obj = {"apiVersion": group, "kind": kind, "metadata": {"name": name, "namespace": SPACE}, "spec": spec}
        (await self.http.post(path, json=obj)).raise_for_status()


def _selected(status: Any) -> str:
    return str((status.get("latestRef") or {}).get("tag", ""))


def _files(count: int) -> Iterator[tuple[str, str]]:
    """Manifests in folders of a hundred; of ten, one is marked, and of those the first ten with the same policy."""
    for number in range(count):
        marked, policy = number % 10 == 0, number // 10 // EDITS
        name = f"other-{policy}" if policy else "app"
        image = f'ghcr.io/bench/app:1.0.0 # {{"$imagepolicy": "{SPACE}:{name}"}}' if marked else "busybox:1.36"
        yield f"apps/{number // 100}/{number}.yaml", MANIFEST.format(number=number, image=image)


MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{number}
  namespace: default
spec:
  replicas: 2
  selector:
    matchLabels: {{app: app-{number}}}
  template:
    metadata:
      labels: {{app: app-{number}}}
    spec:
      containers:
        - name: app
          image: {image}
          ports:
            - containerPort: 8080
          resources:
            limits: {{memory: 64Mi}}
"""


def _line(what: str, seconds: list[float], goal: str) -> str:
    return f"{what:<54} {median(seconds):.3f} s ({min(seconds):.3f}-{max(seconds):.3f})  ({goal})"
