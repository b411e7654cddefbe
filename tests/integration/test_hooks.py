"""Hooks of Receivers, called by a real registry and as GitHub does, in both homes: the next look comes at once."""

import asyncio
import contextlib
import hashlib
import hmac
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tests.integration.cluster_tidegate import ControllerProcess, tidegate
from tests.integration.cluster_world import free_ports
from tests.integration.registry_world import RegistryWorld

from tidegate.kube.store import KubeStore

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from crash_world import World
from whole_world import opened, path_of

pytestmark = pytest.mark.integration
SYSTEM = "flux-system"
IMAGE = f"/apis/image.toolkit.fluxcd.io/v1/namespaces/{SYSTEM}"
NOTIFICATION = "notification.toolkit.fluxcd.io"
TOKEN = "sesame"
NAMES = [{"kind": "ImageRepository", "name": "far"}]


def metadata(name):
    return {"name": name, "namespace": SYSTEM}


def objects(registry):
    """An image that is scanned once an hour, its policy, and the token of its hooks."""
    image = {"apiVersion": "image.toolkit.fluxcd.io/v1", "metadata": metadata("far")}
    reference = f"127.0.0.1:{registry.port}/acme/far"
    policy = {"imageRepositoryRef": {"name": "far"}, "policy": {"semver": {"range": "*"}}}
    return [
        image | {"kind": "ImageRepository", "spec": {"image": reference, "interval": "1h", "insecure": True}},
        image | {"kind": "ImagePolicy", "spec": policy},
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata("token"), "stringData": {"token": TOKEN}},
    ]


def receiver(name, kind):
    spec = {"type": kind, "secretRef": {"name": "token"}, "resources": NAMES}
    return {"apiVersion": f"{NOTIFICATION}/v1", "kind": "Receiver", "metadata": metadata(name), "spec": spec}


def path_at(name):
    """Flux's path of a Receiver."""
    return "/hook/" + hashlib.sha256(f"{TOKEN}{name}{SYSTEM}".encode()).hexdigest()


def call(url, body=b"{}", **headers):
    """POST without a credential; the status and the text."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=body, method="POST", headers=names)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def as_github(url, token=TOKEN, **headers):
    body = b'{"action": "published"}'
    signature = hmac.new(token.encode(), body, "sha256").hexdigest()
    return call(url, body, X_GitHub_Event="package", X_Hub_Signature_256=f"sha256={signature}", **headers)


def selects(found):
    return ((found.get("status") or {}).get("latestRef") or {}).get("tag")


async def test_a_registry_that_notifies_is_scanned_at_once(tmp_path):
    (port,) = free_ports(1)
    registry = RegistryWorld(tmp_path / "registry", (f"http://127.0.0.1:{port}{path_at('registry')}", TOKEN))
    registry.start()
    try:
        registry.push("acme/far", "1.0.0")
        world = await World.make(tmp_path)
        kinds = ((NOTIFICATION, "Receiver"),)
        async with opened(world, "--hook-address", f"127.0.0.1:{port}", kinds=kinds) as doors:
            store = KubeStore(doors.client)
            for obj in [*objects(registry), receiver("registry", "distribution"), receiver("github", "ghcr")]:
                await store.create(obj, manager="test")
            await doors.condition("ImagePolicy", "far", "True", "1.0.0")
            for name in ("registry", "github"):
                await doors.condition("Receiver", name, "True", f"Receiver initialized for path: {path_at(name)}")
            registry.push("acme/far", "1.0.1")
            await doors.condition("ImagePolicy", "far", "True", "1.0.1")
            await the_doors_of_hooks(doors, f"http://127.0.0.1:{port}")
            text = "".join(path.read_text() for path in world.home.logs.glob("*"))
            assert TOKEN not in text
    finally:
        registry.stop()


async def the_doors_of_hooks(doors, open_to_all):
    """At the address of hooks there are only hooks; at the usual one they may be called by any name."""
    assert (await asyncio.to_thread(call, f"{open_to_all}/api/v1/namespaces"))[0] == 404
    with pytest.raises(urllib.error.HTTPError, match="404"):
        await asyncio.to_thread(urllib.request.urlopen, f"{open_to_all}/metrics")
    other = {"Host": "hooks.example.com"}
    assert (await asyncio.to_thread(call, f"{doors.url}/api/v1/namespaces", **other))[0] == 421
    asked = (await doors.client.get(path_of("ImageRepository", "far")))["metadata"]["annotations"]
    refused = await asyncio.to_thread(as_github, doors.url + path_at("github"), "guess", **other)
    assert refused == (400, "unable to validate the call: the signature or token is missing or wrong\n")
    assert (await doors.client.get(path_of("ImageRepository", "far")))["metadata"]["annotations"] == asked
    woken = await asyncio.to_thread(as_github, doors.url + path_at("github"), **other)
    assert woken == (200, "1 object asked to reconcile\n")
    assert (await doors.client.get(path_of("ImageRepository", "far")))["metadata"]["annotations"] != asked


async def test_in_a_cluster_every_replica_answers_and_the_leader_acts(bare_cluster, tmp_path):
    cluster = bare_cluster
    chosen = ("--kinds", "image,notification")
    await asyncio.to_thread(tidegate, cluster, "install", *chosen, "--image", "ghcr.io/me/tidegate:1")
    registry = RegistryWorld(tmp_path / "registry")
    registry.start()
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(registry.stop)
        registry.push("acme/far", "1.0.0")
        hooks = []
        for name, says in (("first", "holding the lease"), ("second", "waiting for the lease")):
            (port,) = free_ports(1)
            hooks.append(f"http://127.0.0.1:{port}{path_at('github')}")
            options = (*chosen, "--hook-address", f"127.0.0.1:{port}")
            process = await ControllerProcess.start(cluster, tmp_path, *options, name=name)
            stack.callback(process.stop)
            await process.until_it_says(says)
        for obj in objects(registry):
            plural = {"ImageRepository": "imagerepositories", "ImagePolicy": "imagepolicies"}.get(obj["kind"])
            await cluster.create(f"{IMAGE}/{plural}" if plural else f"/api/v1/namespaces/{SYSTEM}/secrets", obj)
        receivers = f"/apis/{NOTIFICATION}/v1/namespaces/{SYSTEM}/receivers"
        await cluster.create(receivers, receiver("github", "github"))
        await cluster.until(f"{receivers}/github", lambda found: "webhookPath" in (found.get("status") or {}))
        await cluster.until(f"{IMAGE}/imagepolicies/far", lambda found: selects(found) == "1.0.0")
        registry.push("acme/far", "1.0.1")
        async with asyncio.timeout(30):  # until the second replica, which does not lead, has heard of the Receiver
            while (answer := await asyncio.to_thread(as_github, hooks[1]))[0] != 200:
                assert answer[0] in (404, 503), answer
                await asyncio.sleep(0.1)
        await cluster.until(f"{IMAGE}/imagepolicies/far", lambda found: selects(found) == "1.0.1")
        assert (await asyncio.to_thread(as_github, hooks[0], "guess"))[0] == 400
