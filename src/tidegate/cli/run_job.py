"""`tidegate run-job`: what the two containers of a workflow's Job call in their Pod; nobody types it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click


@click.command("run-job")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--work", type=click.Path(path_type=Path, file_okay=False), required=True, help="A folder to work in.")
@click.option("--fetch", is_flag=True, help="Only bring the commit that FILE names.")
def command(file: Path, work: Path, fetch: bool) -> None:
    """Run one job of a workflow, as its runner describes it in FILE. Events go to stdout as lines of JSON."""
    from tidegate.runner.pod_job import fetch_in_pod, run_in_pod  # noqa: PLC0415 - `--help` must not load the runner

    if not fetch:
        asyncio.run(run_in_pod(file, work))
    elif not asyncio.run(fetch_in_pod(file, work)):
        raise click.exceptions.Exit(1)
