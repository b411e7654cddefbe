"""All doors on one ASGI application: the Git door, the registry, Kubernetes' conventions, probes and the page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from tidegate.engine.metrics import CONTENT_TYPE, Metrics
from tidegate.serve.guard import Guard


def application(doors: Sequence[Sequence[BaseRoute]], is_ready: Callable[[], bool], metrics: Metrics) -> Starlette:
    """The application with the routes of every door, behind the guard."""
    routes = [route for door in doors for route in door]
    return Starlette(routes=[*probes(is_ready, metrics), *routes], middleware=[Middleware(Guard)])


def probes(is_ready: Callable[[], bool], metrics: Metrics) -> list[BaseRoute]:
    """/healthz and /readyz for the kubelet, /metrics for Prometheus."""

    async def alive(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_request: Request) -> Response:
        return PlainTextResponse("ok\n") if is_ready() else PlainTextResponse("starting\n", 503)

    async def scraped(_request: Request) -> Response:
        return Response(await asyncio.to_thread(metrics.text), media_type=CONTENT_TYPE)

    return [
        Route("/healthz", alive, methods=["GET"]),
        Route("/readyz", ready, methods=["GET"]),
        Route("/metrics", scraped, methods=["GET"]),
    ]
