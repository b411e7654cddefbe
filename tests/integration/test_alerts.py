"""Alerts of a whole Tidegate, to somebody who listens on loopback, is slow to take them, or refuses."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tidegate.kube.store import KubeStore

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from crash_world import World
from whole_world import PATIENCE, opened, say

pytestmark = pytest.mark.integration
SYSTEM = "flux-system"
NOTIFICATION = "notification.toolkit.fluxcd.io"
TOKEN = "sesame-open"


class Listener:
    """Takes what it is sent, after it has refused the first `busy` ones of a path."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, str], bytes]] = []
        self.busy: dict[str, int] = {"/busy": 1}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(listener.answer(self.path, dict(self.headers), body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Nothing."""

        return Handler

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> int:
        if path.startswith("/refusing"):
            return 403
        if self.busy.get(path, 0) > 0:
            self.busy[path] -= 1
            return 503
        self.taken.append((path, headers, body))
        return 200

    def at(self, path: str) -> list[dict]:
        """The messages that came to a path."""
        return [json.loads(body) for found, _, body in self.taken if found == path]


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


def an_object(kind, name, spec, version="v1beta3"):
    metadata = {"name": name, "namespace": SYSTEM}
    return {"apiVersion": f"{NOTIFICATION}/{version}", "kind": kind, "metadata": metadata, "spec": spec}


def alert(name, provider, **spec):
    sources = [{"kind": "GitRepository", "name": "*"}, {"kind": "Kustomization", "name": "*"}]
    return an_object("Alert", name, {"providerRef": {"name": provider}, "eventSources": sources, **spec})


async def until(holds):
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - another thread takes the messages
            await asyncio.sleep(0.05)


async def test_what_happens_is_told_signed_and_again_until_it_is_taken(tmp_path, listener):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "chat", "namespace": SYSTEM}}
    secret["stringData"] = {"token": TOKEN, "address": f"{listener.url}/signed"}
    objects = [
        secret,
        an_object("Provider", "signed", {"type": "generic-hmac", "secretRef": {"name": "chat"}}),
        an_object(
            "Provider", "busy", {"type": "slack", "address": f"{listener.url}/busy", "channel": "ops"}, "v1beta2"
        ),
        an_object("Provider", "refusing", {"type": "generic", "address": f"{listener.url}/refusing/{TOKEN}"}),
        an_object("Provider", "far", {"type": "pagerduty"}),
        alert("signed", "signed", eventMetadata={"env": "test"}, exclusionList=["^nothing"]),
        alert("busy", "busy"),
        alert("refusing", "refusing"),
        alert("errors", "signed", eventSeverity="error", summary="something broke"),
    ]
    world = await World.make(tmp_path)
    kinds = [(NOTIFICATION, "Alert"), (NOTIFICATION, "Provider"), ("", "Event")]
    async with opened(world, kinds=kinds) as doors:
        store = KubeStore(doors.client)
        for obj in objects:
            await store.create(obj, manager="test")
        await doors.condition("Alert", "signed", "True", "Initialized")
        await doors.condition("Provider", "far", "False", "spec.type: pagerduty is not supported")
        await doors.commit("Run nothing", {".github/workflows/image.yaml": None, "deploy/deployment.yaml": None})
        await doors.push()
        await doors.settled()
        revision = f"main@sha1:{await doors.head()}"

        def applied(path):
            return [
                one
                for one in listener.at(path)
                if one["involvedObject"]["kind"] == "Kustomization" and one["metadata"].get("revision") == revision
            ]

        await until(lambda: applied("/signed") and listener.at("/busy"))
        told = applied("/signed")[0]
        assert told["metadata"]["env"] == "test"
        assert told["severity"] == "info"
        assert told["reportingController"] == "kustomize-controller"
        assert listener.at("/busy")[0]["channel"] == "ops"
        for path, headers, body in listener.taken:
            if path == "/signed":
                signature = hmac.new(TOKEN.encode(), body, hashlib.sha256).hexdigest()
                assert headers["X-Signature"] == f"sha256={signature}"
        assert not any("something broke" in say(one) for one in listener.at("/signed"))

        def failed(found):
            return [one for one in found["Event"] if one.get("reason") == "NotificationDispatchFailed"]

        await doors.until("the failure is said of the alert", failed)
        for event in failed(doors.view.objects):
            assert event["involvedObject"]["name"] == "refusing"
            assert "answered 403" in event["message"]
            assert TOKEN not in say(event)
        await doors.commit("Break it", {"deploy/broken.yaml": "kind: [\n"})
        await doors.push()
        await until(lambda: any("something broke" in say(one) for one in listener.at("/signed")))
    with contextlib.suppress(FileNotFoundError):
        assert TOKEN not in "".join(path.read_text() for path in world.home.logs.glob("*"))
