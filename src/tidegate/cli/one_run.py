"""A run by the name or number that a person gave, and what can be asked of it: to run again, to end."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from datetime import UTC, datetime

from tidegate.base.errors import CommandFailed, NotFound
from tidegate.cli.doors import collection_of, resource_named
from tidegate.cli.logs import numbered
from tidegate.kinds.objects import Object
from tidegate.kube.client import KubeClient
from tidegate.kube.following import follow
from tidegate.runner.asking import cancel_patch, rerun_patch

_NUMBER = re.compile(r"#?([0-9]{1,9})", re.ASCII)


async def find_run(client: KubeClient, target: str, namespace: str) -> Object:
    """A run by its name, or by its number where no other workflow has a run of that number; NotFound."""
    runs = await collection_of(client, resource_named("workflowrun"))
    if number := _NUMBER.fullmatch(target):
        place = numbered(await client.items(runs), int(number[1]))
        if place is None:
            raise NotFound(f"no run has the number {number[1]}", remedy="see: tidegate runs")
        return await client.get(runs.path(*place))  # type: ignore[no-any-return]
    try:
        return await client.get(runs.path(namespace, target))  # type: ignore[no-any-return]
    except NotFound:
        raise NotFound(f"no run is named {target!r} in {namespace}", remedy="see: tidegate runs") from None


async def rerun(client: KubeClient, run: Object, *, failed: bool = False) -> Object:
    """Have a run that is over run again as its next attempt: all of it, or what `failed` and what needs that."""
    return await _patch(client, run, rerun_patch(run, datetime.now(UTC), failed=failed))


async def cancel(client: KubeClient, run: Object) -> Object:
    """Have a run end: what its steps say for that case still runs."""
    return await _patch(client, run, cancel_patch(run))


async def until(client: KubeClient, run: Object, reached: str, *, timeout: float | None = None) -> Object:
    """The run once it is `in_progress` or `completed`; CommandFailed where it takes longer than `timeout` seconds."""
    path = (await collection_of(client, resource_named("workflowrun"))).path(run["metadata"]["namespace"])
    version, selector = str(run["metadata"]["resourceVersion"]), f"metadata.name={_name(run)}"
    try:
        async with asyncio.timeout(timeout), aclosing(follow(client, path, version, fieldSelector=selector)) as events:
            async for event in events:
                status = (event.object.get("status") or {}).get("status")
                if event.type == "DELETED":
                    raise NotFound(f"the run {_name(run)} was deleted")
                if status in ("completed", reached):
                    return event.object
    except TimeoutError:
        pass
    remedy = f"does a controller run, and is the Runner suspended? see: tidegate describe workflowrun {_name(run)}"
    raise CommandFailed(f"the run {_name(run)} has not begun within {timeout:g} s", exit_code=None, remedy=remedy)


async def _patch(client: KubeClient, run: Object, patch: Object) -> Object:
    runs = await collection_of(client, resource_named("workflowrun"))
    return await client.merge(runs.path(run["metadata"]["namespace"], _name(run)), patch)


def _name(run: Object) -> str:
    return str(run["metadata"]["name"])
