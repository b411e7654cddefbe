"""`tidegate build`: builds an image of a folder and its Dockerfile, with no server. Flags are docker buildx's."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.build.request import BUILDERS, BuildRequest, BuildResult, RegistrySettings
from tidegate.cli import build_inputs as inputs
from tidegate.cli.doors import home_option, open_home
from tidegate.cli.options import base_option
from tidegate.kinds.reference import parse

_WIDTH = 100  # of a line that is explained


@click.command()
@click.argument("context", metavar="PATH")
@click.option("-t", "--tag", "tags", multiple=True, metavar="REF", help="The image's name. Repeatable.")
@click.option("--platform", "platforms", multiple=True, help="Platforms, with commas.  [default: this machine's]")
@click.option("-f", "--file", "dockerfile", metavar="FILE", help="The Dockerfile.  [default: PATH/Dockerfile]")
@click.option("--build-arg", "build_args", multiple=True, metavar="NAME[=VALUE]", help="A build argument. Repeatable.")
@click.option("--secret", "secrets", multiple=True, metavar="id=ID[,src=FILE]", help="A build secret. Repeatable.")
@click.option("--target", help="The stage to build.  [default: the last one]")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="A label of the image. Repeatable.")
@click.option(
    "--annotation",
    "annotations",
    multiple=True,
    metavar="[TYPE:]NAME=VALUE",
    help="An annotation; TYPE is manifest, index or both with a comma.  [default TYPE: both]",
)
@click.option("--push", is_flag=True, help="Push the image under its names, with docker's or podman's logins.")
@click.option("-o", "--output", "outputs", multiple=True, metavar="oci:DIR|oci-archive:FILE", help="Write it there.")
@click.option("--builder", type=click.Choice(BUILDERS), default="auto", show_default=True, help="Who builds.")
@click.option("--explain", is_flag=True, help="Say for each line which builder takes it and why, and build nothing.")
@click.option(
    "--provenance",
    is_flag=False,
    flag_value="true",
    default="false",
    metavar="[true|mode=max|false]",
    help="Say where it came from (SLSA).  [default: false]",
)
@click.option(
    "--sbom",
    is_flag=False,
    flag_value="true",
    default="false",
    metavar="[true|false]",
    help="List its packages (SPDX).  [default: false]",
)
@click.option("--network", type=click.Choice(["host", "none"]), default="host", help="What a RUN that runs reaches.")
@click.option("--cache-from", "cache_from", multiple=True, metavar="REF|type=…", help="Take layers there. Repeatable.")
@click.option("--cache-to", "cache_to", multiple=True, metavar="REF|type=…", help="Keep layers there. Repeatable.")
@click.option("--no-cache", is_flag=True, help="Use nothing of what was built before.")
@click.option("--metadata-file", type=click.Path(path_type=Path), help="Write what was built there, as JSON.")
@click.option("--iidfile", type=click.Path(path_type=Path), help="Write the image's digest there.")
@click.option("-q", "--quiet", is_flag=True, help="Print the digest alone.")
@base_option
@home_option
def command(
    context: str, tags: tuple[str, ...], outputs: tuple[str, ...], metadata_file: Path | None, iidfile: Path | None,
    push: bool, quiet: bool, explain: bool, home: Path | None, **given: Any,
) -> None:  # fmt: skip
    """Build an image of the folder PATH and its Dockerfile, for one platform or several, under one index.

    What of the Dockerfile is understood is built natively, with no emulation; the other lines run in a sandbox. What it
    prints is the index's digest, then each platform with its manifest's digest.
    """
    started = time.monotonic()
    if push and not tags:
        raise InvalidInput("--push needs a name to push to", remedy="give one: -t REGISTRY/NAME:TAG")
    folder = _folder(context)
    wanted = _request(folder, tags if push else (), inputs.output(outputs), open_home(home).make().cache, given)
    if explain:
        _explain(wanted)
        return
    secrets = inputs.secrets(given["secrets"], os.environ, Path())
    result = asyncio.run(_build(wanted, folder, secrets, quiet=quiet, push=push))
    if iidfile is not None:
        iidfile.write_text(result.index_digest)
    if metadata_file is not None:
        metadata_file.write_text(json.dumps(_metadata(tags, result), indent=2) + "\n")
    click.echo(result.index_digest)
    if not quiet:
        for platform, digest in result.manifests.items():
            click.echo(f"{platform} {digest}")
        click.echo(f"built in {time.monotonic() - started:.1f} s", err=True)


def _folder(context: str) -> Path:
    if context == "-" or "://" in context or context.startswith("git@"):
        raise InvalidInput(f"the context {context!r} is no folder", remedy="fetch it first, and name its folder")
    folder = Path(context)
    if not folder.is_dir():
        raise NotFound(f"{context} is no folder")
    return folder.absolute()


def _request(
    folder: Path, tags: tuple[str, ...], output: str | None, cache: Path, given: Mapping[str, Any]
) -> BuildRequest:
    manifest, index = inputs.annotated(given["annotations"])
    dockerfile = Path(given["dockerfile"]).absolute() if given["dockerfile"] else folder / "Dockerfile"
    beside = not dockerfile.resolve().is_relative_to(folder.resolve())
    return BuildRequest(
        context=folder,
        platforms=inputs.platforms(given["platforms"]),
        tags=tuple(parse(tag) for tag in tags),
        cache=cache,
        created=0,
        dockerfile=str(dockerfile),
        root=Path(os.path.commonpath([folder.resolve(), dockerfile.resolve()])) if beside else folder,
        shown=given["dockerfile"] or "Dockerfile",
        labels=inputs.pairs(given["labels"], "label"),
        annotations=manifest,
        index_annotations=index,
        build_args=inputs.pairs(given["build_args"], "build-arg", os.environ),
        target=given["target"],
        bases=given["bases"],
        builder=given["builder"],
        no_cache=given["no_cache"],
        network=given["network"],
        provenance=inputs.provenance(given["provenance"]),
        cache_from=inputs.caches(given["cache_from"], "cache-from"),
        cache_to=inputs.caches(given["cache_to"], "cache-to"),
        sbom=inputs.switch(given["sbom"], "sbom"),
        output=None if output is None else _absolute(output),
    )


def _explain(wanted: BuildRequest) -> None:
    """Print a line for each line of the Dockerfile: where it is, who takes it, what it is, and why."""
    # Late, so that `tidegate --help` stays quick.
    from tidegate.build.dockerfile import SIZE_LIMIT, parse_dockerfile  # noqa: PLC0415
    from tidegate.build.explaining import explain  # noqa: PLC0415
    from tidegate.build.plan import preview  # noqa: PLC0415
    from tidegate.build.stages import stage_graph  # noqa: PLC0415
    from tidegate.kinds.platform import Platform  # noqa: PLC0415

    path = Path(wanted.dockerfile)
    if not path.is_file():
        raise NotFound(f"there is no {wanted.shown}", remedy="name the Dockerfile with --file")
    with path.open("rb") as file:
        dockerfile = parse_dockerfile(file.read(SIZE_LIMIT + 1), wanted.shown or "Dockerfile")
    machine = Platform.of_machine()
    graph = stage_graph(dockerfile, wanted.target, wanted.platforms, wanted.build_args, machine)
    plans = preview(dockerfile, graph, wanted.build_args, machine)
    for row in explain(dockerfile, graph, plans, machine, wanted.builder):
        text = row.text if len(row.text) <= _WIDTH else f"{row.text[: _WIDTH - 1]}…"
        why = f"  ({row.why})" if row.why else ""
        click.echo(f"{dockerfile.file}:{row.line}: {row.builder:<7} {text}{why}")


def _absolute(output: str) -> str:
    kind, _, place = output.partition(":")
    return f"{kind}:{Path(place).absolute()}"


async def _build(
    wanted: BuildRequest, folder: Path, secrets: Mapping[str, bytes], *, quiet: bool, push: bool
) -> BuildResult:
    # Late, so that `tidegate --help` stays quick.
    from dataclasses import replace  # noqa: PLC0415

    from tidegate.build.spawn import build_image  # noqa: PLC0415
    from tidegate.cli.build_source import source_of  # noqa: PLC0415
    from tidegate.cli.registry_logins import own_logins  # noqa: PLC0415

    source = await source_of(folder, os.environ)
    version = next((tag.tag for tag in wanted.tags if tag.tag), None)
    labels = source.labels | ({"org.opencontainers.image.version": version} if version else {})
    wanted = replace(wanted, created=source.created, labels=labels | dict(wanted.labels))
    registry = RegistrySettings(logins=own_logins().logins)

    def log(line: str) -> None:
        if not quiet:
            click.echo(line, err=True)

    return await build_image(wanted, registry, log, secrets=secrets)


def _metadata(tags: tuple[str, ...], result: BuildResult) -> dict[str, object]:
    """What docker buildx writes to `--metadata-file`, as far as it is so here."""
    value: dict[str, object] = {"containerimage.digest": result.index_digest}
    if tags:
        value["image.name"] = ",".join(str(parse(tag)) for tag in tags)
    return value | {"tidegate.manifests": dict(result.manifests)}
