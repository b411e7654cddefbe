"""Several `tidegate controller` processes on one cluster: one acts at a time, or each has its own objects."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.cluster_audit import writes
from tests.integration.cluster_tidegate import ControllerProcess, tidegate
from tests.integration.needed import need_false_clock

pytestmark = pytest.mark.integration
SYSTEM = "flux-system"
POLICIES = f"/apis/image.toolkit.fluxcd.io/v1/namespaces/{SYSTEM}/imagepolicies"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases"
LEASE = f"{LEASES}/image-reflector-controller-leader-election"
HELD = "holding the lease flux-system/image-reflector-controller-leader-election"
COUNT = 5


@pytest.fixture
async def start(audited_cluster, tmp_path):
    """Starts a controller of the image kinds by name, in a cluster where Tidegate is installed for them."""
    image = ("install", "--kinds", "image", "--image", "ghcr.io/me/tidegate:1")
    await asyncio.to_thread(tidegate, audited_cluster, *image)
    processes = []

    async def start(name, *arguments, **options):
        found = await ControllerProcess.start(
            audited_cluster, tmp_path, "--kinds=image", *arguments, name=name, **options
        )
        processes.append(found)
        return found

    yield start
    for process in processes:
        process.stop()


def policy(name, labels=None):
    """An ImagePolicy that waits for its repository: each look that is asked for is answered in its status."""
    spec = {"imageRepositoryRef": {"name": "none"}, "policy": {"semver": {"range": "*"}}}
    metadata = {"name": name, "namespace": SYSTEM, "labels": labels or {}}
    return {"apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImagePolicy", "metadata": metadata, "spec": spec}


async def ask(cluster, moment):
    """Ask for a look at every policy."""
    for number in range(COUNT):
        annotations = {"annotations": {"reconcile.fluxcd.io/requestedAt": moment}}
        await cluster.merge(f"{POLICIES}/p{number}", {"metadata": annotations})


async def answered(cluster, moment, timeout=30):
    for number in range(COUNT):
        await cluster.until(
            f"{POLICIES}/p{number}",
            lambda found: (found.get("status") or {}).get("lastHandledReconcileAt") == moment,
            timeout,
        )


async def make_policies(cluster):
    for number in range(COUNT):
        await cluster.create(POLICIES, policy(f"p{number}"))


def now():
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def test_another_takes_over_from_a_leader_that_was_killed_or_told_to_end(audited_cluster, start):
    cluster = audited_cluster
    first = await start("first")
    await first.until_it_says(HELD)
    await make_policies(cluster)
    await ask(cluster, "one")
    await answered(cluster, "one")

    second = await start("second")
    await second.until_it_says("waiting for the lease")
    began = time.monotonic()
    first.program.kill()
    assert await second.until_it_says(HELD, 30) - began < 20
    await ask(cluster, "two")
    await answered(cluster, "two")

    third = await start("third")
    await third.until_it_says("waiting for the lease")
    began = time.monotonic()
    second.program.terminate()
    ended = time.monotonic()
    assert second.program.exit_code == 0
    # Leases are looked at every 2 s, one after the other; there are two, and none has to run out.
    assert await third.until_it_says(HELD, 30) - ended < 8
    assert ended - began < 10
    await ask(cluster, "three")
    await answered(cluster, "three")
    # Whoever only waited has written nothing but the Leases.
    takeover = (await cluster.get(LEASE))["spec"]["acquireTime"]
    assert {one.resource for one in writes(cluster, third.token) if one.received < takeover} <= {"leases"}


async def test_a_leader_that_was_stopped_and_goes_on_after_another_writes_nothing_more(audited_cluster, start):
    cluster = audited_cluster
    first = await start("first")
    await first.until_it_says(HELD)
    await make_policies(cluster)
    await ask(cluster, "one")
    await answered(cluster, "one")
    second = await start("second")
    await second.until_it_says("waiting for the lease")
    first.program.pause()
    try:
        await second.until_it_says(HELD, 40)
        # What the stopped one finds in its sockets and its timers when it goes on are good reasons to write.
        await ask(cluster, "two")
        await answered(cluster, "two")
        await ask(cluster, "three")
        since = now()
    finally:
        first.program.resume()
    assert await first.ended() == 1
    assert "was taken over" in first.program.tail()
    assert "Traceback" not in first.program.tail()
    await answered(cluster, "three")
    assert writes(cluster, first.token, since) == []
    assert {one.resource for one in writes(cluster, second.token, since)} >= {"imagepolicies/status"}


class FalseClock:
    """A process's own time of day, which jumps when it is told to; what it measures durations by goes on as it is."""

    def __init__(self, file):
        self._file = file
        self.env = {
            "LD_PRELOAD": str(need_false_clock()),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.jump("+0")

    def jump(self, offset):
        """To this distance from the machine's time: `+2h`."""
        self._file.write_text(f"{offset}\n")


async def test_times_of_day_that_jump_neither_lose_a_lease_nor_let_two_act(audited_cluster, start, tmp_path):
    cluster = audited_cluster
    clocks = [FalseClock(tmp_path / name) for name in ("clock-1", "clock-2")]
    first = await start("first", env=clocks[0].env)
    await first.until_it_says(HELD)
    second = await start("second", env=clocks[1].env)
    await second.until_it_says("waiting for the lease")
    await make_policies(cluster)
    for number, jumps in enumerate((("+2h", "+1m"), ("+5m", "+9h"), ("+20h", "+2h"), ("+1m", "+30h"))):
        for clock, offset in zip(clocks, jumps, strict=True):
            clock.jump(offset)
        await ask(cluster, f"jump {number}")
        await answered(cluster, f"jump {number}")
        hour = datetime.now(UTC) + timedelta(hours=int(jumps[0][1:-1]) if jumps[0].endswith("h") else 0)
        await cluster.until(LEASE, lambda found, hour=hour: abs(renewed(found) - hour) < timedelta(minutes=10), 30)
        await asyncio.sleep(4)  # two looks at the lease
    assert {one.resource for one in writes(cluster, second.token)} <= {"leases"}
    assert HELD not in second.log.read_text()

    first.program.kill()
    began = time.monotonic()
    assert await second.until_it_says(HELD, 30) - began < 20
    await ask(cluster, "after")
    await answered(cluster, "after")


def renewed(lease):
    """When its holder says that it renewed it."""
    return datetime.fromisoformat(lease["spec"]["renewTime"])


async def test_a_leader_that_loses_the_api_server_ends_and_another_start_goes_on(audited_cluster, start):
    cluster = audited_cluster
    first = await start("first")
    await first.until_it_says(HELD)
    await make_policies(cluster)
    cluster.server.kill()
    killed = time.monotonic()
    assert await first.ended(40) == 1
    assert time.monotonic() - killed < 20
    assert "Error: " in first.program.tail()
    assert "could not be renewed for 10 s" in first.program.tail()
    assert "Traceback" not in first.program.tail()

    first.program.start()  # as the kubelet does, while the API server is still away
    await asyncio.sleep(3)
    assert first.program.running, first.program.tail()
    await cluster.start()
    await first.until_it_says(HELD, 60, times=2)
    await ask(cluster, "two")
    await answered(cluster, "two")


async def test_processes_with_selectors_share_the_objects_out(audited_cluster, start):
    cluster = audited_cluster
    one = await start("one", "--watch-label-selector=shard=one")
    rest = await start("rest", "--watch-label-selector=shard!=one")
    for process in (one, rest):
        await process.until_it_says("holding the lease flux-system/image-reflector-controller-")
    for number in range(COUNT):
        await cluster.create(POLICIES, policy(f"p{number}", {"shard": "one"} if number % 2 else {}))
    await ask(cluster, "now")
    await answered(cluster, "now")

    def written(process):
        return {write.name for write in writes(cluster, process.token, resource="imagepolicies/status")}

    assert written(one) == {"p1", "p3"}
    assert written(rest) == {"p0", "p2", "p4"}
    # An object that changes shards changes hands.
    await cluster.merge(f"{POLICIES}/p0", {"metadata": {"labels": {"shard": "one"}}})
    since = now()
    await ask(cluster, "later")
    await answered(cluster, "later")
    assert "p0" in {write.name for write in writes(cluster, one.token, since, "imagepolicies/status")}
    assert "p0" not in {write.name for write in writes(cluster, rest.token, since, "imagepolicies/status")}
