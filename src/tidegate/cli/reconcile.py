"""`tidegate reconcile`: what flux does with an annotation, and waiting for the answer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import click

from tidegate.base.errors import CommandFailed, InvalidInput
from tidegate.cli.doors import DEFAULT_NAMESPACE, Doors, collection_of, connect, run, server_options
from tidegate.cli.reconcilable import KINDS_HELP, reconcilable
from tidegate.kinds.accepting import ACCEPT, acceptance
from tidegate.kinds.conditions import find
from tidegate.kinds.objects import Object
from tidegate.kinds.resources import Resource, known
from tidegate.kube.client import KubeClient
from tidegate.kube.following import follow

REQUESTED_AT = "reconcile.fluxcd.io/requestedAt"
DEFAULT_TIMEOUT = 300.0
ACCEPT_HELP = (
    "For an imagerepository: believe what the registry answers now, though tags are missing. Without it such an answer "
    "is believed after three scans that agree. For an imagepolicy: select a tag that is lower than the present one. It "
    "sets the annotation tidegate.dev/accept to this moment."
)


@click.command(help=f"Reconcile an object now, and wait until that is done.\n\n{KINDS_HELP}")
@click.argument("kind")
@click.argument("name")
@click.option("-n", "--namespace", default=DEFAULT_NAMESPACE, show_default=True, help="The namespace.")
@click.option("--with-source", is_flag=True, help="Reconcile the object's source first.")
@click.option("--accept", is_flag=True, help=ACCEPT_HELP)
@click.option("--timeout", type=float, default=DEFAULT_TIMEOUT, show_default=True, help="Seconds to wait.")
@server_options
def command(
    kind: str, name: str, namespace: str, with_source: bool, accept: bool, timeout: float, doors: Doors
) -> None:
    resource = reconcilable(kind, "reconciled")
    if accept and resource.kind not in ("ImageRepository", "ImagePolicy"):
        raise InvalidInput(f"there is nothing to accept of a {resource.kind}", remedy="leave out --accept")
    run(_reconcile(doors, resource, namespace, name, with_source, accept, timeout))


async def _reconcile(
    doors: Doors, resource: Resource, namespace: str, name: str, with_source: bool, accept: bool, timeout: float
) -> None:
    async with connect(doors) as client:
        if with_source:
            obj = await client.get((await collection_of(client, resource)).path(namespace, name))
            source = (obj.get("spec") or {}).get("sourceRef")
            if not source:
                raise InvalidInput(f"a {resource.kind} has no source", remedy="leave out --with-source")
            of_kind = known("source.toolkit.fluxcd.io", str(source.get("kind")))
            if of_kind is None:
                raise InvalidInput(f"the source kind {source.get('kind')!r} is not known here")
            await _once(client, of_kind, source.get("namespace") or namespace, source["name"], {}, timeout)
        annotations = await _accepted(client, resource, namespace, name) if accept else {}
        await _once(client, resource, namespace, name, annotations, timeout)


async def _accepted(client: KubeClient, resource: Resource, namespace: str, name: str) -> dict[str, str]:
    """The annotation that has the next answer believed."""
    obj = await client.get((await collection_of(client, resource)).path(namespace, name))
    return {ACCEPT: acceptance(obj, datetime.now(UTC))}


async def _once(
    client: KubeClient, resource: Resource, namespace: str, name: str, annotations: dict[str, str], timeout: float
) -> None:
    path = (await collection_of(client, resource)).path(namespace, name)
    _refuse_suspended(await client.get(path), resource)
    token = datetime.now(UTC).isoformat()
    click.echo(f"► annotating {resource.kind} {name} in {namespace} namespace", err=True)
    obj = await client.merge(path, {"metadata": {"annotations": {**annotations, REQUESTED_AT: token}}})
    click.echo(f"◎ waiting for {resource.kind} reconciliation", err=True)
    done = await _handled(client, resource, obj, token, timeout)
    conditions = (done.get("status") or {}).get("conditions") or []
    ready = find(conditions, "Ready") or {}
    if ready.get("status") != "True":
        message = f"{resource.kind}/{namespace}/{name} is not ready: {ready.get('message', 'no condition yet')}"
        raise CommandFailed(message, exit_code=1, remedy=f"tidegate describe {resource.singular} {name} -n {namespace}")
    click.echo(f"✔ {ready.get('message', '')}")
    for line in left_undone(conditions):
        click.echo(line, err=True)


def left_undone(conditions: Sequence[dict[str, Any]]) -> list[str]:
    """What did not come of a request although the object is ready: no scan was allowed, a better tag was rejected."""
    found = (find(conditions, kind) for kind in ("RateLimited", "NewerRejected"))
    return [f"! {one['type']}: {one.get('message', '')}" for one in found if one is not None]


async def _handled(client: KubeClient, resource: Resource, obj: Object, token: str, timeout: float) -> Object:
    """Follow the object until its status names this request."""
    import asyncio  # noqa: PLC0415 - a command's start is measured

    metadata: dict[str, Any] = obj["metadata"]
    if _is_handled(obj, token):
        return obj
    path = (await collection_of(client, resource)).path(metadata["namespace"])
    version, selector = str(metadata["resourceVersion"]), f"metadata.name={metadata['name']}"
    try:
        async with asyncio.timeout(timeout), aclosing(follow(client, path, version, fieldSelector=selector)) as events:
            async for event in events:
                if event.type == "MODIFIED":
                    if _is_handled(event.object, token):
                        return event.object
                    _refuse_suspended(event.object, resource)
    except TimeoutError:
        pass
    name, namespace = metadata["name"], metadata["namespace"]
    raise CommandFailed(
        f"{resource.kind}/{namespace}/{name} was not reconciled within {timeout:g} s",
        exit_code=None,
        remedy=f"does a controller run? see: tidegate describe {resource.singular} {name} -n {namespace}",
    )


def _refuse_suspended(obj: Object, resource: Resource) -> None:
    """InvalidInput at once where nobody is going to reconcile it."""
    if (obj.get("spec") or {}).get("suspend") is True:
        name, namespace = obj["metadata"]["name"], obj["metadata"]["namespace"]
        remedy = f"tidegate resume {resource.singular} {name} -n {namespace}"
        raise InvalidInput(f"{resource.kind}/{namespace}/{name} is suspended", remedy=remedy)


def _is_handled(obj: Object, token: str) -> bool:
    return bool((obj.get("status") or {}).get("lastHandledReconcileAt") == token)
