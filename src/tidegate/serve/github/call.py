"""One request as the handlers of this door see it, and how they answer it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.git.repository import Repository
from tidegate.serve.bodies import bounded_body
from tidegate.serve.github.shapes import Links

BODY_LIMIT = 1024 * 1024


@frozen
class Call:
    """A request. `parts` are what its path names; `repository` is OWNER/NAME, empty where the path has none, and `git`
    is where its files are, None where they are not here.
    """

    request: Request
    parts: Mapping[str, str]
    repository: str = ""
    git: Repository | None = None

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the URL."""
        return self.request.query_params

    @property
    def base(self) -> str:
        """This server as the client calls it; the guard has looked at the name."""
        return f"{self.request.url.scheme}://{self.request.headers['host']}"

    @property
    def links(self) -> Links:
        """Where things are."""
        return Links(self.base, self.repository)

    @property
    def url(self) -> str:
        """What was asked for, without its parameters."""
        return f"{self.base}{self.request.url.path}"

    async def body(self) -> Mapping[str, Any]:
        """The body: a JSON object, or empty. InvalidInput, LimitExceeded past BODY_LIMIT bytes."""
        data = await bounded_body(self.request, BODY_LIMIT)
        try:
            value = json.loads(data or b"{}")
        except (ValueError, RecursionError):
            raise InvalidInput("Problems parsing JSON") from None
        if not isinstance(value, dict):
            raise InvalidInput("Body should be a JSON object")
        return value


def answer(value: Any, status: int = 200, **headers: str) -> Response:
    """A value as JSON; `headers` with underscores for hyphens."""
    text = json.dumps(value, separators=(",", ":"))
    names = {name.replace("_", "-"): content for name, content in headers.items() if content}
    return Response(text, status, headers=names, media_type="application/json; charset=utf-8")
