"""An HTTPS proxy before the API server that refuses requests at random, before they reach it: 409, 429 and 503."""

import asyncio
import contextlib
import random

import httpx2
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tidegate.serve.listen import Tls, bind, port_of, serve

REASONS = {409: "Conflict", 429: "TooManyRequests", 503: "ServiceUnavailable"}
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
TLS_END = 0.2


class StormProxy:
    """At `url`, with the API server's own certificate. One of `out_of` requests is refused with each of the codes while
    it is `stormy`; a 409 only where something is written that was there before.
    """

    def __init__(self, cluster, seed, out_of=8):
        self._cluster = cluster
        self._chance = random.Random(seed)
        self._out_of = out_of
        self.stormy = True
        self.refused = dict.fromkeys(REASONS, 0)

    async def __aenter__(self):
        listener = bind(0)
        self.url = f"https://127.0.0.1:{port_of(listener)}"
        self._http = httpx2.AsyncClient(base_url=self._cluster.url, verify=self._cluster.verify, timeout=None)
        app = Starlette(routes=[Route("/{path:path}", self._pass, methods=METHODS)])
        tls = Tls(self._cluster.pki.server, self._cluster.pki.server.with_suffix(".key"))
        self._task = asyncio.create_task(serve(app, listener, tls))
        return self

    async def __aexit__(self, *error):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._http.aclose()
        await asyncio.sleep(TLS_END)

    async def _pass(self, request):
        if self.stormy and (code := self._roll(request.method)):
            self.refused[code] += 1
            headers = {} if code == 409 else {"Retry-After": "1" if self._chance.random() < 0.2 else "0"}
            body = {"kind": "Status", "code": code, "reason": REASONS[code], "message": "a storm"}
            return JSONResponse(body, code, headers=headers)
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
        sent = self._http.build_request(
            request.method, request.url.path, params=str(request.url.query), headers=headers,
            content=await request.body() or None,
        )  # fmt: skip
        try:
            answer = await self._http.send(sent, stream=True)
        except httpx2.TransportError:
            return Response("the API server is away", 503)
        return StreamingResponse(
            _pieces(answer), answer.status_code, headers={"content-type": answer.headers.get("content-type", "")}
        )

    def _roll(self, method):
        face = self._chance.randrange(self._out_of)
        code = (409, 429, 503)[face] if face < 3 else 0
        return 0 if code == 409 and method not in ("PUT", "PATCH") else code


async def _pieces(answer):
    try:
        with contextlib.suppress(httpx2.TransportError):
            async for piece in answer.aiter_raw():
                yield piece
    finally:
        await answer.aclose()
