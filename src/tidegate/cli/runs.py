"""`tidegate runs`: the workflow runs, the newest first; and what can be asked of one."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from tidegate.cli.doors import DEFAULT_NAMESPACE, Doors, collection_of, connect, resource_named, run, server_options
from tidegate.cli.tables import cut, print_table
from tidegate.kinds.objects import Object, annotation

DEFAULT_LIMIT = 20
TITLE = "tidegate.dev/title"
TITLE_WIDTH = 40
HEADER = ["STATUS", "NAME", "WORKFLOW", "REF", "COMMIT", "RUN", "STARTED", "DURATION", "TITLE"]
WIDE = ["COMPLETED", "EVENT", "REPOSITORY"]


@click.group(invoke_without_command=True)
@click.option("--workflow", "-w", metavar="FILE", help="Only the runs of this workflow file.")
@click.option("--limit", "-L", type=click.IntRange(min=1), default=DEFAULT_LIMIT, show_default=True, help="How many.")
@click.option("-o", "--output", type=click.Choice(["wide"]), help="Whole titles and more columns.")
@server_options
@click.pass_context
def command(context: click.Context, workflow: str | None, limit: int, output: str | None, doors: Doors) -> None:
    """Show workflow runs: state, title, workflow, branch, commit, and how long they took.

    `tidegate logs NAME`, or the RUN's number, shows what one wrote.
    """
    if context.invoked_subcommand is not None:
        return
    found = run(_runs(doors))
    if workflow:
        found = [
            one
            for one in found
            if str(one["spec"].get("workflow", "")).rpartition("/")[2] == workflow.rpartition("/")[2]
        ]
    if not found:
        click.echo("No runs found.", err=True)
        return
    wide = output == "wide"
    now = datetime.now(UTC)
    print_table([*HEADER, *(WIDE if wide else [])], [cells(one, now, wide=wide) for one in found[:limit]])


@command.command("view")
@click.argument("name", metavar="RUN | #NUMBER")
@click.option("-n", "--namespace", default=DEFAULT_NAMESPACE, show_default=True, help="The namespace.")
@click.option("--exit-status", is_flag=True, help="Exit with 1 where it ended without success.")
@server_options
def _view(name: str, namespace: str, exit_status: bool, doors: Doors) -> None:
    """Show a run, its jobs and their steps."""
    from tidegate.cli import run_view  # noqa: PLC0415 - the list does not need it

    found = run(_find(doors, name, namespace))
    for line in run_view.view_lines(found, datetime.now(UTC)):
        click.echo(line)
    for line in run_view.next_steps(found):
        click.echo(line, err=True)
    if exit_status and (found.get("status") or {}).get("conclusion") not in (None, "success"):
        raise click.exceptions.Exit(1)


@command.command("rerun")
@click.argument("name", metavar="RUN | #NUMBER")
@click.option("-n", "--namespace", default=DEFAULT_NAMESPACE, show_default=True, help="The namespace.")
@click.option("--failed", is_flag=True, help="Only the jobs that failed, and those that need them.")
@server_options
def _rerun(name: str, namespace: str, failed: bool, doors: Doors) -> None:
    """Run all jobs of a run that is over again, as its next attempt."""
    run(_ask(doors, name, namespace, again=True, failed=failed))


@command.command("cancel")
@click.argument("name", metavar="RUN | #NUMBER")
@click.option("-n", "--namespace", default=DEFAULT_NAMESPACE, show_default=True, help="The namespace.")
@server_options
def _cancel(name: str, namespace: str, doors: Doors) -> None:
    """End a run; its steps for that case (`if: cancelled()`, `if: always()`) still run."""
    run(_ask(doors, name, namespace, again=False))


async def _ask(doors: Doors, name: str, namespace: str, *, again: bool, failed: bool = False) -> None:
    from tidegate.cli import one_run  # noqa: PLC0415 - the list does not need it

    async with connect(doors) as client:
        found = await one_run.find_run(client, name, namespace)
        await (one_run.rerun(client, found, failed=failed) if again else one_run.cancel(client, found))
        click.echo(f"{found['metadata']['name']} {'runs again' if again else 'is being cancelled'}")


async def _find(doors: Doors, name: str, namespace: str) -> Object:
    from tidegate.cli import one_run  # noqa: PLC0415 - the list does not need it

    async with connect(doors) as client:
        return await one_run.find_run(client, name, namespace)


async def _runs(doors: Doors) -> list[Object]:
    async with connect(doors) as client:
        runs = await client.items(await collection_of(client, resource_named("workflowrun")))
    return sorted(runs, key=lambda one: str(one["metadata"].get("creationTimestamp", "")), reverse=True)


def cells(one: Object, now: datetime, *, wide: bool) -> list[str]:
    """A run's row; one that goes on has lasted until `now`."""
    spec, status = one.get("spec") or {}, one.get("status") or {}
    title = annotation(one, TITLE) or ""
    found = [
        status.get("conclusion") or status.get("status") or "queued",
        one["metadata"]["name"],
        str(spec.get("workflow", "")).rpartition("/")[2],
        str(spec.get("ref", "")).removeprefix("refs/heads/"),
        str(spec.get("commit", ""))[:12],
        f"#{spec.get('runNumber', '?')}",
        status.get("startedAt"),
        duration(status.get("startedAt"), status.get("completedAt"), now),
        title if wide else cut(title, TITLE_WIDTH),
        *([status.get("completedAt"), spec.get("event"), spec.get("repository")] if wide else []),
    ]
    return [str(cell or "-") for cell in found]


def duration(started: object, completed: object, now: datetime) -> str:
    """How long a run has taken, as `1m5s`; empty where it has not begun."""
    try:
        begin = datetime.fromisoformat(str(started))
        end = datetime.fromisoformat(str(completed)) if completed else now
    except ValueError:
        return ""
    seconds = max(0, round((end - begin).total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m" if hours else f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
