"""The door for hooks: `/hook/DIGEST`, Flux's receiver paths, at which forges and registries tell of news.

A call proves itself, by a path that can't be guessed and mostly by a signature, so that it needs no credential of this
home, and may name any host. Whatever it says, it wakes objects and does nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from tidegate.base.errors import LimitExceeded
from tidegate.kinds.objects import Object
from tidegate.kinds.receiver import WEBHOOK_PATH
from tidegate.serve.bodies import bounded_body

BODY_SECONDS = 10.0


class Answer(Protocol):
    """What a caller gets."""

    @property
    def code(self) -> int: ...

    @property
    def text(self) -> str: ...

    @property
    def retry_after(self) -> int | None: ...


class Receiving(Protocol):
    """What this door needs of the station behind it."""

    def at(self, path: str) -> Object | None: ...

    def refusal(self, receiver: Object) -> Answer | None: ...

    async def receive(self, receiver: Object, headers: Mapping[str, str], body: bytes) -> Answer: ...


class HooksDoor:
    """The routes of all hooks."""

    def __init__(self, receiving: Receiving):
        self._receiving = receiving

    def routes(self) -> list[BaseRoute]:
        """One: what comes after the prefix says which hook."""
        return [Route(WEBHOOK_PATH + "{digest}", self._answer, methods=["POST"])]

    async def _answer(self, request: Request) -> Response:
        receiver = self._receiving.at(request.url.path)
        if receiver is None:
            return PlainTextResponse("no receiver listens here\n", 404)
        if (refused := self._receiving.refusal(receiver)) is not None:
            return _response(refused)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await bounded_body(request)
        except LimitExceeded as error:
            return PlainTextResponse(f"{error.message}\n", 413, headers={"Connection": "close"})
        except TimeoutError:
            return PlainTextResponse("the request's body did not come in time\n", 408, headers={"Connection": "close"})
        headers = {name.lower(): value for name, value in request.headers.items()}
        return _response(await self._receiving.receive(receiver, headers, body))


def hooks_only(receiving: Receiving) -> Starlette:
    """An application that answers hooks and nothing else, for an address that may be open to the world."""
    return Starlette(routes=HooksDoor(receiving).routes())


def _response(answer: Answer) -> Response:
    headers = {} if answer.retry_after is None else {"Retry-After": str(answer.retry_after)}
    return PlainTextResponse(answer.text + "\n", answer.code, headers=headers)
