"""`tidegate get`: objects as kubectl prints them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from tidegate.base.errors import NotFound
from tidegate.cli.documents import yaml_documents
from tidegate.cli.doors import Doors, collection_of, connect, namespace_options, run, server_options
from tidegate.cli.tables import print_table
from tidegate.cli.targets import Target, targets_of
from tidegate.kinds.objects import Object
from tidegate.kinds.resources import Resource
from tidegate.kube.client import KubeClient
from tidegate.kube.collection import Collection
from tidegate.kube.discovery import Discovery
from tidegate.kube.following import follow

_FIRST = ("apiVersion", "kind", "metadata")


@click.command()
@click.argument("target", nargs=-1, required=True, metavar="KIND[,KIND…] [NAME…] | KIND/NAME…")
@namespace_options
@click.option("-o", "--output", type=click.Choice(["wide", "json", "yaml", "name"]), help="The form of the output.")
@click.option("-w", "--watch", is_flag=True, help="Go on showing what changes (of one kind).")
@click.option("--show-managed-fields", is_flag=True, help="With -o json or yaml, show metadata.managedFields too.")
@server_options
def command(
    target: tuple[str, ...],
    namespace: str,
    all_namespaces: bool,
    output: str | None,
    watch: bool,
    show_managed_fields: bool,
    doors: Doors,
) -> None:
    """Show objects: a table, or with -o their JSON, YAML or names. `all` is the usual workload kinds."""
    targets = targets_of(target)
    if watch and len(targets) > 1:
        raise click.UsageError("--watch follows one kind, or one object")
    place = None if all_namespaces else namespace
    if output in ("json", "yaml", "name"):
        run(_objects(doors, targets, place, output, managed=show_managed_fields))
    elif watch:
        run(_follow(doors, targets[0], place, wide=output == "wide"))
    else:
        run(_tables(doors, targets, place, wide=output == "wide"))


async def _objects(
    doors: Doors, targets: Sequence[Target], namespace: str | None, output: str, *, managed: bool
) -> None:
    found: list[tuple[Resource, Object]] = []
    async with connect(doors) as client:
        discovery = Discovery(client)
        for target in targets:
            if (collection := await _collection(discovery, target)) is None:
                continue
            path = collection.path(namespace if target.resource.namespaced else None, target.name)
            if target.name is None:
                found += [(target.resource, item) for item in (await client.listing(path))[1]]
            else:
                found.append((target.resource, await client.get(path)))
    if output == "name":
        for resource, item in found:
            click.echo(f"{_prefix(resource)}/{item['metadata']['name']}")
        return
    items = [shown(item, managed=managed) for _, item in found]
    alone = len(targets) == 1 and targets[0].name is not None
    value = items[0] if alone else {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}
    if output == "json":
        click.echo(json.dumps(value, indent=4, ensure_ascii=False))
    else:
        click.echo(yaml_documents([value]), nl=False)


async def _tables(doors: Doors, targets: Sequence[Target], namespace: str | None, *, wide: bool) -> None:
    async with connect(doors) as client:
        tables = await _read_tables(client, targets, namespace)
        for number, (resource, table) in enumerate(tables.items()):
            where = namespace if resource.namespaced else None
            if number:
                click.echo("")
            _show(table, resource, where, wide=wide, header=True, prefix=len({one.resource for one in targets}) > 1)
        if not tables:
            place = f" in the namespace {namespace}" if namespace and targets[0].resource.namespaced else ""
            named = targets[0].resource.plural if len(targets) == 1 else "objects"
            click.echo(f"No {named} found{place}.", err=True)


async def _read_tables(
    client: KubeClient, targets: Sequence[Target], namespace: str | None
) -> dict[Resource, dict[str, Any]]:
    """A table for each kind that has rows: those of several objects of one kind together."""
    discovery, tables = Discovery(client), dict[Resource, dict[str, Any]]()
    for target in targets:
        if (collection := await _collection(discovery, target)) is None:
            continue
        where = namespace if target.resource.namespaced else None
        table = await client.table(collection.path(where, target.name))
        if not table.get("rows"):
            continue
        if target.resource in tables:
            tables[target.resource]["rows"] += table["rows"]
        else:
            tables[target.resource] = table
    return tables


async def _collection(discovery: Discovery, target: Target) -> Collection | None:
    """Where a kind is; None where the server lacks one that only a category named."""
    try:
        return (await discovery.find(target.resource.group, target.resource.kind)).collection
    except NotFound:
        if target.by_category:
            return None
        raise


async def _follow(doors: Doors, target: Target, namespace: str | None, *, wide: bool) -> None:
    """Show the table, then each object that changes after it, until somebody ends this."""
    resource, where = target.resource, namespace if target.resource.namespaced else None
    selection = {"fieldSelector": f"metadata.name={target.name}"} if target.name else {}
    async with connect(doors) as client:
        collection = await collection_of(client, resource)
        table = await client.table(collection.path(where, target.name))
        if table.get("rows"):
            _show(table, resource, where, wide=wide, header=True)
        version = str(table.get("metadata", {}).get("resourceVersion", ""))
        async for event in follow(client, collection.path(where), version, **selection):
            if event.type == "DELETED":
                continue
            metadata = event.object["metadata"]
            found = await client.table(collection.path(metadata.get("namespace"), metadata["name"]))
            _show(found, resource, where, wide=wide, header=False)


def shown(obj: Object, *, managed: bool) -> Object:
    """An object as people read it: apiVersion and kind first, without managedFields unless asked for."""
    metadata = {name: value for name, value in obj["metadata"].items() if managed or name != "managedFields"}
    whole = obj | {"metadata": metadata}
    return {name: whole[name] for name in _FIRST if name in whole} | whole


def _prefix(resource: Resource) -> str:
    return f"{resource.singular}.{resource.group}" if resource.group else resource.singular


def _show(
    table: dict[str, Any],
    resource: Resource,
    namespace: str | None,
    *,
    wide: bool,
    header: bool,
    prefix: bool = False,
) -> None:
    columns = [
        (index, column["name"].upper())
        for index, column in enumerate(table["columnDefinitions"])
        if wide or not column.get("priority")
    ]
    rows = [[str(row["cells"][index]) for index, _ in columns] for row in table.get("rows") or []]
    names = [title for _, title in columns]
    if prefix and names[:1] == ["NAME"]:
        rows = [[f"{_prefix(resource)}/{row[0]}", *row[1:]] for row in rows]
    if resource.namespaced and namespace is None:
        names = ["NAMESPACE", *names]
        metadata = [row.get("object", {}).get("metadata", {}) for row in table.get("rows") or []]
        rows = [[str(found.get("namespace", "")), *row] for found, row in zip(metadata, rows, strict=True)]
    print_table(names if header else [], rows)
