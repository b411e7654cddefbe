"""What `status` and the page say of an application: what answers, and the true cause of what does not."""

import copy

import pytest

from tidegate.engine.applications import applications
from tidegate.engine.causes import nothing_yet

IMAGE, NS = "ghcr.io/me/web", "flux-system"
REVISION = "main@sha1:" + "a" * 40
LABELS = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": NS}
PENDING = f"1 change waits until noon\na.yaml:1: x, of {NS}:web"
READY = [{"type": "Ready", "status": "True", "message": "fine"}]


def an_object(kind, name, namespace=NS, api_version="image.toolkit.fluxcd.io/v1", labels=None, **rest):
    metadata = {"name": name, "namespace": namespace, "generation": 1, "labels": labels or {}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def a_run(number, conclusion="success", *, pushes=True, title="Add a page", ref="refs/heads/main"):
    spec = {"repository": "me/web", "workflow": ".github/workflows/ci.yaml", "ref": ref, "runNumber": number}
    run = an_object("WorkflowRun", f"web-ci-{number}", api_version="tidegate.dev/v1alpha1", spec=spec)
    run["metadata"]["annotations"] = {"tidegate.dev/title": title}
    run["spec"]["commit"] = f"{number}" * 40
    images = [{"reference": f"{IMAGE}:1.0.{number}"}] if pushes else []
    status = "completed" if conclusion else "in_progress"
    run["status"] = {"status": status, "conclusion": conclusion, "images": images}
    return run


def a_pod(name, tag, *, ready=True, created="12:00", waiting=None, said=None):
    spec = {"containers": [{"name": "web", "image": f"{IMAGE}:{tag}"}]}
    pod = an_object("Pod", name, "shop", "v1", labels={"app": "web"}, spec=spec)
    pod["metadata"]["creationTimestamp"] = f"2026-01-15T{created}:00Z"
    state = {"waiting": waiting} if waiting else {"running": {}}
    container = {"state": state, "lastState": {"terminated": {"exitCode": 4, "message": said}} if said else {}}
    conditions = [{"type": "Ready", "status": str(ready)}]
    pod["status"] = {"containerStatuses": [container], "conditions": conditions}
    return pod


@pytest.fixture
def world():
    """One application whose version 1.0.3 was built, selected, committed, applied and answers."""
    numbers = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": f"{IMAGE}:1.0.3"}]},
    }
    deployment = an_object(
        "Deployment", "web", "shop", "apps/v1", labels=LABELS,
        spec={"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}, status=numbers,
    )  # fmt: skip
    service = an_object("Service", "web", "shop", "v1", spec={"selector": {"app": "web"}})
    service["metadata"]["annotations"] = {"tidegate.dev/url": "http://127.0.0.1:30080"}
    latest = {"name": IMAGE, "tag": "1.0.3"}
    automation_status = {
        "conditions": READY, "observedPolicies": {"web": latest}, "lastPushCommit": "a" * 40,
        "observedSourceRevision": REVISION,
    }  # fmt: skip
    reference = {"kind": "GitRepository", "name": "shop"}
    kustomize, source = "kustomize.toolkit.fluxcd.io/v1", "source.toolkit.fluxcd.io/v1"
    return {
        "WorkflowRun": [a_run(3)],
        "ImageRepository": [an_object("ImageRepository", "web", spec={"image": IMAGE}, status={"conditions": READY})],
        "ImagePolicy": [
            an_object("ImagePolicy", "web", spec={"imageRepositoryRef": {"name": "web"}},
                      status={"conditions": READY, "latestRef": latest}),
        ],
        "ImageUpdateAutomation": [an_object("ImageUpdateAutomation", "web", spec={}, status=automation_status)],
        "GitRepository": [
            an_object("GitRepository", "shop", api_version=source, spec={}, status={"conditions": READY}),
        ],
        "Kustomization": [
            an_object("Kustomization", "apps", api_version=kustomize, spec={"sourceRef": reference},
                      status={"conditions": READY, "lastAppliedRevision": REVISION}),
        ],
        "Deployment": [deployment],
        "Service": [service],
        "Pod": [a_pod("web-3", "1.0.3")],
    }  # fmt: skip


def row_of(world):
    (row,) = applications(world)
    return row


def fails(obj, message, reason="Failed", status="False"):
    obj["status"]["conditions"] = [{"type": "Ready", "status": status, "reason": reason, "message": message}]


def test_where_all_is_well_it_waits_on_nothing(world):
    row = row_of(world)
    assert (row.version, row.selected, row.deployed, row.url) == ("1.0.3", "1.0.3", REVISION, "http://127.0.0.1:30080")
    assert (row.waits_on, row.notes) == ("", ())


def test_a_failed_run_is_named_with_the_command_that_shows_why(world):
    world["WorkflowRun"].append(a_run(4, "failure", pushes=False, title="Break it"))
    assert row_of(world).waits_on == (
        "the run web-ci-4 (#4 Break it) ended with failure: see tidegate logs web-ci-4"
    )  # fmt: skip


def test_the_first_run_that_fails_is_named_though_nothing_was_ever_pushed(world):
    world["WorkflowRun"] = [a_run(1, "failure", pushes=False)]
    assert "web-ci-1 (#1 Add a page) ended with failure" in row_of(world).waits_on


def test_a_failure_that_a_later_run_mended_or_of_another_branch_is_past(world):
    world["WorkflowRun"] = [
        a_run(2, "failure", pushes=False), a_run(3), a_run(4, "failure", pushes=False, ref="refs/heads/try"),
    ]  # fmt: skip
    assert row_of(world).waits_on == ""


def test_an_unfinished_run_is_named(world):
    world["WorkflowRun"].append(a_run(4, None))
    assert row_of(world).waits_on == "the run web-ci-4 (#4 Add a page)"


def test_a_failed_scan_is_told_in_its_own_words(world):
    fails(world["ImageRepository"][0], "ghcr.io: 401 Unauthorized")
    fails(world["ImagePolicy"][0], "referenced ImageRepository has not been scanned yet", "DependencyNotReady")
    row = row_of(world)
    assert row.waits_on == "ImageRepository/flux-system/web: ghcr.io: 401 Unauthorized"
    assert row.notes == ()


def test_a_suspended_automation_is_told_with_why_and_how_it_goes_on(world):
    automation = world["ImageUpdateAutomation"][0]
    automation["spec"]["suspend"] = True
    command = "tidegate resume imageupdateautomation web -n flux-system"
    assert row_of(world).waits_on == f"ImageUpdateAutomation/flux-system/web is suspended: {command}"
    fails(automation, "the cycle a → b → a", "FeedbackLoop")
    assert "is suspended (the cycle a → b → a): tidegate resume" in row_of(world).waits_on


def test_an_automation_that_has_looked_at_nothing_yet_is_found_too(world):
    automation = world["ImageUpdateAutomation"][0]
    automation["spec"]["suspend"], automation["status"] = True, {}
    assert "is suspended" in row_of(world).waits_on


@pytest.mark.parametrize(
    ("waiting", "said"),
    [
        ({"reason": "CrashLoopBackOff", "message": "back-off 10s"}, "no database"),
        ({"reason": "ImagePullBackOff", "message": "no image ghcr.io/me/web:1.0.3"}, None),
    ],
)
def test_why_a_pod_does_not_come_up_is_told_and_the_version_that_still_answers(world, waiting, said):
    world["Deployment"][0]["status"] |= {"availableReplicas": 1, "replicas": 2}
    world["Pod"] = [
        a_pod("web-2", "1.0.2", created="11:00"), a_pod("web-3", "1.0.3", ready=False, waiting=waiting, said=said),
    ]  # fmt: skip
    row = row_of(world)
    assert row.waits_on.startswith(f"Deployment/shop/web to become available: web-3: {waiting['reason']}: ")
    assert (said or waiting["message"]) in row.waits_on
    assert (row.version, row.url) == ("1.0.2", "http://127.0.0.1:30080")


def test_no_url_is_shown_of_what_never_ran(world):
    world["Deployment"][0]["status"] = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1}
    world["Pod"] = [a_pod("web-3", "1.0.3", ready=False)]
    assert (row_of(world).version, row_of(world).url) == ("", "")


def test_without_a_view_of_pods_the_deployment_says_what_runs(world):
    world["Pod"] = []
    assert row_of(world).version == "1.0.3"


def test_health_checks_that_go_on_are_told_after_the_reason(world):
    fails(world["Kustomization"][0], "Running health checks for revision x", "Progressing", status="Unknown")
    world["Deployment"][0]["status"]["availableReplicas"] = 0
    world["Pod"] = [a_pod("web-3", "1.0.3", ready=False, waiting={"reason": "ImagePullBackOff", "message": "no image"})]
    row = row_of(world)
    assert row.waits_on == "Deployment/shop/web to become available: web-3: ImagePullBackOff: no image"
    assert row.notes == ("Kustomization/flux-system/apps: Running health checks for revision x",)


def test_what_cannot_be_applied_is_told_also_of_the_kustomization_that_applies_the_other(world):
    root = copy.deepcopy(world["Kustomization"][0])
    root["metadata"]["name"] = "flux-system"
    world["Kustomization"][0]["metadata"]["labels"] = LABELS | {"kustomize.toolkit.fluxcd.io/name": "flux-system"}
    fails(root, "apps.yaml:3: bad")
    world["Kustomization"].append(root)
    assert row_of(world).waits_on == "Kustomization/flux-system/flux-system: apps.yaml:3: bad"


def test_while_there_is_no_deployment_any_kustomization_may_be_the_cause(world):
    world["Deployment"], world["Pod"] = [], []
    fails(world["Kustomization"][0], "deployment.yaml:3: bad")
    row = row_of(world)
    assert row.waits_on == "Kustomization/flux-system/apps: deployment.yaml:3: bad"
    assert row.notes == (f"a Deployment with the image {IMAGE}",)


def test_a_source_that_cannot_be_fetched_is_told(world):
    fails(world["GitRepository"][0], "could not resolve host")
    assert row_of(world).waits_on == "GitRepository/flux-system/shop: could not resolve host"


def test_what_is_only_kept_is_a_note(world):
    incomplete = {"type": "Complete", "status": "False", "message": "kept, but not run here: Ingress/shop/web"}
    world["Kustomization"][0]["status"]["conditions"] = [*READY, incomplete]
    row = row_of(world)
    assert (row.waits_on, row.notes) == (
        "", ("Kustomization/flux-system/apps: kept, but not run here: Ingress/shop/web",),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"observedPolicies": {"web": {"tag": "1.0.3"}}}, "ImageUpdateAutomation/flux-system/web to commit 1.0.4"),
        ({"observedPolicies": {"web": {"tag": "1.0.4"}}, "observedSourceRevision": "main@sha1:b"},
         "the Kustomization to apply 1.0.4"),
        ({"observedPolicies": {"web": {"tag": "1.0.4"}}, "observedSourceRevision": REVISION}, "a marker: "),
        ({"conditions": [*READY, {"type": "Pending", "message": PENDING}]},
         "ImageUpdateAutomation/flux-system/web to commit 1.0.4: 1 change waits until noon: a.yaml:1: x, of "),
        ({"observedPolicies": {"web": {"tag": "1.0.4"}}, "observedSourceRevision": REVISION,
          "conditions": [*READY, {"type": "RollbackRespected", "message": f"1 value stays\na.yaml:1: x, of {NS}:web"}]},
         "ImageUpdateAutomation/flux-system/web to commit 1.0.4: 1 value stays: a.yaml:1: x, of "),
    ],
)  # fmt: skip
def test_who_is_to_bring_a_selected_tag_on(world, status, words):
    world["ImagePolicy"][0]["status"]["latestRef"]["tag"] = "1.0.4"
    world["ImageUpdateAutomation"][0]["status"] = {"conditions": READY, **status}
    assert row_of(world).waits_on.startswith(words)


def test_without_an_automation_it_says_that_one_is_missing(world):
    world["ImagePolicy"][0]["status"]["latestRef"]["tag"] = "1.0.4"
    world["ImageUpdateAutomation"] = []
    assert row_of(world).waits_on == "an ImageUpdateAutomation, to commit 1.0.4"


def test_with_no_application_it_says_what_is_missing(world):
    assert nothing_yet({}) == "No applications yet: push a repository with an ImagePolicy."
    followed = {"GitRepository": world["GitRepository"]}
    assert "--path FOLDER" in nothing_yet(followed)
    followed["Kustomization"] = world["Kustomization"]
    assert "nothing that was applied is an ImagePolicy" in nothing_yet(followed)
    fails(world["GitRepository"][0], "could not resolve host")
    assert nothing_yet(followed).endswith("Waiting on GitRepository/flux-system/shop: could not resolve host")


def test_a_tag_that_was_taken_back_and_a_pull_request_that_failed_are_noted(world):
    back = {"type": "RolledBack", "status": "True", "message": "kept by x: 1.0.4 was taken back: it crashed"}
    failed = {
        "type": "PullRequest",
        "status": "False",
        "message": "GET x: 401\ngive it the right",
    }
    world["ImagePolicy"][0]["status"]["conditions"] = [*READY, back]
    world["ImageUpdateAutomation"][0]["status"]["conditions"] = [*READY, failed]
    (row,) = applications(world)
    assert row.waits_on == ""
    assert row.notes == (
        f"ImagePolicy/{NS}/web: kept by x: 1.0.4 was taken back: it crashed",
        f"ImageUpdateAutomation/{NS}/{world['ImageUpdateAutomation'][0]['metadata']['name']}: GET x: 401",
    )
