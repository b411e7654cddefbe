"""A Kubernetes Job whose Pod does not begin: what it waits for is told at once, and it is not waited for for ever."""

import asyncio
import base64
import json
from dataclasses import replace

import pytest

from tidegate.base.errors import NotFound
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.ports import Listing
from tidegate.kinds.label_selector import parse_labels
from tidegate.kinds.objects import ObjectKey, key_of
from tidegate.runner.job_manifest import JobPlace
from tidegate.runner.kube_jobs import KubeJobs
from tidegate.runner.request import JobRequest

REQUEST = JobRequest(
    run="run-1", attempt=1, job="build", name="build", file=".github/workflows/ci.yaml", workflow="on: push",
    contexts={"github": {"repository": "acme/shop", "sha": "0" * 40}}, namespace="apps",
)  # fmt: skip


class Objects:
    """A store of a cluster in which nobody makes a Pod but the test."""

    def __init__(self, *objects):
        self.kept = {key_of(obj): obj for obj in objects}

    async def get(self, key):
        if key not in self.kept:
            raise NotFound(f"{key} is not there")
        return self.kept[key]

    async def list(self, group, kind, *, namespace=None, labels=None):
        selector = parse_labels(",".join(f"{name}={value}" for name, value in (labels or {}).items()))
        found = [
            obj
            for key, obj in self.kept.items()
            if (key.group, key.kind) == (group, kind) and selector.matches(obj["metadata"].get("labels") or {})
        ]
        return Listing(found, "1")

    async def create(self, obj, *, manager):
        made = obj | {"metadata": obj["metadata"] | {"uid": "u-1"}}
        self.kept[key_of(made)] = made
        return made

    async def delete(self, key, *, uid=None):
        if self.kept.pop(key, None) is None:
            raise NotFound(f"{key} is not there")


class Told:
    """JobEvents that are remembered."""

    def __init__(self):
        self.lines, self.waited = [], []

    async def log(self, step, line):
        self.lines.append(line)

    async def waits(self, reason):
        self.waited.append(reason)

    async def cancelled(self):
        await asyncio.Event().wait()


def made(api_version, kind, name, **fields):
    metadata = {"name": name, "namespace": "apps", "uid": f"u-{name}", **fields.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def the_run():
    spec = {
        "repository": "acme/shop", "workflow": ".github/workflows/ci.yaml", "event": "push", "ref": "refs/heads/main",
        "commit": "0" * 40, "actor": "acme",
    }  # fmt: skip
    return made("tidegate.dev/v1alpha1", "WorkflowRun", "run-1", spec=spec)


def the_runner():
    return made(
        "tidegate.dev/v1alpha1", "Runner", "shop", spec={"repository": "acme/shop", "sourceRef": {"name": "shop"}}
    )


def the_source():
    spec = {"url": "https://github.com/acme/shop", "interval": "1m"}
    return made("source.toolkit.fluxcd.io/v1", "GitRepository", "shop", spec=spec)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def store():
    return Objects(the_run(), the_runner(), the_source())


def show(store, reason, message):
    """The Job's only Pod, whose first container waits."""
    [job] = [obj for key, obj in store.kept.items() if key.kind == "Job"]
    waiting = {"name": "fetch", "state": {"waiting": {"reason": reason, "message": message}}}
    pod = made(
        "v1", "Pod", "pod-1",
        metadata={"labels": {"job-name": job["metadata"]["name"]}},
        status={"phase": "Pending", "initContainerStatuses": [waiting]},
    )  # fmt: skip
    store.kept[ObjectKey("", "Pod", "apps", "pod-1")] = pod


async def test_an_image_that_cant_be_pulled_is_told_at_once_and_fails_the_job_in_two_minutes(store, clock):
    events = Told()
    jobs = KubeJobs(None, store, clock, JobPlace("ghcr.io/me/tidegate:1", {}))
    running = asyncio.create_task(jobs.run(REQUEST.as_json(), events))
    await clock.advance(1)
    assert events.waited == ["no Pod was made for it"]
    show(store, "ErrImagePull", "ghcr.io/me/tidegate:1: not found")
    await clock.advance(1)
    assert events.waited[-1] == "ErrImagePull: ghcr.io/me/tidegate:1: not found"
    show(store, "ImagePullBackOff", "Back-off pulling image")
    await clock.advance(110)
    assert not running.done()
    await clock.advance(15)
    outcome = await running
    assert outcome["conclusion"] == "failure"
    assert events.lines == [f"##[error]{outcome['message']}"]
    assert "tried for 120 s: ErrImagePull: ghcr.io/me/tidegate:1: not found" in outcome["message"]
    assert "kubectl describe pod pod-1 -n apps" in outcome["message"]
    assert len(events.waited) == 2
    assert {key.kind for key in store.kept} == {"WorkflowRun", "Runner", "GitRepository", "Pod"}


async def test_a_container_that_cant_be_made_fails_the_job_at_once(store, clock):
    events = Told()
    jobs = KubeJobs(None, store, clock, JobPlace("ghcr.io/me/tidegate:1", {}))
    running = asyncio.create_task(jobs.run(REQUEST.as_json(), events))
    await clock.advance(1)
    show(store, "CreateContainerConfigError", "container has runAsNonRoot and image will run as root")
    await clock.advance(1)
    outcome = await running
    assert outcome["conclusion"] == "failure"
    assert "can't begin: CreateContainerConfigError: container has runAsNonRoot" in outcome["message"]


async def test_a_pod_s_job_is_told_which_mirrors_and_bases_the_controller_has(store, clock):
    place = JobPlace("ghcr.io/me/tidegate:1", {"python:3.11": "debian:bookworm"}, {"ghcr.io": "https://mirror.example"})
    jobs = KubeJobs(None, store, clock, place)
    running = asyncio.create_task(jobs.run(REQUEST.as_json(), Told()))
    await clock.advance(1)
    [secret] = [obj for key, obj in store.kept.items() if key.kind == "Secret"]
    given = json.loads(base64.b64decode(secret["data"]["job.json"]))
    assert given["bases"] == {"python:3.11": "debian:bookworm"}
    assert given["mirrors"] == {"ghcr.io": "https://mirror.example"}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_runner_that_closes_its_jobs_is_refused_where_the_pods_network_is_the_clusters(store, clock):
    events = Told()
    jobs = KubeJobs(None, store, clock, JobPlace("ghcr.io/me/tidegate:1", {}))
    outcome = await jobs.run(replace(REQUEST, network="none").as_json(), events)
    assert outcome["conclusion"] == "failure"
    assert "NetworkPolicy" in outcome["message"]
    assert "Job" not in {key.kind for key in store.kept}
