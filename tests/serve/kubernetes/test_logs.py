"""Logs of Pods, and the controllers that show themselves as Pods."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.serve.kubernetes.logs import LogLine

PODS = "/api/v1/namespaces/web/pods"
FLUX_PODS = "/api/v1/namespaces/flux-system/pods"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web-1", "namespace": "web"},
    "spec": {"containers": [{"name": "a"}]},
}


def write_log(logs, name, *lines):
    with logs.path(name).open("a") as file:
        for ts, message in lines:
            file.write(json.dumps({"level": "info", "ts": ts, "msg": message}) + "\n")


async def test_a_pod_s_log_and_its_options(http, store, pod_logs):
    await store.create(POD, manager="t")
    answer = await http.get(f"{PODS}/web-1/log?container=a&follow=true&tailLines=7&sinceSeconds=60&previous=true")
    assert answer.text == "web-1 0\nweb-1 1\nweb-1 2\n"
    assert answer.headers["content-type"].startswith("text/plain")
    ((namespace, pod, options),) = pod_logs.asked
    assert (namespace, pod) == ("web", "web-1")
    assert (options.container, options.follow, options.tail, options.previous) == ("a", True, 7, True)
    assert options.since == datetime(2026, 1, 15, 11, 59, tzinfo=UTC)


async def test_a_run_s_log_needs_no_pod(http):
    answer = await http.get(f"{PODS}/run-1/log")
    assert (answer.status_code, answer.text) == (200, "run-1 0\nrun-1 1\nrun-1 2\n")


async def test_times_and_limits(http, store):
    await store.create(POD, manager="t")
    stamped = (await http.get(f"{PODS}/web-1/log?timestamps=true")).text.splitlines()
    assert stamped[0] == "2026-01-15T12:00:00.000000000Z web-1 0"
    assert (await http.get(f"{PODS}/web-1/log?limitBytes=10")).text == "web-1 0\nwe"


@pytest.mark.parametrize(
    "query", ["tailLines=x", "sinceTime=yesterday", "sinceTime=2026-01-15T12:00:00Z&sinceSeconds=1"]
)
async def test_wrong_options_are_400(http, store, query):
    await store.create(POD, manager="t")
    assert (await http.get(f"{PODS}/web-1/log?{query}")).status_code == 400


async def test_the_log_of_no_pod_is_404(http):
    answer = await http.get(f"{PODS}/none/log")
    assert (answer.status_code, answer.json()["message"]) == (404, 'pods "none" not found')


async def test_what_the_logs_refuse_is_a_status(http, store, pod_logs):
    async def refuse(namespace, pod, options):
        raise InvalidInput("name one of its containers: a, b")
        yield

    pod_logs.lines = refuse
    await store.create(POD, manager="t")
    answer = await http.get(f"{PODS}/web-1/log")
    assert answer.status_code == 422
    assert "a, b" in answer.json()["message"]


async def test_a_silent_log_answers_and_waits(open_stream, store, pod_logs, clock):
    spoken = asyncio.Event()

    async def speak_late(namespace, pod, options):
        await spoken.wait()
        yield LogLine("at last")

    pod_logs.lines = speak_late
    await store.create(POD, manager="t")
    log = open_stream(f"{PODS}/web-1/log?follow=true")
    await clock.advance(2)
    assert await log.status() == 200
    spoken.set()
    assert await log.line() == "at last"


# Controllers


async def test_a_controller_shows_as_deployment_replica_set_and_pod(http):
    path = "/apis/apps/v1/namespaces/flux-system/deployments"
    deployment = (await http.get(f"{path}/image-automation-controller")).json()
    assert deployment["metadata"]["labels"]["tidegate.dev/virtual"] == "true"
    selector = ",".join(f"{k}={v}" for k, v in deployment["spec"]["selector"]["matchLabels"].items())
    pods = (await http.get(FLUX_PODS, params={"labelSelector": selector})).json()["items"]
    assert [pod["metadata"]["name"] for pod in pods] == ["image-automation-controller-0"]
    names = [item["metadata"]["name"] for item in (await http.get("/apis/apps/v1/deployments")).json()["items"]]
    assert names == ["image-automation-controller", "source-controller"]


async def test_controllers_stay_in_their_namespace(http):
    assert (await http.get("/apis/apps/v1/namespaces/web/deployments")).json()["items"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/apis/apps/v1/namespaces/flux-system/deployments/source-controller"),
        ("PATCH", "/apis/apps/v1/namespaces/flux-system/deployments/source-controller"),
        ("PUT", "/apis/apps/v1/namespaces/flux-system/deployments/source-controller"),
        ("PATCH", "/apis/apps/v1/namespaces/flux-system/deployments/source-controller/scale"),
        ("PATCH", "/apis/apps/v1/namespaces/flux-system/deployments/source-controller/status"),
        ("DELETE", f"{FLUX_PODS}/source-controller-0"),
        ("POST", "/apis/apps/v1/namespaces/flux-system/deployments"),
    ],
)
async def test_controllers_can_t_be_changed(http, method, path):
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "source-controller"}}
    headers = {"Content-Type": "application/merge-patch+json" if method == "PATCH" else "application/json"}
    answer = await http.request(method, path, content=json.dumps(obj), headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (403, "Forbidden")


async def test_a_controller_s_log(http, controller_logs):
    write_log(
        controller_logs,
        "source-controller",
        ("2026-01-15T11:00:00.000Z", "old"),
        ("2026-01-15T11:59:30.000Z", "late"),
        ("2026-01-15T11:59:40.500Z", "later"),
    )
    path = f"{FLUX_PODS}/source-controller-0/log"
    assert [json.loads(line)["msg"] for line in (await http.get(path)).text.splitlines()] == ["old", "late", "later"]
    last = (await http.get(f"{path}?tailLines=1&timestamps=true")).text
    assert last.startswith("2026-01-15T11:59:40.500000000Z {")
    recent = (await http.get(f"{path}?sinceSeconds=60")).text.splitlines()
    assert [json.loads(line)["msg"] for line in recent] == ["late", "later"]
    assert (await http.get(f"{path}?previous=true")).text == ""
    assert (await http.get(f"{FLUX_PODS}/image-automation-controller-0/log")).text == ""


async def test_a_controller_s_log_is_followed_into_the_next_file(open_stream, controller_logs, clock):
    write_log(controller_logs, "source-controller", ("2026-01-15T11:00:00Z", "first"))
    log = open_stream(f"{FLUX_PODS}/source-controller-0/log?follow=true")
    assert json.loads(await log.line())["msg"] == "first"
    write_log(controller_logs, "source-controller", ("2026-01-15T11:00:01Z", "second"))
    await tick(clock)
    assert json.loads(await log.line())["msg"] == "second"
    path = controller_logs.path("source-controller")
    path.rename(path.with_suffix(".1"))
    write_log(controller_logs, "source-controller", ("2026-01-15T11:00:02Z", "third"))
    await tick(clock)
    assert json.loads(await log.line())["msg"] == "third"


async def tick(clock):
    """Let the follower sleep, then wake it; its file reading runs in threads."""
    for _ in range(4):
        await asyncio.sleep(0.02)
        await clock.advance(1)
