"""The page for people at `/`: what `tidegate status` says, and the runs with their logs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from tidegate.base.errors import NotFound
from tidegate.engine.applications import applications
from tidegate.engine.causes import nothing_yet
from tidegate.engine.journey import KINDS
from tidegate.engine.ports import Store
from tidegate.kinds.objects import Object, annotation
from tidegate.kinds.workflow_run import TITLE

if TYPE_CHECKING:
    from jinja2 import Environment

RUNS_SHOWN = 30
TAIL_LINES = 5000
REFRESH = 5
"""Seconds after which the page asks again, by itself and without a script."""
SHORT = 12
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Page:
    """The page's routes. `log` gives a run's log by its name; NotFound where there is none."""

    def __init__(self, store: Store, log: Callable[[str], AsyncIterator[str]]):
        self._store = store
        self._log = log

    def routes(self) -> list[BaseRoute]:
        """`/` and `/runs/NAME`."""
        return [Route("/", self._front, methods=["GET"]), Route("/runs/{name}", self._run, methods=["GET"])]

    async def _front(self, _request: Request) -> Response:
        objects = {kind: (await self._store.list(group, kind)).items for group, kind in KINDS}
        runs = sorted(objects["WorkflowRun"], key=_created, reverse=True)[:RUNS_SHOWN]
        text = (
            _environment()
            .get_template("page.html")
            .render(applications=applications(objects), nothing_yet=nothing_yet(objects), runs=runs, refresh=REFRESH)
        )
        return HTMLResponse(text, headers=HEADERS)

    async def _run(self, request: Request) -> Response:
        try:
            lines = [line async for line in self._log(request.path_params["name"])]
        except NotFound as error:
            return PlainTextResponse(f"{error.explain()}\n", 404, headers=HEADERS)
        return PlainTextResponse("\n".join(lines[-TAIL_LINES:]) + "\n", headers=HEADERS)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, select_autoescape  # noqa: PLC0415 - 4 MiB that only a page needs

    environment = Environment(loader=PackageLoader("tidegate.serve"), autoescape=select_autoescape())
    environment.filters["revision"] = _revision
    environment.filters["title_of"] = _title
    return environment


def _revision(text: str) -> str:
    branch, separator, commit = text.partition("@sha1:")
    return f"{branch}@{commit[:SHORT]}" if separator else text or "-"


def _title(run: Object) -> str:
    return annotation(run, TITLE) or ""


def _created(run: Object) -> tuple[str, str]:
    return str(run["metadata"].get("creationTimestamp", "")), str(run["metadata"].get("resourceVersion", ""))
