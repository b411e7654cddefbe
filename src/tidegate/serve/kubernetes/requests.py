"""One request as the handlers see it, and how they answer it: bodies with a limit, JSON, warnings. No decisions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tidegate.base.frozen import frozen
from tidegate.serve.bodies import bounded_body
from tidegate.serve.kubernetes.status import BadRequest
from tidegate.serve.kubernetes.target import Options, Target

MANAGER_LIMIT = 128
WARNINGS_LIMIT, WARNING_LENGTH = 32, 256


@frozen
class Call:
    """A request about a target, already allowed."""

    request: Request
    target: Target
    options: Options

    @property
    def accept(self) -> str:
        return self.request.headers.get("accept", "")

    @property
    def content_type(self) -> str:
        return self.request.headers.get("content-type", "")

    @property
    def manager(self) -> str:
        """Who owns what this request writes: `fieldManager`, else the client's own name."""
        given = self.options.text("fieldManager")
        if len(given) > MANAGER_LIMIT or not given.isprintable():
            raise BadRequest(f"fieldManager: at most {MANAGER_LIMIT} printable characters")
        agent = self.request.headers.get("user-agent", "").partition("/")[0].strip()
        return given or agent[:MANAGER_LIMIT] or "unknown"

    async def body(self) -> bytes:
        """The body; LimitExceeded past BODY_LIMIT bytes."""
        return await bounded_body(self.request)

    def answer(self, value: Any, code: int = 200, warnings: Iterable[str] = ()) -> Response:
        """A JSON answer; with `pretty`, for people."""
        return json_response(value, code, pretty=self.options.flag("pretty"), warnings=warnings)


def json_response(value: Any, code: int = 200, *, pretty: bool = False, warnings: Iterable[str] = ()) -> Response:
    """A value as JSON, with Warning headers as kubectl prints them."""
    text = json.dumps(value, indent=2) if pretty else json.dumps(value, separators=(",", ":"))
    response = Response(text + "\n", code, media_type="application/json")
    for warning in list(warnings)[:WARNINGS_LIMIT]:
        escaped = warning[:WARNING_LENGTH].encode("unicode_escape").decode().replace('"', '\\"')
        response.headers.append("Warning", f'299 - "{escaped}"')
    return response


def stream(parts: AsyncIterator[bytes], media_type: str = "application/json") -> StreamingResponse:
    """A body that comes bit by bit; the connection's other side must not buffer it."""
    headers: Mapping[str, str] = {"Cache-Control": "no-cache, private"}
    return StreamingResponse(parts, media_type=media_type, headers=headers)
