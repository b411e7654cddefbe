"""An ImageRepository reaches a real registry on the way that its Secrets name, whichever home they are in."""

import base64
import contextlib
import json
from types import SimpleNamespace

import pytest
from tests.contracts.store import NAMESPACES
from tests.integration.cluster_pki import make
from tests.integration.kube_homes import api_server, our_door
from tests.integration.secure_registry import PASSWORD, USER, ConnectProxy, secure_registry

from tidegate.base.errors import NotFound, TidegateError
from tidegate.engine.clock import SystemClock
from tidegate.engine.file_tags import FileTags
from tidegate.engine.outcome import Ready
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kube.store import KubeStore
from tidegate.oci.client import RegistryClient
from tidegate.scan.controller import ImageRepositoryController

pytestmark = pytest.mark.integration
NAMESPACE = NAMESPACES[0]


@pytest.fixture(params=["one machine", "our door", "api server"])
def home(request):
    """Which home it is, and the cluster where it is one."""
    return request.param, request.getfixturevalue("cluster") if request.param == "api server" else None


@pytest.fixture
async def store(home, tmp_path):
    """The Store of each home."""
    name, cluster = home
    async with contextlib.AsyncExitStack() as stack:
        if name == "one machine":
            yield stack.enter_context(contextlib.closing(SqliteStore(tmp_path / "machine.db", SystemClock())))
        else:
            client = await stack.enter_async_context(api_server(cluster) if cluster else our_door(tmp_path))
            yield KubeStore(client)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return make(tmp_path_factory.mktemp("pki") / "keys")


@pytest.fixture
async def registry(tmp_path, pki):
    """Its host and port; it wants a certificate and a password."""
    async with secure_registry(tmp_path, pki, "1.0.0", "1.0.1") as host:
        yield host


@pytest.fixture
async def proxy():
    async with ConnectProxy().serving() as found:
        yield found


@pytest.fixture
def scan(tmp_path, store, registry):
    async def scan(**spec):
        metadata = {"name": "web", "namespace": NAMESPACE, "generation": 1}
        obj = {"apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImageRepository", "metadata": metadata}
        obj["spec"] = {"image": f"{registry}/acme/web", "interval": "1m", **spec}
        async with RegistryClient() as client:
            controller = ImageRepositoryController(client, FileTags(tmp_path / "tags"))
            return await controller.reconcile(obj, SimpleNamespace(store=store, clock=SystemClock()))

    return scan


async def secret(store, name, **data):
    encoded = {key.replace("__", "."): base64.b64encode(value).decode() for key, value in data.items()}
    metadata = {"name": name, "namespace": NAMESPACE}
    await store.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded}, manager="test")
    return {"name": name}


async def login(store, registry):
    auths = {f"https://{registry}/v2/": {"username": USER, "password": PASSWORD}}
    return await secret(store, "login", __dockerconfigjson=json.dumps({"auths": auths}).encode())


def pair(pki):
    return {"tls__crt": pki.admin.read_bytes(), "tls__key": pki.admin.with_suffix(".key").read_bytes()}


async def test_authority_certificate_password_and_proxy_are_all_used(store, registry, proxy, pki, scan):
    held = {"address": proxy.url.encode(), "username": USER.encode(), "password": PASSWORD.encode()}
    outcome = await scan(
        secretRef=await login(store, registry),
        certSecretRef=await secret(store, "certificates", ca__crt=pki.ca.read_bytes(), **pair(pki)),
        proxySecretRef=await secret(store, "proxy", **held),
    )
    assert isinstance(outcome, Ready)
    assert outcome.status["lastScanResult"]["tagCount"] == 2
    assert set(proxy.opened) == {registry}


async def test_the_older_keys_do_as_well(store, registry, pki, scan):
    held = {"caFile": pki.ca.read_bytes(), "certFile": pair(pki)["tls__crt"], "keyFile": pair(pki)["tls__key"]}
    outcome = await scan(secretRef=await login(store, registry), certSecretRef=await secret(store, "old", **held))
    assert isinstance(outcome, Ready)


async def test_what_is_left_out_is_what_fails(store, registry, proxy, pki, scan):
    ref = await login(store, registry)
    with pytest.raises(TidegateError, match=r"scan failed: .*certificate verify failed") as caught:
        await scan(secretRef=ref)
    assert caught.value.code == "ReadOperationFailed"
    assert "spec.certSecretRef" in caught.value.remedy
    with pytest.raises(TidegateError, match="scan failed: ") as caught:
        await scan(secretRef=ref, certSecretRef=await secret(store, "ca", ca__crt=pki.ca.read_bytes()))
    assert "tls.crt" in caught.value.remedy
    certificates = await secret(store, "both", ca__crt=pki.ca.read_bytes(), **pair(pki))
    with pytest.raises(TidegateError, match="answered 401") as caught:
        await scan(certSecretRef=certificates)
    keyless = await secret(store, "proxy", address=proxy.url.encode())
    with pytest.raises(TidegateError, match="407") as caught:
        await scan(secretRef=ref, certSecretRef=certificates, proxySecretRef=keyless)
    assert "spec.proxySecretRef" in caught.value.remedy
    assert (proxy.opened, proxy.refused > 0) == ([], True)
    assert PASSWORD not in caught.value.explain()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"secretRef": {"name": "absent"}}, 'secrets "absent" not found'),
        ({"certSecretRef": {"name": "absent"}}, 'secrets "absent" not found'),
        ({"proxySecretRef": {"name": "absent"}}, f"secret '{NAMESPACE}/absent' not found"),
        ({"serviceAccountName": "absent"}, f"serviceaccount '{NAMESPACE}/absent' not found"),
    ],
)
async def test_what_is_not_there_is_told_as_by_flux(store, scan, spec, message):
    with pytest.raises(NotFound) as caught:
        await scan(**spec)
    assert str(caught.value) == f"failed to configure authentication options: {message}"
    assert caught.value.code == "AuthenticationFailed"
    assert "absent" in caught.value.remedy
