"""`tidegate install` and `tidegate uninstall`: Tidegate in a cluster, and out of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import click

from tidegate.base.errors import InvalidInput
from tidegate.cli.doors import DEFAULT_NAMESPACE, run
from tidegate.cli.options import adopt_option, base_option, kinds_option, mirror_option
from tidegate.engine.clock import SystemClock, rfc3339
from tidegate.install.manifests import IMAGE, Installation
from tidegate.kinds.reference import parse
from tidegate.kube.client import KubeClient
from tidegate.kube.config import find_cluster
from tidegate.kube.pacing import QUICK

_kubeconfig = click.option("--kubeconfig", type=click.Path(path_type=Path, dir_okay=False), help="A kubeconfig.")
_context = click.option("--context", help="A context of the kubeconfig.")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)


def _checked_namespace(_context: click.Context, _parameter: click.Parameter, given: str) -> str:
    if not _NAMESPACE.fullmatch(given):
        raise click.BadParameter(f"{given!r} is no namespace: 1 to 63 of a-z, 0-9 and -, with no - at an end")
    return given


def _checked_image(_context: click.Context, _parameter: click.Parameter, given: str | None) -> str | None:
    try:
        if given is not None:
            parse(given)
    except InvalidInput as error:
        raise click.BadParameter(str(error)) from None
    return given


_namespace = click.option(
    "-n",
    "--namespace",
    default=DEFAULT_NAMESPACE,
    show_default=True,
    callback=_checked_namespace,
    help="The namespace.",
)


@click.command("install")
@_kubeconfig
@_context
@_namespace
@click.option("--export", "only_print", is_flag=True, help="Print the manifests; touch nothing.")
@kinds_option
@click.option("--split", is_flag=True, help="One Deployment for each controller, under Flux's names.")
@click.option(
    "--image", metavar="REF", callback=_checked_image, help=f"Tidegate's own image.  [default: {IMAGE}:VERSION]"
)
@adopt_option
@base_option
@mirror_option
def install(
    kubeconfig: Path | None, context: str | None, namespace: str, only_print: bool, kinds: tuple[str, ...],
    split: bool, image: str | None, adopt: datetime | None, bases: Mapping[str, str], mirrors: Mapping[str, str],
) -> None:  # fmt: skip
    """Put Tidegate into a cluster: definitions, rights and a Deployment.

    Definitions that are there already, such as Flux's, are used as they are. Where Flux's controllers of the same kinds
    have worked before and are gone, --adopt takes over what they have written until now.
    """
    chosen = Installation(
        image=image or f"{IMAGE}:{version('tidegate')}",
        namespace=namespace,
        kinds=kinds,
        split=split,
        adopt=rfc3339(adopt) if adopt else "",
        bases=bases,
        mirrors=mirrors,
    )
    if only_print:
        _print(chosen)
    else:
        run(_install(kubeconfig, context, chosen))


@click.command("uninstall")
@_kubeconfig
@_context
@_namespace
@click.option("--keep-crds", is_flag=True, help="Leave the definitions and their objects where they are.")
@click.option("-y", "--yes", is_flag=True, help="Don't ask.")
def uninstall(kubeconfig: Path | None, context: str | None, namespace: str, keep_crds: bool, yes: bool) -> None:
    """Take Tidegate out of a cluster. What it has deployed goes on running."""
    if not yes:
        objects = "" if keep_crds else ", the definitions that it brought and their objects (Git still has them)"
        click.confirm(f"Delete Tidegate's controllers and rights in {namespace}{objects}?", abort=True, err=True)
    run(_uninstall(kubeconfig, context, namespace, keep_crds))


def _print(chosen: Installation) -> None:
    from tidegate.cli.documents import yaml_documents  # noqa: PLC0415 - only this needs them
    from tidegate.install.crds import definitions  # noqa: PLC0415
    from tidegate.install.manifests import manifests  # noqa: PLC0415

    click.echo(yaml_documents([*definitions(chosen.kinds), *manifests(chosen)]), nl=False)


async def _install(kubeconfig: Path | None, context: str | None, chosen: Installation) -> None:
    from tidegate.install.applying import Installer  # noqa: PLC0415

    async with KubeClient(find_cluster(kubeconfig=kubeconfig, context=context), limits=QUICK) as client:
        await Installer(client, SystemClock(), click.echo).install(chosen)


async def _uninstall(kubeconfig: Path | None, context: str | None, namespace: str, keep_crds: bool) -> None:
    from tidegate.install.applying import Installer  # noqa: PLC0415

    async with KubeClient(find_cluster(kubeconfig=kubeconfig, context=context), limits=QUICK) as client:
        await Installer(client, SystemClock(), click.echo).uninstall(namespace, keep_definitions=keep_crds)
