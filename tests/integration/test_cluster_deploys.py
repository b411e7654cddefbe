"""A Kustomization in a cluster, by the whole process: order, waiting, drift, prune, nothing written without need."""

import json
from datetime import UTC, datetime

import pytest
import yaml
from tests.integration.cluster_audit import writes
from tests.integration.cluster_deploys import (
    APPS,
    KUSTOMIZATIONS,
    SYSTEM,
    DeployWorld,
    condition,
    config_map,
    kustomization,
    namespace,
)
from tests.integration.cluster_players import playing

pytestmark = pytest.mark.integration
MAPS = "/api/v1/namespaces/shop/configmaps"
SEALED = "/apis/bitnami.com/v1alpha1/namespaces/shop/sealedsecrets/db"
OWNER = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": SYSTEM}
SECRET = """
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {name: db, namespace: shop}
spec:
  encryptedData: {password: AgBy3i4OJSWK+PiTySYZZA9rO43cGDEq}
  template: {metadata: {name: db, namespace: shop}}
"""
DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: sealedsecrets.bitnami.com}
spec:
  group: bitnami.com
  scope: Namespaced
  names: {kind: SealedSecret, listKind: SealedSecretList, plural: sealedsecrets, singular: sealedsecret}
  versions:
    - name: v1alpha1
      served: true
      storage: true
      schema:
        openAPIV3Schema: {type: object, properties: {spec: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: WHAT}}
  template:
    metadata: {labels: {app: WHAT}}
    spec: {containers: [{name: web, image: "shop:1", resources: {limits: {cpu: 1000m}}}]}
"""


def now():
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def test_what_git_says_is_applied_in_order_kept_so_and_pruned(audited_cluster, tmp_path):
    async with DeployWorld.opened(audited_cluster, tmp_path) as world, playing(audited_cluster) as player:
        await world.start()
        await world.follow(wait=True, timeout="1m")
        await in_order(world)
        await unchanged_is_not_written(world)
        await drift_is_taken_back(world)
        await pruned(world)
        await health_is_waited_for(world, player)
        await fixed_fields_are_left_without_force(world)
        await elsewhere_and_after(world)
        await deleted_with_what_it_applied(world)


async def in_order(world):
    """The files' names are in the way: objects come before what they need."""
    cluster = world.cluster
    files = {
        "apps/a-secret.yaml": SECRET,
        "apps/b-settings.yaml": config_map("settings", {"colour": "blue"}),
        "apps/c-deployment.yaml": DEPLOYMENT.replace("WHAT", "web"),
        "apps/d-old.yaml": config_map("old"),
        "apps/y-definition.yaml": DEFINITION,
        "apps/z-namespace.yaml": namespace("shop"),
    }
    revision = await world.push(files)
    applied = await world.applied(revision)
    # A SealedSecret stands as it was written: nobody here opens it.
    sealed = await cluster.get(SEALED)
    assert sealed["spec"] == yaml.safe_load(SECRET)["spec"]
    assert {name: sealed["metadata"]["labels"].get(name) for name in OWNER} == OWNER
    assert [entry["id"] for entry in applied["status"]["inventory"]["entries"]] == [
        "_sealedsecrets.bitnami.com_apiextensions.k8s.io_CustomResourceDefinition",
        "_shop__Namespace",
        "shop_db_bitnami.com_SealedSecret",
        "shop_old__ConfigMap",
        "shop_settings__ConfigMap",
        "shop_web_apps_Deployment",
    ]
    assert condition(applied, "Healthy")["status"] == "True"


async def unchanged_is_not_written(world):
    since = now()
    await world.look("kustomization", "apps", "unchanged")
    await world.cluster.until(APPS, lambda found: found["status"].get("lastHandledReconcileAt") == "unchanged")
    written = writes(world.cluster, world.controller.token, since)
    # Of the Kustomization itself there is something to say: that it was asked, and what for.
    assert {one.resource for one in written} <= {"kustomizations/status", "leases", "events"}


async def drift_is_taken_back(world):
    cluster = world.cluster
    await cluster.kubectl("patch", "configmap", "settings", "-n", "shop", "-p", '{"data": {"colour": "red"}}')
    await cluster.kubectl("label", "configmap", "old", "-n", "shop", "mine=yes")
    await cluster.kubectl("delete", "sealedsecret", "db", "-n", "shop")
    await world.look("kustomization", "apps", "drift")
    await cluster.until(f"{MAPS}/settings", lambda found: found["data"] == {"colour": "blue"})
    await cluster.until(SEALED, lambda _: True)
    await cluster.until(APPS, lambda found: found["status"].get("lastHandledReconcileAt") == "drift")


async def pruned(world):
    cluster = world.cluster
    await cluster.create(MAPS, yaml.safe_load(config_map("by-hand")))
    revision = await world.push({"apps/d-old.yaml": None})
    applied = await world.applied(revision)
    names = {one["metadata"]["name"] for one in (await cluster.get(MAPS))["items"]}
    assert "old" not in names
    assert {"settings", "by-hand"} <= names
    assert "shop_old__ConfigMap" not in json.dumps(applied["status"]["inventory"])


async def health_is_waited_for(world, player):
    """A Deployment whose image doesn't start keeps the Kustomization from being ready, with words."""
    player.broken.add(":broken")
    text = DEPLOYMENT.replace("WHAT", "web")
    await world.push({"apps/c-deployment.yaml": text.replace("shop:1", "shop:broken")})
    failed = await world.cluster.until(APPS, lambda found: condition(found, "Ready")["reason"] == "HealthCheckFailed")
    assert "Deployment/shop/web" in condition(failed, "Ready")["message"]
    await world.applied(await world.push({"apps/c-deployment.yaml": text.replace("shop:1", "shop:2")}))


async def fixed_fields_are_left_without_force(world):
    path = "/apis/apps/v1/namespaces/shop/deployments/web"
    before = (await world.cluster.get(path))["metadata"]["uid"]
    revision = await world.push({"apps/c-deployment.yaml": DEPLOYMENT.replace("WHAT", "other")})
    failed = await world.cluster.until(
        APPS,
        lambda found: (
            "spec.force" in condition(found, "Ready")["message"]
            and found["status"]["lastAttemptedRevision"] == revision
        ),
    )
    assert condition(failed, "Ready")["status"] == "False"
    assert (await world.cluster.get(path))["metadata"]["uid"] == before
    await world.cluster.merge(APPS, {"spec": {"force": True}})
    await world.applied(revision)
    assert (await world.cluster.get(path))["metadata"]["uid"] != before


async def elsewhere_and_after(world):
    """`targetNamespace`, `dependsOn` and `healthChecks`."""
    cluster = world.cluster
    await cluster.create("/api/v1/namespaces", yaml.safe_load(namespace("blue")))
    check = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "late", "namespace": "blue"}
    first = kustomization("first", targetNamespace="blue", healthChecks=[check], timeout="2m")
    second = kustomization("second", targetNamespace="blue", dependsOn=[{"name": "first"}])
    await world.push({"first/a.yaml": config_map("one"), "second/a.yaml": config_map("two")})
    await cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([second, first]))
    blue = "/api/v1/namespaces/blue/configmaps"
    await cluster.until(f"{blue}/one", lambda _: True)
    waits = await cluster.until(
        f"{KUSTOMIZATIONS}/second", lambda found: condition(found, "Ready")["reason"] == "DependencyNotReady"
    )
    assert "first" in condition(waits, "Ready")["message"]
    assert "two" not in {one["metadata"]["name"] for one in (await cluster.get(blue))["items"]}
    late = yaml.safe_load(DEPLOYMENT.replace("WHAT", "web").replace("name: web, namespace: shop", "name: late"))
    await cluster.create("/apis/apps/v1/namespaces/blue/deployments", late)
    await cluster.until(f"{blue}/two", lambda _: True)
    assert "shop" not in json.dumps((await cluster.get(f"{blue}/one"))["metadata"].get("namespace"))


async def deleted_with_what_it_applied(world):
    cluster = world.cluster
    await cluster.kubectl("delete", "kustomization", "second", "-n", SYSTEM, "--timeout=30s")
    names = {one["metadata"]["name"] for one in (await cluster.get("/api/v1/namespaces/blue/configmaps"))["items"]}
    assert names == {"one"}
