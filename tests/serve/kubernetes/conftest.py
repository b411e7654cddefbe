"""The door over a real store, with a clock by hand, asked in the same process."""

import asyncio
import contextlib
import json

import httpx2
import pytest
from starlette.applications import Starlette

from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.serve.auth import Authorizer
from tidegate.serve.kubernetes import KubernetesDoor
from tidegate.serve.kubernetes.logs import LogLine

TOKEN = "the-home-token"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
IMAGE = "/apis/image.toolkit.fluxcd.io/v1/namespaces/flux-system"


class FakePodLogs:
    """Three lines of any Pod; remembers what was asked."""

    def __init__(self, clock):
        self._clock = clock
        self.asked = []

    async def exists(self, namespace, pod):
        return pod == "run-1"

    async def lines(self, namespace, pod, options):
        self.asked.append((namespace, pod, options))
        for number in range(3):
            yield LogLine(f"{pod} {number}", self._clock.now())


class FakeControllerLogs:
    """Logs in files below a folder."""

    def __init__(self, root):
        self._root = root

    def path(self, name):
        return self._root / f"{name}.log"

    def lines(self, name):
        return iter(self.path(name).read_text().splitlines() if self.path(name).exists() else [])


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def store(tmp_path, clock):
    store = SqliteStore(tmp_path / "store.db", clock)
    yield store
    store.close()


@pytest.fixture
def pod_logs(clock):
    return FakePodLogs(clock)


@pytest.fixture
def controller_logs(tmp_path):
    return FakeControllerLogs(tmp_path)


@pytest.fixture
def authorizer():
    return Authorizer(TOKEN)


@pytest.fixture
def make_app(store, clock, authorizer, pod_logs, controller_logs):
    def make(**options):
        door = KubernetesDoor(
            store,
            authorizer,
            pod_logs,
            clock=clock,
            version="0.1.0",
            controllers=["image-automation-controller", "source-controller"],
            controller_logs=controller_logs,
            **options,
        )
        return Starlette(routes=list(door.routes()))

    return make


@pytest.fixture
def app(make_app):
    return make_app()


def client_of(app, headers):
    transport = httpx2.ASGITransport(app=app)
    return httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers)


@pytest.fixture
async def http(app):
    async with client_of(app, ADMIN) as client:
        yield client


@pytest.fixture
async def anonymous(app):
    async with client_of(app, {}) as client:
        yield client


class Stream:
    """An answer that goes on: its status, and its lines as they come."""

    def __init__(self, app, path, headers):
        self._lines = asyncio.Queue()
        self._started = asyncio.get_running_loop().create_future()
        self._task = asyncio.ensure_future(self._run(app, path, headers))
        self._rest = b""

    async def _run(self, app, path, headers):
        path, _, query = path.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(n.lower().encode(), v.encode()) for n, v in {"host": "127.0.0.1", **headers}.items()],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        }  # fmt: skip
        requested = False

        async def receive():
            nonlocal requested
            if requested:
                await asyncio.Event().wait()
            requested = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            if message["type"] == "http.response.start":
                self._started.set_result(message["status"])
            else:
                self._feed(message.get("body", b""))

        await app(scope, receive, send)
        self._lines.put_nowait(None)

    def _feed(self, body):
        *whole, self._rest = (self._rest + body).split(b"\n")
        for line in whole:
            self._lines.put_nowait(line.decode())

    async def status(self):
        return await asyncio.wait_for(asyncio.shield(self._started), 5)

    async def line(self):
        """The next line; None at the end."""
        return await asyncio.wait_for(self._lines.get(), 5)

    async def event(self):
        line = await self.line()
        return None if line is None else json.loads(line)

    async def close(self):
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


@pytest.fixture
async def open_stream(app):
    streams = []

    def start(path, headers=ADMIN):
        streams.append(Stream(app, path, headers))
        return streams[-1]

    yield start
    for stream in streams:
        await stream.close()
