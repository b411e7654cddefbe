"""Which handler answers which path and method, who may, and errors in GitHub's form."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tidegate.base.errors import Denied, NotFound, TidegateError
from tidegate.kinds.runner import KIND as RUNNER_KIND
from tidegate.kinds.workflow_run import GROUP
from tidegate.runner.names import of_repository
from tidegate.serve.github import shapes
from tidegate.serve.github.acting import Acting
from tidegate.serve.github.artifacts import ArtifactHandlers
from tidegate.serve.github.call import Call, answer
from tidegate.serve.github.door import Parts
from tidegate.serve.github.failures import BadCredentials, failure
from tidegate.serve.github.questions import question
from tidegate.serve.github.reading import Reading
from tidegate.serve.guard import SAFE_METHODS
from tidegate.serve.identity import Identity

Handler = Callable[[Call], Awaitable[Response]]
ADMIN = "admin"
PREFIX, GRAPHQL = "/api/v3", "/api/graphql"
SPEAKS = "3.12.0"
"""The version of GitHub Enterprise Server whose answers these are like: clients ask for it before newer requests."""
_NUMBERS = ("run", "job", "attempt", "artifact")
_log = logging.getLogger("tidegate")


class Api:
    """GitHub's API over the runs of a store."""

    def __init__(self, parts: Parts):
        self._parts = parts
        reading = Reading(parts.store, parts.logs)
        acting = Acting(parts.store, parts.clock, reading, parts.artifacts)
        table = self._table(reading, acting, ArtifactHandlers(parts.artifacts, reading))
        self._routes = [(method, _pattern(path), handler) for method, path, handler in table]

    def _table(self, reading: Reading, acting: Acting, kept: ArtifactHandlers) -> list[tuple[str, str, Handler]]:
        repo, run = "/repos/{owner}/{name}", "/repos/{owner}/{name}/actions/runs/{run}"
        workflow, job = f"{repo}/actions/workflows/{{workflow}}", f"{repo}/actions/jobs/{{job}}"
        artifact = f"{repo}/actions/artifacts/{{artifact}}"
        return [
            ("GET", "", self._root),
            ("GET", "/meta", self._meta),
            ("GET", "/user", self._user),
            ("POST", GRAPHQL, self._question),
            ("GET", repo, reading.repository),
            ("GET", f"{repo}/contents/{{path*}}", reading.contents),
            ("GET", f"{repo}/actions/workflows", reading.workflows),
            ("GET", workflow, reading.workflow),
            ("GET", f"{workflow}/runs", reading.runs),
            ("POST", f"{workflow}/dispatches", acting.dispatch),
            ("GET", f"{repo}/actions/runs", reading.runs),
            ("GET", run, reading.run),
            ("DELETE", run, acting.delete),
            ("GET", f"{run}/jobs", reading.jobs),
            ("GET", f"{run}/logs", reading.run_logs),
            ("GET", f"{run}/artifacts", kept.of_run),
            ("GET", f"{repo}/actions/artifacts", kept.of_repository),
            ("GET", artifact, kept.one),
            ("DELETE", artifact, kept.delete),
            ("GET", f"{artifact}/zip", kept.archive),
            ("GET", f"{run}/attempts/{{attempt}}", reading.run),
            ("GET", f"{run}/attempts/{{attempt}}/jobs", reading.jobs),
            ("GET", f"{run}/attempts/{{attempt}}/logs", reading.run_logs),
            ("POST", f"{run}/cancel", acting.cancel),
            ("POST", f"{run}/force-cancel", acting.cancel),
            ("POST", f"{run}/rerun", acting.rerun),
            ("POST", f"{run}/rerun-failed-jobs", acting.rerun_failed),
            ("GET", job, reading.job),
            ("GET", f"{job}/logs", reading.job_log),
            ("GET", f"{repo}/check-runs/{{job}}/annotations", reading.annotations),
        ]

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        try:
            identity = self._identify(request)
            method = "GET" if request.method == "HEAD" else request.method
            path = request.url.path.removeprefix(PREFIX).rstrip("/")
            for known, pattern, handler in self._routes:
                found = pattern.fullmatch(path)
                if known == method and found is not None:
                    self._check(identity, request)
                    return await handler(await self._call(request, found.groupdict()))
            _log.info("GitHub's API was asked for what is not served: %s %s", request.method, path[:200])
            raise NotFound("Not Found")
        except ClientDisconnect:
            return Response(None, 400)  # nobody is there to read it
        except TidegateError as error:
            status, body = failure(error)
            return answer(body, status)

    def _identify(self, request: Request) -> Identity | None:
        header = request.headers.get("authorization")
        identity = self._parts.authorizer.identify(header)
        if header and identity is None:
            raise BadCredentials("Bad credentials", remedy="the token is in the file `token` of Tidegate's home")
        return identity

    def _check(self, identity: Identity | None, request: Request) -> None:
        """Raise what keeps somebody from a request."""
        reads = request.method in SAFE_METHODS or request.url.path == GRAPHQL
        if (reads and not self._parts.reads_need_credential) or (identity is not None and ADMIN in identity.scopes):
            return
        if identity is None:
            raise BadCredentials("Requires authentication", remedy="gh sends GH_ENTERPRISE_TOKEN, over https only")
        raise Denied("Resource not accessible by this credential")

    async def _call(self, request: Request, parts: Mapping[str, str]) -> Call:
        call = Call(request, parts)
        return await self._find(call, f"{parts['owner']}/{parts['name']}") if "owner" in parts else call

    async def _find(self, call: Call, asked: str) -> Call:
        """The call with its repository: one that is hosted here, or has a Runner. NotFound."""
        git = self._parts.repository(asked)
        if git is not None:
            return replace(call, repository=asked, git=git)
        for runner in (await self._parts.store.list(GROUP, RUNNER_KIND)).items:
            if of_repository(runner, asked):
                name = str(runner["spec"]["repository"])
                return replace(call, repository=name, git=self._parts.repository(name))
        raise NotFound(f"Not Found: no repository {asked} is here", remedy="the first push creates it")

    # What is about no repository

    async def _root(self, call: Call) -> Response:
        base = f"{call.base}{PREFIX}"
        return answer({"current_user_url": f"{base}/user", "repository_url": f"{base}/repos/{{owner}}/{{repo}}"})

    async def _meta(self, _call: Call) -> Response:
        return answer(
            {"verifiable_password_authentication": False, "installed_version": SPEAKS, "tidegate": self._parts.version}
        )

    async def _user(self, call: Call) -> Response:
        self._known(call)
        return answer(shapes.user(call.links, shapes.LOGIN))

    async def _question(self, call: Call) -> Response:
        may_write = ADMIN in self._known(call).scopes
        return await question(call, self._find, may_write=may_write)

    def _known(self, call: Call) -> Identity:
        """Who asks, where only that somebody is known matters."""
        identity = self._identify(call.request)
        if identity is None:
            raise BadCredentials("Requires authentication", remedy="gh sends GH_ENTERPRISE_TOKEN, over https only")
        return identity


def _pattern(path: str) -> re.Pattern[str]:
    """A path with `{name}` for one part, and `{name*}` for all that follows."""

    def part(found: re.Match[str]) -> str:
        name = found[1]
        if name.endswith("*"):
            return f"(?P<{name[:-1]}>.+)"
        return f"(?P<{name}>{'[0-9]{1,18}' if name in _NUMBERS else '[^/]+'})"

    return re.compile(re.sub(r"\{(\w+\*?)\}", part, path))
