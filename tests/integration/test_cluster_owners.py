"""A status has one owner: the whole process keeps off what Flux writes, says so, and takes it over when told to."""

import asyncio
from datetime import UTC, datetime

import pytest
from tests.integration.cluster_audit import writes
from tests.integration.cluster_deploys import APPS, SOURCE, SYSTEM, DeployWorld, condition, config_map, namespace

pytestmark = pytest.mark.integration
SETTINGS = "/api/v1/namespaces/shop/configmaps/settings"


def now(form="%Y-%m-%dT%H:%M:%S.%fZ"):
    return datetime.now(UTC).strftime(form)


async def as_flux(cluster, path, manager, **status):
    """Write a status as Flux's controllers do."""
    await cluster.merge(f"{path}/status?fieldManager={manager}", {"status": status})


def ready(message):
    return {
        "type": "Ready",
        "status": "True",
        "reason": "ReconciliationSucceeded",
        "message": message,
        "lastTransitionTime": now("%Y-%m-%dT%H:%M:%SZ"),
        "observedGeneration": 1,
    }


async def events_of(cluster, kind, name):
    found = (await cluster.get(f"/api/v1/namespaces/{SYSTEM}/events"))["items"]
    return [
        one
        for one in found
        if (one["involvedObject"]["kind"], one["involvedObject"]["name"], one["reason"])
        == (kind, name, "OwnedByAnother")
    ]


async def test_what_flux_reconciles_is_left_to_it_until_it_is_adopted(audited_cluster, tmp_path):
    cluster = audited_cluster
    async with DeployWorld.opened(cluster, tmp_path) as world:
        await world.start()
        await world.follow()
        await world.applied(await world.push({"apps/a.yaml": namespace("shop"), "apps/b.yaml": config_map("settings")}))

        # Flux comes, and writes both.
        await as_flux(cluster, APPS, "kustomize-controller", conditions=[ready("Flux's")], lastAppliedRevision="x")
        await as_flux(cluster, SOURCE, "source-controller", conditions=[ready("Flux's")])
        for kind, name, manager in (
            ("Kustomization", "apps", "kustomize-controller"),
            ("GitRepository", "fleet", "source-controller"),
        ):
            await until_event(cluster, kind, name, manager)
        since = now()
        before = await cluster.get(APPS)
        await world.push({"apps/b.yaml": config_map("settings", {"a": "2"})})
        for number in range(3):
            await world.look("kustomization", "apps", f"asked-{number}")
            await asyncio.sleep(1)
        written = {one.resource for one in writes(cluster, world.controller.token, since)}
        assert written <= {"leases", "events"}
        after = await cluster.get(APPS)
        assert after["status"] == before["status"]
        assert (await cluster.get(SETTINGS))["data"] == {"a": "1"}
        assert len(await events_of(cluster, "Kustomization", "apps")) == 1

        # Flux is gone for good.
        await asyncio.sleep(1)
        for path in (SOURCE, APPS):
            moment = now("%Y-%m-%dT%H:%M:%SZ")
            await cluster.merge(path, {"metadata": {"annotations": {"tidegate.dev/adopt": moment}}})
        await cluster.until(SETTINGS, lambda found: found["data"] == {"a": "2"}, 60)
        await cluster.until(
            APPS, lambda found: condition(found, "Ready")["message"].startswith("Applied revision: main")
        )
        adopted = await cluster.get(APPS)
        owners = {
            line["manager"] for line in adopted["metadata"]["managedFields"] if line.get("subresource") == "status"
        }
        assert owners == {"tidegate"}


async def until_event(cluster, kind, name, manager):
    for _ in range(300):
        if found := await events_of(cluster, kind, name):
            assert manager in found[0]["message"]
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"no event about {kind} {name}")


async def test_stalled_is_written_where_the_owner_has_no_conditions(audited_cluster, tmp_path):
    cluster = audited_cluster
    async with DeployWorld.opened(cluster, tmp_path) as world:
        await world.follow()
        await as_flux(cluster, APPS, "kustomize-controller", lastAppliedRevision="main@sha1:0")
        await world.start()
        stalled = await cluster.until(APPS, lambda found: condition(found, "Stalled")["status"] == "True", 60)
        assert condition(stalled, "Stalled")["reason"] == "OwnedByAnother"
        assert "kustomize-controller" in condition(stalled, "Stalled")["message"]
        assert stalled["status"]["lastAppliedRevision"] == "main@sha1:0"
