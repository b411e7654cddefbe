"""The door at `/api/v3` and `/api/graphql`, where a GitHub Enterprise host has them.

What answers is imported when it is first asked: on few machines it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tidegate.engine.clock import Clock
from tidegate.engine.ports import Store
from tidegate.git.repository import Repository
from tidegate.runner.logs import RunLogs

if TYPE_CHECKING:
    from tidegate.serve.github.api import Api

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


class Identity(Protocol):
    """Who asks, and what that credential may do."""

    @property
    def subject(self) -> str: ...

    @property
    def scopes(self) -> Collection[str]: ...


class Authorizer(Protocol):
    """Reads an Authorization header; None where it holds no valid credential."""

    def identify(self, header: str | None) -> Identity | None: ...


class GitHubDoor:
    """GitHub's API over the runs of a store. `repository` opens a repository by OWNER/NAME, None where it is not here.

    Reading is open unless `reads_need_credential`; writes need the scope `admin`.
    """

    def __init__(
        self,
        store: Store,
        authorizer: Authorizer,
        repository: Callable[[str], Repository | None],
        logs: RunLogs,
        *,
        clock: Clock,
        version: str,
        reads_need_credential: bool = False,
    ):
        self._store = store
        self._authorizer = authorizer
        self._repository = repository
        self._logs = logs
        self._clock = clock
        self._version = version
        self._reads_need_credential = reads_need_credential
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

            self._api = Api(
                self._store,
                self._authorizer,
                self._repository,
                self._logs,
                clock=self._clock,
                version=self._version,
                reads_need_credential=self._reads_need_credential,
            )
        return await self._api.answer(request)
