"""The two servers that the Kubernetes side of the ports is tested at: our own door, and a real API server."""

import asyncio
import contextlib

from starlette.applications import Starlette
from tests.contracts.store import GROUP, NAMESPACES

from tidegate.engine.clock import SystemClock
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kube.access import Connection, FixedCredential, Identity, Verification, bearer, plain
from tidegate.kube.client import KubeClient
from tidegate.serve.auth import Authorizer
from tidegate.serve.guard import Guard
from tidegate.serve.kubernetes import KubernetesDoor
from tidegate.serve.listen import bind, port_of, serve

TOKEN = "the-token-of-this-test"
FREE_SCHEMA = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
WIPED = (
    f"/apis/{GROUP}/v1/namespaces/{{}}/imagepolicies",
    f"/apis/{GROUP}/v1/namespaces/{{}}/imageupdateautomations",
    "/api/v1/namespaces/{}/configmaps",
    "/api/v1/namespaces/{}/secrets",
    "/api/v1/namespaces/{}/services",
    "/apis/apps/v1/namespaces/{}/deployments",
)


class SpyingClient(KubeClient):
    """A client that says which requests it makes, and when a watch begins."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.watching = asyncio.Event()
        self.methods = []
        send = self._session.send

        async def noted(call):
            self.methods.append(call.method)
            return await send(call)

        self._session.send = noted

    async def watch(self, path, **query):
        self.watching.set()
        async with contextlib.aclosing(super().watch(path, **query)) as events:
            async for event in events:
                yield event


class NoPodLogs:
    async def exists(self, namespace, pod):
        return False

    async def lines(self, namespace, pod, options):
        return
        yield


@contextlib.asynccontextmanager
async def our_door(folder, wrap=lambda app: app, **options):
    """A client of our own door on loopback, until the block ends. `wrap` may stand before the door."""
    clock = SystemClock()
    store = SqliteStore(folder / "store.db", clock)
    door = KubernetesDoor(store, Authorizer(TOKEN), NoPodLogs(), clock=clock, version="0.1.0")
    listener = bind(0)
    app = wrap(Guard(Starlette(routes=list(door.routes()))))
    server = asyncio.create_task(serve(app, listener))
    try:
        async with SpyingClient(plain(f"http://127.0.0.1:{port_of(listener)}", TOKEN), **options) as client:
            yield client
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)
        store.close()


def connection_of(cluster, token=None):
    """How the administrator of a test's cluster reaches it."""
    authority = Verification(cluster.ca.read_bytes())
    return Connection(cluster.url, FixedCredential(Identity(bearer(token or cluster.token))), authority)


@contextlib.asynccontextmanager
async def api_server(cluster):
    """A client of the real API server, with what the contract suites expect there and nothing left of other tests."""
    await prepare(cluster)
    async with SpyingClient(connection_of(cluster)) as client:
        yield client


async def prepare(cluster):
    """The namespaces and the kind of the contract suites, and none of their objects."""
    async with cluster.http() as http:
        for name in NAMESPACES:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            assert (await http.post("/api/v1/namespaces", json=body)).status_code in (201, 409)
        await define(http, "ImagePolicy", "imagepolicies", ("v1", "v1beta2"))
        for path in WIPED:
            for name in NAMESPACES:
                assert (await http.delete(path.format(name))).status_code == 200


async def define(http, kind, plural, versions, group=GROUP):
    """A definition of a kind, as free as can be, unless the cluster has one."""
    body = definition(kind, plural, versions, group)
    assert (await http.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", json=body)).status_code in (
        201,
        409,
    )
    for _ in range(200):
        if (await http.get(f"/apis/{group}/{versions[0]}/{plural}")).status_code == 200:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{plural} are not served")


def definition(kind, plural, versions, group=GROUP):
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == versions[0],
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": FREE_SCHEMA},
                }
                for version in versions
            ],
        },
    }
