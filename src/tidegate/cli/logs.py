"""`tidegate logs`: what a run, a workload or a controller wrote."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

import click

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.cli.doors import Doors, collection_of, connect, resource_named, run, server_options
from tidegate.kinds.objects import Object
from tidegate.kube.client import KubeClient

RUNS_NAMESPACE = "flux-system"
_NUMBER = re.compile(r"#?([0-9]{1,9})", re.ASCII)
Place = tuple[str, str]
"""A namespace and a name."""


@click.command()
@click.argument("target", metavar="RUN | #NUMBER | POD | deployment/NAME")
@click.option("-n", "--namespace", default=RUNS_NAMESPACE, show_default=True, help="The namespace.")
@click.option("-f", "--follow", is_flag=True, help="Go on as more is written.")
@click.option("--tail", type=click.IntRange(min=0), help="Only the last lines.")
@server_options
def command(target: str, namespace: str, follow: bool, tail: int | None, doors: Doors) -> None:
    """Show the log of a run, a pod, or a deployment's first pod (each controller is one in flux-system).

    A run is named as `tidegate runs` lists it, or by its number there: 2 or '#2'.
    """
    run(_logs(doors, target, namespace, follow=follow, tail=tail))


async def _logs(doors: Doors, target: str, namespace: str, *, follow: bool, tail: int | None) -> None:
    query = ({"follow": "true"} if follow else {}) | ({"tailLines": str(tail)} if tail is not None else {})
    async with connect(doors) as client:
        where, pod = await _place(client, target, namespace)
        pods = await collection_of(client, resource_named("pod"))
        try:
            async for line in client.lines(pods.path(where, pod, "log"), **query):
                click.echo(line)
        except NotFound as error:
            # On one machine a run's log is read under the run's name; in a cluster it is that of its Jobs' Pods.
            if await _is_run(client, where, pod):
                await _print_run(client, where, pod, follow=follow, tail=tail)
                return
            elsewhere = [str(one["metadata"]["namespace"]) for one in await client.items(pods) if _is_named(one, pod)]
            raise no_log(target, where, elsewhere) from error


async def _is_run(client: KubeClient, namespace: str, name: str) -> bool:
    try:
        await client.get((await collection_of(client, resource_named("workflowrun"))).path(namespace, name))
    except NotFound:
        return False
    return True


async def _print_run(client: KubeClient, namespace: str, run: str, *, follow: bool, tail: int | None) -> None:
    """The lines of all its jobs; with `tail` only the last ones of all, once they are known."""
    from tidegate.cli.run_logs import run_lines  # noqa: PLC0415 - a cluster's runs alone need it

    lines = run_lines(client, namespace, run, follow=follow)
    if tail is None:
        async for line in lines:
            click.echo(line)
        return
    kept = deque([line async for line in lines], maxlen=tail)
    for line in kept:
        click.echo(line)


async def _place(client: KubeClient, target: str, namespace: str) -> Place:
    kind, slash, name = target.partition("/")
    if not slash:
        number = _NUMBER.fullmatch(target)
        if number is None:
            return namespace, target
        runs = await client.items(await collection_of(client, resource_named("workflowrun")))
        return numbered(runs, int(number[1])) or (namespace, target)
    resource = resource_named(kind)
    if resource.kind in ("Pod", "WorkflowRun"):
        return namespace, name
    owner: Object = await client.get((await collection_of(client, resource)).path(namespace, name))
    labels = (owner.get("spec", {}).get("selector") or {}).get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    pods = await client.items(await collection_of(client, resource_named("pod")), namespace, labelSelector=selector)
    if not pods:
        raise NotFound(f"{target} has no pod in {namespace}", remedy=f"tidegate describe {target} -n {namespace}")
    return namespace, str(pods[0]["metadata"]["name"])


def numbered(runs: Sequence[Object], number: int) -> Place | None:
    """The run of a number, None where there is none. Each workflow counts for itself, so InvalidInput names several."""
    found = [one for one in runs if (one.get("spec") or {}).get("runNumber") == number]
    if len(found) > 1:
        names = ", ".join(
            f"{one['metadata']['name']} ({one['spec'].get('repository')}, {_file(one)})"
            for one in sorted(found, key=lambda one: str(one["metadata"]["name"]))
        )
        raise InvalidInput(f"{len(found)} runs have the number {number}: {names}", remedy="name one of them")
    return (str(found[0]["metadata"]["namespace"]), str(found[0]["metadata"]["name"])) if found else None


def no_log(target: str, namespace: str, elsewhere: Sequence[str]) -> NotFound:
    """The error where neither a run nor a pod is meant; `elsewhere` are the namespaces that have a pod so named."""
    message = f"no run and no pod is named {target!r} in the namespace {namespace}"
    if elsewhere:
        return NotFound(message, remedy=f"there is one elsewhere: tidegate logs {target} -n {elsewhere[0]}")
    return NotFound(message, remedy="see: tidegate runs, and: tidegate get pods -A")


def _is_named(obj: Object, name: str) -> bool:
    return bool(obj["metadata"].get("name") == name)


def _file(one: Object) -> str:
    return str(one["spec"].get("workflow", "")).rpartition("/")[2]
