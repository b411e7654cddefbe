"""`digestReflectionPolicy` at a real registry: the digest of an image for several platforms is its index's."""

import json
from types import SimpleNamespace

import httpx2
import pytest
from tests.integration.registry_world import RegistryWorld

from tidegate.engine.file_tags import FileTags
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.objects import key_of
from tidegate.kinds.reference import parse
from tidegate.oci.client import RegistryClient
from tidegate.oci.values import OCI_INDEX, OCI_MANIFEST
from tidegate.select.controller import ImagePolicyController

pytestmark = pytest.mark.integration
API = "image.toolkit.fluxcd.io/v1"


@pytest.fixture
def registry(tmp_path):
    world = RegistryWorld(tmp_path / "registry")
    world.start()
    yield world
    world.stop()


async def push_index(client, image, registry, *platforms):
    """An index of an image for each platform, all under one tag; its digest."""
    manifests = []
    for architecture in platforms:
        digest = registry.push("acme/web", f"part-{architecture}")
        size = len(json.dumps(registry.manifest("acme/web", f"part-{architecture}")).encode())
        platform = {"os": "linux", "architecture": architecture}
        manifests.append({"mediaType": OCI_MANIFEST, "digest": digest, "size": size, "platform": platform})
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).encode()
    return (await client.push_manifest(parse(image), OCI_INDEX, index)).digest


async def test_always_follows_the_index_by_head_alone(tmp_path, registry):
    asked = []

    async def note(request):
        asked.append(request.method)

    image = f"127.0.0.1:{registry.port}/acme/web"
    store, tags = SqliteStore(tmp_path / "store.db", ManualClock()), FileTags(tmp_path / "tags")
    repository = {"apiVersion": API, "kind": "ImageRepository", "metadata": {"name": "web", "namespace": "apps"},
                  "spec": {"image": image, "interval": "1m"}}  # fmt: skip
    policy = {"apiVersion": API, "kind": "ImagePolicy", "metadata": {"name": "web", "namespace": "apps"},
              "spec": {"imageRepositoryRef": {"name": "web"}, "policy": {"semver": {"range": "*"}},
                       "digestReflectionPolicy": "Always", "interval": "10m"}}  # fmt: skip
    for obj in (repository, policy):
        await store.apply(obj, manager="test")
    await tags.put(image, ["1.0.0"])
    await store.patch_status(key_of(repository), {"canonicalImageName": image}, manager="test")
    async with httpx2.AsyncClient(event_hooks={"request": [note]}, trust_env=False) as http:
        client = RegistryClient(http=http)
        controller = ImagePolicyController(tags, client)

        async def reconcile():
            outcome = await controller.reconcile(
                await store.get(key_of(policy)), SimpleNamespace(store=store, clock=ManualClock())
            )
            await store.patch_status(key_of(policy), outcome.status, manager="test")
            return outcome

        one = await push_index(client, f"{image}:1.0.0", registry, "amd64")
        asked.clear()
        outcome = await reconcile()
        assert outcome.status["latestRef"] == {"name": image, "tag": "1.0.0", "digest": one}
        assert asked == ["HEAD"]
        both = await push_index(client, f"{image}:1.0.0", registry, "amd64", "arm64")
        outcome = await reconcile()
    assert (await store.get(key_of(policy)))["status"]["latestRef"]["digest"] == both != one
    assert outcome.message == (
        f"Latest image tag for {image} resolved to 1.0.0 with digest {both} (previously {image}:1.0.0@{one})"
    )
    store.close()
