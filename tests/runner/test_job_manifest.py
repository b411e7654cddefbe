"""A workflow's job as a Kubernetes Job: named for ever the same, unprivileged, with its secrets in a Secret alone."""

import base64
import json

from tidegate.runner.job_manifest import JobPlace, job_name, job_of, secret_of
from tidegate.runner.request import JobRequest

RUN = {
    "apiVersion": "tidegate.dev/v1alpha1",
    "kind": "WorkflowRun",
    "metadata": {"name": "acme-shop-ci-0123abcd-aaaaaa", "namespace": "apps", "uid": "u-1"},
}
JOB = {"metadata": {"name": "", "uid": "u-2"}}
PLACE = JobPlace("ghcr.io/me/tidegate:1", {"python:3.11-slim": "debian:bookworm"})
SOURCE = {"url": "https://github.com/acme/shop", "ref": "refs/heads/main", "credentials": {"password": "cHc="}}


def request(**changed):
    fields = {
        "run": RUN["metadata"]["name"],
        "attempt": 1,
        "job": "build",
        "name": "build (arm, 3.11)",
        "file": ".github/workflows/ci.yaml",
        "workflow": "on: push",
        "contexts": {"github": {"repository": "acme/shop", "sha": "0" * 40}},
        "secrets": {"TOKEN": "s3cret"},
        "timeout_minutes": 30,
        "namespace": "apps",
    }
    return JobRequest(**(fields | changed))


JOB["metadata"]["name"] = job_name(request())


def test_a_job_has_one_name_and_each_attempt_another():
    names = {job_name(request()), job_name(request()), job_name(request(attempt=2)), job_name(request(name="test"))}
    assert len(names) == 3
    for name in names:
        assert len(name) <= 63
        assert name.replace("-", "").isalnum()
        assert name == name.lower()


def test_long_and_odd_names_are_shortened_to_what_kubernetes_takes():
    name = job_name(request(run="r" * 180, name="ü" * 90 + "!"))
    assert len(name) <= 63
    assert not name.endswith("-")


def test_the_secrets_stand_in_the_secret_and_nowhere_else():
    secret, job = secret_of(request(), SOURCE, PLACE, JOB), job_of(request(), PLACE, RUN)
    given = json.loads(base64.b64decode(secret["data"]["job.json"]))
    assert JobRequest.from_json(given["request"]) == request()
    assert given["bases"] == dict(PLACE.bases)
    assert "s3cret" not in json.dumps(job)
    assert "cHc=" not in json.dumps(job)


def test_the_repositorys_credential_is_shown_to_the_fetch_and_not_to_the_steps():
    secret, pod = secret_of(request(), SOURCE, PLACE, JOB), job_of(request(), PLACE, RUN)["spec"]["template"]["spec"]
    assert json.loads(base64.b64decode(secret["data"]["source.json"])) == SOURCE | {"commit": "0" * 40}
    assert b"cHc=" not in base64.b64decode(secret["data"]["job.json"])
    volumes = {volume["name"]: volume["secret"] for volume in pod["volumes"] if "secret" in volume}
    assert {volume["secretName"] for volume in volumes.values()} == {secret["metadata"]["name"]}
    shown = {
        container["name"]: [
            item["key"]
            for mount in container["volumeMounts"]
            for item in volumes.get(mount["name"], {"items": []})["items"]
        ]
        for container in (*pod["initContainers"], *pod["containers"])
    }
    assert shown == {"fetch": ["source.json"], "job": ["job.json"]}


def test_what_the_fetch_leaves_in_its_folder_for_passing_files_is_not_shown_to_the_steps():
    pod = job_of(request(), PLACE, RUN)["spec"]["template"]["spec"]
    [fetch], [job] = pod["initContainers"], pod["containers"]
    shared = {mount["name"] for mount in fetch["volumeMounts"]} & {mount["name"] for mount in job["volumeMounts"]}
    assert shared == {"work"}


def test_the_job_goes_with_its_run_and_the_secret_with_the_job():
    secret, job = secret_of(request(), SOURCE, PLACE, JOB), job_of(request(), PLACE, RUN)
    assert secret["metadata"]["namespace"] == job["metadata"]["namespace"] == "apps"
    assert job["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "tidegate.dev/v1alpha1",
            "kind": "WorkflowRun",
            "name": RUN["metadata"]["name"],
            "uid": "u-1",
            "controller": True,
        }
    ]
    assert secret["metadata"]["ownerReferences"] == [
        {"apiVersion": "batch/v1", "kind": "Job", "name": job["metadata"]["name"], "uid": "u-2"}
    ]


def test_the_pod_has_no_privilege_no_token_and_one_try():
    spec = job_of(request(), PLACE, RUN)["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (0, 30 * 60 + 300)
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["image"] == "ghcr.io/me/tidegate:1"
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }


def test_a_runners_limits_are_the_containers_own():
    limits = {"cpu": 1.5, "memory": 2**29, "storage": 4 * 2**30, "pids": 200, "jobs": 2}
    spec = job_of(request(limits=limits), PLACE, RUN)["spec"]["template"]["spec"]
    assert spec["containers"][0]["resources"] == {
        "requests": {"cpu": "100m", "memory": "128Mi"},
        "limits": {"cpu": "1500m", "memory": "512Mi", "ephemeral-storage": "4Gi"},
    }
    assert spec["initContainers"][0]["resources"] == {"requests": {"cpu": "100m", "memory": "128Mi"}}


def test_a_request_is_never_above_its_limit():
    limits = {"cpu": 0.05, "memory": 2**26}
    spec = job_of(request(limits=limits), PLACE, RUN)["spec"]["template"]["spec"]
    assert spec["containers"][0]["resources"] == {
        "requests": {"cpu": "50m", "memory": "64Mi"},
        "limits": {"cpu": "50m", "memory": "64Mi"},
    }
