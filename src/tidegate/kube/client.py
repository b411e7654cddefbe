"""A thin client of the Kubernetes API: the verbs, each one request (a list, one for each chunk)."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

import httpx2

from tidegate.base.errors import Conflict, LimitExceeded, Unavailable
from tidegate.engine.clock import Clock
from tidegate.kinds.objects import Object
from tidegate.kube.access import Connection
from tidegate.kube.answers import EXPIRED
from tidegate.kube.collection import Collection
from tidegate.kube.pacing import Limits
from tidegate.kube.session import SILENCE, Answer, Call, Session

TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1, application/json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
CHUNK = 500
LINE_LIMIT = 8 * 1024 * 1024
"""The longest line of a stream; an object is at most 3 MiB."""


class KubeClient:
    """One API server's verbs. Use as an async context manager.

    Every call raises the errors of base/errors with the server's own words: NotFound, AlreadyExists, Conflict
    (ApplyConflict names managers; code `Expired` is the API's 410), Denied, InvalidInput (code `Immutable`),
    RateLimited, Unavailable, LimitExceeded.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Clock | None = None,
        limits: Limits | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        silence: float = SILENCE,
        guard: Callable[[], None] | None = None,
    ):
        self._session = Session(
            connection, clock=clock, limits=limits, transport=transport, silence=silence, guard=guard
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.aclose()

    @property
    def connection(self) -> Connection:
        """Where this client's server is."""
        return self._session.connection

    @property
    def clock(self) -> Clock:
        """The clock by which it waits."""
        return self._session.clock

    # What is read

    async def get(self, path: str, **query: str) -> Any:
        """The JSON at `path`."""
        return await self._json(Call("GET", path, query))

    async def table(self, path: str, **query: str) -> dict[str, Any]:
        """A list as the server prints it: `columnDefinitions` and `rows`."""
        answer = await self._json(Call("GET", path, query, headers={"Accept": TABLE}))
        if not isinstance(answer, dict) or answer.get("kind") != "Table":
            raise Unavailable("the server sent no table")
        return answer

    async def items(self, collection: Collection, namespace: str | None = None, **query: str) -> list[Object]:
        """All objects of a collection."""
        return (await self.listing(collection.path(namespace), **query))[1]

    async def listing(self, path: str, **query: str) -> tuple[str, list[Object]]:
        """The resource version and the objects of a whole collection, fetched in chunks.

        Where the server has forgotten the list in its middle (410), it is fetched anew, in one piece.
        """
        found: list[Object] = []
        token = ""
        while True:
            more = {"limit": str(CHUNK)} | ({"continue": token} if token else {})
            try:
                answer = await self.get(path, **query, **more)
            except Conflict as error:
                if error.code != EXPIRED or not token:
                    raise
                return _listed(await self.get(path, **query))
            version, items = _listed(answer)
            found += items
            token = str((answer.get("metadata") or {}).get("continue") or "")
            if not token:
                return version, found

    # What is written

    async def create(self, path: str, obj: Object, **query: str) -> Object:
        """POST an object."""
        return await self._object(Call("POST", path, query, _body(obj), _JSON))

    async def replace(self, path: str, obj: Object, **query: str) -> Object:
        """PUT an object."""
        return await self._object(Call("PUT", path, query, _body(obj), _JSON))

    async def merge(self, path: str, patch: Mapping[str, Any], **query: str) -> Object:
        """JSON merge patch (RFC 7396) of one object."""
        return await self._object(Call("PATCH", path, query, _body(patch), {"Content-Type": MERGE_PATCH}))

    async def apply(self, path: str, config: Object, *, force: bool = False, **query: str) -> tuple[Object, bool]:
        """Server-side apply of a configuration; the object, and whether it was created. `fieldManager` is required."""
        parameters = query | {"force": "true" if force else "false"}
        answer = await self._session.send(Call("PATCH", path, parameters, _body(config), {"Content-Type": APPLY_PATCH}))
        return _object(answer), answer.status == 201

    async def delete(
        self, path: str, *, uid: str | None = None, propagation: str | None = None, **query: str
    ) -> dict[str, Any]:
        """DELETE one object: with `uid`, only that one; `propagation` is Background, Foreground or Orphan.

        The answer is a Status, or the object that waits for its finalizers.
        """
        options: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1"}
        options |= {"preconditions": {"uid": uid}} if uid else {}
        options |= {"propagationPolicy": propagation} if propagation else {}
        return await self._object(Call("DELETE", path, query, _body(options), _JSON))

    # What goes on

    async def watch(self, path: str, **query: str) -> AsyncGenerator[dict[str, Any], None]:
        """Events of one watch, from `resourceVersion` on, until the server ends it; Unavailable where it is cut.

        Only whole lines count: what a cut leaves of one is no event.
        """
        parameters = {"watch": "true", "allowWatchBookmarks": "true"} | query
        async with aclosing(self._lines(path, parameters)) as lines:
            async for line in lines:
                if line.strip():
                    yield _event(line)

    async def lines(self, path: str, **query: str) -> AsyncGenerator[str, None]:
        """A text answer, line by line as it comes: a pod's log."""
        async with aclosing(self._lines(path, query, text=True)) as lines:
            async for line in lines:
                yield line.decode("utf-8", "replace")

    async def _lines(self, path: str, query: Mapping[str, str], *, text: bool = False) -> AsyncGenerator[bytes, None]:
        async with self._session.stream(Call("GET", path, query), quiet=text) as pieces:
            held = bytearray()
            async for piece in pieces:
                held += piece
                *whole, left = held.split(b"\n")
                for line in whole:
                    yield bytes(line)
                held = left
                if len(held) > LINE_LIMIT:
                    raise LimitExceeded(f"the API server sent a line of more than {LINE_LIMIT} bytes")
            if text and held:
                yield bytes(held)

    async def _object(self, call: Call) -> Object:
        return _object(await self._session.send(call))

    async def _json(self, call: Call) -> Any:
        return _parsed((await self._session.send(call)).body)


_JSON = {"Content-Type": "application/json"}


def _body(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError) as error:
        raise Unavailable("the API server sent no JSON") from error


def _object(answer: Answer) -> Object:
    value = _parsed(answer.body)
    if not isinstance(value, dict):
        raise Unavailable("the API server sent no object")
    return value


def _event(line: bytes) -> dict[str, Any]:
    event = _parsed(line)
    if not (isinstance(event, dict) and isinstance(event.get("type"), str) and isinstance(event.get("object"), dict)):
        raise Unavailable("the API server sent no watch event")
    return event


def _listed(answer: Any) -> tuple[str, list[Object]]:
    """A list's version and items. Those of built-in kinds come without apiVersion and kind: the list says them."""
    try:
        version, kind = str(answer["metadata"]["resourceVersion"]), str(answer["kind"]).removesuffix("List")
        identity = {"apiVersion": answer["apiVersion"], "kind": kind}
        return version, [identity | item for item in answer.get("items") or []]
    except (KeyError, TypeError, AttributeError) as error:
        raise Unavailable("the API server sent no list") from error
