"""What an installation asks of a cluster, and no more."""

import pytest

from tidegate.install.crds import definitions
from tidegate.install.manifests import Installation, manifests
from tidegate.kinds.controllers import kinds_of
from tidegate.kinds.objects import key_of


def install(*words, split=False):
    chosen = Installation("ghcr.io/me/tidegate:1", "flux-system", kinds_of(words), split)
    return {str(key_of(obj)): obj for obj in manifests(chosen)}


def rules_of(obj):
    return {
        (group, resource): set(rule["verbs"])
        for rule in obj["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def containers(objects):
    return [
        container
        for obj in objects.values()
        if obj["kind"] == "Deployment"
        for container in obj["spec"]["template"]["spec"]["containers"]
    ]


def test_one_deployment_runs_everything():
    objects = install()
    assert [*objects] == [
        "Namespace/flux-system",
        "ServiceAccount/flux-system/tidegate",
        "ClusterRoleBinding/tidegate",
        "Role/flux-system/tidegate-leader-election",
        "RoleBinding/flux-system/tidegate-leader-election",
        "Deployment/flux-system/tidegate",
        "Service/flux-system/tidegate",
        "NetworkPolicy/flux-system/tidegate",
        "Service/flux-system/webhook-receiver",
        "NetworkPolicy/flux-system/allow-webhooks",
    ]
    [container] = containers(objects)
    assert container["image"] == "ghcr.io/me/tidegate:1"
    assert container["args"][:2] == [
        "controller",
        (
            "--kinds=GitRepository,Kustomization,ImageRepository,ImagePolicy,ImageUpdateAutomation,"
            "Alert,Provider,Receiver,Runner,WorkflowRun"
        ),
    ]


def test_split_makes_one_deployment_a_controller_under_fluxs_names():
    deployments = [name for name in install(split=True) if name.startswith("Deployment/")]
    assert deployments == [
        "Deployment/flux-system/source-controller",
        "Deployment/flux-system/kustomize-controller",
        "Deployment/flux-system/image-reflector-controller",
        "Deployment/flux-system/image-automation-controller",
        "Deployment/flux-system/notification-controller",
        "Deployment/flux-system/runner-controller",
    ]


@pytest.mark.parametrize("split", [False, True])
def test_no_container_has_a_privilege(split):
    for container in containers(install(split=split)):
        security = container["securityContext"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["readOnlyRootFilesystem"]
        assert security["runAsNonRoot"]
        assert not security["allowPrivilegeEscalation"]
        assert container["resources"]["requests"]["memory"] == "64Mi"
        assert container["resources"]["limits"]["memory"] == "128Mi"


def test_only_what_applies_manifests_is_the_clusters_admin():
    roles = {name: obj["roleRef"]["name"] for name, obj in install(split=True).items() if "ClusterRoleB" in name}
    assert roles == {
        "ClusterRoleBinding/tidegate-source-controller": "tidegate-source-controller",
        "ClusterRoleBinding/tidegate-kustomize-controller": "cluster-admin",
        "ClusterRoleBinding/tidegate-image-reflector-controller": "tidegate-image-reflector-controller",
        "ClusterRoleBinding/tidegate-image-automation-controller": "tidegate-image-automation-controller",
        "ClusterRoleBinding/tidegate-notification-controller": "tidegate-notification-controller",
        "ClusterRoleBinding/tidegate-runner-controller": "tidegate-runner-controller",
    }


def test_the_image_kinds_alone_need_little():
    image = "image.toolkit.fluxcd.io"
    rules = rules_of(install("image")["ClusterRole/tidegate"])
    assert set(rules) == {
        *((image, name) for name in ("imagepolicies", "imagerepositories", "imageupdateautomations")),
        *((image, f"{name}/status") for name in ("imagepolicies", "imagerepositories", "imageupdateautomations")),
        *((image, f"{name}/finalizers") for name in ("imagepolicies", "imagerepositories", "imageupdateautomations")),
        ("source.toolkit.fluxcd.io", "gitrepositories"),
        ("kustomize.toolkit.fluxcd.io", "kustomizations"),
        ("tidegate.dev", "workflowruns"),
        *(("apps", name) for name in ("deployments", "statefulsets", "daemonsets")),
        *(("", name) for name in ("pods", "pods/log")),
        ("", "secrets"),
        ("", "serviceaccounts"),
        ("", "namespaces"),
        ("", "configmaps"),
        ("", "events"),
    }
    assert rules["", "configmaps"] == {"get"}
    assert rules["", "namespaces"] == {"get", "list", "watch"}
    assert rules["source.toolkit.fluxcd.io", "gitrepositories"] == {"get", "list", "watch"}
    assert rules["kustomize.toolkit.fluxcd.io", "kustomizations"] == {"get", "list", "watch"}
    assert rules["apps", "deployments"] == rules["", "pods/log"] == {"get"}
    assert rules["", "pods"] == {"get", "list"}
    assert rules["", "secrets"] == {"get"}
    assert not any({"*", "delete", "create"} & verbs for key, verbs in rules.items() if key != ("", "events"))


def test_hooks_come_in_at_a_port_of_their_own_from_anywhere():
    objects = install("notification", split=True)
    assert objects["Service/flux-system/webhook-receiver"]["spec"] == {
        "selector": {"app": "notification-controller"},
        "ports": [{"name": "http", "port": 80, "targetPort": "http-webhook", "protocol": "TCP"}],
        "type": "ClusterIP",
    }
    assert objects["NetworkPolicy/flux-system/allow-webhooks"]["spec"]["ingress"] == [
        {"ports": [{"port": 9292, "protocol": "TCP"}]}
    ]
    [container] = containers(objects)
    assert "--hook-address=:9292" in container["args"]
    assert {"name": "http-webhook", "containerPort": 9292, "protocol": "TCP"} in container["ports"]
    assert not [name for name in install("image") if "webhook" in name]


def test_what_a_hook_wakes_may_be_patched_and_nothing_more():
    rules = rules_of(install("notification")["ClusterRole/tidegate"])
    for kind in (
        ("source.toolkit.fluxcd.io", "helmrepositories"),
        ("helm.toolkit.fluxcd.io", "helmreleases"),
        ("kustomize.toolkit.fluxcd.io", "kustomizations"),
        ("image.toolkit.fluxcd.io", "imagerepositories"),
    ):
        assert rules[kind] == {"get", "list", "patch"}
    assert rules["", "secrets"] == {"get"}


def test_what_the_flux_client_looks_for_is_part_of_flux_and_ours():
    objects = install(split=True)
    for obj in (*objects.values(), *definitions()):
        labels = obj["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "flux"
        assert labels["app.kubernetes.io/managed-by"] == "tidegate"
        assert labels["app.kubernetes.io/version"].startswith("tidegate-")
    for name, obj in objects.items():
        if obj["kind"] == "Deployment":
            # `flux logs` finds a Deployment's Pods by all labels of its template.
            template = obj["spec"]["template"]
            assert template["metadata"]["labels"].items() >= obj["spec"]["selector"]["matchLabels"].items()
            assert [container["name"] for container in template["spec"]["containers"]] == ["manager"], name


def test_mirrors_bases_and_a_moment_of_adoption_are_the_controllers_options():
    chosen = Installation(
        "ghcr.io/me/tidegate:1", "flux-system", kinds_of(()), split=True, adopt="2026-01-15T12:00:00Z",
        bases={"python:3.11-slim": "debian:bookworm"}, mirrors={"ghcr.io": "https://mirror.example"},
    )  # fmt: skip
    options = {
        obj["metadata"]["name"]: obj["spec"]["template"]["spec"]["containers"][0]["args"][2:-2]
        for obj in manifests(chosen)
        if obj["kind"] == "Deployment"
    }
    every = ["--registry-mirror=ghcr.io=https://mirror.example", "--adopt=2026-01-15T12:00:00Z"]
    runners = ["--job-image=ghcr.io/me/tidegate:1", "--base=python:3.11-slim=debian:bookworm"]
    assert options.pop("runner-controller") == [every[0], *runners, every[1]]
    assert options.pop("notification-controller") == [every[0], "--hook-address=:9292", every[1]]
    assert len(options) == 4
    assert all(found == every for found in options.values())
