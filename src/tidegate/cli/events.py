"""`tidegate events`: what happened, the last thing last."""

from __future__ import annotations

import click

from tidegate.cli.doors import Doors, collection_of, connect, namespace_options, resource_named, run, server_options
from tidegate.cli.tables import print_table
from tidegate.kinds.objects import Object


@click.command()
@namespace_options
@click.option("--for", "target", metavar="KIND/NAME", help="Only the events of this object.")
@server_options
def command(namespace: str, all_namespaces: bool, target: str | None, doors: Doors) -> None:
    """Show events: when, of what type, why, how often, about which object, and what was said."""
    found = run(_events(doors, None if all_namespaces else namespace, target))
    if not found:
        click.echo("No events found.", err=True)
        return
    rows = [
        [
            str(event.get("lastTimestamp", "")),
            str(event.get("type", "")),
            str(event.get("reason", "")),
            str(event.get("count") or 1),
            f"{event['involvedObject'].get('kind')}/{event['involvedObject'].get('name')}",
            str(event.get("message", "")).replace("\n", " "),
        ]
        for event in found
    ]
    print_table(["LAST SEEN", "TYPE", "REASON", "COUNT", "OBJECT", "MESSAGE"], rows)


async def _events(doors: Doors, namespace: str | None, target: str | None) -> list[Object]:
    query = {}
    if target:
        kind, _, name = target.partition("/")
        selector = [f"involvedObject.kind={resource_named(kind).kind}"]
        query["fieldSelector"] = ",".join([*selector, *([f"involvedObject.name={name}"] if name else [])])
    async with connect(doors) as client:
        events = await client.items(await collection_of(client, resource_named("event")), namespace, **query)
    return sorted(events, key=lambda event: str(event.get("lastTimestamp", "")))
