"""Plays the Job controller, the garbage collector and a node for Jobs: the Job's own program really runs, in a child.

    async with playing_jobs(cluster, kubelet, folder) as player:
        player.unpullable.add("ghcr.io/me/tidegate:2")     # such an image is never pulled
        player.out_of_memory(pod_name)                      # as the kernel ends it, and a kubelet tells it
        player.evict(pod_name)

A Job gets one Pod; its Secrets and empty folders are folders of this machine, to which the paths in the containers'
words are moved; each container is `tidegate` with those words, and what it prints is its log. There is no image, no
other user and no read-only root here: those the manifest only says.
"""

import asyncio
import base64
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from tests.integration.cluster_kubelet import NODE, Kubelet
from tests.integration.cluster_players import TLS_END, job_status
from tests.integration.cluster_world import Cluster

JOBS = "/apis/batch/v1/jobs"
POLL = 0.1
_PASSED = ("PATH", "LANG", "PYTHONPATH")


class JobPlayer:
    """`unpullable` are images, `environment` is what the node adds to every container's; `pods` are the names of all
    Pods that were made, in order.
    """

    def __init__(self, cluster: Cluster, kubelet: Kubelet, folder: Path):
        self._cluster = cluster
        self._kubelet = kubelet
        self._folder = folder
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._ends: dict[str, str] = {}
        self._over = False
        self.unpullable: set[str] = set()
        self.environment: dict[str, str] = {}
        self.pods: list[str] = []

    async def play(self) -> None:
        """Look at all Jobs again and again until `stop`; then end every child."""
        while not self._over:
            with contextlib.suppress(AssertionError, httpx2.TransportError):
                await self._look()
            await asyncio.sleep(POLL)
        for process in self._processes.values():
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def stop(self) -> None:
        """End, but let requests that are under way come to their end: a test must leave no connection open."""
        self._over = True

    async def _look(self) -> None:
        # The owners last: whose owner is then not there has lost it, and is not merely newer than the look.
        pods = (await self._cluster.get(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{NODE}"))["items"]
        secrets = (await self._cluster.get("/api/v1/secrets"))["items"]
        jobs = {job["metadata"]["uid"]: job for job in (await self._cluster.get(JOBS))["items"]}
        for uid, job in jobs.items():
            if uid not in self._tasks and not job["metadata"].get("deletionTimestamp"):
                self._tasks[uid] = asyncio.create_task(self._run(job))
        for pod in pods:
            if pod["metadata"]["name"] in self.pods and pod["metadata"].get("deletionTimestamp"):
                self._terminate(pod["metadata"]["name"])
            elif _is_orphan(pod, jobs):
                await self._cluster.delete(_pod_path(pod))
        for secret in secrets:
            if _is_orphan(secret, jobs):
                metadata = secret["metadata"]
                await self._cluster.delete(f"/api/v1/namespaces/{metadata['namespace']}/secrets/{metadata['name']}")

    async def _run(self, job: Any) -> None:
        """One Job from its Pod's creation to its end."""
        pod = _pod_of(job)
        name = pod["metadata"]["name"]
        self.pods.append(name)
        await self._cluster.create(_pods_path(pod), pod)
        for container in _containers(pod):
            if container["image"] in self.unpullable:
                message = f'Back-off pulling image "{container["image"]}"'
                state = {"waiting": {"reason": "ImagePullBackOff", "message": message}}
                await self._state(pod, container, state, "Pending")
                await self._gone(pod)
                return
            code = await self._contain(pod, container)
            if code or container in pod["spec"]["containers"]:
                await self._end(job, pod, container, code)
                return
            await self._state(pod, container, {"terminated": {"exitCode": 0, "reason": "Completed"}}, "Pending")

    async def _contain(self, pod: Any, container: Any) -> int:
        """Run one container to its end; its exit code."""
        name = pod["metadata"]["name"]
        key = (pod["metadata"]["namespace"], name, container["name"])
        log = self._folder / f"{name}-{container['name']}.log"
        mounts = {one["mountPath"]: await self._volume(pod, one) for one in container["volumeMounts"]}
        argv = [sys.executable, "-m", "tidegate", *(_moved(word, mounts) for word in container["args"])]
        environment = {key: os.environ[key] for key in _PASSED if key in os.environ} | self.environment
        environment |= {one["name"]: _moved(one["value"], mounts) for one in container.get("env", [])}
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *argv, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file,
                cwd=self._folder, start_new_session=True,
            )  # fmt: skip
        self._processes[name] = process
        self._kubelet.serve(*key, log)
        try:
            phase = "Running" if container in pod["spec"]["containers"] else "Pending"
            await self._state(pod, container, {"running": {"startedAt": _now()}}, phase)
            return await process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            del self._processes[name]
            self._kubelet.ended.add(key)

    async def _volume(self, pod: Any, mount: Any) -> Path:
        """The folder of this machine that stands for a volume; a Secret is waited for, as a kubelet does."""
        [volume] = [one for one in pod["spec"]["volumes"] if one["name"] == mount["name"]]
        folder = self._folder / pod["metadata"]["name"] / volume["name"]
        folder.mkdir(parents=True, exist_ok=True)
        if "secret" in volume:
            path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/secrets/{volume['secret']['secretName']}"
            data = (await self._cluster.until(path, lambda _: True))["data"]
            items = volume["secret"].get("items") or [{"key": key, "path": key} for key in data]
            for item in items:
                (folder / item["path"]).write_bytes(base64.b64decode(data[item["key"]]))
        return folder

    async def _end(self, job: Any, pod: Any, container: Any, code: int) -> None:
        """What the kubelet and the Job controller write of an end."""
        name = pod["metadata"]["name"]
        why = self._ends.get(name) or ("Completed" if code == 0 else "Error")
        code = 137 if why in ("OOMKilled", "Evicted") else code if code >= 0 else 128 - code
        terminated = {"exitCode": code, "reason": "Error" if why == "Evicted" else why, "finishedAt": _now()}
        more = {"reason": "Evicted", "message": "The node was low on resource: memory."} if why == "Evicted" else {}
        await self._state(pod, container, {"terminated": terminated}, "Failed" if code else "Succeeded", more)
        path = f"/apis/batch/v1/namespaces/{job['metadata']['namespace']}/jobs/{job['metadata']['name']}/status"
        with contextlib.suppress(AssertionError):  # the Job may be deleted
            await self._cluster.merge(path, {"status": {"startTime": _now(), "active": 1, "ready": 1}})
            await self._cluster.merge(path, {"status": job_status(succeeded=not code)})
        await self._gone(pod)

    async def _gone(self, pod: Any) -> None:
        """Take a Pod away once it is to be deleted and its containers have ended."""
        while not self._over:
            with contextlib.suppress(httpx2.TransportError):
                live = (await self._cluster.get(_pods_path(pod)))["items"]
                mine = [one for one in live if one["metadata"]["name"] == pod["metadata"]["name"]]
                if not mine:
                    return
                if mine[0]["metadata"].get("deletionTimestamp"):
                    await self._cluster.delete(f"{_pod_path(pod)}?gracePeriodSeconds=0")
                    return
            await asyncio.sleep(POLL)

    async def _state(self, pod: Any, container: Any, state: Any, phase: str, more: Any = None) -> None:
        status = {"name": container["name"], "image": container["image"], "imageID": "", "state": state}
        status |= {"ready": phase == "Running", "restartCount": 0}
        field = "containerStatuses" if container in pod["spec"]["containers"] else "initContainerStatuses"
        body = {"status": {"phase": phase, field: [status], **(more or {})}}
        with contextlib.suppress(AssertionError):  # the Pod may be gone by force
            await self._cluster.merge(f"{_pod_path(pod)}/status", body)

    def _terminate(self, name: str) -> None:
        if name in self._processes and name not in self._ends:
            self._ends[name] = "Error"
            self._processes[name].send_signal(signal.SIGTERM)

    def out_of_memory(self, name: str) -> None:
        """End a Pod's container as the kernel does."""
        self._kill(name, "OOMKilled")

    def evict(self, name: str) -> None:
        """End a Pod as a kubelet does whose node is short of memory."""
        self._kill(name, "Evicted")

    def _kill(self, name: str, why: str) -> None:
        self._ends[name] = why
        os.killpg(self._processes[name].pid, signal.SIGKILL)


@contextlib.asynccontextmanager
async def playing_jobs(cluster: Cluster, kubelet: Kubelet, folder: Path) -> AsyncIterator[JobPlayer]:
    """A JobPlayer that plays until the block ends; its Pods' folders and logs lie in `folder`."""
    folder.mkdir(exist_ok=True)
    player = JobPlayer(cluster, kubelet, folder)
    task = asyncio.create_task(player.play())
    try:
        yield player
    finally:
        player.stop()
        await task
        await asyncio.sleep(TLS_END)


def _pod_of(job: Any) -> Any:
    metadata, template = job["metadata"], job["spec"]["template"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}
    own = {
        "name": f"{metadata['name'][:50]}-{metadata['uid'][:5]}",
        "namespace": metadata["namespace"],
        "labels": template["metadata"]["labels"] | {"job-name": metadata["name"]},
        "annotations": template["metadata"].get("annotations", {}),
        "ownerReferences": [owner | {"controller": True}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": own, "spec": template["spec"] | {"nodeName": NODE}}


def _is_orphan(obj: Any, jobs: Any) -> bool:
    owners = obj["metadata"].get("ownerReferences") or []
    return any(owner["kind"] == "Job" and owner["uid"] not in jobs for owner in owners)


def _containers(pod: Any) -> list[Any]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def _moved(word: str, mounts: dict[str, Path]) -> str:
    """A container's word with the paths of its mounts at their places on this machine."""
    option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    for inside, outside in mounts.items():
        if value == inside or value.startswith(f"{inside}/"):
            return f"{option}{equals}{outside}{value.removeprefix(inside)}"
    return word


def _pods_path(pod: Any) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods"


def _pod_path(pod: Any) -> str:
    return f"{_pods_path(pod)}/{pod['metadata']['name']}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
