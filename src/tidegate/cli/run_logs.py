"""The log of a workflow run in a cluster: its Jobs' Pods one after another, their events read as people read them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.cli.doors import collection_of, resource_named
from tidegate.kinds.objects import Object, annotation
from tidegate.kube.client import KubeClient
from tidegate.runner.job_manifest import ATTEMPT, CONTAINER, FETCHER, JOB_LABEL, RUN_LABEL
from tidegate.runner.names import label
from tidegate.runner.pod_states import begun
from tidegate.runner.wire import readable

POLL = 0.5


async def run_lines(client: KubeClient, namespace: str, run: str, *, follow: bool) -> AsyncIterator[str]:
    """The lines of a run's last attempt, job after job; with `follow`, until the run is over.

    NotFound where there is no such run, or nothing of it can be read (any more): its Jobs are kept for a day.
    """
    runs = await collection_of(client, resource_named("workflowrun"))
    shown: set[str] = set()
    while True:
        status = (await client.get(runs.path(namespace, run))).get("status") or {}
        over = status.get("status") == "completed"
        for pod in await _pods(client, namespace, run):
            if pod["metadata"]["name"] not in shown and begun(pod) is not None:
                shown.add(pod["metadata"]["name"])
                async for line in _pod_lines(client, pod, follow=follow):
                    yield line
        if over or not follow:
            break
        await asyncio.sleep(POLL)
    if not shown:
        remedy = f"tidegate describe workflowrun {run} -n {namespace}"
        why = status.get("message") or "none has begun, or they are gone"
        raise NotFound(f"no Pod of the run {run} has a log: {why}", remedy=remedy)


async def _pods(client: KubeClient, namespace: str, run: str) -> list[Object]:
    """The Pods of a run's last attempt, in the order in which they were made."""
    pods = await collection_of(client, resource_named("pod"))
    listed = await client.items(pods, namespace, labelSelector=f"{RUN_LABEL}={label(run)}")
    found = [pod for pod in listed if annotation(pod, RUN_LABEL) == run]  # a label may be a long name cut short
    last = max((_attempt(pod) for pod in found), default=0)
    last_ones = [pod for pod in found if _attempt(pod) == last]
    return sorted(last_ones, key=lambda pod: str(pod["metadata"].get("creationTimestamp")))


async def _pod_lines(client: KubeClient, pod: Object, *, follow: bool) -> AsyncIterator[str]:
    yield f"==> {annotation(pod, JOB_LABEL)} <=="
    metadata = pod["metadata"]
    pods = await collection_of(client, resource_named("pod"))
    path = pods.path(metadata["namespace"], metadata["name"], "log")
    for container in (FETCHER, CONTAINER):
        try:
            async for line in client.lines(path, container=container, **({"follow": "true"} if follow else {})):
                if (text := readable(line)) is not None:
                    yield text
        except InvalidInput:
            continue  # a container that never began has no log


def _attempt(pod: Object) -> int:
    text = annotation(pod, ATTEMPT) or ""
    return int(text) if text.isdecimal() else 0
