"""The inside of a Job's Pod: the first container fetches the commit, the second runs the job, with the Pod as its
isolation. Both tell what happens on stdout.
"""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidegate.base.errors import InvalidInput, NotFound, TidegateError, Where
from tidegate.build.spawn import build_image
from tidegate.engine.clock import SystemClock
from tidegate.git.mirror import Mirrors
from tidegate.git.origins import Origins
from tidegate.git.pinned import PinnedCommits
from tidegate.git.remote import Credentials, Remote
from tidegate.git.repository import Repository
from tidegate.git.secrets import credentials_of
from tidegate.runner.actions.action import Services
from tidegate.runner.local_jobs import LocalJobs
from tidegate.runner.pins import Pin
from tidegate.runner.request import FAILURE, JobOutcome, JobRequest
from tidegate.runner.wire import WrittenEvents


async def fetch_in_pod(given: Path, work: Path) -> bool:
    """Bring the commit that the file `given` names into the folder `work`; False where it can't be had, which is told.

    Raises InvalidInput where the file is not as it should be.
    """
    source = _source(given)
    events = WrittenEvents(_write_line, asyncio.Event())
    try:
        await _fetch(source, work)
    except TidegateError as error:
        await events.log("1", f"##[error]{error.explain()}")
        events.result(JobOutcome(FAILURE, message=error.explain()).as_json())
        return False
    return True


async def run_in_pod(given: Path, work: Path) -> None:
    """Run the job that the file `given` describes, in the folder `work`, where its commit was brought before. How it
    ended is the last line on stdout.

    SIGTERM cancels it: its steps for that case still run. Raises InvalidInput where the file is not as it should be.
    """
    request, url, names = _read(given)
    cancel = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, cancel.set)
    events = WrittenEvents(_write_line, cancel)
    repository = Repository(_mirrors(work).path(url))
    services = Services(
        repository=lambda name: repository if name.lower() == _repository_of(request).lower() else None,
        build=build_image,
        cache=work / "cache",
        bases=names["bases"],
        mirrors=names["mirrors"],
        pinned=lambda pin: _pinned(work).open(pin.url),
    )
    jobs = LocalJobs(work / "jobs", services, SystemClock(), limited_by="the Pod")
    # The Pod is the isolation: it holds this job alone, and has no privilege with which to make another wall.
    events.result(await jobs.run(replace(request, isolation="none").as_json(), events))


async def _fetch(source: Mapping[str, Any], work: Path) -> None:
    data = _decoded(source)
    origins = Origins(_mirrors(work), lambda _: None, _nothing_hosted)
    credentials = credentials_of(data) if data else None
    if source.get("proxy"):
        credentials = replace(credentials or Credentials(), proxy=str(source["proxy"]))
    url, ref, commit = (str(source[name]) for name in ("url", "ref", "commit"))
    try:
        repository, _ = await origins.read(url, ref, credentials=credentials)
        here = await repository.resolve(commit) is not None
    except NotFound:
        here = False
        if ref.startswith("refs/heads/"):
            raise
    if not here:
        await origins.read(url, commit, credentials=credentials)
    await _fetch_actions(dict(source.get("actions") or {}), work)


async def _fetch_actions(actions: Mapping[str, Any], work: Path) -> None:
    """Bring the commits that the run takes from other repositories."""
    credentials = credentials_of(_decoded(actions)) if actions.get("credentials") else None
    commits = _pinned(work)
    for pin in map(Pin.from_json, actions.get("pins") or ()):
        await commits.bring(Remote(pin.url, credentials), pin.commit, pin.ref)


def _decoded(source: Mapping[str, Any]) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in dict(source.get("credentials") or {}).items()}


def _pinned(work: Path) -> PinnedCommits:
    return PinnedCommits(work / "actions")


def _mirrors(work: Path) -> Mirrors:
    return Mirrors(work / "mirrors")


async def _nothing_hosted(_repository: Path) -> None:
    """No repository is hosted in a Pod."""


def _source(given: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(given.read_bytes())
        return {name: value[name] for name in ("url", "ref", "commit")} | {
            name: value.get(name) for name in ("credentials", "proxy", "actions")
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _no_job(given, error) from None


def _read(given: Path) -> tuple[JobRequest, str, Mapping[str, Mapping[str, str]]]:
    try:
        value = json.loads(given.read_bytes())
        names = {field: dict(value.get(field) or {}) for field in ("bases", "mirrors")}
        return JobRequest.from_json(value["request"]), str(value["url"]), names
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _no_job(given, error) from None


def _no_job(given: Path, error: Exception) -> InvalidInput:
    why = f"this is no job of a Tidegate runner: {type(error).__name__}"
    return InvalidInput(why, where=Where(file=str(given)))


def _repository_of(request: JobRequest) -> str:
    return str(request.contexts["github"]["repository"])


def _write_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
