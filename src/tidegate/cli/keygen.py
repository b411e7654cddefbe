"""`tidegate keygen`: a deploy key for a repository, and the Secret that a GitRepository names."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import click
import yaml

from tidegate.base.errors import AlreadyExists, Denied
from tidegate.base.private import write_private
from tidegate.cli.asking import confirmed
from tidegate.git.deploy_key import KeyPair, SshPlace, fingerprints, make_key_pair, scan_host

DEFAULT = "flux-system"


@click.command()
@click.option("--repo", required=True, metavar="URL", help="ssh://git@HOST/OWNER/NAME, or git@HOST:OWNER/NAME.")
@click.option("-n", "--namespace", default=DEFAULT, show_default=True, help="The Secret's namespace.")
@click.option("--name", default=DEFAULT, show_default=True, help="The Secret's name.")
@click.option(
    "--write-secret",
    "output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the Secret there (0600), in place of printing it.",
)
@click.option(
    "--known-hosts",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The host's keys, where they are known already; else the host is asked.",
)
@click.option("--yes", is_flag=True, help="Believe the host's keys without asking.")
def command(repo: str, namespace: str, name: str, output: Path | None, known_hosts: Path | None, yes: bool) -> None:
    """Make a deploy key (ed25519), the Secret with it and the host's keys, and say where to paste the other half.

    The Secret goes to stdout or a file, everything else to stderr: tidegate keygen --repo … | kubectl apply -f -
    """
    place = SshPlace.parse(repo)
    if output is not None and output.exists():
        raise AlreadyExists(f"{output} is there already", remedy="move it away: a key in it may be in use")
    hosts = known_hosts.read_bytes() if known_hosts else asyncio.run(scan_host(place))
    _say(f"The keys of {place.host}:", *(f"  {line}" for line in asyncio.run(fingerprints(hosts))))
    if known_hosts is None and not yes:
        _confirm(place.host)
    pair = asyncio.run(make_key_pair(f"{name}.{namespace}"))
    secret = secret_manifest(pair, hosts, namespace, name)
    if output is None:
        click.echo(secret, nl=False)
    else:
        write_private(output, secret.encode())
    address, advice = place.page()
    _say(
        "",
        f"Paste this public key at {address} ({advice}):",
        pair.public,
        "",
        f"Then apply the Secret, and write into the GitRepository: url: {place.url}, secretRef: {{name: {name}}}",
    )


def secret_manifest(pair: KeyPair, known_hosts: bytes, namespace: str, name: str) -> str:
    """The Secret as `flux create secret git` makes it: `identity`, `identity.pub` and `known_hosts`."""
    values = {"identity": pair.private, "identity.pub": f"{pair.public}\n".encode(), "known_hosts": known_hosts}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
        "data": {key: base64.b64encode(value).decode("ascii") for key, value in values.items()},
    }
    return yaml.safe_dump(secret, sort_keys=False, width=10_000)


def _confirm(host: str) -> None:
    """Asked at the terminal, since stdin may be a pipe; where nobody is there, nothing is believed."""
    if not confirmed(f"Are these the keys that {host} publishes? [y/N] "):
        raise Denied(
            f"the keys of {host} were not confirmed, so nothing was made",
            remedy="compare them with what the host publishes; then answer y, or give --known-hosts FILE or --yes",
        )


def _say(*lines: str) -> None:
    for line in lines:
        click.echo(line, err=True)
