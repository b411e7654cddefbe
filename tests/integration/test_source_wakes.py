"""What a change of a source wakes, by the manager itself: the sources that include it, and what is deployed from it."""

import asyncio
import contextlib

import pytest
from tests.integration.source_world import GROUP, KIND, SPACE, Remote, SourceWorld

from tidegate.deploy.controller import KustomizationController
from tidegate.engine.clock import SystemClock
from tidegate.engine.manager import Manager
from tidegate.kinds.objects import ObjectKey
from tidegate.runtime.local import LocalWorkloads

pytestmark = pytest.mark.integration
PATIENCE = 60
KUSTOMIZE = "kustomize.toolkit.fluxcd.io"


def config(name, value="1"):
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{value: '{value}'}}\n"


@pytest.fixture
async def world(tmp_path):
    """Sources and Kustomizations that a manager reconciles; nothing comes by an interval within the test."""
    found = SourceWorld(tmp_path)
    deploying = KustomizationController(found.trees, LocalWorkloads(found.store))
    task = asyncio.create_task(Manager(found.store, SystemClock(), [found.controller, deploying]).run())
    yield found
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    found.close()


async def deployed(world, expected):
    """Wait until exactly these ConfigMaps are there, with these values."""
    there = None
    for _ in range(PATIENCE * 10):
        maps = (await world.store.list("", "ConfigMap", namespace="default")).items
        there = {one["metadata"]["name"]: one["data"]["value"] for one in maps}
        if there == expected:
            return
        await asyncio.sleep(0.1)
    kinds = ((GROUP, KIND), (KUSTOMIZE, "Kustomization"))
    raise AssertionError(
        f"{there}: {[one.get('status') for kind in kinds for one in (await world.store.list(*kind)).items]}"
    )


async def deploy(world, source):
    spec = {"interval": "1h", "path": "./", "prune": True, "sourceRef": {"kind": KIND, "name": source.name}}
    metadata = {"name": "all", "namespace": SPACE}
    obj = {"apiVersion": f"{KUSTOMIZE}/v1", "kind": "Kustomization", "metadata": metadata, "spec": spec}
    await world.store.create(obj, manager="test")


async def test_other_patterns_are_deployed_at_once(world, tmp_path):
    """And what they leave out is pruned, and comes back."""
    remote = Remote(tmp_path / "remote")
    remote.commit({"a.yaml": config("a"), "b.yaml": config("b"), ".github/workflows/ci.yaml": "on: push\n"})
    source = await world.source(remote.url, interval="1h")
    await deploy(world, source)
    await deployed(world, {"a": "1", "b": "1"})
    await world.source(remote.url, interval="1h", ignore="b.yaml\n.github/\n")
    await deployed(world, {"a": "1"})
    await world.source(remote.url, interval="1h")
    await deployed(world, {"a": "1", "b": "1"})


async def test_what_is_new_in_an_included_source_is_deployed_at_once(world, tmp_path):
    main, base = Remote(tmp_path / "main"), Remote(tmp_path / "base")
    main.commit({"a.yaml": config("a")})
    base.commit({"b.yaml": config("b")})
    include = [{"repository": {"name": "base"}}]
    source = await world.source(main.url, interval="1h", include=include)
    await deploy(world, source)
    await world.source(base.url, "base", interval="1h")
    await deployed(world, {"a": "1", "b": "1"})
    base.commit({"b.yaml": config("b", "2")})
    asked = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}}
    await world.store.patch(ObjectKey(GROUP, KIND, SPACE, "base"), asked, manager="test")
    await deployed(world, {"a": "1", "b": "2"})
