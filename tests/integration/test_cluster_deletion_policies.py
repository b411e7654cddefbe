"""What becomes of the objects when a Kustomization goes, by the whole process at the API server."""

import asyncio

import pytest
import yaml
from tests.integration.cluster_deploys import KUSTOMIZATIONS, SYSTEM, DeployWorld, config_map, kustomization, namespace

pytestmark = pytest.mark.integration
MAPS = "/api/v1/namespaces/shop/configmaps"
HELD = "test.example/held"
POLICIES = {"orphan": ("Orphan", True), "delete": ("Delete", False), "slow": ("WaitForTermination", True)}


async def test_each_deletion_policy_at_the_end_of_its_kustomization(bare_cluster, tmp_path):
    cluster = bare_cluster
    async with DeployWorld.opened(cluster, tmp_path) as world:
        await cluster.create("/api/v1/namespaces", yaml.safe_load(namespace("shop")))
        await world.start()
        named = POLICIES.items()
        objects = [kustomization(name, deletionPolicy=policy, prune=prune) for name, (policy, prune) in named]
        await cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([world.source(), *objects]))
        revision = await world.push({f"{name}/map.yaml": config_map(name) for name in POLICIES})
        for name in POLICIES:
            await world.applied(revision, name)
        await waits_for_what_still_ends(world)
        await cluster.kubectl("delete", "kustomization", "orphan", "delete", "-n", SYSTEM, "--timeout=60s")
        left = {one["metadata"]["name"] for one in (await cluster.get(MAPS))["items"]}
        assert left - {"kube-root-ca.crt"} == {"orphan"}


async def waits_for_what_still_ends(world):
    """Something else holds the object by a finalizer: the Kustomization stays as long."""
    cluster, path = world.cluster, f"{KUSTOMIZATIONS}/slow"
    await cluster.merge(f"{MAPS}/slow", {"metadata": {"finalizers": [HELD]}})
    await cluster.kubectl("delete", "kustomization", "slow", "-n", SYSTEM, "--wait=false")
    ending = await cluster.until(f"{MAPS}/slow", lambda found: found["metadata"].get("deletionTimestamp"))
    assert ending["metadata"]["finalizers"] == [HELD]
    # Looks have come to their end since, and it is still there.
    seen = await looks(world)
    while await looks(world) < seen + 2:
        assert (await cluster.get(path))["metadata"]["finalizers"]
        await asyncio.sleep(0.1)
    assert (await cluster.get(path))["metadata"]["finalizers"]
    await cluster.merge(f"{MAPS}/slow", {"metadata": {"finalizers": None}})
    await cluster.kubectl("wait", "--for=delete", "kustomization/slow", "-n", SYSTEM, "--timeout=60s")


async def looks(world):
    """How often the Kustomization `slow` was reconciled."""
    lines = (await asyncio.to_thread(world.controller.get, "/metrics")).splitlines()
    counts = [one for one in lines if one.startswith("gotk_reconcile_duration_seconds_count") and 'name="slow"' in one]
    return sum(float(one.rpartition(" ")[2]) for one in counts)
