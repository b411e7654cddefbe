"""`tidegate run`: run a workflow now, as `gh workflow run` does: by creating its WorkflowRun."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tidegate.base.errors import CommandFailed, InvalidInput, NotFound
from tidegate.cli.doors import Doors, collection_of, connect, resource_named, run, server_options
from tidegate.cli.one_run import until
from tidegate.kinds.objects import Object
from tidegate.kube.client import KubeClient
from tidegate.runner.requested import EVENTS, requested_run
from tidegate.workflow.inputs import PAYLOAD_LIMIT

BEGIN_TIMEOUT = 60.0
"""Seconds in which a run must have been looked at; it may wait for other runs after that."""


@click.command("run")
@click.argument("workflow")
@click.option("-f", "--raw-field", "raw", metavar="NAME=VALUE", multiple=True, help="An input.")
@click.option(
    "-F", "--field", "fields", metavar="NAME=VALUE", multiple=True, help="An input; @FILE is the file's text."
)
@click.option("--json", "as_json", is_flag=True, help="Read inputs as a JSON object from stdin.")
@click.option("-r", "--ref", default="", help="The branch or tag.  [default: the repository's default branch]")
@click.option("-R", "--repo", default="", metavar="OWNER/NAME", help="The repository, where there are several.")
@click.option("--event", type=click.Choice(EVENTS), default=EVENTS[0], show_default=True, help="What it runs for.")
@click.option("--base", default="", help="With --event pull_request: the branch that the request is for.")
@click.option("--watch", is_flag=True, help="Wait until the run is over; exit with 1 unless it succeeds.")
@server_options
def command(
    workflow: str,
    raw: tuple[str, ...],
    fields: tuple[str, ...],
    as_json: bool,
    ref: str,
    repo: str,
    event: str,
    base: str,
    watch: bool,
    doors: Doors,
) -> None:
    """Run WORKFLOW now: a file's name or path, or a workflow's own name. Its `on:` needs workflow_dispatch.

    Prints the run's name once it is under way; `tidegate logs -f NAME` follows it.
    """
    inputs = _inputs(raw, fields, as_json)
    if (event == "pull_request") != bool(base):
        raise click.UsageError("--event pull_request and --base BRANCH go together")
    run(_run(doors, repo, {"workflow": workflow, "event": event, "ref": ref, "base": base, "inputs": inputs}, watch))


async def _run(doors: Doors, repo: str, wanted: dict[str, Any], watch: bool) -> None:
    async with connect(doors) as client:
        runner = _chosen(await _runners(client), repo)
        runs = await collection_of(client, resource_named("workflowrun"))
        asked = await client.create(runs.path(runner["metadata"]["namespace"]), requested_run(runner, **wanted))
        name = asked["metadata"]["name"]
        begun = await until(client, asked, "in_progress", timeout=BEGIN_TIMEOUT)
        status = begun["status"]
        if status["status"] == "completed" and not status.get("jobs"):
            raise CommandFailed(f"{name} can't run: {status.get('message', status.get('conclusion'))}", exit_code=1)
        click.echo(f"{wanted['event']} of {begun['spec']['workflow']} at {begun['spec']['ref']}", err=True)
        click.echo(name)
        if not watch:
            click.echo(f"see what it writes: tidegate logs -f {name}", err=True)
            return
        over = begun if status["status"] == "completed" else await until(client, begun, "completed")
        conclusion, message = over["status"].get("conclusion"), over["status"].get("message")
        if conclusion != "success":
            why = f": {message}" if message else ""
            raise CommandFailed(f"{name}: {conclusion}{why}", exit_code=1, remedy=f"see: tidegate logs {name}")
        click.echo(f"{name}: success", err=True)


async def _runners(client: KubeClient) -> list[Object]:
    return await client.items(await collection_of(client, resource_named("runner")))


def _chosen(runners: Sequence[Object], repo: str) -> Object:
    """The Runner of the repository that is meant; without a word the only one there is."""
    names = sorted({str(one["spec"].get("repository")) for one in runners})
    if not repo and len(runners) > 1:
        raise InvalidInput(f"there are {len(runners)} Runners", remedy=f"say which: --repo {' or '.join(names)}")
    for runner in runners:
        if not repo or str(runner["spec"].get("repository", "")).lower() == repo.lower():
            return runner
    remedy = f"there are: {', '.join(names)}" if names else "push a repository, or create one: kind Runner"
    raise NotFound(f"no Runner is for {repo}" if repo else "there is no Runner", remedy=remedy)


def _inputs(raw: Sequence[str], fields: Sequence[str], as_json: bool) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    if as_json:
        try:
            inputs = json.load(sys.stdin)
        except ValueError as error:
            raise InvalidInput(f"stdin is no JSON: {error}") from None
        if not isinstance(inputs, dict) or any(isinstance(value, dict | list) for value in inputs.values()):
            raise InvalidInput("stdin must be a JSON object of names and plain values")
    for given, is_field in (*((one, False) for one in raw), *((one, True) for one in fields)):
        name, equals, value = given.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{given!r} is not NAME=VALUE")
        inputs[name] = _read(value[1:]) if is_field and value.startswith("@") else value
    return inputs


def _read(name: str) -> str:
    """A file's text, or stdin's where the name is `-`."""
    if name == "-":
        return sys.stdin.read(PAYLOAD_LIMIT + 1)
    try:
        with Path(name).open(encoding="utf-8", errors="replace") as file:
            return file.read(PAYLOAD_LIMIT + 1)
    except OSError as error:
        raise NotFound(f"{name} can't be read: {error.strerror}") from None
