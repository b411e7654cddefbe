"""`tidegate why`: which tag an ImagePolicy selects, and why not the others."""

from __future__ import annotations

import json
from typing import Any

import click

from tidegate.base.errors import NotFound
from tidegate.cli.doors import DEFAULT_NAMESPACE, Doors, collection_of, connect, resource_named, run, server_options
from tidegate.cli.why_text import lines_of
from tidegate.engine.clock import SystemClock
from tidegate.engine.events import EventRecorder
from tidegate.engine.outcome import Context
from tidegate.kinds.common import mapping
from tidegate.kinds.objects import Object, ObjectKey
from tidegate.kube.client import KubeClient
from tidegate.kube.store import KubeStore

SUBRESOURCE = "why"


@click.command()
@click.argument("policy")
@click.argument("tags", nargs=-1, metavar="[TAG…]")
@click.option("-n", "--namespace", default=DEFAULT_NAMESPACE, show_default=True, help="The namespace.")
@click.option("-o", "--output", type=click.Choice(["json"]), help="The whole explanation as JSON.")
@server_options
def command(policy: str, tags: tuple[str, ...], namespace: str, output: str | None, doors: Doors) -> None:
    """Say which tag an ImagePolicy selects, and why not the others: the rule, how many tags it leaves out and why,
    those that came close, and what would change the answer. With TAGs, also why each of these was not selected.

    Nothing is written. Exit code 1 where nothing is selected.
    """
    told = run(_told(doors, namespace, policy, tags))
    if output == "json":
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for line in lines_of(f"{namespace}/{policy}", told):
            click.echo(line)
    if told.get("selected") is None:
        raise click.exceptions.Exit(1)


async def _told(doors: Doors, namespace: str, name: str, tags: tuple[str, ...]) -> dict[str, Any]:
    """What a Tidegate on one machine answers; what a cluster's objects and their registry say, where it is none."""
    async with connect(doors) as client:
        collection = await collection_of(client, resource_named("imagepolicy"))
        policy = await client.get(collection.path(namespace, name))
        try:
            asked = {"tags": ",".join(tags)} if tags else {}
            told = await client.get(collection.path(namespace, name, SUBRESOURCE), **asked)
        except NotFound:
            return await _from_the_registry(client, policy, tags)
        return dict(mapping(told))


async def _from_the_registry(client: KubeClient, policy: Object, tags: tuple[str, ...]) -> dict[str, Any]:
    from tidegate.cli.tags_now import TagsNow  # noqa: PLC0415 - a command's start is measured
    from tidegate.oci.client import RegistryClient  # noqa: PLC0415
    from tidegate.select.controller import GROUP, ImagePolicyController  # noqa: PLC0415
    from tidegate.select.explainer import Explainer  # noqa: PLC0415

    store, clock, metadata = KubeStore(client), SystemClock(), policy["metadata"]
    async with RegistryClient() as registry:
        now = TagsNow(store, registry, lambda line: click.echo(line, err=True))
        reference = mapping(mapping(policy.get("spec")).get("imageRepositoryRef"))
        namespace = str(reference.get("namespace") or metadata["namespace"])
        try:
            found = await store.get(ObjectKey(GROUP, "ImageRepository", namespace, str(reference.get("name", ""))))
        except NotFound:
            pass  # the controller says so, in its own words
        else:
            await now.load(found)
        controller = ImagePolicyController(now, registry)
        context = Context(store, clock, EventRecorder(store, clock, controller.name))
        return await Explainer(controller, context, now).explain_as_json(metadata["namespace"], metadata["name"], tags)
