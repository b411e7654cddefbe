"""A repository that holds its own GitRepository, as `flux bootstrap` commits it, doesn't lead its Tidegate astray."""

import pytest
import yaml

from tidegate.base.files import MemoryFiles
from tidegate.deploy.controller import KustomizationController
from tidegate.engine.events import EventRecorder
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Context, Ready
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.objects import ObjectKey
from tidegate.runtime.local import LocalWorkloads
from tidegate.serve.bootstrap import source_object, sync_object

SOURCE = ObjectKey("source.toolkit.fluxcd.io", "GitRepository", "flux-system", "flux-system")
SYNC = ObjectKey("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "flux-system")
REVISION = "main@sha1:" + "1" * 40
IN_GIT = [
    {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "flux-system", "namespace": "flux-system"},
        "spec": {
            "interval": "5m",
            "ref": {"branch": "main"},
            "secretRef": {"name": "flux-system"},
            "url": "ssh://git@github.com/acme/shop",
        },
    },
    {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "flux-system", "namespace": "flux-system"},
        "spec": {
            "interval": "7m",
            "path": "./clusters/my-cluster",
            "prune": True,
            "sourceRef": {"kind": "GitRepository", "name": "flux-system"},
        },
    },
]


class OneTree(MemoryFiles):
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


class Trees:
    async def open(self, source, revision, digest=None):
        return OneTree({"clusters/my-cluster/gotk-sync.yaml": yaml.safe_dump_all(IN_GIT).encode()})


@pytest.fixture
async def world(tmp_path):
    store = SqliteStore(tmp_path / "store.db", ManualClock())
    for obj in (source_object("https://git.example/acme/shop", "main"), sync_object("clusters/my-cluster")):
        await store.apply(obj, manager="tidegate", force=True)
    await store.patch_status(SOURCE, {"artifact": {"revision": REVISION}}, manager="source-controller")
    yield store
    store.close()


async def reconciled(store):
    clock = ManualClock()
    controller = KustomizationController(Trees(), LocalWorkloads(store))
    context = Context(store, clock, EventRecorder(store, clock, "kustomize-controller"))
    outcome = await controller.reconcile(await store.get(SYNC), context)
    assert isinstance(outcome, Ready)
    conditions = [{"type": one.type, "status": one.status, "message": one.message} for one in outcome.conditions]
    await store.patch_status(SYNC, {"conditions": conditions}, manager="kustomize-controller")
    return outcome


async def test_the_source_stays_where_the_user_said_and_takes_the_rest_from_git(world):
    await reconciled(world)
    spec = (await world.get(SOURCE))["spec"]
    assert spec == {"interval": "5m", "ref": {"branch": "main"}, "url": "https://git.example/acme/shop"}
    assert (await world.get(SYNC))["spec"]["interval"] == "7m"


async def test_what_is_kept_is_a_condition_and_told_once_as_an_event(world):
    outcome = await reconciled(world)
    held = next(one for one in outcome.conditions if one.type == "FieldsKept")
    assert "GitRepository/flux-system/flux-system keeps its spec.url, spec.secretRef" in held.message
    await reconciled(world)
    events = [event for event in (await world.list("", "Event")).items if event["reason"] == "NotAsInGit"]
    assert [event.get("count", 1) for event in events] == [1]
