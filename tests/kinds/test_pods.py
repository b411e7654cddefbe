"""What a Pod says of itself, in one line."""

import pytest

from tidegate.kinds.pods import is_ready, trouble, troubles

CRASH = {
    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container=web"}},
    "lastState": {"terminated": {"exitCode": 4, "message": "reading settings\nno database\n"}},
}
PULL = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no image ghcr.io/me/web:9"}}}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"spec": {"containers": [{"name": "web", "image": "ghcr.io/me/web:9"}]}},
    },
}


def a_pod(name, container, *, namespace="shop", created="2026-01-15T12:00:00Z", tag="9", **status):
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": created, "labels": {"app": "web"}}
    spec = {"containers": [{"name": "web", "image": f"ghcr.io/me/web:{tag}"}, {"name": "sidecar", "image": "x"}]}
    return {"metadata": metadata, "spec": spec, "status": {"containerStatuses": [container], **status}}


@pytest.mark.parametrize(
    ("container", "words"),
    [
        (
            CRASH,
            (
                "web-1: CrashLoopBackOff: back-off 10s restarting failed container=web; "
                "it ended with 4: reading settings | no database"
            ),
        ),
        (PULL, "web-1: ImagePullBackOff: no image ghcr.io/me/web:9"),
        ({"state": {"terminated": {"exitCode": 1, "message": "no"}}}, "web-1: it ended with 1: no"),
        ({"state": {"waiting": {"reason": "ContainerCreating"}}}, ""),
        ({"state": {"running": {}}}, ""),
        ({}, ""),
    ],
)
def test_the_reason_and_the_last_words_are_one_line(container, words):
    assert trouble(a_pod("web-1", container)) == words


def test_a_pod_that_fits_nowhere_says_so():
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    assert trouble(a_pod("web-1", {}, conditions=[condition])) == "web-1: Unschedulable: 0/1 nodes"


def test_the_newest_troubled_pods_of_a_deployment_are_told_and_no_others():
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    pods = [
        a_pod("web-1", CRASH),
        a_pod("web-2", PULL, created="2026-01-15T13:00:00Z"),
        a_pod("web-3", PULL, created="2026-01-15T14:00:00Z", **ready),
        a_pod("web-4", PULL, namespace="other"),
        a_pod("web-5", PULL, created="2026-01-15T15:00:00Z", tag="8"),
    ]
    assert is_ready(pods[2])
    found = troubles(DEPLOYMENT, pods)
    assert found.startswith("web-2: ImagePullBackOff")
    assert "web-1: CrashLoopBackOff" in found
    assert "web-3" not in found
    assert "web-4" not in found
    assert "web-5" not in found, "the trouble of another revision is past"
