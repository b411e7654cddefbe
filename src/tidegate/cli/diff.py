"""`tidegate diff`: what ImageUpdateAutomations would push now, without pushing it."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from tidegate.base.errors import NotFound, TidegateError
from tidegate.cli.doors import Doors, collection_of, connect, namespace_options, resource_named, run, server_options
from tidegate.cli.output import as_shown, print_error, said
from tidegate.kinds.common import mapping
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.kube.client import KubeClient
from tidegate.kube.collection import Collection
from tidegate.kube.pacing import Limits

SUBRESOURCE = "diff"
SAME, DIFFERS, FAILED = 0, 1, 2
PATIENT = Limits(attempts=3, timeout=150.0)
"""A server that asks a remote which hangs gives that up after less."""
Told = Mapping[str, Any]
"""A Preview as JSON, or `error` with `code` and `message`."""


@click.command()
@click.argument("automation", required=False)
@namespace_options
@click.option("-o", "--output", type=click.Choice(["json"]), help="All that is known, as JSON.")
@server_options
def command(automation: str | None, namespace: str, all_namespaces: bool, output: str | None, doors: Doors) -> int:
    """Show what AUTOMATION, or each ImageUpdateAutomation, would push now: where to, the message and the exact diff, by
    what the policies have selected and what the remote has at this moment. Nothing is pushed, and no status written.

    The output is one that `git apply` takes. Exit code: 0 nothing would be pushed, 1 something would, 2 error.
    """
    if automation and all_namespaces:
        raise click.UsageError("give AUTOMATION, or --all-namespaces")
    try:
        shown = run(_shown(doors, "" if all_namespaces else namespace, automation))
    except TidegateError as error:
        print_error(error)
        return FAILED
    if output == "json":
        named = [{"namespace": key.namespace, "name": key.name} | dict(told) for key, told in shown]
        click.echo(json.dumps(named, indent=2, ensure_ascii=False))
    elif not shown:
        where = "any namespace" if all_namespaces else f"namespace {namespace}"
        click.echo(f"there is no ImageUpdateAutomation in {where}", err=True)
    else:
        _print(shown)
    if any("error" in told for _, told in shown):
        return FAILED
    return DIFFERS if any(told.get("diff") for _, told in shown) else SAME


def _print(shown: Sequence[tuple[ObjectKey, Told]]) -> None:
    for key, told in shown:
        if error := mapping(told.get("error")):
            click.echo(said(f"Error: {key}: {error.get('message')}"), err=True)
        elif told.get("diff"):
            whole = "\n".join([*_head(key, told), str(told["diff"])]).encode("utf-8", "replace")
            click.echo(as_shown(whole, terminal=sys.stdout.isatty()), nl=False)
        else:
            click.echo(f"{key}: nothing to push", err=True)
        for note in told.get("notes") or ():
            click.echo(said(f"{key}: {note}"), err=True)


def _head(key: ObjectKey, told: Told) -> list[str]:
    """As `git show` puts it before a diff, so that `git apply` reads over it."""
    facts = [("automation", f"{key.namespace}/{key.name}"), ("pushed", told.get("target")),
             ("parent", told.get("parent")), ("author", told.get("author"))]  # fmt: skip
    message = [f"    {line}" if line else "" for line in str(told.get("message", "")).strip("\n").split("\n")]
    return [*(f"{name:<11}{value}" for name, value in facts), "", *message, ""]


async def _shown(doors: Doors, namespace: str, name: str | None) -> list[tuple[ObjectKey, Told]]:
    async with connect(doors, limits=PATIENT) as client:
        automations = await collection_of(client, resource_named("imageupdateautomation"))
        if name is None:
            found = await client.items(automations, namespace=namespace or None)
        else:
            found = [await client.get(automations.path(namespace, name))]
        with tempfile.TemporaryDirectory(prefix="tidegate-diff-") as folder:
            return [(key_of(obj), await _told(client, automations, obj, Path(folder))) for obj in found]


async def _told(client: KubeClient, automations: Collection, obj: Object, folder: Path) -> Told:
    """What a Tidegate on one machine answers, which has the mirrors and knows what it hosts; in a cluster the same is
    planned here, with the caller's rights and a mirror of its own.
    """
    key = key_of(obj)
    try:
        try:
            return dict(mapping(await client.get(automations.path(key.namespace, key.name, SUBRESOURCE))))
        except NotFound:
            return await _planned_here(client, key, folder)
    except TidegateError as error:
        return {"error": {"code": error.code, "message": error.explain()}}


async def _planned_here(client: KubeClient, key: ObjectKey, folder: Path) -> Told:
    from functools import partial  # noqa: PLC0415 - a command's start is measured

    from tidegate.engine.clock import SystemClock  # noqa: PLC0415
    from tidegate.engine.events import EventRecorder  # noqa: PLC0415
    from tidegate.engine.outcome import Context  # noqa: PLC0415
    from tidegate.git.mirror import Mirrors  # noqa: PLC0415
    from tidegate.git.origins import Origins  # noqa: PLC0415
    from tidegate.kube.store import KubeStore  # noqa: PLC0415
    from tidegate.oci.client import RegistryClient  # noqa: PLC0415
    from tidegate.oci.provenance import revision_of_image  # noqa: PLC0415
    from tidegate.update.controller import ImageUpdateAutomationController  # noqa: PLC0415

    store, clock = KubeStore(client), SystemClock()
    async with RegistryClient() as registry:
        origins = Origins(Mirrors(folder), lambda _: None, _nothing_hosted)
        controller = ImageUpdateAutomationController(origins, partial(revision_of_image, registry))
        context = Context(store, clock, EventRecorder(store, clock, controller.name))
        return await controller.preview_as_json(key.namespace, key.name, context)


async def _nothing_hosted(_path: Path) -> None:
    """No repository is hosted in a command."""
