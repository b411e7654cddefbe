"""`tidegate status`: one line an application, from commit to answer, and what it waits on."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from tidegate.base.errors import Denied, NotFound
from tidegate.cli.doors import Doors, collection_of, connect, run, server_options
from tidegate.cli.status_notes import KINDS as NOTED_KINDS
from tidegate.cli.status_notes import notes
from tidegate.cli.tables import print_table
from tidegate.engine.applications import Application, applications
from tidegate.engine.causes import nothing_yet
from tidegate.engine.journey import KINDS
from tidegate.kinds.objects import Object
from tidegate.kinds.resources import known
from tidegate.kube.client import KubeClient

SHORT = 12
RUNNER = ("tidegate.dev", "Runner")


@click.command()
@click.option("-o", "--output", type=click.Choice(["json"]), help="The form of the output.")
@server_options
def command(output: str | None, doors: Doors) -> None:
    """Show each application: its commit, version, what was selected, committed and deployed, and what it waits on."""
    objects = run(_objects(doors))
    found = applications(objects)
    if output == "json":
        click.echo(json.dumps([asdict(row) for row in found], indent=2))
    elif not found:
        click.echo(nothing_yet(objects), err=True)
    else:
        header = ["APPLICATION", "COMMIT", "VERSION", "SELECTED", "COMMITTED", "DEPLOYED", "URL", "WAITS ON"]
        print_table(header, [_cells(row) for row in found])
    if output is None:
        of_rows = [_line(note) for row in found for note in row.notes]
        noted = [obj for kind in NOTED_KINDS for obj in objects[kind]]
        for line in dict.fromkeys([*of_rows, *notes(noted)]):
            click.echo(f"also: {line}", err=True)


async def _objects(doors: Doors) -> dict[str, list[Object]]:
    async with connect(doors) as client:
        return await read_objects(client)


async def read_objects(client: KubeClient) -> dict[str, list[Object]]:
    """All objects from which an application's way is read; a cluster need not have each kind, nor show its pods."""
    found: dict[str, list[Object]] = {}
    for group, kind in (*KINDS, RUNNER):
        resource = known(group, kind)
        assert resource is not None
        try:
            found[kind] = await client.items(await collection_of(client, resource))
        except NotFound:
            found[kind] = []
        except Denied:
            if kind != "Pod":  # pods only explain: the rest is worth showing to one who may not list them
                raise
            found[kind] = []
    return found


def _cells(row: Application) -> list[str]:
    revision = row.deployed.partition("@sha1:")
    deployed = f"{revision[0]}@{revision[2][:SHORT]}" if revision[2] else row.deployed
    cells = [f"{row.namespace}/{row.name}", row.commit[:SHORT], row.version, row.selected, row.committed[:SHORT]]
    return [cell or "-" for cell in [*cells, deployed, row.url, _line(row.waits_on) or "nothing"]]


def _line(text: str) -> str:
    return text.partition("\n")[0]
