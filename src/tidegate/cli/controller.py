"""`tidegate controller`: the controllers on a Kubernetes API, in a Pod or beside the cluster."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import click

from tidegate.base.home import default_home
from tidegate.cli.options import adopt_option, base_option, hook_option, host_and_port, kinds_option, mirror_option

NAMESPACE = "RUNTIME_NAMESPACE"
DEFAULT_NAMESPACE = "flux-system"


@click.command()
@click.option("--kubeconfig", type=click.Path(path_type=Path, dir_okay=False), help="A kubeconfig, outside a Pod.")
@click.option("--context", help="A context of the kubeconfig.")
@kinds_option
@click.option("--watch-label-selector", "selector", default="", metavar="SELECTOR", help="Only objects so labelled.")
@click.option("-n", "--namespace", help=f"Where the Leases lie.  [default: ${NAMESPACE} or {DEFAULT_NAMESPACE}]")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="A folder for mirrors and tags.")
@click.option("--address", default="127.0.0.1:8080", show_default=True, help="HOST:PORT of probes and metrics.")
@hook_option
@click.option("--leader-elect/--no-leader-elect", "elect", default=True, help="Let one of several processes act.")
@adopt_option
@click.option(
    "--kube-api-qps", "qps", default=300.0, show_default=True, type=click.FloatRange(1), help="Requests a second."
)
@click.option(
    "--kube-api-burst", "burst", default=600, show_default=True, type=click.IntRange(1), help="Requests at once."
)
@click.option("--job-image", default="", metavar="REF", help="Tidegate's own image, in which workflows' jobs run.")
@base_option
@mirror_option
def command(
    kubeconfig: Path | None, context: str | None, kinds: tuple[str, ...], selector: str, namespace: str | None,
    data: Path | None, address: str, elect: bool, adopt: datetime | None, job_image: str,
    bases: Mapping[str, str], mirrors: Mapping[str, str], qps: float, burst: int,
    hook_address: tuple[str, int] | None,
) -> None:  # fmt: skip
    """Reconcile Flux's kinds in a cluster: source, deploy, scan, select and update in one process.

    In a Pod its service account is used, elsewhere the kubeconfig. Several of these elect a leader.
    """
    from tidegate.app.cluster import ClusterSettings, control  # noqa: PLC0415 - `--help` must not load the controllers
    from tidegate.kinds.label_selector import parse_labels  # noqa: PLC0415
    from tidegate.kube.config import find_cluster  # noqa: PLC0415
    from tidegate.kube.pacing import Limits  # noqa: PLC0415

    parse_labels(selector)
    host, port = host_and_port(address, "--address")
    settings = ClusterSettings(
        connection=find_cluster(kubeconfig=kubeconfig, context=context),
        kinds=kinds,
        namespace=namespace or os.environ.get(NAMESPACE) or DEFAULT_NAMESPACE,
        data=data or default_home() / "controller",
        host=host,
        port=port,
        selector=selector,
        elect=elect,
        adopt=adopt,
        job_image=job_image,
        bases=bases,
        mirrors=mirrors,
        limits=Limits(qps=qps, burst=burst),
        hook_address=hook_address,
    )
    asyncio.run(control(settings, lambda line: click.echo(line, err=True)))
