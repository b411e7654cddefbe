"""What a pusher hears of a commit's deployment: of that commit alone, and why it takes so long."""

from tidegate.serve.way_back import Answering, Applying, End, decided_by

NS, IMAGE = "flux-system", "ghcr.io/me/web"
OLD, NEW = "a" * 40, "b" * 40


def an_object(kind, name, namespace=NS, **rest):
    metadata = {"name": name, "namespace": namespace, "generation": 1}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **rest}


def source_at(commit):
    return an_object("GitRepository", "shop", status={"artifact": {"revision": f"main@sha1:{commit}"}})


def kustomization(name="apps", *, attempted=None, applied=None, **conditions):
    found = [
        {"type": kind, "status": status, "message": message} for kind, (status, message) in conditions.items()
    ]  # fmt: skip
    status = {"conditions": found}
    if attempted:
        status["lastAttemptedRevision"] = f"main@sha1:{attempted}"
    if applied:
        status["lastAppliedRevision"] = f"main@sha1:{applied}"
    return an_object("Kustomization", name, spec={"sourceRef": {"name": "shop"}}, status=status)


def seen(commit, *kustomizations):
    return {"GitRepository": [source_at(commit)], "Kustomization": list(kustomizations)}


def test_a_commit_that_is_applied_is_told_with_what_is_only_kept():
    one = kustomization(attempted=NEW, applied=NEW, Ready=("True", ""), Complete=("False", "kept: Ingress/web"))
    assert Applying(NEW).look(seen(NEW, one)) == End(
        (f"applied {NEW[:12]} by Kustomization/{NS}/apps", f"Kustomization/{NS}/apps: kept: Ingress/web")
    )


def test_a_failure_is_told_to_the_push_whose_commit_was_attempted():
    failed = kustomization(attempted=NEW, Ready=("False", "deployment.yaml:3: bad"))
    end = Applying(NEW).look(seen(NEW, failed))
    assert end == End((f"error: Kustomization/{NS}/apps can't apply {NEW[:12]}: deployment.yaml:3: bad",))


def test_the_failure_of_an_older_commit_is_not_told_to_a_newer_push():
    failed = kustomization(attempted=OLD, Ready=("False", f"health check of revision main@sha1:{OLD} failed"))
    assert Applying(NEW).look(seen(NEW, failed)) is None
    reading = kustomization(attempted=NEW, Ready=("Unknown", "Building manifests"))
    assert Applying(NEW).look(seen(NEW, reading)) is None


def test_what_health_checks_wait_for_is_told_once_each():
    applying = Applying(NEW)
    waits = "waits for Deployment/shop/web: InProgress: web-1: ImagePullBackOff: no image"
    one = kustomization(attempted=NEW, Ready=("Unknown", "Running health checks"), Healthy=("Unknown", waits))
    assert applying.look(seen(NEW, one)) == f"Kustomization/{NS}/apps {waits}"
    assert applying.look(seen(NEW, one)) is None


def test_words_without_end_are_told_a_few_times_only():
    applying = Applying(NEW)
    lines = [
        applying.look(
            seen(NEW, kustomization(attempted=NEW, Ready=("Unknown", ""), Healthy=("Unknown", f"waits {second} s")))
        )
        for second in range(50)
    ]
    assert len([line for line in lines if line]) == 5


def test_a_commit_whose_place_a_newer_one_took_is_not_waited_for():
    applying = Applying(OLD)
    assert applying.look(seen(OLD, kustomization(attempted=OLD))) is None
    end = applying.look(seen(NEW, kustomization(attempted=NEW)))
    assert isinstance(end, End)
    assert end.superseded
    assert f"main@sha1:{NEW} took its place" in end.lines[0]


def test_a_source_that_has_not_come_to_the_commit_yet_is_waited_for():
    assert Applying(NEW).look(seen(OLD, kustomization(attempted=OLD, applied=OLD))) is None


def running(tag, *, available=1, selected=None, pods=()):
    template = {"spec": {"containers": [{"name": "web", "image": f"{IMAGE}:{tag}"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    numbers = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": available}
    latest = {"name": IMAGE, "tag": selected or tag}
    policy = an_object(
        "ImagePolicy", "web", spec={"imageRepositoryRef": {"name": "web"}}, status={"latestRef": latest}
    )  # fmt: skip
    return {
        "Deployment": [an_object("Deployment", "web", "shop", spec=spec, status=numbers)],
        "ImageRepository": [an_object("ImageRepository", "web", spec={"image": IMAGE})],
        "ImagePolicy": [policy],
        "Service": [],
        "Pod": list(pods),
    }


def test_a_tag_that_runs_in_full_is_the_end():
    assert Answering(IMAGE, "1.0.1").look(running("1.0.1")) == End((f"running {IMAGE}:1.0.1",))


def test_why_a_pod_does_not_come_up_is_told_once_for_each_reason():
    answering = Answering(IMAGE, "1.0.1")

    def look(message):
        waiting = {"reason": "CrashLoopBackOff", "message": message}
        spec = {"containers": [{"name": "web", "image": f"{IMAGE}:1.0.1"}]}
        status = {"containerStatuses": [{"state": {"waiting": waiting}}]}
        pod = an_object("Pod", "web-1", "shop", spec=spec, status=status)
        pod["metadata"]["labels"] = {"app": "web"}
        return answering.look(running("1.0.1", available=0, pods=[pod]))

    assert look("back-off 10s") == (
        "Deployment/shop/web is not available yet: web-1: CrashLoopBackOff: back-off 10s"
    )  # fmt: skip
    assert look("back-off 20s") is None


def test_a_tag_that_is_no_longer_selected_is_not_waited_for():
    end = Answering(IMAGE, "1.0.1").look(running("1.0.2", available=0, selected="1.0.2"))
    assert isinstance(end, End)
    assert end.superseded


def test_an_automation_has_decided_once_it_has_looked_or_says_what_waits():
    policy = an_object("ImagePolicy", "web")
    line = f"d.yaml:1: {IMAGE}:1.0.0 -> {IMAGE}:1.0.1, of {NS}:web"
    pending = [{"type": "Pending", "status": "True", "message": f"1 change waits until noon\n{line}"}]

    def decided(**status):
        automation = an_object("ImageUpdateAutomation", "shop", status=status)
        return decided_by({"ImageUpdateAutomation": [automation]}, policy, "1.0.1") is automation

    assert decided(observedPolicies={"web": {"tag": "1.0.1"}})
    assert not decided(observedPolicies={"web": {"tag": "1.0.0"}})
    assert decided(observedPolicies={"web": {"tag": "1.0.0"}}, conditions=pending)
    assert not decided(conditions=[{**pending[0], "message": pending[0]["message"].replace("1.0.1", "1.0.2")}])
    assert decided_by({"ImageUpdateAutomation": []}, policy, "1.0.1") is None
