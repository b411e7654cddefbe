"""Hooks in a cluster: answered at an address of their own, by every replica."""

from __future__ import annotations

import asyncio
import socket

from tidegate.engine.clock import Clock
from tidegate.kube.access import Connection
from tidegate.kube.client import KubeClient
from tidegate.kube.store import KubeStore
from tidegate.notify.hooks import Hooks
from tidegate.serve.hooks import hooks_only
from tidegate.serve.listen import serve


async def answer_hooks(connection: Connection, clock: Clock, listener: socket.socket) -> None:
    """Answer the hooks of a cluster's Receivers until cancelled. Who leads does not matter: the objects are written to,
    and that wakes whoever reconciles them.
    """
    async with KubeClient(connection, clock=clock) as client, asyncio.TaskGroup() as group:
        hooks = Hooks(KubeStore(client), clock)
        group.create_task(hooks.run())
        group.create_task(serve(hooks_only(hooks), listener))
