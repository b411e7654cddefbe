"""Deployments and Services as real processes of this machine."""

import asyncio
import base64
import contextlib
import sys
import threading
import time
import urllib.error
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from runtime_world import (
    StandIn,
    World,
    deployment,
    drop_folder,
    fetch,
    fetch_again,
    free_port,
    get,
    is_closed,
    make_folder,
    running,
    service,
)

from tidegate.base.errors import NotFound
from tidegate.base.sandbox import Capabilities, Missing
from tidegate.base.sandbox_probe import probe
from tidegate.engine.outcome import Context, Handled, Outcome
from tidegate.kinds.conditions import find
from tidegate.kinds.objects import Object, ObjectKey
from tidegate.runtime.pods import PodController

pytestmark = pytest.mark.integration


@pytest.fixture
def registry() -> StandIn:
    stand_in = StandIn()
    stand_in.push_word("1.0.1", "one")
    stand_in.push_word("1.0.2", "two")
    return stand_in


@pytest.fixture
async def folder() -> AsyncIterator[Path]:
    made = make_folder()
    yield made
    drop_folder(made)


@pytest.fixture
async def world(folder: Path, registry: StandIn) -> AsyncIterator[World]:
    async with running(folder, registry) as world:
        yield world


def container_status(pod: Object) -> dict[str, Any]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
    status: dict[str, Any] = statuses[0]
    return status


async def test_a_deployment_runs_from_its_image_and_answers_on_its_services_port(
    world: World, registry: StandIn
) -> None:
    digest = registry.push_word("1.0.3", "three")
    await world.apply(deployment("1.0.3"), service())
    await world.rolled_out()
    assert (await fetch(await world.url()))["word"] == "three"
    (pod,) = await world.pods()
    status = container_status(pod)
    assert status["imageID"] == f"ghcr.io/acme/web@{digest}"
    assert (status["ready"], status["restartCount"]) == (True, 0)
    obj = await world.deployment()
    reasons = {item["type"]: item["reason"] for item in obj["status"]["conditions"]}
    assert reasons["Available"] == "MinimumReplicasAvailable"
    assert reasons["Progressing"] == "NewReplicaSetAvailable"
    assert reasons["NetworkLimited"] == "NoWayOut"


async def test_a_rolling_replacement_refuses_and_breaks_no_connection(world: World) -> None:
    await world.apply(deployment(), service())
    await world.rolled_out()
    url = await world.url()
    answers: list[str] = []
    failures: list[Exception] = []
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            try:
                answers.append(get(url, "/slow" if len(answers) % 5 == 0 else "/")["word"])
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    for tag in ("1.0.2", "1.0.1", "1.0.2"):
        await asyncio.sleep(0.3)
        await world.apply(deployment(tag))
        await world.rolled_out()
    await world.until(lambda: answers and answers[-1] == "two")
    stop.set()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert failures == []
    assert {"one", "two"} == set(answers)
    assert await world.url() == url

    async def only_one_left() -> bool:
        return len(await world.pods()) == 1

    await world.until(only_one_left)


async def test_a_rollout_that_is_told_complete_serves_the_new_revision_only(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where what ends the pods is slow to hear of it."""
    await world.apply(deployment("1.0.1", replicas=2), service())
    await world.rolled_out(replicas=2)
    reconcile = PodController.reconcile

    async def slow(self: PodController, obj: Object, ctx: Context) -> Outcome:
        if obj["metadata"].get("deletionTimestamp"):
            await asyncio.sleep(1)
        return await reconcile(self, obj, ctx)

    monkeypatch.setattr(PodController, "reconcile", slow)
    await world.apply(deployment("1.0.2", replicas=2))
    await world.rolled_out(replicas=2)
    url = await world.url()
    assert {(await fetch(url))["word"] for _ in range(4)} == {"two"}


async def test_readiness_that_a_killed_server_left_in_the_store_counts_as_nothing(
    folder: Path, registry: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(folder, registry) as world:
        await world.apply(deployment("1.0.1", replicas=2))
        await world.rolled_out(replicas=2)
        pods = {pod["metadata"]["name"]: pod["status"] for pod in await world.pods()}

    async def never(_self: PodController, _obj: Object, _ctx: Context) -> Outcome:
        return Handled()

    monkeypatch.setattr(PodController, "reconcile", never)
    async with running(folder, registry) as world:
        for name, status in pods.items():
            await world.store.patch_status(ObjectKey("", "Pod", "shop", name), status, manager="test")

        async def none_available() -> bool:
            return not (await world.deployment())["status"].get("availableReplicas")

        await world.apply(deployment("1.0.2", replicas=2))
        await world.until(none_available)


async def test_a_revision_that_never_gets_ready_leaves_the_old_one_serving(world: World) -> None:
    await world.apply(deployment(), service())
    await world.rolled_out()
    url = await world.url()
    await world.apply(deployment("1.0.2", readinessProbe={"httpGet": {"path": "/read/none", "port": "http"}}))

    async def second_runs() -> bool:
        return sum("running" in container_status(pod).get("state", {}) for pod in await world.pods()) == 2

    await world.until(second_runs)
    await asyncio.sleep(0.5)
    assert {(await fetch(url))["word"] for _ in range(5)} == {"one"}
    status = (await world.deployment())["status"]
    assert (status["replicas"], status["updatedReplicas"], status["availableReplicas"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"command": ["/bin/sh", "-c", "echo no database; exit 4"]}, "CrashLoopBackOff"),
        ({"image": "ghcr.io/acme/web:none"}, "ImagePullBackOff"),
    ],
)
async def test_a_bad_revision_is_mended_by_the_next_good_one(world: World, bad: dict[str, Any], reason: str) -> None:
    await world.apply(deployment(), service())
    await world.rolled_out()
    url = await world.url()
    await world.apply(deployment("1.0.2", **bad))

    async def fails() -> bool:
        waiting = [container_status(pod).get("state", {}).get("waiting", {}) for pod in await world.pods()]
        return reason in [one.get("reason") for one in waiting]

    await world.until(fails)
    assert (await fetch(url))["word"] == "one"
    await world.apply(deployment("1.0.2"))
    await world.rolled_out()
    assert (await fetch(url))["word"] == "two"


async def test_a_connection_made_before_anything_is_ready_waits_for_it(world: World) -> None:
    await world.apply(service(), deployment(env=[{"name": "SLOW_START", "value": "1"}]))
    url = await world.url()
    began = time.monotonic()
    assert (await fetch(url))["word"] == "one"
    assert time.monotonic() - began > 0.5


async def test_a_crash_is_followed_by_a_restart_and_told(world: World) -> None:
    await world.apply(deployment(), service())
    await world.rolled_out()
    url = await world.url()
    with contextlib.suppress(OSError):
        await fetch(url, "/die")
    assert (await fetch_again(url))["word"] == "one"

    async def restarted() -> Any:
        (pod,) = await world.pods()
        return container_status(pod)["restartCount"] == 1 and container_status(pod)["ready"]

    await world.until(restarted)
    (pod,) = await world.pods()
    ended = container_status(pod)["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (3, "Error")
    before = b"".join([piece async for piece in world.runtime.logs.read(pod, previous=True)])
    assert before == b"serving one\n"


async def test_a_container_that_keeps_crashing_backs_off_and_says_why(world: World) -> None:
    await world.apply(deployment(command=["/bin/sh", "-c", "echo no database; exit 4"]))

    async def backs_off() -> bool:
        pods = await world.pods()
        waiting = container_status(pods[0]).get("state", {}).get("waiting", {}) if pods else {}
        return bool(waiting.get("reason") == "CrashLoopBackOff")

    await world.until(backs_off)
    (pod,) = await world.pods()
    assert container_status(pod)["lastState"]["terminated"]["message"] == "no database"

    async def told() -> bool:
        available = find((await world.deployment())["status"]["conditions"], "Available")
        return available is not None and "no database" in available["message"]

    await world.until(told)


async def test_variables_come_from_config_maps_secrets_and_fields(world: World) -> None:
    env = [
        {"name": "WORD", "valueFrom": {"configMapKeyRef": {"name": "words", "key": "first"}}},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
        {"name": "BOTH", "value": "$(WORD)-$(TOKEN)-$(NONE)-$$(WORD)"},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "MAYBE", "valueFrom": {"secretKeyRef": {"name": "none", "key": "x", "optional": True}}},
    ]
    both = deployment(env=env, envFrom=[{"prefix": "P_", "configMapRef": {"name": "words"}}])
    await world.apply(both, service())

    async def waits() -> bool:
        pods = await world.pods()
        waiting = container_status(pods[0]).get("state", {}).get("waiting", {}) if pods else {}
        return bool(waiting.get("reason") == "CreateContainerConfigError" and 'configmap "words"' in waiting["message"])

    await world.until(waits)
    await world.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "words", "namespace": "shop"},
         "data": {"first": "wave"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": "shop"},
         "data": {"token": base64.b64encode(b"s3cret").decode()}},
    )  # fmt: skip
    await world.rolled_out()
    answer = await fetch(await world.url(), "/env")
    (pod,) = await world.pods()
    assert {name: answer.get(name) for name in ("WORD", "TOKEN", "BOTH", "POD", "MAYBE", "P_first")} == {
        "WORD": "wave", "TOKEN": "s3cret", "BOTH": "wave-s3cret-$(NONE)-$(WORD)", "POD": pod["metadata"]["name"],
        "MAYBE": None, "P_first": "wave",
    }  # fmt: skip
    assert not [name for name in answer if "TIDEGATE" in name]
    assert "s3cret" not in await world.describe()
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [line for line in lines if b"s3cret" in line]


async def test_volumes(world: World) -> None:
    data = world.folder / "data"
    data.mkdir(mode=0o777)
    data.chmod(0o777)
    volumes = [
        {"name": "scratch", "emptyDir": {}},
        {"name": "memory", "emptyDir": {"medium": "Memory"}},
        {"name": "words", "configMap": {"name": "words", "items": [{"key": "first", "path": "sub/one"}]}},
        {"name": "host", "hostPath": {"path": str(data / "made"), "type": "DirectoryOrCreate"}},
    ]
    mounts = [{"name": volume["name"], "mountPath": f"/volumes/{volume['name']}"} for volume in volumes]
    await world.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "words", "namespace": "shop"},
         "data": {"first": "wave"}},
        deployment(volumeMounts=mounts, pod_volumes=volumes),
        service(),
    )  # fmt: skip
    await world.rolled_out()
    url = await world.url()
    assert await fetch(url, "/read/volumes/words/sub/one") == "wave"
    for name in ("scratch", "memory", "host"):
        await fetch(url, f"/write/volumes/{name}/file")
    assert (data / "made/file").read_text() == "written"
    with pytest.raises(urllib.error.HTTPError):
        await fetch(url, "/write/volumes/words/sub/one")
    with contextlib.suppress(OSError):
        await fetch(url, "/die")
    assert await fetch_again(url, "/read/volumes/scratch/file") == "written"
    with pytest.raises(urllib.error.HTTPError):
        await fetch(url, "/read/volumes/memory/file")


@pytest.mark.parametrize("path", ["/etc", "/usr/../root", "data/link"])
async def test_a_host_path_outside_the_allowed_roots_is_refused(world: World, path: str) -> None:
    (world.folder / "data").mkdir()
    (world.folder / "data/link").symlink_to("/etc")
    path = path if path.startswith("/") else str(world.folder / path)
    volumes, mounts = [{"name": "host", "hostPath": {"path": path}}], [{"name": "host", "mountPath": "/host"}]
    await world.apply(deployment(volumeMounts=mounts, pod_volumes=volumes))

    async def refused() -> bool:
        pods = await world.pods()
        waiting = container_status(pods[0]).get("state", {}).get("waiting", {}) if pods else {}
        return bool("hostPath is allowed under" in waiting.get("message", ""))

    await world.until(refused)


async def test_logs_are_read_and_followed(world: World) -> None:
    script = "for i in 1 2 3; do echo line $i; done; sleep 1; echo last; sleep 600"
    await world.apply(deployment(command=["/bin/sh", "-c", script], ports=[]))
    await world.rolled_out()
    (pod,) = await world.pods()
    logs = world.runtime.logs
    await world.until(lambda: logs.tail(pod, "web", 9)[-1:] == ["line 3"] or logs.tail(pod, "web", 9)[-1:] == ["last"])
    pieces = [piece async for piece in logs.read(pod, "web", tail=2)]
    assert pieces[0].startswith(b"line")
    followed = b""
    async with asyncio.timeout(10):
        async for piece in logs.read(pod, follow=True):
            followed += piece
            if b"last" in followed:
                break
    assert followed == b"line 1\nline 2\nline 3\nlast\n"
    (stamped,) = [piece async for piece in logs.read(pod, timestamps=True, tail=1)]
    assert stamped.endswith(b"Z last\n")
    with pytest.raises(NotFound):
        _ = [piece async for piece in logs.read(pod, "../../etc")]


async def test_several_replicas_take_turns_and_zero_is_none(world: World) -> None:
    await world.apply(deployment(replicas=3), service())
    await world.rolled_out(replicas=3)
    url = await world.url()
    before = {pod["metadata"]["name"] for pod in await world.pods()}
    names = {(await fetch(url, "/env"))["HOSTNAME"] for _ in range(9)}
    assert names == before
    await world.apply(deployment(replicas=0))

    async def gone() -> bool:
        return not await world.pods()

    await world.until(gone)
    status = (await world.deployment())["status"]
    assert [status.get(name) for name in ("replicas", "readyReplicas", "unavailableReplicas")] == [None] * 3
    await world.apply(deployment(replicas=1))
    assert (await fetch(url))["word"] == "one"


async def test_deleting_ends_everything_and_closes_the_port(world: World) -> None:
    await world.apply(deployment(), service())
    await world.rolled_out()
    url = await world.url()
    await world.store.delete(ObjectKey("apps", "Deployment", "shop", "web"))
    await world.store.delete(ObjectKey("", "Service", "shop", "web"))

    async def gone() -> bool:
        return not await world.pods() and not (await world.store.list("apps", "ReplicaSet")).items

    await world.until(gone)
    await world.until(lambda: not any((world.folder / "workloads/pods").iterdir()))
    assert not list((world.folder / "workloads/logs").iterdir())
    port = int(url.rpartition(":")[2])
    await world.until(lambda: is_closed(port))


async def test_a_workload_reaches_neither_the_home_nor_loopback_nor_its_neighbours_files(world: World) -> None:
    secret = world.folder / "token"
    secret.write_text("secret")
    scratch: dict[str, Any] = {
        "volumeMounts": [{"name": "s", "mountPath": "/s"}],
        "pod_volumes": [{"name": "s", "emptyDir": {}}],
    }
    await world.apply(deployment(**scratch), service(), deployment(name="other", **scratch), service("other"))
    await world.rolled_out()
    await world.rolled_out("other")
    url, other = await world.url(), await world.url("other")
    await fetch(other, "/write/s/mine")
    assert await fetch(url, "/list/s") == []
    port = int(other.rpartition(":")[2])
    tries = [f"/read{secret}", f"/list{world.folder}", f"/connect/{port}", "/list/root", "/read/proc/1/environ"]
    for path in tries:
        with pytest.raises(urllib.error.HTTPError):
            await fetch(url, path)
    mounts = await fetch(url, "/read/proc/self/mountinfo")
    assert str(world.folder / "token") not in mounts


async def test_the_users_of_image_and_spec(world: World, registry: StandIn) -> None:
    await world.apply(deployment(securityContext={"runAsUser": 1000}), service())
    await world.rolled_out()
    assert (await fetch(await world.url()))["uid"] == 1000
    assert (await fetch(await world.url(), "/env"))["HOME"] == "/home/web"
    await world.apply(deployment(name="strict", securityContext={"runAsNonRoot": True}))

    async def refused() -> bool:
        pods = [pod for pod in await world.pods() if pod["metadata"]["name"].startswith("strict")]
        waiting = container_status(pods[0]).get("state", {}).get("waiting", {}) if pods else {}
        return bool(waiting.get("reason") == "CreateContainerConfigError")

    await world.until(refused)


async def test_a_failing_liveness_probe_restarts(world: World) -> None:
    probe: dict[str, Any] = {
        "exec": {"command": ["/bin/sh", "-c", "test ! -e /s/dead"]},
        "initialDelaySeconds": 1,
        "periodSeconds": 1,
    }
    probe["failureThreshold"] = 1
    scratch: dict[str, Any] = {
        "volumeMounts": [{"name": "s", "mountPath": "/s"}],
        "pod_volumes": [{"name": "s", "emptyDir": {}}],
    }
    script = "test -e /s/dead && rm /s/dead; exec /usr/bin/python3 -u /app/server.py"
    await world.apply(deployment(command=["/bin/sh", "-c", script], livenessProbe=probe, **scratch), service())
    await world.rolled_out()
    await fetch(await world.url(), "/write/s/dead")

    async def restarted() -> Any:
        (pod,) = await world.pods()
        return container_status(pod)["restartCount"] == 1 and container_status(pod)["ready"]

    await world.until(restarted)


async def test_an_image_that_is_not_there_is_asked_for_again(world: World, registry: StandIn) -> None:
    await world.apply(deployment("1.0.9"), service())

    async def waits() -> bool:
        pods = await world.pods()
        waiting = container_status(pods[0]).get("state", {}).get("waiting", {}) if pods else {}
        return bool(waiting.get("reason") in ("ErrImagePull", "ImagePullBackOff"))

    await world.until(waits)
    registry.push_word("1.0.9", "nine")
    await world.rolled_out()
    assert (await fetch(await world.url()))["word"] == "nine"


async def test_layers_are_fetched_and_unpacked_once(world: World, registry: StandIn) -> None:
    await world.apply(deployment())
    await world.rolled_out()
    first = list(registry.asked)
    await world.apply(deployment("1.0.2"))
    await world.rolled_out()
    again = [entry for entry in registry.asked[len(first) :] if entry in first]
    assert again == [], "the base layer was asked for again"
    registry.asked.clear()
    await world.apply(deployment("1.0.1"))
    await world.rolled_out()
    assert registry.asked == []


async def test_after_a_restart_the_same_pods_run_on_the_same_port(folder: Path, registry: StandIn) -> None:
    async with running(folder, registry) as world:
        await world.apply(deployment(), service())
        await world.rolled_out()
        url, names = await world.url(), [pod["metadata"]["name"] for pod in await world.pods()]
    async with running(folder, registry) as world:
        assert await world.url() == url
        assert (await fetch(url))["word"] == "one"
        assert [pod["metadata"]["name"] for pod in await world.pods()] == names
        await world.rolled_out()


async def test_what_is_not_supported_is_named_and_stalls(world: World) -> None:
    await world.apply(deployment(pod_hostNetwork=True, pod_initContainers=[{"name": "x", "image": "y"}]))

    async def stalled() -> Any:
        return find(((await world.deployment()).get("status") or {}).get("conditions") or [], "Stalled")

    await world.until(stalled)
    message = (await stalled())["message"]
    assert "spec.template.spec.hostNetwork" in message
    assert "spec.template.spec.initContainers" in message
    assert await world.pods() == []


async def test_without_namespaces_a_condition_names_the_remedy(folder: Path, registry: StandIn) -> None:
    nothing = Capabilities(False, False, False, False, (Missing("no user namespaces", "sysctl -w user.x=1"),))
    async with running(folder, registry, capabilities=nothing) as world:
        await world.apply(deployment())

        async def stalled() -> Any:
            return find(((await world.deployment()).get("status") or {}).get("conditions") or [], "Stalled")

        await world.until(stalled)
        condition = await stalled()
        assert condition["reason"] == "NoSandbox"
        assert "sysctl -w user.x=1" in condition["message"]


async def test_without_a_network_namespace_one_revision_runs_at_a_time(folder: Path, registry: StandIn) -> None:
    here = await probe()
    limited = Capabilities(here.root, True, False, here.user_ranges, (Missing("no CONFIG_NET_NS", "another kernel"),))
    async with running(folder, registry, capabilities=limited) as world:
        port = free_port()
        on_host: dict[str, Any] = {
            "ports": [{"name": "http", "containerPort": port}],
            "env": [{"name": "PORT", "value": str(port)}],
        }
        await world.apply(deployment(**on_host), service())
        await world.rolled_out()
        url = await world.url()
        await world.apply(deployment("1.0.2", **on_host))
        await world.rolled_out()
        assert (await fetch(url))["word"] == "two"
        limits = find((await world.deployment())["status"]["conditions"], "NetworkLimited")
        assert limits is not None
        assert limits["reason"] == "HostNetwork"


async def test_where_layers_can_not_be_stacked_they_are_copied(
    folder: Path, registry: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_overlay(_root: Path, _capabilities: Capabilities) -> bool:
        return False

    monkeypatch.setattr("tidegate.runtime.local.can_stack", no_overlay)
    async with running(folder, registry) as world:
        await world.apply(deployment(), service())
        await world.rolled_out()
        assert (await fetch(await world.url()))["word"] == "one"
        await fetch(await world.url(), "/write/app/word")
        assert (await fetch(await world.url(), "/read/app/word")) == "written"
    layers = folder / "workloads/layers"
    assert "written" not in [path.read_text() for path in layers.glob("*/app/word")]


async def test_what_a_container_writes_is_gone_after_its_restart_and_never_in_the_layers(world: World) -> None:
    await world.apply(deployment(), service())
    await world.rolled_out()
    url = await world.url()
    await fetch(url, "/write/app/word")
    assert await fetch(url, "/read/app/word") == "written"
    with contextlib.suppress(OSError):
        await fetch(url, "/die")
    assert await fetch_again(url, "/read/app/word") == "one"


async def test_a_read_only_root_can_not_be_written(world: World) -> None:
    await world.apply(deployment(securityContext={"readOnlyRootFilesystem": True}), service())
    await world.rolled_out()
    with pytest.raises(urllib.error.HTTPError):
        await fetch(await world.url(), "/write/app/word")


async def test_the_node_port_is_taken_where_it_is_free(world: World) -> None:
    port = free_port()
    await world.apply(deployment(), service(nodePort=port))
    assert await world.url() == f"http://127.0.0.1:{port}"


async def test_pre_stop_runs_before_the_end(world: World) -> None:
    scratch: dict[str, Any] = {
        "volumeMounts": [{"name": "s", "mountPath": "/s"}],
        "pod_volumes": [{"name": "s", "hostPath": {"path": str(world.folder / "data"), "type": "DirectoryOrCreate"}}],
    }
    hook = {"preStop": {"exec": {"command": ["/bin/sh", "-c", "echo bye > /s/bye"]}}}
    await world.apply(deployment(lifecycle=hook, **scratch))
    await world.rolled_out()
    await world.apply(deployment(replicas=0, lifecycle=hook, **scratch))
    await world.until((world.folder / "data/bye").exists)
