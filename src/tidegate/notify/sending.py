"""Sends a request to a Provider: bounded, repeated where that may help, and without a secret in what is said of it."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit

import httpx2

from tidegate.base.errors import Denied, InvalidInput, LimitExceeded, TidegateError, Unavailable
from tidegate.base.http import read_bounded
from tidegate.engine.clock import Clock
from tidegate.notify.request import Request

ATTEMPTS = 5
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
ANSWER_LIMIT = 64 * 1024


async def send(http: httpx2.AsyncClient, request: Request, clock: Clock, timeout: float) -> None:
    """Send it until it is taken, at most ATTEMPTS times of `timeout` seconds each.

    Raises Denied, InvalidInput where it is refused for good, Unavailable where nobody takes it. Errors name the host
    alone: the rest of a webhook's URL is a secret.
    """
    pause = FIRST_PAUSE
    for attempt in range(1, ATTEMPTS + 1):
        try:
            await _once(http, request, timeout)
        except Unavailable:
            if attempt == ATTEMPTS:
                raise
            await clock.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        else:
            return


async def _once(http: httpx2.AsyncClient, request: Request, timeout: float) -> None:
    host = urlsplit(request.url).hostname
    body = request.body if isinstance(request.body, bytes) else json.dumps(request.body).encode()
    headers = {"Content-Type": "application/json", **request.headers}
    try:
        async with asyncio.timeout(timeout):
            outgoing = http.build_request(request.method, request.url, content=body, headers=headers)
            response = await http.send(outgoing, stream=True, follow_redirects=False)
            try:
                answer = await read_bounded(response, ANSWER_LIMIT)
            finally:
                await response.aclose()
    except TimeoutError:
        raise Unavailable(f"{host} did not answer within {timeout:g} s") from None
    except LimitExceeded:
        raise InvalidInput(f"{host} answered with more than {ANSWER_LIMIT} bytes") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        raise Unavailable(f"{host} is not reachable: {type(error).__name__}") from None
    if (refused := _refusal(response.status_code, answer, host or "the address")) is not None:
        raise refused


def _refusal(status: int, answer: bytes, host: str) -> TidegateError | None:
    """Slack's API says in its body whether a message was taken."""
    if 200 <= status < 300:
        try:
            found = json.loads(answer)
        except (ValueError, RecursionError):
            return None
        refused = isinstance(found, dict) and found.get("ok") is False
        return InvalidInput(f"{host} did not take it: {str(found.get('error'))[:100]}") if refused else None
    if status in (401, 403):
        return Denied(f"{host} answered {status}: the token is missing, wrong or too weak")
    if status == 429 or status >= 500 or status == 408:
        return Unavailable(f"{host} answered {status}")
    return InvalidInput(f"{host} answered {status}")
