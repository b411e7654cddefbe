"""A client whose server is a function, with a clock by hand."""

import asyncio
import json
import sys
from pathlib import Path

import httpx2
import pytest

from tidegate.engine.manual_clock import ManualClock, settle
from tidegate.kube.access import Connection, plain
from tidegate.kube.client import KubeClient

ROOT = str(Path(__file__).resolve().parents[2])
if ROOT not in sys.path:
    sys.path.append(ROOT)


class Server:
    """Answers requests from `script`, a list of answers or exceptions, and then with `rest`; remembers them all."""

    def __init__(self, *script, rest=None):
        self.script = list(script)
        self.rest = rest
        self.requests = []

    async def __call__(self, request):
        self.requests.append(request)
        answer = self.script.pop(0) if self.script else self.rest
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        assert answer is not None, f"nothing more was expected: {request.method} {request.url}"
        return answer

    @property
    def methods(self):
        return [request.method for request in self.requests]


def ok(value, status=200):
    return httpx2.Response(status, json=value)


def status(code, reason="", message="", **rest):
    """A metav1.Status as an answer."""
    headers = {"Retry-After": rest.pop("retry_after")} if "retry_after" in rest else {}
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": code, **rest}
    return httpx2.Response(code, json=body, headers=headers)


class Cut(httpx2.AsyncByteStream):
    """A body that ends, or breaks off, after some pieces."""

    def __init__(self, *pieces, error=None):
        self._pieces = pieces
        self._error = error

    async def __aiter__(self):
        for piece in self._pieces:
            yield piece
        if self._error:
            raise self._error


def streamed(*pieces, error=None):
    return httpx2.Response(200, stream=Cut(*pieces, error=error))


def event(kind, name, version, **rest):
    metadata = {"name": name, "namespace": "web", "resourceVersion": str(version)}
    return json.dumps({"type": kind, "object": {"kind": "ConfigMap", "metadata": metadata, **rest}}).encode() + b"\n"


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def client_of(clock):
    def make(server, connection: Connection | None = None, **options):
        transport = httpx2.MockTransport(server)
        return KubeClient(connection or plain("http://api.test", "t"), clock=clock, transport=transport, **options)

    return make


async def passing(clock, work, seconds=120.0):
    """What the work comes to, with that much time passing."""
    task = asyncio.ensure_future(work)
    await settle()
    for _ in range(int(seconds)):
        if task.done():
            break
        await clock.advance(1.0)
    assert task.done(), "it still waits"
    return await task
