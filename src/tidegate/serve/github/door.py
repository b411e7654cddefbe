"""The door at `/api/v3` and `/api/graphql`, where a GitHub Enterprise host has them.

What answers is imported when it is first asked: on few machines it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tidegate.base.frozen import frozen
from tidegate.engine.clock import Clock
from tidegate.engine.ports import Store
from tidegate.git.repository import Repository
from tidegate.runner.artifacts import Artifacts
from tidegate.runner.logs import RunLogs
from tidegate.serve.identity import Authorizer

if TYPE_CHECKING:
    from tidegate.serve.github.api import Api

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


@frozen
class Parts:
    """What the API is made of. `repository` opens one by OWNER/NAME, None where it is not here; `version` is Tidegate's
    own.
    """

    store: Store
    authorizer: Authorizer
    repository: Callable[[str], Repository | None]
    logs: RunLogs
    clock: Clock
    version: str
    reads_need_credential: bool = False
    artifacts: Artifacts | None = None


class GitHubDoor:
    """GitHub's API over the runs of a store. Reading is open unless a credential is asked for; writes need the scope
    `admin`.
    """

    def __init__(self, parts: Parts):
        self._parts = parts
        self._api: Api | None = None

    def routes(self) -> Sequence[BaseRoute]:
        """The routes of this door."""
        return [
            Route("/api/v3", self._answer, methods=METHODS),
            Route("/api/v3/{path:path}", self._answer, methods=METHODS),
            Route("/api/graphql", self._answer, methods=["GET", "POST"]),
        ]

    async def _answer(self, request: Request) -> Response:
        if self._api is None:
            from tidegate.serve.github.api import Api  # noqa: PLC0415 - see above

            self._api = Api(self._parts)
        return await self._api.answer(request)
