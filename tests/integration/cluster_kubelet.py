"""Plays a kubelet's smallest part: `kubectl logs` and the API's pods/log reach the files of what runs beside the test.

    async with Kubelet.serving(cluster) as kubelet:
        await kubelet.show("flux-system", "tidegate", log_file)     # the Pod labelled app=tidegate has that log

Nothing is run here and nothing is Kubernetes' own; the log's way, API server included, is the real one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from tests.integration.cluster_players import TLS_END
from tests.integration.cluster_world import Cluster

from tidegate.serve.listen import Tls, bind, port_of, serve

NODE = "node-1"
POLL = 0.05


class Kubelet:
    """One node. `ended` are the containers whose log grows no more."""

    def __init__(self, cluster: Cluster):
        self._cluster = cluster
        self._logs: dict[tuple[str, ...], Path] = {}
        self.ended: set[tuple[str, ...]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def serving(cls, cluster: Cluster) -> AsyncIterator["Kubelet"]:
        """A kubelet that answers until the block ends."""
        kubelet = cls(cluster)
        listener = bind(0)
        routes = [Route("/containerLogs/{namespace}/{pod}/{container}", kubelet._answer)]
        tls = Tls(cluster.pki.server, cluster.pki.server.with_suffix(".key"))
        task = asyncio.create_task(serve(Starlette(routes=routes), listener, tls))
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        await cluster.create("/api/v1/nodes", node)
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port_of(listener)}},
        }
        await cluster.merge(f"/api/v1/nodes/{NODE}/status", {"status": status})
        try:
            yield kubelet
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.sleep(TLS_END)
            await cluster.delete(f"/api/v1/nodes/{NODE}")

    async def show(self, namespace: str, app: str, log: Path) -> None:
        """Take the Pod that is labelled `app` to this node, as a scheduler would; its log is the file."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        found = await self._cluster.until(f"{path}?labelSelector=app%3D{app}", lambda listing: listing["items"])
        name = found["items"][0]["metadata"]["name"]
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        await self._cluster.create(f"{path}/{name}/binding", binding)
        self._logs[namespace, name] = log

    def serve(self, namespace: str, name: str, container: str, log: Path) -> None:
        """Answer with the file for the log of a container that somebody else runs on this node."""
        self._logs[namespace, name, container] = log

    async def run(self, one: Any, log: Path) -> None:
        """Make a Pod on this node that is running, whose log is the file."""
        namespace, name = one["metadata"]["namespace"], one["metadata"]["name"]
        self._logs[namespace, name] = log
        await self._cluster.create(
            f"/api/v1/namespaces/{namespace}/pods", one | {"spec": one["spec"] | {"nodeName": NODE}}
        )
        containers = [container["name"] for container in one["spec"]["containers"]]
        await self.say(namespace, name, containers, {"running": {"startedAt": "2026-01-15T12:00:00Z"}}, "Running")

    async def say(self, namespace: str, name: str, containers: list[str], state: Any, phase: str) -> None:
        """Write a Pod's status: all its containers are in one state."""
        statuses = [
            {"name": one, "image": "", "imageID": "", "ready": phase == "Running", "restartCount": 0, "state": state}
            for one in containers
        ]
        status = {"phase": phase, "containerStatuses": statuses}
        await self._cluster.merge(f"/api/v1/namespaces/{namespace}/pods/{name}/status", {"status": status})

    async def _answer(self, request: Request) -> Response:
        key = (request.path_params["namespace"], request.path_params["pod"])
        container = request.path_params["container"]
        key = next((one for one in ((*key, container), key) if one in self._logs), key)
        if key not in self._logs:
            return Response("no such pod", 404)
        follow = request.query_params.get("follow") == "true"
        tail = request.query_params.get("tailLines")
        lines = self._lines(key, follow, tail and int(tail))
        return StreamingResponse(lines, media_type="text/plain", headers={"Connection": "close"})

    async def _lines(self, key: tuple[str, ...], follow: bool, tail: int | None) -> AsyncIterator[bytes]:
        with self._logs[key].open("rb") as file:
            lines = file.readlines()
            for line in lines if tail is None else lines[len(lines) - tail :]:
                yield line
            while follow:
                over = key in self.ended
                if data := file.read():
                    yield data
                elif over:
                    return
                await asyncio.sleep(POLL)
