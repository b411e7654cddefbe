"""`tidegate kubeconfig`: a file with which kubectl and flux talk to the Tidegate of a home."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tidegate.base.errors import MissingTool
from tidegate.cli.doors import home_option, open_home


@click.command()
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it there (0600).")
@click.option("-n", "--namespace", help="The context's namespace.")
@home_option
def command(output: Path | None, namespace: str | None, home: Path | None) -> None:
    """Print a kubeconfig with the CA and the token inside; ~/.kube/config is never edited."""
    from tidegate.serve.kubeconfig import kubeconfig  # noqa: PLC0415 - `--help` must not load the server

    found = open_home(home)
    server = found.server()
    if server.https is None:
        raise MissingTool(
            "this Tidegate has no https port, and kubectl sends no token without one",
            remedy="install openssl (apt-get install openssl), then start tidegate up again",
        )
    text = kubeconfig(server.https, found.token(), ca=(found.pki / "ca.crt").read_bytes(), namespace=namespace)
    if output is None:
        click.echo(text, nl=False)
        return
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    output.chmod(0o600)
    click.echo(f"export KUBECONFIG={output}", err=True)
