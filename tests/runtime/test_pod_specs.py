"""Pod specs read with Kubernetes' defaults, and wrong fields named."""

from typing import Any

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.runtime.podspec import Action, Port, Probe, Source, Variable, port_number, read_pod


def pod(**container: Any) -> dict[str, Any]:
    return {"containers": [{"name": "web", "image": "acme/web:1", **container}]}


def test_defaults() -> None:
    spec = read_pod(pod())
    assert (spec.grace, spec.architecture, spec.container.pull_policy) == (30, None, "IfNotPresent")
    assert spec.container.command is None
    assert spec.container.readiness is None


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("acme/web", "Always"),
        ("acme/web:latest", "Always"),
        ("host:5000/acme/web", "Always"),
        ("acme/web:1", "IfNotPresent"),
        ("acme/web@sha256:" + "0" * 64, "IfNotPresent"),
    ],
)
def test_the_default_pull_policy_depends_on_the_tag(image: str, policy: str) -> None:
    assert read_pod(pod(image=image)).container.pull_policy == policy


def test_probes_have_the_kubelets_defaults() -> None:
    probe = read_pod(pod(readinessProbe={"httpGet": {"port": "http", "path": "/health"}})).container.readiness
    assert probe == Probe(Action("http", "http", "/health"), 0, 10, 1, 1, 3)
    probe = read_pod(pod(livenessProbe={"exec": {"command": ["true"]}, "periodSeconds": 2})).container.liveness
    assert probe == Probe(Action("exec", command=("true",)), period=2)
    assert read_pod(pod(lifecycle={"preStop": {"sleep": {"seconds": 5}}})).container.pre_stop == Action(
        "sleep", seconds=5
    )


def test_variables_and_their_sources() -> None:
    env = [
        {"name": "A", "value": "1"},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}},
        {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    assert read_pod(pod(env=env)).container.env == (
        Variable("A", "1"),
        Variable("B", source=Source("Secret", "s", "k", optional=True)),
        Variable("C", source=Source("field", "", "metadata.name")),
    )


def test_the_containers_security_context_comes_before_the_pods() -> None:
    spec = pod(securityContext={"runAsUser": 7}) | {"securityContext": {"runAsUser": 5, "runAsGroup": 6, "fsGroup": 9}}
    read = read_pod(spec)
    assert (read.container.user, read.container.group, read.supplemental_groups) == (7, 6, (9,))


def test_ports_are_found_by_number_and_by_name() -> None:
    ports = (Port(8000, "http"), Port(9000))
    assert port_number(ports, 1234) == 1234
    assert port_number(ports, "http") == 8000
    assert port_number(ports, "metrics") is None


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({}, "spec.containers"),
        (pod(image=5), "spec.containers[0].image"),
        (pod(command="sh"), "spec.containers[0].command"),
        (pod(ports=[{"containerPort": 70000}]), "spec.containers[0].ports[0].containerPort"),
        (pod(readinessProbe={}), "spec.containers[0].readinessProbe"),
        (pod(readinessProbe={"exec": {"command": []}}), "spec.containers[0].readinessProbe.exec.command"),
        (pod(livenessProbe={"httpGet": {"port": 1, "path": "/\r\nX: y"}}), "spec.containers[0].livenessProbe.httpGet"),
        (pod(volumeMounts=[{"name": "x", "mountPath": "/x"}]), "spec.containers[0].volumeMounts[0].name"),
        (pod(env=[{"name": "A=B"}]), "spec.containers[0].env[0].name"),
        (pod(securityContext={"runAsUser": -1}), "spec.containers[0].securityContext.runAsUser"),
        (pod() | {"volumes": [{"name": "../x", "emptyDir": {}}]}, "spec.volumes[0].name"),
        (pod() | {"terminationGracePeriodSeconds": "x"}, "spec.terminationGracePeriodSeconds"),
    ],
)
def test_what_is_wrong_is_named(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_pod(spec)
    assert caught.value.where is not None
    assert caught.value.where.field == field


@pytest.mark.parametrize("path", ["/abs", "../up", "a/../../b"])
def test_a_sub_path_stays_in_its_volume(path: str) -> None:
    spec = pod(volumeMounts=[{"name": "v", "mountPath": "/v", "subPath": path}])
    with pytest.raises(InvalidInput, match="subPath"):
        read_pod(spec | {"volumes": [{"name": "v", "emptyDir": {}}]})
