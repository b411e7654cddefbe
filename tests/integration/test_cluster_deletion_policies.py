"""What becomes of the objects when a Kustomization goes, by the whole process at the API server."""

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
    # Another look has come to its end since, and it is still there.
    await world.look("kustomization", "slow", "again")
    assert (await cluster.get(path))["metadata"]["finalizers"]
    await cluster.merge(f"{MAPS}/slow", {"metadata": {"finalizers": None}})
    await cluster.kubectl("wait", "--for=delete", "kustomization/slow", "-n", SYSTEM, "--timeout=60s")
