"""`tidegate describe`: one object in full, and its events."""

from __future__ import annotations

from typing import Any

import click
import yaml

from tidegate.cli.doors import (
    DEFAULT_NAMESPACE,
    Doors,
    collection_of,
    connect,
    resource_named,
    run,
    server_options,
    split_target,
)
from tidegate.cli.tables import table_lines
from tidegate.kinds.objects import Object
from tidegate.kinds.resources import Resource


@click.command()
@click.argument("target", nargs=-1, required=True, metavar="KIND NAME")
@click.option("-n", "--namespace", default=DEFAULT_NAMESPACE, show_default=True, help="The namespace.")
@server_options
def command(target: tuple[str, ...], namespace: str, doors: Doors) -> None:
    """Show one object in full, and its events."""
    resource, name = split_target(target)
    if name is None:
        raise click.UsageError("give KIND NAME or KIND/NAME")
    run(_describe(doors, resource, namespace, name))


async def _describe(doors: Doors, resource: Resource, namespace: str, name: str) -> None:
    where = namespace if resource.namespaced else None
    selector = f"involvedObject.kind={resource.kind},involvedObject.name={name}"
    async with connect(doors) as client:
        obj = await client.get((await collection_of(client, resource)).path(where, name))
        events = await client.items(await collection_of(client, resource_named("event")), where, fieldSelector=selector)
    for line in description(obj, events):
        click.echo(line)


def description(obj: Object, events: list[Object]) -> list[str]:
    """The lines that describe an object."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    head: dict[str, Any] = {"Name": metadata.pop("name"), "Namespace": metadata.pop("namespace", None)}
    for title, key in (("Labels", "labels"), ("Annotations", "annotations")):
        head[title] = metadata.pop(key, None)
    head |= {"API Version": obj.get("apiVersion"), "Kind": obj.get("kind"), "Metadata": metadata}
    rest = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata")}
    head |= {key.capitalize(): value for key, value in rest.items()}
    text = yaml.safe_dump({key: value for key, value in head.items() if value}, sort_keys=False, allow_unicode=True)
    rows = [
        [str(event.get(key, "")).replace("\n", " ") for key in ("type", "reason", "lastTimestamp", "message")]
        for event in sorted(events, key=lambda event: str(event.get("lastTimestamp", "")))
    ]
    shown = table_lines(["Type", "Reason", "Last Seen", "Message"], rows) if rows else ["<none>"]
    return [*text.splitlines(), "Events:", *(f"  {line}" for line in shown)]
