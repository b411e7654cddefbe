"""The end of a container's log, by the API: what it said last, of the run before this one where it was restarted."""

from __future__ import annotations

import asyncio

from tidegate.base.errors import Unavailable
from tidegate.kube.client import KubeClient

LINES = 20
BYTES = 16 * 1024
TIMEOUT = 15.0
"""Seconds: the API server asks the node, which may be away."""


class PodLogs:
    """The logs behind one client."""

    def __init__(self, client: KubeClient):
        self._client = client

    async def last_lines(self, namespace: str, pod: str, container: str, before: bool) -> list[str]:
        """At most LINES lines, of BYTES in all; NotFound, Denied, InvalidInput where the API has none of that run, and
        Unavailable where it takes longer than TIMEOUT.
        """
        query = {"container": container, "tailLines": str(LINES), "limitBytes": str(BYTES)}
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        try:
            async with asyncio.timeout(TIMEOUT):
                asked = query | ({"previous": "true"} if before else {})
                return [line.rstrip() async for line in self._client.lines(path, **asked)]
        except TimeoutError:
            raise Unavailable(f"the log of {namespace}/{pod} did not come within {TIMEOUT:g} s") from None
