"""An object on which a controller of Flux left its finalizer goes when it is deleted, though Flux is gone."""

from types import SimpleNamespace

import pytest

from tidegate.base.errors import NotFound
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Handled
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.objects import key_of
from tidegate.scan.controller import ImageRepositoryController
from tidegate.select.controller import ImagePolicyController
from tidegate.source.controller import GitRepositoryController
from tidegate.update.controller import ImageUpdateAutomationController

FLUXS = "finalizers.fluxcd.io"
# A controller that touched anything of its own would fail here.
CONTROLLERS = [
    GitRepositoryController(None, None),
    ImageRepositoryController(None, None),
    ImagePolicyController(None, None),
    ImageUpdateAutomationController(None, None),
]


@pytest.fixture
def store(tmp_path):
    found = SqliteStore(tmp_path / "store.db", ManualClock())
    yield found
    found.close()


async def deleted(store, controller, *finalizers):
    """An object of the controller's kind, deleted and reconciled; what came of it."""
    metadata = {"name": "web", "namespace": "flux-system", "finalizers": list(finalizers)}
    obj = {"apiVersion": f"{controller.group}/v1", "kind": controller.kind, "metadata": metadata, "spec": {}}
    key = key_of(await store.create(obj, manager="t"))
    await store.delete(key)
    dying = await store.get(key)
    return key, await controller.reconcile(dying, SimpleNamespace(store=store, clock=ManualClock()))


@pytest.mark.parametrize("controller", CONTROLLERS, ids=[controller.kind for controller in CONTROLLERS])
async def test_flux_s_finalizer_holds_nothing_that_is_deleted(store, controller):
    key, outcome = await deleted(store, controller, FLUXS)
    assert outcome == Handled()
    with pytest.raises(NotFound):
        await store.get(key)


async def test_another_one_s_finalizer_is_left_to_him(store):
    key, outcome = await deleted(store, CONTROLLERS[0], "example.com/theirs", FLUXS)
    assert outcome == Handled()
    assert (await store.get(key))["metadata"]["finalizers"] == ["example.com/theirs"]
