"""A status has one owner: another's is neither overwritten nor fought over, and taken over on purpose only."""

from datetime import UTC, datetime

import pytest
from tests.contracts.store import POLICY, condition, policy, status_of
from tests.integration.kube_homes import api_server, our_door

from tidegate.base.errors import OwnedByAnother
from tidegate.engine.adoption import ADOPT
from tidegate.kube.store import KubeStore

pytestmark = pytest.mark.integration
STATUS = f"/apis/{POLICY.group}/v1/namespaces/flux-system/imagepolicies/web/status"


class OwnersContract:
    @pytest.fixture
    def store(self, client):
        return KubeStore(client)

    @pytest.fixture
    async def flux(self, client, store):
        """Writes a status as Flux's controllers do: by merge patch, under their own name."""
        await store.create(policy(), manager="kubectl")

        async def write(kind="Ready", manager="image-reflector-controller", **status):
            return await client.merge(
                STATUS, {"status": {"conditions": [condition(kind)], **status}}, fieldManager=manager
            )

        return write

    async def test_flux_is_seen_as_the_owner(self, store, flux):
        assert store.other_owner(await flux()) == "image-reflector-controller"

    async def test_fluxs_conditions_are_not_overwritten(self, store, flux):
        before = await flux()
        with pytest.raises(OwnedByAnother) as error:
            await store.patch_status(POLICY, {"conditions": [condition("Stalled")]}, manager="x")
        assert error.value.manager == "image-reflector-controller"
        assert ADOPT in error.value.remedy
        assert (await store.get(POLICY))["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]

    async def test_flux_that_comes_later_is_seen_and_left_alone(self, store, flux):
        ours = await store.patch_status(POLICY, {"conditions": [condition("Ready")], "latestImage": "a:1"}, manager="x")
        assert store.other_owner(ours) is None
        theirs = await flux("Reconciling")
        assert store.other_owner(theirs) == "image-reflector-controller"
        with pytest.raises(OwnedByAnother):
            await store.patch_status(POLICY, {"conditions": [condition("Ready")]}, manager="x")
        assert [one["type"] for one in (await store.get(POLICY))["status"]["conditions"]] == ["Reconciling"]

    async def test_a_second_tidegate_of_another_name_is_another_owner(self, client, store, flux):
        other = KubeStore(client, name="tidegate-edge")
        theirs = await other.patch_status(POLICY, {"conditions": [condition("Ready")]}, manager="x")
        assert store.other_owner(theirs) == "tidegate-edge"
        with pytest.raises(OwnedByAnother, match="tidegate-edge"):
            await store.patch_status(POLICY, {"conditions": [condition("Stalled")]}, manager="x")

    async def test_a_stalled_condition_is_written_where_nobody_owns_the_conditions(self, client, store, flux):
        await client.merge(STATUS, {"status": {"latestImage": "a:1"}}, fieldManager="somebody")
        with pytest.raises(OwnedByAnother):
            await store.patch_status(POLICY, {"conditions": [condition("Stalled")]}, manager="x")
        stalled = {"conditions": [condition("Stalled")]}
        patched = await store.patch_status(POLICY, stalled, manager="x", beside_owner=True)
        assert status_of(patched) == {"latestImage": "a:1", "conditions": [condition("Stalled")]}
        assert store.other_owner(patched) == "somebody"

    async def test_nothing_is_taken_from_the_owner_to_say_stalled(self, store, flux):
        await flux(latestImage="a:1")
        with pytest.raises(OwnedByAnother):
            await store.patch_status(POLICY, {"latestImage": "b:2"}, manager="x", beside_owner=True)
        assert (await store.get(POLICY))["status"]["latestImage"] == "a:1"

    async def test_what_flux_left_is_taken_over_by_an_annotation_with_a_later_moment(self, store, flux):
        await flux(latestImage="a:1")
        annotated = await store.patch(
            POLICY, {"metadata": {"annotations": {ADOPT: "2100-01-01T00:00:00Z"}}}, manager="kubectl"
        )
        assert store.other_owner(annotated) is None
        patched = await store.patch_status(POLICY, {"conditions": [condition("Stalled")]}, manager="x")
        assert status_of(patched) == {"conditions": [condition("Stalled")], "latestImage": "a:1"}
        assert {line["manager"] for line in patched["metadata"]["managedFields"] if line.get("subresource")} == {
            "tidegate"
        }
        again = await store.patch_status(POLICY, {"latestImage": None}, manager="x")
        assert "latestImage" not in again["status"]

    async def test_an_owner_that_writes_after_that_moment_is_alive(self, store, flux):
        await flux()
        moment = {"metadata": {"annotations": {ADOPT: "2020-01-01T00:00:00Z"}}}
        assert store.other_owner(await store.patch(POLICY, moment, manager="kubectl")) == "image-reflector-controller"
        with pytest.raises(OwnedByAnother):
            await store.patch_status(POLICY, {"conditions": [condition("Stalled")]}, manager="x")

    async def test_an_annotation_that_is_no_moment_takes_nothing_over(self, store, flux):
        await flux()
        for text in ("true", "", "yes please"):
            annotated = await store.patch(POLICY, {"metadata": {"annotations": {ADOPT: text}}}, manager="kubectl")
            assert store.other_owner(annotated) == "image-reflector-controller"

    async def test_all_objects_are_taken_over_by_the_stores_own_moment(self, client, flux):
        theirs = await flux()
        store = KubeStore(client, adopt_before=datetime(2100, 1, 1, tzinfo=UTC))
        assert store.other_owner(theirs) is None
        patched = await store.patch_status(POLICY, {"conditions": [condition("Stalled")]}, manager="x")
        assert [one["type"] for one in patched["status"]["conditions"]] == ["Stalled"]

    async def test_an_unchanged_status_costs_one_read(self, client, store, flux):
        status = {"conditions": [condition("Ready")], "latestImage": "a:1"}
        await store.patch_status(POLICY, status, manager="x")
        client.methods.clear()
        await store.patch_status(POLICY, status, manager="x")
        assert client.methods == ["GET"]


class TestAtOurDoor(OwnersContract):
    @pytest.fixture
    async def client(self, tmp_path):
        async with our_door(tmp_path) as client:
            yield client


class TestAtTheApiServer(OwnersContract):
    @pytest.fixture
    async def client(self, cluster):
        async with api_server(cluster) as client:
            yield client
