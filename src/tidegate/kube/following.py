"""A watch that goes on: over the server's time limits, cut connections and bookmarks, without a gap."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from tidegate.base.errors import Conflict, NotFound, RateLimited, TidegateError, Unavailable
from tidegate.engine.ports import WatchEvent
from tidegate.kube.answers import error_of
from tidegate.kube.client import KubeClient

SHORTEST, LONGEST = 240, 480
"""Bounds in seconds of the time limit that a watch asks for, so that many don't end at once."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0


async def follow(client: KubeClient, path: str, since: str, **selection: str) -> AsyncGenerator[WatchEvent, None]:
    """Changes of a collection after a resource version, for ever; `selection` is a fieldSelector or a labelSelector.

    Conflict with code `Expired` where the server no longer keeps the version that was reached; NotFound where it no
    longer serves the kind; Denied where it no longer lets us. Whatever passes is waited out.
    """
    chance = random.Random()  # noqa: S311 - jitter is no secret
    version, failures = since, 0
    while True:
        query = selection | {"resourceVersion": version, "timeoutSeconds": str(chance.randint(SHORTEST, LONGEST))}
        started, before = client.clock.monotonic(), version
        try:
            async with aclosing(client.watch(path, **query)) as events:
                async for event in events:
                    version = _version_of(event) or version
                    failures = 0
                    if event["type"] != "BOOKMARK":
                        yield WatchEvent(event["type"], event["object"])
        except Unavailable as error:
            failures += 1
            await client.clock.sleep(_pause(failures, error, chance))
            continue
        # A server that ends each watch at once would otherwise be asked without a pause.
        if version == before and client.clock.monotonic() - started < 1.0:
            failures += 1
            await client.clock.sleep(_pause(failures, None, chance))


def _version_of(event: dict[str, Any]) -> str:
    """The resource version that an event reaches. An ERROR event is raised."""
    if event.get("type") == "ERROR":
        raise _known(error_of(event["object"]))
    return str((event["object"].get("metadata") or {}).get("resourceVersion") or "")


def _known(error: TidegateError) -> TidegateError:
    return error if isinstance(error, (Conflict, NotFound, Unavailable)) else Unavailable(str(error))


def _pause(failures: int, error: Unavailable | None, chance: random.Random) -> float:
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 16)) * chance.uniform(0.5, 1.0)
    return max(pause, error.retry_after) if isinstance(error, RateLimited) else pause
