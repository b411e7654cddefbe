"""Tidegate comes into a cluster, beside Flux or twice, and goes out of it without touching what it deployed."""

import asyncio
import contextlib
import copy
import json
import time

import pytest
from tests.integration.cluster_deploys import SYSTEM, DeployWorld, config_map, namespace
from tests.integration.cluster_kubelet import Kubelet
from tests.integration.cluster_players import playing
from tests.integration.cluster_tidegate import ControllerProcess, tidegate

from tidegate.install.crds import definitions

pytestmark = pytest.mark.integration
NOT_FOLLOWED = "GitRepository is not followed until it is there"
IMAGE = "--image=ghcr.io/me/tidegate:1"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MAPS = "/api/v1/namespaces/shop/configmaps"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments"


async def names(cluster, path):
    return {one["metadata"]["name"] for one in (await cluster.get(path))["items"]}


async def test_uninstalling_leaves_what_was_deployed_while_the_controllers_pod_takes_its_time(bare_cluster, tmp_path):
    cluster = bare_cluster
    async with DeployWorld.opened(cluster, tmp_path) as world, playing(cluster), Kubelet.serving(cluster) as kubelet:
        process = await world.start()
        await kubelet.show(SYSTEM, "tidegate", process.log)
        await world.follow()
        revision = await world.push({"apps/a.yaml": namespace("shop"), "apps/b.yaml": config_map("settings")})
        applied = await world.applied(revision)
        assert applied["metadata"]["finalizers"] == ["finalizers.fluxcd.io"]
        before = await cluster.get(f"{MAPS}/settings")

        ending = asyncio.create_task(end_with_its_pod(cluster, process))
        said = await asyncio.to_thread(tidegate, cluster, "uninstall", "--yes")
        await ending
    assert "deployment.apps/tidegate deleted" in said
    assert "customresourcedefinition.apiextensions.k8s.io/kustomizations.kustomize.toolkit.fluxcd.io deleted" in said
    after = await cluster.get(f"{MAPS}/settings")
    assert (after["metadata"]["uid"], after["metadata"]["resourceVersion"]) == (
        before["metadata"]["uid"],
        before["metadata"]["resourceVersion"],
    )
    assert not {name for name in await names(cluster, CRDS) if "fluxcd" in name or "tidegate" in name}
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases"
    assert await names(cluster, leases) == set()
    for path in (
        f"/api/v1/namespaces/{SYSTEM}/serviceaccounts",
        f"/apis/rbac.authorization.k8s.io/v1/namespaces/{SYSTEM}/roles",
    ):
        assert not {name for name in await names(cluster, path) if "tidegate" in name}
    assert "tidegate" not in await names(cluster, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings")
    assert (await cluster.get(f"/api/v1/namespaces/{SYSTEM}"))["status"]["phase"] == "Active"
    again = await asyncio.to_thread(tidegate, cluster, "uninstall", "--yes")
    assert again == f"nothing of Tidegate was in {SYSTEM}\n"


async def end_with_its_pod(cluster, process):
    """Play the kubelet: the controller gets SIGTERM late, and its Pod goes when it has ended."""
    path = f"/api/v1/namespaces/{SYSTEM}/pods"
    found = await cluster.until(
        path, lambda found: any(pod["metadata"].get("deletionTimestamp") for pod in found["items"]), 60
    )
    await asyncio.sleep(3)
    process.program.terminate()
    for pod in found["items"]:
        with contextlib.suppress(AssertionError):
            await cluster.delete(f"{path}/{pod['metadata']['name']}?gracePeriodSeconds=0")


async def test_installing_twice_at_once_in_two_shapes_and_in_two_places(bare_cluster):
    cluster = bare_cluster
    both = await asyncio.gather(
        *(asyncio.to_thread(tidegate, cluster, "install", "--kinds=source,kustomize", IMAGE) for _ in range(2))
    )
    assert all("deployment.apps/tidegate" in said for said in both)
    refused = await asyncio.to_thread(tidegate, cluster, "install", "-n", "other", IMAGE, code=1)
    assert "Tidegate is installed in the namespace flux-system" in refused
    assert "tidegate uninstall -n flux-system" in refused
    with pytest.raises(AssertionError, match="404"):
        await cluster.get("/api/v1/namespaces/other")

    split = await asyncio.to_thread(tidegate, cluster, "install", "--kinds=source,kustomize", "--split", IMAGE)
    assert "deployment.apps/tidegate deleted" in split
    assert await names(cluster, DEPLOYMENTS) == {"source-controller", "kustomize-controller"}
    assert await names(cluster, f"/api/v1/namespaces/{SYSTEM}/serviceaccounts") >= await names(cluster, DEPLOYMENTS)
    whole = await asyncio.to_thread(tidegate, cluster, "install", "--kinds=source,kustomize", IMAGE)
    assert "deployment.apps/source-controller deleted" in whole
    assert await names(cluster, DEPLOYMENTS) == {"tidegate"}


async def test_other_kinds_later_take_other_rights(bare_cluster):
    cluster = bare_cluster
    binding = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/tidegate"
    for kinds, role in (("all", "cluster-admin"), ("image", "tidegate"), ("kustomize", "cluster-admin")):
        words = [] if kinds == "all" else [f"--kinds={kinds}"]
        await asyncio.to_thread(tidegate, cluster, "install", *words, IMAGE)
        assert (await cluster.get(binding))["roleRef"]["name"] == role


async def test_uninstalling_elsewhere_is_refused_and_touches_nothing(bare_cluster):
    cluster = bare_cluster
    await asyncio.to_thread(tidegate, cluster, "install", "-n", "tide", "--kinds=image", IMAGE)
    before = await names(cluster, CRDS)
    refused = await asyncio.to_thread(tidegate, cluster, "uninstall", "--yes", code=1)
    assert "Tidegate is installed in the namespace tide, not in flux-system" in refused
    assert "tidegate uninstall -n tide" in refused
    assert await names(cluster, CRDS) == before
    assert "tidegate" in await names(cluster, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings")


async def test_uninstalling_waits_for_a_controller_that_no_deployment_names(bare_cluster, tmp_path):
    cluster = bare_cluster
    async with DeployWorld.opened(cluster, tmp_path) as world:
        shard = await world.start("--watch-label-selector=shard=one", name="shard")
        whole = await world.start(name="whole")
        await world.follow()
        revision = await world.push({"apps/a.yaml": namespace("shop"), "apps/b.yaml": config_map("settings")})
        await world.applied(revision)
        await cluster.kubectl("delete", "deployment", "tidegate", "-n", SYSTEM)
        ending = asyncio.create_task(asyncio.to_thread(tidegate, cluster, "uninstall", "--yes"))
        for running in (whole, shard):
            await asyncio.sleep(4)
            assert not ending.done()
            assert "kustomizations.kustomize.toolkit.fluxcd.io" in await names(cluster, CRDS)
            running.program.terminate()
        assert "kustomizations.kustomize.toolkit.fluxcd.io deleted" in await ending
    assert await names(cluster, MAPS) == {"settings"}


async def test_beside_flux_its_definitions_are_used_and_left_and_its_controllers_respected(bare_cluster, tmp_path):
    cluster = bare_cluster
    await cluster.define(fluxs(definitions(["ImageRepository", "ImagePolicy", "ImageUpdateAutomation"])))
    labels = {"app.kubernetes.io/part-of": "flux", "app": "image-reflector-controller"}
    await cluster.create(
        "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM, "labels": labels}}
    )
    await cluster.create(DEPLOYMENTS, deployment("image-reflector-controller", labels))
    refused = await asyncio.to_thread(tidegate, cluster, "install", "--kinds=image", IMAGE, code=1)
    assert "Flux's image-reflector-controller runs in flux-system" in refused
    remedy = "kubectl scale -n flux-system deployment/image-reflector-controller --replicas=0"
    assert remedy in refused
    assert await names(cluster, DEPLOYMENTS) == {"image-reflector-controller"}
    await cluster.kubectl(*remedy.split()[1:])
    installed = await asyncio.to_thread(tidegate, cluster, "install", "--kinds=image", IMAGE)
    kept = "customresourcedefinition.apiextensions.k8s.io/imagepolicies.image.toolkit.fluxcd.io kept as it is"
    assert kept in installed
    assert "namespace/flux-system kept as it is" in installed

    # Flux's source-controller has not brought its definitions yet: each controller that wants them says so once.
    process = await ControllerProcess.start(cluster, tmp_path, "--kinds=image")
    try:
        await process.until_it_says(NOT_FOLLOWED, times=2)
        began = time.monotonic()
        await cluster.create(f"/apis/image.toolkit.fluxcd.io/v1/namespaces/{SYSTEM}/imagepolicies", policy())
        await cluster.until(
            f"/apis/image.toolkit.fluxcd.io/v1/namespaces/{SYSTEM}/imagepolicies/shop",
            lambda found: (found.get("status") or {}).get("conditions"),
        )
        await asyncio.sleep(max(0, 5 - (time.monotonic() - began)))
        # The automations' own, and the scans', which expect tags after a commit.
        asking = [json.loads(line) for line in process.log.read_text().splitlines() if NOT_FOLLOWED in line]
        asking = sorted(line["controller"] for line in asking)
        assert asking == ["image-automation-controller", "image-reflector-controller"]
        assert '"error"' not in process.log.read_text()
    finally:
        process.program.terminate()

    await asyncio.to_thread(tidegate, cluster, "uninstall", "--yes")
    left = await names(cluster, CRDS)
    assert "imagepolicies.image.toolkit.fluxcd.io" in left
    assert await names(cluster, f"/apis/image.toolkit.fluxcd.io/v1/namespaces/{SYSTEM}/imagepolicies") == {"shop"}
    assert await names(cluster, DEPLOYMENTS) == {"image-reflector-controller"}


def fluxs(ours):
    """Definitions as if Flux had brought them."""
    found = copy.deepcopy(ours)
    for definition in found:
        definition["metadata"]["labels"] = {"app.kubernetes.io/part-of": "flux"}
    return found


def policy():
    spec = {"imageRepositoryRef": {"name": "none"}, "policy": {"semver": {"range": "*"}}}
    metadata = {"name": "shop", "namespace": SYSTEM}
    return {"apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImagePolicy", "metadata": metadata, "spec": spec}


def deployment(name, labels):
    container = {"name": "manager", "image": "ghcr.io/fluxcd/image-reflector-controller:v1"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": name, "namespace": SYSTEM, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
