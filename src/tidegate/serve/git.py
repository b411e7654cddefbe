"""The Git door: smart HTTP (gitprotocol-http(5)) at `/git/OWNER/NAME.git`, by `git http-backend`.

Who may do what is decided here, before git sees the request. Anyone on loopback may read, unless told otherwise; a
push needs a credential that may write; the first one creates the repository.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection

from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tidegate.base.errors import CommandFailed, InvalidInput, LimitExceeded, MissingTool, Unavailable
from tidegate.base.frozen import frozen
from tidegate.git.repository import Repository
from tidegate.serve import git_backend
from tidegate.serve.git_backend import RECEIVE_PACK, Request
from tidegate.serve.git_pushes import OnPush, Push, PushListener, Update
from tidegate.serve.git_repositories import HostedRepositories, check_name, check_owner, settle_head
from tidegate.serve.identity import Authorizer

__all__ = ["GitDoor", "HostedRepositories", "OnPush", "Push", "Update"]

PUSH_LIMIT = 512 * 1024 * 1024
AT_ONCE = 64
STATE_FOLDER = ".door"
EMPTY_REPOSITORY = ".empty.git"
_PATH = re.compile(
    r"/git/(?P<owner>[^/]+)/(?P<name>[^/]+?)(?:\.git)?/(?P<what>info/refs|git-upload-pack|git-receive-pack)"
)
_SERVICE = re.compile(r"service=(git-upload-pack|git-receive-pack)")
_log = logging.getLogger(__name__)


@frozen
class _Asked:
    owner: str
    name: str
    what: str
    service: str

    @property
    def repository(self) -> str:
        return f"{self.owner}/{self.name}"


class GitDoor:
    """The door. `start` before the first request, `stop` after the last; `on_push` gives the lines that the pusher
    sees as `remote:`, and is run to its end whether anybody reads them or not. `push_limit` is in bytes of a pack.
    """

    def __init__(
        self,
        repositories: HostedRepositories,
        authorizer: Authorizer,
        on_push: OnPush,
        *,
        reads_need_credential: bool = False,
        push_limit: int = PUSH_LIMIT,
    ):
        self._repositories = repositories
        self._authorizer = authorizer
        self._reads_need_credential = reads_need_credential
        self._push_limit = push_limit
        self._pushes = PushListener(repositories.root / STATE_FOLDER, on_push, self._settle)
        self._running = 0
        self._receiving: dict[str, int] = {}

    async def start(self) -> None:
        """Recover the repositories from a killed server, and listen for the hook."""
        self._repositories.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self._repositories.recover()
        await Repository(self._repositories.root / STATE_FOLDER / EMPTY_REPOSITORY).init()
        await self._pushes.start()

    async def stop(self) -> None:
        """Stop listening for the hook."""
        await self._pushes.stop()

    def routes(self) -> list[BaseRoute]:
        """The routes of this door."""
        return [Route("/git/{path:path}", endpoint=_Endpoint(self.answer))]

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as an ASGI application."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        asked = parse_request(scope["method"], scope["path"], scope["query_string"].decode("latin-1"))
        if isinstance(asked, Response):
            await asked(scope, receive, send)
            return
        refused = self._refusal(asked, headers.get("authorization"))
        if refused is not None:
            await refused(scope, receive, send)
            return
        if self._running >= AT_ONCE:
            busy = _text(503, "too many Git requests at once", {"Retry-After": "2"})
            await busy(scope, receive, send)
            return
        self._running += 1
        try:
            await self._serve(asked, headers, scope, receive, send)
        finally:
            self._running -= 1

    def _refusal(self, asked: _Asked, header: str | None) -> Response | None:
        """Why this request may not go on, or None."""
        writing = asked.service == RECEIVE_PACK
        if writing or self._reads_need_credential:
            identity = self._authorizer.identify(header)
            if identity is None:
                said = (
                    f"{'a push' if writing else 'reading'} needs a credential: `tidegate login` sets git up with it\n"
                )
                return _text(
                    401,
                    said,
                    {"WWW-Authenticate": 'Basic realm="Tidegate (set git up with: tidegate login)", charset="UTF-8"'},
                )
            if not may(identity.scopes, asked.repository, writing=writing):
                wanted = "write to" if writing else "read"
                return _text(403, f"this credential may not {wanted} {asked.repository}\n")
        if not writing and self._repositories.get(asked.owner, asked.name) is None:
            return _text(404, f"no repository {asked.repository} here: the first push creates it\n")
        return None

    async def _serve(self, asked: _Asked, headers: dict[str, str], scope: Scope, receive: Receive, send: Send) -> None:
        watched = _Watched(send)
        try:
            if asked.service == RECEIVE_PACK and asked.what != "info/refs":
                await self._take_push(asked, headers, scope, receive, watched)
            else:
                await self._run(asked, self._readable_path(asked), headers, {}, scope, receive, watched)
        except (Unavailable, CommandFailed, MissingTool, LimitExceeded) as error:
            _log.warning("git for %s: %s", asked.repository, error)
            if watched.started:
                raise
            status = 413 if isinstance(error, LimitExceeded) else 503
            await _text(status, f"{error.explain()}\n")(scope, receive, send)

    def _readable_path(self, asked: _Asked) -> str:
        """A repository that is still to be created looks like an empty one to its first pusher."""
        if self._repositories.get(asked.owner, asked.name) is None:
            return f"/{STATE_FOLDER}/{EMPTY_REPOSITORY}"
        return f"/{asked.owner}/{asked.name}.git"

    async def _take_push(
        self, asked: _Asked, headers: dict[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        key = asked.repository
        self._receiving[key] = self._receiving.get(key, 0) + 1
        try:
            repository = await self._repositories.create(asked.owner, asked.name)
            identity = self._authorizer.identify(headers.get("authorization"))
            subject = identity.subject if identity else ""
            with self._pushes.expect(asked.owner, asked.name, subject) as extra:
                path = f"/{asked.owner}/{asked.name}.git"
                await self._run(asked, path, headers, extra, scope, receive, send)
        finally:
            self._receiving[key] -= 1
            if not self._receiving[key]:
                del self._receiving[key]
                self._repositories.discard_empty(asked.owner, asked.name)
        if repository.exists():
            await repository.maintain()

    async def _run(
        self, asked: _Asked, path: str, headers: dict[str, str], extra: dict[str, str],
        scope: Scope, receive: Receive, send: Send,
    ) -> None:  # fmt: skip
        request = Request(
            root=self._repositories.root,
            path=f"{path}/{asked.what}",
            method=scope["method"],
            query=f"service={asked.service}" if asked.what == "info/refs" else "",
            service=asked.service,
            headers=headers,
            limit=self._push_limit,
        )
        await git_backend.serve(request, self._pushes.hooks, extra, receive, send)

    async def _settle(self, owner: str, name: str) -> None:
        await settle_head(Repository(self._repositories.path(owner, name)))


class _Endpoint:
    """An ASGI application that starlette does not take for a request handler."""

    def __init__(self, application: ASGIApp):
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application(scope, receive, send)


class _Watched:
    """A `send` that remembers whether the answer has begun."""

    def __init__(self, send: Send):
        self._send = send
        self.started = False

    async def __call__(self, message: git_backend.Message) -> None:
        self.started = True
        await self._send(message)


def parse_request(method: str, path: str, query: str) -> _Asked | Response:
    """What a request asks for, or the answer to one that is no smart HTTP or names no possible repository."""
    found = _PATH.fullmatch(path)
    if found is None:
        return _text(404, "no such path: clone with /git/OWNER/NAME.git\n")
    try:
        owner, name = check_owner(found["owner"]), check_name(found["name"])
    except InvalidInput as error:
        return _text(404, f"{error}\n")
    what = found["what"]
    if method != ("GET" if what == "info/refs" else "POST"):
        return _text(405, "method not allowed\n", {"Allow": "GET" if what == "info/refs" else "POST"})
    if what != "info/refs":
        return _Asked(owner, name, what, what)
    service = _SERVICE.fullmatch(query)
    if service is None:
        return _text(403, "only smart HTTP is spoken here: use git 1.6.6 or newer\n")
    return _Asked(owner, name, what, service[1])


def may(scopes: Collection[str], repository: str, *, writing: bool) -> bool:
    """Whether scopes reach so far: `admin`, or `repo:OWNER/NAME:write`, or for reading also `…:read`."""
    wanted = {"admin", f"repo:{repository}:write"} | (set() if writing else {f"repo:{repository}:read"})
    return not wanted.isdisjoint(scopes)


def _text(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(text, status, headers=headers)
