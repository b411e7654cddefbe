"""Which workloads have a selected image, and since when."""

from datetime import UTC, datetime

import pytest

from tidegate.kinds.objects import ObjectKey, key_of
from tidegate.update.rollback.workloads import Rollout, brought, is_image, rollouts

DIGEST, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
SOURCE = ObjectKey("source.toolkit.fluxcd.io", "GitRepository", "flux-system", "fleet")


@pytest.mark.parametrize(
    ("image", "reference", "same"),
    [
        ("ghcr.io/me/web:1", "ghcr.io/me/web:1", True),
        ("ghcr.io/me/web:2", "ghcr.io/me/web:1", False),
        ("ghcr.io/me/web:1", f"ghcr.io/me/web:1@{DIGEST}", True),
        (f"ghcr.io/me/web@{DIGEST}", f"ghcr.io/me/web:1@{DIGEST}", True),
        (f"ghcr.io/me/web:1@{OTHER}", f"ghcr.io/me/web:1@{DIGEST}", False),
        ("ghcr.io/me/web", "ghcr.io/me/web:latest", False),
        ("docker.io/library/web:1", "web:1", True),
        ("ghcr.io/me/website:1", "ghcr.io/me/web:1", False),
        ("not an image:1", "not an image:1", False),
    ],
)
def test_an_image_is_what_was_selected_in_all_that_both_say(image, reference, same):
    assert is_image(image, reference) is same


def deployment(*lines, image="web:1"):
    spec = {"containers": [{"name": "web", "image": image}, {"name": "side", "image": "side:9"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "managedFields": list(lines)},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"spec": spec}},
    }


def line(time, container="web", field="f:image"):
    owned = {"f:spec": {"f:template": {"f:spec": {"f:containers": {f'k:{{"name":"{container}"}}': {field: {}}}}}}}
    return {"manager": "m", "operation": "Apply", "time": time, "fieldsV1": owned}


def pod(name, created, image="web:1", **metadata):
    metadata |= {"name": name, "namespace": "shop", "labels": {"app": "web"}, "creationTimestamp": created}
    return {"metadata": metadata, "spec": {"containers": [{"name": "web", "image": image}]}}


def at(minute):
    return datetime(2026, 1, 15, 12, minute, tzinfo=UTC)


def rollout(workload):
    (found,) = rollouts({key_of(workload): (workload, ("c",))}, {"ns:web": "web:1", "ns:other": "other:1"})
    return found


def test_it_has_its_image_since_who_set_that_has_set_anything():
    workload = deployment(
        line("2026-01-15T12:05:00Z"), line("2026-01-15T12:01:00Z", "side"), line("2026-01-15T12:02:00Z", "web", "f:env")
    )
    assert rollout(workload).since([]) == at(5)


def test_an_older_pod_with_the_image_shows_that_it_was_there_before():
    workload = deployment(line("2026-01-15T12:05:00Z"))
    pods = [
        pod("old", "2026-01-15T12:03:00Z"),
        pod("before", "2026-01-15T11:00:00Z", image="web:0"),
        pod("ending", "2026-01-15T12:01:00Z", deletionTimestamp="2026-01-15T12:09:00Z"),
    ]
    assert rollout(workload).since(pods) == at(3)
    assert [one["metadata"]["name"] for one in rollout(workload).own(pods)] == ["old"]
    assert rollout(deployment()).since([]) is None


def test_only_workloads_of_kustomizations_of_the_repository_count():
    def kustomization(name, source, *entries, **status):
        inventory = {"entries": [{"id": entry, "v": "v1"} for entry in entries]}
        reference = {"kind": "GitRepository", "name": source}
        metadata = {"name": name, "namespace": "flux-system"}
        head = {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": metadata}
        return head | {"spec": {"sourceRef": reference}, "status": status | {"inventory": inventory}}

    found = brought(
        [
            kustomization("a", "fleet", "shop_web_apps_Deployment", "s_c__ConfigMap", lastAppliedRevision="m@sha1:1"),
            kustomization("b", "other", "shop_api_apps_Deployment"),
            kustomization("c", "fleet", "shop_web_apps_Deployment", lastAttemptedRevision="main@sha1:2"),
        ],
        [SOURCE],
    )
    assert found == {ObjectKey("apps", "Deployment", "shop", "web"): ("1", "2")}


@pytest.mark.parametrize(
    ("spec", "status", "may"),
    [
        ({}, {}, True),
        ({"paused": True}, {}, False),
        ({}, {"conditions": [{"type": "Stalled", "status": "True"}]}, False),
    ],
)
def test_what_is_paused_or_can_t_run_here_says_nothing_about_its_image(spec, status, may):
    workload = deployment()
    workload["spec"] |= spec
    found = Rollout("ns:web", "web:1", workload | {"status": status}, frozenset({"web"}), ())
    assert found.may_fail is may
