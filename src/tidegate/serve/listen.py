"""Opens the doors: loopback sockets bound before anything says where they are, and a server on each."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from tidegate.base.errors import Unavailable
from tidegate.base.frozen import frozen

LOOPBACK = "127.0.0.1"
BACKLOG = 256
GRACE = 2
KEEP_ALIVE = 75


@frozen
class Tls:
    """The server's certificate and its key."""

    certificate: Path
    key: Path


def bind(port: int, host: str = LOOPBACK) -> socket.socket:
    """A listening socket; port 0 takes a free one. Unavailable where the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        remedy = "name another one with --port, or 0 for a free one"
        raise Unavailable(f"port {port} of {host} can't be had: {error.strerror}", remedy=remedy) from error
    listener.setblocking(False)
    return listener


def port_of(listener: socket.socket) -> int:
    """The port that a socket listens on."""
    return int(listener.getsockname()[1])


class Listener(uvicorn.Server):
    """A uvicorn server that leaves signals to the process."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """The process decides when to stop."""
        yield


async def serve(application: ASGIApp, listener: socket.socket, tls: Tls | None = None) -> None:
    """Answer requests until cancelled; open connections get GRACE seconds to end."""
    config = uvicorn.Config(
        application,
        http="h11",
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )
    server = Listener(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        server.should_exit = True
        await asyncio.wait({task}, timeout=2 * GRACE + 1)
        raise
