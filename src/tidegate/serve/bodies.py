"""The body of a request, read into memory with a limit."""

from __future__ import annotations

from starlette.requests import Request

from tidegate.base.errors import LimitExceeded

BODY_LIMIT = 3 * 1024 * 1024


async def bounded_body(request: Request, limit: int = BODY_LIMIT) -> bytes:
    """A request's body; LimitExceeded past `limit` bytes."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise LimitExceeded(f"the request's body is larger than {limit} bytes")
    return bytes(body)
