"""`tidegate base`: makes a base image from Debian's packages, for as many platforms as are asked for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import click

from tidegate.cli.doors import home_option, open_home
from tidegate.cli.login import docker_config
from tidegate.oci.credentials import Credentials

PLATFORMS = ("linux/arm/v7", "linux/arm64", "linux/amd64")


@click.command()
@click.argument("name", metavar="debian:SUITE[,PACKAGE…]")
@click.option(
    "--package", "packages", multiple=True, help="A package to have besides the essentials.  [default: python3]"
)
@click.option("--platform", "platforms", multiple=True, help=f"A platform.  [default: {', '.join(PLATFORMS)}]")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A new folder for an OCI image layout.")
@click.option("--push", "reference", help="A reference to push the index to.")
@click.option("--refresh", is_flag=True, help="Take today's packages instead of those chosen before.")
@home_option
def command(
    name: str,
    packages: tuple[str, ...],
    platforms: tuple[str, ...],
    output: Path | None,
    reference: str | None,
    refresh: bool,
    home: Path | None,
) -> None:
    """Make a base image of Debian's packages, unpacked without root or emulation, in the cache of this home.

    Packages can stand in the name too, as where a base stands in for a FROM (--base); one with a minus at its end is
    left out, whatever depends on it (debian:bookworm,git,perl-).

    What it prints is the index's digest, then each platform with its manifest's digest.
    """
    asyncio.run(_make(name, packages, platforms or PLATFORMS, output, reference, refresh, open_home(home).make().cache))


async def _make(
    name: str,
    packages: tuple[str, ...],
    platforms: tuple[str, ...],
    output: Path | None,
    reference: str | None,
    refresh: bool,
    cache: Path,
) -> None:
    # Late, so that `tidegate --help` stays quick.
    from tidegate.build.assemble import built_from_store  # noqa: PLC0415
    from tidegate.build.debian.base import make_bases, spec_of  # noqa: PLC0415
    from tidegate.build.debian.sources import choose_mirrors, machine_sources  # noqa: PLC0415
    from tidegate.build.publish import publish, write_layout  # noqa: PLC0415
    from tidegate.build.store import BuildStore  # noqa: PLC0415
    from tidegate.kinds.platform import Platform  # noqa: PLC0415
    from tidegate.kinds.reference import parse  # noqa: PLC0415
    from tidegate.oci.client import RegistryClient  # noqa: PLC0415

    named = spec_of(name)
    wanted = tuple(dict.fromkeys(Platform.parse(text) for text in platforms))
    tags = [parse(reference)] if reference else []
    spec = replace(named, packages=packages or named.packages, mirrors=choose_mirrors(machine_sources(), named.suite))
    store = BuildStore(cache)
    bases = await make_bases(spec, wanted, store, lambda line: click.echo(line, err=True), refresh=refresh)
    built = [built_from_store(store, base.platform, base.manifest) for base in bases]
    async with RegistryClient(credentials=_credentials() if tags else None) as client:
        result = await publish(built, tags, {}, store, client)
    if output is not None:
        write_layout(built, result.index_digest, spec.suite, store, output)
    click.echo(result.index_digest)
    for platform, digest in result.manifests.items():
        click.echo(f"{platform} {digest}")


def _credentials() -> Credentials:
    """What `docker login` or `tidegate login` has left, where there is something."""
    path = docker_config()
    return Credentials.from_docker_config(path.read_bytes()) if path.is_file() else Credentials()
