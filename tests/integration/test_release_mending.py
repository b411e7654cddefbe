"""A bad release and what follows, with a Kustomization that waits for health: said truly, and mended by a good push."""

import asyncio
import sys
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from crash_world import CLUSTER, DEPLOYMENT, DOCKERFILE, IMAGE, World
from whole_world import opened

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]
WAITING = CLUSTER.lstrip().replace("  prune: true\n", "  prune: true\n  wait: true\n  timeout: 4m\n")
# Without a probe a program that ends at once has been ready: it must have been so for a while.
STEADY = DEPLOYMENT.lstrip().replace("  replicas: 1\n", "  replicas: 1\n  minReadySeconds: 2\n")
CRASHING = DOCKERFILE.lstrip().replace('CMD ["86400"]', 'CMD ["no-such-time"]')


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def doors(tmp_path_factory):
    world = await World.make(tmp_path_factory.mktemp("mending"))
    async with opened(world) as doors:
        await doors.commit("Wait for health", {"clusters/home/shop.yaml": WAITING, "deploy/deployment.yaml": STEADY})
        yield doors


async def test_a_first_push_does_not_wait_for_the_placeholder_in_its_manifest(doors):
    said = await doors.push()
    assert f"remote: running {IMAGE}:1.0." in said, said
    assert "error" not in said
    assert "HealthCheckCanceled" in await doors.tidegate("events", "--for", "kustomization/shop")


async def test_a_release_that_crashes_is_told_truly_and_mended_by_the_next_good_one(doors):
    await doors.settled()
    good = await doors.runs_what_is_selected()
    version = good.rpartition(":")[2]
    await doors.commit("Crash", {"app/Dockerfile": CRASHING})
    crashing = asyncio.create_task(doors.push())
    await doors.until("a crash loop", lambda _: "CrashLoopBackOff" in str(doors.view.objects["Pod"]))
    row = (await doors.tidegate("status")).splitlines()[1]
    assert version in row, "what answers"
    assert "CrashLoopBackOff" in row
    assert "invalid time interval" in row, "its last words"
    told = await doors.condition("Kustomization", "shop", "Unknown", "Running health checks for revision main@sha1:")
    assert "with a timeout of 4m0s" in told
    await doors.commit("Mend", {"app/Dockerfile": DOCKERFILE.lstrip(), "app/word": "mended\n"})
    said = await doors.push()
    assert "remote: running" in said, said
    assert "error" not in said
    assert await doors.runs_what_is_selected() != good
    first = await crashing
    assert "invalid time interval" in first, first
    assert "no longer what" in first, first


@pytest.mark.parametrize(
    ("slip", "place"),
    [
        (("kind: Deployment", "kind: Deploiment"),
         'deploy/deployment.yaml:2:1 (kind): no matches for kind "Deploiment" in version "apps/v1": did you mean'),
        (("replicas: 1", "replica: 1"),
         'deploy/deployment.yaml:5:3 (spec.replica): unknown field "spec.replica": did you mean "replicas"?'),
    ],
    ids=["a kind", "a field"],
)  # fmt: skip
async def test_a_slip_of_the_pen_prunes_nothing_and_is_told_at_its_line(doors, slip, place):
    await doors.settled()
    image = await doors.runs_what_is_selected()
    good = STEADY.replace(f"{IMAGE}:1.0.0", image)
    await doors.commit("Slip", {"deploy/deployment.yaml": good.replace(*slip)})
    said = await doors.push()
    assert place in said, said
    assert doors.running_images() == {image}
    assert place in await doors.tidegate("status")
    await doors.commit("Mend", {"deploy/deployment.yaml": good})
    assert "error" not in await doors.push()


async def test_a_kind_of_somebody_else_s_is_kept_and_named(doors):
    widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: one, namespace: shop}\n"
    await doors.commit("Add a widget", {"deploy/widget.yaml": widget})
    said = await doors.push()
    assert "kept, but not run here: Widget/shop/one" in said, said
    assert "kept, but not run here: Widget/shop/one" in await doors.page()
