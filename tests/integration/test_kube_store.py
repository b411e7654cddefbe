"""KubeStore keeps the Store port's contract, at our own door and at a real API server."""

import asyncio
from contextlib import aclosing

import pytest
from tests.contracts.store import POLICY, StoreContract, policy, status_of
from tests.integration.kube_homes import api_server, our_door

from tidegate.base.errors import OwnedByAnother
from tidegate.kube.store import KubeStore

pytestmark = pytest.mark.integration


class Closing(KubeStore):
    """Ends the watches that a test leaves open, outermost first, before its event loop does so in any order."""

    def __init__(self, client):
        super().__init__(client)
        self.opened = []

    def watch(self, *arguments, **options):
        self.opened.append(super().watch(*arguments, **options))
        return self.opened[-1]

    async def aclose(self):
        for events in self.opened:
            await events.aclose()


class KubeStoreContract(StoreContract):
    status_owner = "tidegate"

    async def begun(self, store):
        async with asyncio.timeout(10):
            await store._client.watching.wait()

    async def test_a_status_is_written_on_the_object_that_was_read_in_one_request(self, store):
        await store.create(policy(), manager="test")
        await store.patch_status(POLICY, {"latestImage": "x:1"}, manager="test")
        await store.get(POLICY)
        store._client.methods.clear()
        await store.patch_status(POLICY, {"latestImage": "x:2"}, manager="test")
        await store.patch_status(POLICY, {"latestRef": {"name": "x", "tag": "2"}}, manager="test")
        assert store._client.methods == ["PATCH", "PATCH"]
        assert status_of(await store.get(POLICY)) == {"latestImage": "x:2", "latestRef": {"name": "x", "tag": "2"}}

    async def test_one_that_another_process_of_ours_wrote_since_is_read_first(self, store):
        other = KubeStore(store._client)
        await store.create(policy(), manager="test")
        await store.patch_status(POLICY, {"latestImage": "x:1"}, manager="test")
        await other.patch_status(POLICY, {"latestRef": {"name": "x", "tag": "1"}}, manager="test")
        store._client.methods.clear()
        await store.patch_status(POLICY, {"latestImage": "x:2"}, manager="test")
        assert store._client.methods == ["PATCH", "GET", "PATCH"]
        assert status_of(await store.get(POLICY)) == {"latestImage": "x:2", "latestRef": {"name": "x", "tag": "1"}}

    async def test_a_status_that_another_began_to_write_since_it_was_read_is_left_to_it(self, store):
        await store.create(policy(), manager="test")
        await store.get(POLICY)
        await KubeStore(store._client, name="another").patch_status(POLICY, {"latestImage": "y:1"}, manager="test")
        with pytest.raises(OwnedByAnother):
            await store.patch_status(POLICY, {"latestImage": "x:1"}, manager="test")
        assert status_of(await store.get(POLICY)) == {"latestImage": "y:1"}


class TestAtOurDoor(KubeStoreContract):
    @pytest.fixture
    async def store(self, tmp_path):
        async with our_door(tmp_path) as client, aclosing(Closing(client)) as store:
            yield store


class TestAtTheApiServer(KubeStoreContract):
    @pytest.fixture
    async def store(self, cluster):
        async with api_server(cluster) as client, aclosing(Closing(client)) as store:
            yield store
