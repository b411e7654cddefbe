"""A full pass over many Kustomizations of which nothing has changed, and one object that somebody has changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from benchmarks.cluster_bench import AT_ONCE, KUSTOMIZE, SECRET, SOURCE, Bench, made

SPACE = "pass"
MAPS = f"/api/v1/namespaces/{SPACE}/configmaps"
PLACE = f"{KUSTOMIZE}/kustomizations"
POLL = 1.0


async def full_pass(world: Bench, count: int, each: int) -> AsyncIterator[str]:
    """Set up `count` Kustomizations of `each` ConfigMaps, change one of those, and have all looked at again."""
    begun, before = time.perf_counter(), world.cpu()
    await _set_up(world, count, each)
    taken, cpu = time.perf_counter() - begun, world.cpu() - before
    yield f"{count} Kustomizations of {each} objects set up: {taken:.0f} s, {cpu:.1f} s of CPU  (no goal)"
    await world.quiet()
    versions = await _versions(world)
    assert len(versions) == count * each, f"{len(versions)} ConfigMaps are there, not {count * each}"
    drifted = f"pass-{count // 2}-{each // 2}"
    await world.cluster.merge(f"{MAPS}/{drifted}?fieldManager=somebody", {"data": {"value": "somebody's"}})
    begun, before = time.perf_counter(), world.cpu()
    await _look_again(world, count)
    taken, cpu = time.perf_counter() - begun, world.cpu() - before
    after = await _versions(world)
    changed = [name for name in after if after[name] != versions.get(name)]
    found = (await world.cluster.get(f"{MAPS}/{drifted}"))["data"]["value"]
    assert changed == [drifted], f"these were written: {changed}"
    assert found == drifted, f"the drift was not corrected: {found}"
    yield f"a full pass over them: {cpu:.1f} s of CPU, {taken:.0f} s  (goal 60 s of CPU)"
    yield f"the one drift among {count * each} objects is corrected, and nothing else is written"
    yield f"resident at the peak of that, the process alone: {world.process.peak():.1f} MiB"


async def _set_up(world: Bench, count: int, each: int) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}
    await world.cluster.create("/api/v1/namespaces", space)
    files: dict[str, str | None] = {f"{number}/maps.yaml": _maps(number, each) for number in range(count)}
    await asyncio.to_thread(world.git.commit, "Add everything", files)
    repository = {"interval": "10m", "ref": {"branch": "main"}, "url": world.git.url, "secretRef": {"name": SECRET}}
    await world.cluster.create(*made(SOURCE, "GitRepository", SPACE, repository))
    source = {"kind": "GitRepository", "name": SPACE}
    objects = [
        made(
            KUSTOMIZE, "Kustomization", f"pass-{number}",
            {"interval": "30m", "path": f"./{number}", "prune": True, "sourceRef": source},
        )
        for number in range(count)
    ]  # fmt: skip
    for start in range(0, len(objects), AT_ONCE):
        await asyncio.gather(*(world.cluster.create(*one) for one in objects[start : start + AT_ONCE]))
    await _until_all(world, count, lambda status: "lastAppliedRevision" in status)


async def _look_again(world: Bench, count: int) -> None:
    stamp = str(time.time())
    poke = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": stamp}}}
    for start in range(0, count, AT_ONCE):
        chosen = range(start, min(start + AT_ONCE, count))
        await asyncio.gather(*(world.cluster.merge(f"{PLACE}/pass-{number}", poke) for number in chosen))
    await _until_all(world, count, lambda status: status.get("lastHandledReconcileAt") == stamp)


async def _until_all(world: Bench, count: int, holds: Callable[[Any], bool]) -> None:
    end = time.monotonic() + world.patience
    while True:
        listed = (await world.cluster.get(PLACE))["items"]
        done = sum(1 for one in listed if holds(one.get("status") or {}))
        if done == count:
            return
        assert time.monotonic() < end, f"{done} of {count} were done in {world.patience:g} s"
        await asyncio.sleep(POLL)


async def _versions(world: Bench) -> dict[str, str]:
    items = (await world.cluster.get(f"{MAPS}?labelSelector=benchmark"))["items"]
    return {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in items}


def _maps(number: int, each: int) -> str:
    return "---\n".join(
        f"""\
apiVersion: v1
kind: ConfigMap
metadata:
  name: pass-{number}-{index}
  namespace: {SPACE}
  labels: {{benchmark: pass}}
data: {{value: pass-{number}-{index}}}
"""
        for index in range(each)
    )
