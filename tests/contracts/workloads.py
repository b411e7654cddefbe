"""What every implementation of ports.Workloads must do. Subclass WorkloadsContract; it needs the fixtures `workloads`
and `others`, a Store of the same home through which other managers act.
"""

import secrets

import pytest
from tests.contracts.store import config_map, containers_of, deployment

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.kinds.objects import ObjectKey, key_of

FLUX = "kustomize-controller"
SETTINGS = key_of(config_map({}))


def web(**container):
    """A Deployment that the API writes otherwise than it is given."""
    ports = [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}]
    limits = {"cpu": "1000m", "memory": "64Mi"}
    return deployment([{"name": "web", "image": "web:1", "ports": ports, "resources": {"limits": limits}, **container}])


class WorkloadsContract:
    """Tests by behaviour; the port's docstring and Flux's documentation say what."""

    async def test_what_is_new_is_created_and_the_same_again_is_unchanged(self, workloads):
        first = await workloads.apply(config_map({"a": "1"}), manager=FLUX)
        assert (first.created, first.changed) == (True, True)
        again = await workloads.apply(config_map({"a": "1"}), manager=FLUX)
        assert (again.created, again.changed) == (False, False)
        assert again.object["metadata"]["resourceVersion"] == first.object["metadata"]["resourceVersion"]

    async def test_an_object_that_the_api_writes_otherwise_is_unchanged_too(self, workloads):
        first = await workloads.apply(web(), manager=FLUX)
        again = await workloads.apply(web(), manager=FLUX)
        assert not again.changed
        assert again.object["metadata"]["resourceVersion"] == first.object["metadata"]["resourceVersion"]

    async def test_the_pods_of_a_namespace_are_listed_for_what_they_say(self, workloads, others):
        namespace = SETTINGS.namespace
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"web-{secrets.token_hex(3)}", "namespace": namespace},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]},
        }
        await others.create(pod, manager="somebody")
        found = {one["metadata"]["name"]: one["kind"] for one in await workloads.pods(namespace)}
        assert found[pod["metadata"]["name"]] == "Pod"
        assert not await workloads.pods(f"{namespace}-elsewhere")

    async def test_a_change_is_made_and_told(self, workloads):
        await workloads.apply(web(), manager=FLUX)
        applied = await workloads.apply(web(image="web:2"), manager=FLUX)
        assert (applied.created, applied.changed) == (False, True)
        assert containers_of(await workloads.get(key_of(web())))["web"]["image"] == "web:2"

    async def test_what_is_no_longer_wanted_is_removed(self, workloads):
        await workloads.apply(config_map({"a": "1", "b": "2"}, labels={"x": "1"}), manager=FLUX)
        applied = await workloads.apply(config_map({"a": "1"}), manager=FLUX)
        assert applied.changed
        assert applied.object["data"] == {"a": "1"}
        assert not applied.object["metadata"].get("labels")

    async def test_a_value_that_another_manager_set_is_taken_back(self, workloads, others):
        await workloads.apply(config_map({"a": "1"}), manager=FLUX)
        await others.patch(SETTINGS, {"data": {"a": "2"}}, manager="somebody")
        applied = await workloads.apply(config_map({"a": "1"}), manager=FLUX)
        assert applied.changed
        assert (await workloads.get(SETTINGS))["data"] == {"a": "1"}
        assert not (await workloads.apply(config_map({"a": "1"}), manager=FLUX)).changed

    async def test_a_value_that_another_manager_removed_comes_back(self, workloads, others):
        await workloads.apply(config_map({"a": "1", "b": "2"}), manager=FLUX)
        await others.patch(SETTINGS, {"data": {"a": None}}, manager="somebody")
        applied = await workloads.apply(config_map({"a": "1", "b": "2"}), manager=FLUX)
        assert applied.changed
        assert applied.object["data"] == {"a": "1", "b": "2"}

    async def test_what_another_manager_added_stays(self, workloads, others):
        await workloads.apply(config_map({"a": "1"}), manager=FLUX)
        await others.apply(config_map({"b": "2"}), manager="operator")
        applied = await workloads.apply(config_map({"a": "1"}), manager=FLUX)
        assert not applied.changed
        assert applied.object["data"] == {"a": "1", "b": "2"}

    async def test_an_object_that_somebody_made_before_is_adopted(self, workloads, others):
        await others.create(config_map({"a": "0"}), manager="somebody")
        applied = await workloads.apply(config_map({"a": "1"}), manager=FLUX)
        assert (applied.created, applied.changed) == (False, True)
        assert applied.object["data"] == {"a": "1"}

    async def test_status_and_what_the_server_sets_are_not_applied(self, workloads):
        made = await workloads.apply(web() | {"status": {"replicas": 9}}, manager=FLUX)
        assert not (await workloads.get(key_of(web()))).get("status", {}).get("replicas")
        assert not (await workloads.apply(web() | {"status": {"replicas": 9}}, manager=FLUX)).changed
        assert made.created

    async def test_a_dry_run_tells_and_writes_nothing(self, workloads):
        dry = await workloads.apply(config_map({"a": "1"}), manager=FLUX, dry_run=True)
        assert (dry.created, dry.changed) == (True, True)
        with pytest.raises(NotFound):
            await workloads.get(SETTINGS)
        await workloads.apply(config_map({"a": "1"}), manager=FLUX)
        assert not (await workloads.apply(config_map({"a": "1"}), manager=FLUX, dry_run=True)).changed
        assert (await workloads.apply(config_map({"a": "2"}), manager=FLUX, dry_run=True)).changed
        assert (await workloads.get(SETTINGS))["data"] == {"a": "1"}

    async def test_a_namespace_can_be_filled_at_once(self, workloads):
        name = f"made-{secrets.token_hex(4)}"
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        assert (await workloads.apply(namespace, manager=FLUX)).created
        inside = config_map({"a": "1"}) | {"metadata": {"name": "settings", "namespace": name}}
        assert (await workloads.apply(inside, manager=FLUX)).created
        assert not (await workloads.apply(namespace, manager=FLUX)).changed

    async def test_what_is_not_there_is_not_found(self, workloads):
        with pytest.raises(NotFound):
            await workloads.get(SETTINGS)
        with pytest.raises(NotFound):
            await workloads.delete(SETTINGS)

    async def test_deleted_is_gone_and_can_be_made_anew(self, workloads):
        await workloads.apply(config_map({"a": "1"}), manager=FLUX)
        await workloads.delete(SETTINGS)
        with pytest.raises(NotFound):
            await workloads.get(SETTINGS)
        assert (await workloads.apply(config_map({"a": "1"}), manager=FLUX)).created

    async def test_an_object_without_a_name_is_refused(self, workloads):
        with pytest.raises(InvalidInput):
            await workloads.apply(config_map({"a": "1"}, name=""), manager=FLUX)

    async def test_plain_objects_are_supported(self, workloads):
        assert workloads.unsupported(config_map({"a": "1"})) is None
        assert workloads.unsupported({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}) is None

    async def test_the_version_is_no_part_of_what_is_asked_for(self, workloads):
        await workloads.apply(web(), manager=FLUX)
        assert (await workloads.get(ObjectKey("apps", "Deployment", "web", "web")))["apiVersion"] == "apps/v1"
