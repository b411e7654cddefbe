"""What this machine can't run is said by name."""

from typing import Any

import pytest

from tidegate.runtime.supported import unsupported


def obj(api_version: str, kind: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, "spec": spec}


def deployment(container: dict[str, Any] | None = None, **pod: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "c", "image": "i", **(container or {})}], **pod}
    return obj("apps/v1", "Deployment", template={"spec": spec})


@pytest.mark.parametrize(
    "value",
    [
        obj("v1", "ConfigMap"),
        obj("v1", "Namespace"),
        obj("v1", "ServiceAccount"),
        obj("v1", "Service", selector={"a": "b"}, ports=[{"port": 80}]),
        obj("image.toolkit.fluxcd.io/v1beta2", "ImagePolicy"),
        obj("tidegate.dev/v1alpha1", "Runner"),
        deployment(),
        deployment({"resources": {"limits": {"memory": "1Gi"}}}, serviceAccountName="x", tolerations=[{"key": "a"}]),
        deployment(hostNetwork=False, initContainers=[]),
        deployment(nodeSelector={"kubernetes.io/arch": "arm64"}),
    ],
)
def test_what_runs_or_does_no_harm(value: dict[str, Any]) -> None:
    assert unsupported(value) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (obj("networking.k8s.io/v1", "Ingress"), "Ingress is kept but has no effect on one machine"),
        (obj("bitnami.com/v1alpha1", "SealedSecret"), "give the Secret itself"),
        (obj("acme.io/v1", "Widget"), "nothing on this machine acts on that kind"),
        (obj("apps/v1", "StatefulSet"), "only Deployments are run"),
        (obj("helm.toolkit.fluxcd.io/v2", "HelmRelease"), "HelmRelease"),
        (obj("v1", "Service", type="ExternalName"), "ExternalName"),
        (obj("v1", "Service"), "without spec.selector"),
        (obj("v1", "Service", selector={"a": "b"}, ports=[{"port": 53, "protocol": "UDP"}]), "protocol UDP"),
        (deployment(hostNetwork=True), "spec.template.spec.hostNetwork"),
        (deployment(initContainers=[{"name": "i"}]), "spec.template.spec.initContainers"),
        (deployment(volumes=[{"name": "v", "nfs": {"path": "/"}}]), "spec.template.spec.volumes[0].nfs"),
        (deployment(nodeSelector={"disk": "ssd"}), "nodeSelector.disk"),
        (deployment({"securityContext": {"privileged": True}}), "securityContext.privileged"),
        (deployment({"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}), "capabilities.add"),
        (deployment({"readinessProbe": {"grpc": {"port": 1}}}), "readinessProbe.grpc"),
        (deployment({"lifecycle": {"postStart": {"exec": {}}}}), "lifecycle.postStart"),
        (
            deployment({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "x"}}}]}),
            "resourceFieldRef",
        ),
        (deployment({"tty": True}), "containers[0].tty"),
        (
            obj("apps/v1", "Deployment", template={"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}),
            "more than one container",
        ),
    ],
)
def test_what_does_not_run_is_named(value: dict[str, Any], words: str) -> None:
    reason = unsupported(value)
    assert reason is not None
    assert words in reason
