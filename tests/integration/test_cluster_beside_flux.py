"""The image automation alone: Flux's image controllers are scaled to zero, the rest of Flux goes on."""

import asyncio

import pytest
import yaml
from tests.integration.cluster_audit import writes
from tests.integration.cluster_deploys import kustomization
from tests.integration.cluster_flux import SYSTEM, FluxPlayer, now, ready
from tests.integration.cluster_tidegate import ControllerProcess, tidegate
from tests.integration.registry_world import RegistryWorld
from tests.integration.ssh_remote import Clone, SshRemote
from tests.integration.test_kubernetes_page import Reader

pytestmark = pytest.mark.integration
IMAGES = f"/apis/image.toolkit.fluxcd.io/v1/namespaces/{SYSTEM}"
SOURCE = f"/apis/source.toolkit.fluxcd.io/v1/namespaces/{SYSTEM}/gitrepositories/fleet"
APPS = f"/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{SYSTEM}/kustomizations/apps"
WEB = "/apis/apps/v1/namespaces/shop/deployments/web"
IMAGE, REPOSITORY = "ghcr.io/acme/web", "acme/web"
OBJECTS = f"""
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {{name: web, namespace: {SYSTEM}}}
spec: {{image: {IMAGE}, interval: 1m}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {{name: web, namespace: {SYSTEM}}}
spec: {{imageRepositoryRef: {{name: web}}, policy: {{semver: {{range: ">=1.0.0"}}}}}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {{name: fleet, namespace: {SYSTEM}}}
spec:
  interval: 1m
  sourceRef: {{kind: GitRepository, name: fleet}}
  git: {{commit: {{author: {{name: Images, email: images@example.com}}}}, push: {{branch: main}}}}
  update: {{path: ./apps, strategy: Setters}}
"""
MANIFEST = f"""\
apiVersion: v1
kind: Namespace
metadata: {{name: shop}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: shop}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
      - name: web
        image: {IMAGE}:1.0.0 # {{"$imagepolicy": "{SYSTEM}:web"}}
"""


@pytest.fixture
def remote(tmp_path):
    remote = SshRemote(tmp_path / "ssh")
    remote.start()
    yield remote
    remote.stop()


@pytest.fixture
def registry(tmp_path):
    registry = RegistryWorld(tmp_path / "registry")
    try:
        registry.start()
        yield registry
    finally:
        registry.stop()


async def bootstrapped(cluster, remote, folder):
    """A cluster on which Flux has worked until now: its objects, with what its image controllers wrote of them."""
    key = remote.new_key("flux-key")
    remote.allow(key)
    remote.create("fleet")
    clone = Clone(folder / "clone", remote, "fleet", key)
    flux = FluxPlayer(cluster, clone)
    await flux.define()
    hosts = f"--from-literal=known_hosts={remote.known_hosts()}"
    await cluster.kubectl("create", "secret", "generic", "fleet", "-n", SYSTEM, f"--from-file=identity={key}", hosts)
    clone.push({"apps/web.yaml": MANIFEST})
    source = {"interval": "1m", "url": remote.url("fleet"), "ref": {"branch": "main"}, "secretRef": {"name": "fleet"}}
    metadata = {"name": "fleet", "namespace": SYSTEM}
    repository = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": metadata}
    everything = [repository | {"spec": source}, kustomization(), *yaml.safe_load_all(OBJECTS)]
    await cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(everything))
    reflector, automation = "image-reflector-controller", "image-automation-controller"
    scanned = {"lastScanResult": {"scanTime": now(), "tagCount": 1}, "conditions": [ready("successful scan")]}
    selected = {"latestRef": {"name": IMAGE, "tag": "1.0.0"}, "conditions": [ready("resolved to 1.0.0")]}
    await flux.has_worked(f"{IMAGES}/imagerepositories/web", reflector, scanned)
    await flux.has_worked(f"{IMAGES}/imagepolicies/web", reflector, selected)
    run = {"lastAutomationRunTime": now(), "conditions": [ready("repository up-to-date")]}
    await flux.has_worked(f"{IMAGES}/imageupdateautomations/fleet", automation, run)
    return flux


async def installed_by_the_page(cluster, remote, folder):
    """What docs/kubernetes.md says, after the refusal that says the same; the controller's options that come of it."""
    refused = await asyncio.to_thread(tidegate, cluster, "install", "--kinds=image", "--adopt", code=1)
    assert f"kubectl scale -n {SYSTEM} deployment/image-reflector-controller --replicas=0" in refused
    await asyncio.sleep(1)  # the API's times are whole seconds
    said = await Reader(cluster, folder, remote).follow("Beside Flux")
    assert "deployment.apps/tidegate created" in [*said.values()][-1]
    deployment = await cluster.get(f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/tidegate")
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    return [one for one in arguments if one.startswith(("--kinds=", "--adopt="))]


def owners(obj):
    return {line["manager"] for line in obj["metadata"]["managedFields"] if line.get("subresource") == "status"}


def image_of(deployment):
    return deployment["spec"]["template"]["spec"]["containers"][0]["image"]


async def owned_by_another(cluster):
    events = (await cluster.get(f"/api/v1/namespaces/{SYSTEM}/events"))["items"]
    return [one["involvedObject"]["name"] for one in events if one["reason"] == "OwnedByAnother"]


async def test_the_image_kinds_are_taken_over_and_flux_goes_on_with_the_rest(
    audited_cluster, remote, registry, tmp_path
):
    cluster = audited_cluster
    flux = await bootstrapped(cluster, remote, tmp_path)
    registry.push(REPOSITORY, "1.0.0")
    async with flux.playing():
        await cluster.until(WEB, lambda found: image_of(found) == f"{IMAGE}:1.0.0")
        options = await installed_by_the_page(cluster, remote, tmp_path)
        mirror = f"--registry-mirror=ghcr.io={registry.url}"
        process = await ControllerProcess.start(cluster, tmp_path, *options, mirror)
        try:
            await cluster.until(f"{IMAGES}/imagepolicies/web", lambda found: owners(found) == {"tidegate"}, 60)
            registry.push(REPOSITORY, "1.1.0")
            await look(cluster, "web")
            deployed = await cluster.until(WEB, lambda found: image_of(found) == f"{IMAGE}:1.1.0", 60)
            await only_the_image_kinds_are_ours(cluster, process, flux, deployed)
            await a_restart_takes_nothing_from_a_flux_that_came_back(cluster, process, flux)
            await what_is_deleted_goes(cluster)
        finally:
            process.stop()


async def look(cluster, name):
    annotations = {"reconcile.fluxcd.io/requestedAt": now()}
    await cluster.merge(f"{IMAGES}/imagerepositories/{name}", {"metadata": {"annotations": annotations}})


async def only_the_image_kinds_are_ours(cluster, process, flux, deployed):
    for path in ("imagerepositories/web", "imagepolicies/web", "imageupdateautomations/fleet"):
        assert owners(await cluster.get(f"{IMAGES}/{path}")) == {"tidegate"}, path
    looks = flux.looks
    while flux.looks < looks + 2:  # noqa: ASYNC110 - Flux looks by itself
        await asyncio.sleep(0.1)
    assert owners(await cluster.get(SOURCE)) == {"source-controller"}
    assert owners(await cluster.get(APPS)) == {"kustomize-controller"}
    assert {line["manager"] for line in deployed["metadata"]["managedFields"]} == {"kustomize-controller"}
    written = {one.resource for one in writes(cluster, process.token)}
    images = {f"{plural}{part}" for plural in ("imagerepositories", "imagepolicies", "imageupdateautomations")
              for part in ("", "/status")}  # fmt: skip
    assert written <= images | {"events", "leases"}
    assert await owned_by_another(cluster) == []


async def a_restart_takes_nothing_from_a_flux_that_came_back(cluster, process, flux):
    """The moment of the adoption is over, so what Flux writes later is Flux's, before and after a restart."""
    path = f"{IMAGES}/imagerepositories/web"
    await cluster.merge(f"{path}/status?fieldManager=image-reflector-controller", {"status": {"observedGeneration": 7}})
    process.program.terminate()
    await process.ended()
    process.program.start()
    for _ in range(600):
        if "web" in await owned_by_another(cluster):
            break
        await asyncio.sleep(0.1)
    assert "web" in await owned_by_another(cluster)
    assert "image-reflector-controller" in owners(await cluster.get(path))
    await cluster.kubectl(
        "annotate", "--overwrite", "imagerepository", "web", "-n", SYSTEM, f"tidegate.dev/adopt={later()}"
    )
    await cluster.until(path, lambda found: owners(found) == {"tidegate"}, 60)


def later():
    """A moment after all that has been written."""
    return now().replace("Z", ".999Z")


async def what_is_deleted_goes(cluster):
    """Flux's finalizer is on the object still, and the controller that put it there is gone."""
    path = f"{IMAGES}/imagepolicies/web"
    assert (await cluster.get(path))["metadata"]["finalizers"] == ["finalizers.fluxcd.io"]
    await cluster.kubectl("delete", "imagepolicy", "web", "-n", SYSTEM, "--timeout=30s")
    with pytest.raises(AssertionError, match="404"):
        await cluster.get(path)
