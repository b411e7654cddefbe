"""`tidegate demo`: the whole way, twice, with an example repository."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import signal
import tempfile
from pathlib import Path

import click

from tidegate.base.errors import TidegateError
from tidegate.cli.program import program, short
from tidegate.demo.cycle import DemoFailedError
from tidegate.demo.driver import Demo, Options
from tidegate.demo.report import Report, outcome, summary, timeline

INTERRUPTED = 130


@click.command()
@click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), help="Where to lay it out (kept).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, and nothing else there.")
@click.option("--keep", is_flag=True, help="Leave it running until Ctrl-C.")
@click.option("--poll-only", is_flag=True, help="No events: only polling, every 5 s or more often.")
@click.option("--no-path-filter", is_flag=True, help="The control: without `paths:` the way loops, and is stopped.")
def command(folder: Path | None, as_json: bool, keep: bool, poll_only: bool, no_path_filter: bool) -> None:
    """Carry two commits of an example from git push to the answer of the running service."""
    where = folder.absolute() if folder else Path(tempfile.mkdtemp(prefix="tidegate-demo-"))
    where.mkdir(parents=True, exist_ok=True)
    demo = Demo(Options(where, poll_only=poll_only, path_filter=not no_path_filter), _say)
    try:
        ok = asyncio.run(_run(demo, where, as_json=as_json, keep=keep, kept=folder is not None))
    except KeyboardInterrupt:
        _say(f"Interrupted; what is there so far is kept: {short(where)}")
        raise click.exceptions.Exit(INTERRUPTED) from None
    if ok and folder is None:
        shutil.rmtree(where, ignore_errors=True)
        _say(f"Deleted {where}, its home too: --keep leaves it running, and --dir keeps the folder")
    elif ok:
        _say(f"Kept {short(where)}. To start it again: {program()} {shlex.join(demo.again)}")
    else:
        _say(f"Kept for you to look at: {short(where)}; the server's own words: {short(demo.log)}")
        _say(f"To ask it, start it again: {program()} {shlex.join(demo.again)}")
    raise click.exceptions.Exit(0 if ok else 1)


def _say(line: str) -> None:
    click.echo(line, err=True)


def _quoted(path: Path) -> str:
    return shlex.quote(short(path))


async def _run(demo: Demo, where: Path, *, as_json: bool, keep: bool, kept: bool) -> bool:
    try:
        try:
            await demo.run()
        except TidegateError as error:
            _explain(error)
        _print(demo.report, as_json=as_json)
        if keep and demo.report.ok:
            for line in _invitation(demo.report, where, kept=kept):
                _say(line)
            await _until_interrupted()
            _say("Stopping the service and Tidegate …")
    finally:
        await demo.stop()
    return demo.report.ok


def _invitation(report: Report, where: Path, *, kept: bool) -> list[str]:
    """What can be done with what goes on, to be pasted as it stands."""
    home = f"--home {_quoted(where / 'home')}"
    config = shlex.quote(short(where / "kubeconfig"))
    return [
        "",
        f"It goes on: Tidegate at {report.url}, the service at {report.service_url}. In another terminal:",
        f"  {program()} status {home}",
        f"  {program()} logs -f deployment/smartbiz-api -n smartbiz {home}",
        f"  {program()} kubeconfig {home} --output {config} && export KUBECONFIG={config}",
        f"  cd {_quoted(where / 'smartbiz')}    # change apps/smartbiz-api/main.py, git commit, git push",
        f"Ctrl-C to stop: it ends the service and Tidegate, and {'keeps' if kept else 'deletes'} {short(where)}",
    ]


def _explain(error: TidegateError) -> None:
    if isinstance(error, DemoFailedError):
        _say(f"FAILED at the station {error.station}: {error}")
        for line in error.lines:
            _say(f"  | {line}")
    else:
        _say(f"FAILED: {error}")
    if error.remedy:
        _say(f"What to do: {error.remedy}")


def _print(report: Report, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report.as_json(), ensure_ascii=False))
        return
    for cycle in report.cycles:
        for line in summary(cycle):
            click.echo(line)
    if report.cycles:
        click.echo("")
        for line in timeline(report.cycles):
            click.echo(line)
    if report.ok:
        click.echo("")
        for line in outcome(report):
            click.echo(line)


async def _until_interrupted() -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
