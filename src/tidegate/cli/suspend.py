"""`tidegate suspend` and `tidegate resume`: stop an object's reconciliation, and go on with it."""

from __future__ import annotations

import click

from tidegate.cli.doors import DEFAULT_NAMESPACE, Doors, collection_of, connect, run, server_options
from tidegate.cli.reconcilable import KINDS_HELP, reconcilable


def _command(name: str, suspend: bool, text: str) -> click.Command:
    @click.command(name, help=f"{text}\n\n{KINDS_HELP}")
    @click.argument("kind")
    @click.argument("name")
    @click.option("-n", "--namespace", default=DEFAULT_NAMESPACE, show_default=True, help="The namespace.")
    @server_options
    def command(kind: str, name: str, namespace: str, doors: Doors) -> None:
        run(_set(doors, kind, namespace, name))

    async def _set(doors: Doors, kind: str, namespace: str, name: str) -> None:
        resource = reconcilable(kind, f"{'suspended' if suspend else 'resumed'}")
        async with connect(doors) as client:
            await client.merge(
                (await collection_of(client, resource)).path(namespace, name), {"spec": {"suspend": suspend}}
            )
        click.echo(f"{resource.singular}/{name} {'suspended' if suspend else 'resumed'}")

    return command


suspend = _command("suspend", True, "Stop reconciling an object.")
resume = _command("resume", False, "Go on reconciling an object.")
