"""What the API server would refuse: kinds that there are not, and fields that a kind does not have."""

import pytest

from tidegate.kinds.api_fields import ROOTS, TYPES
from tidegate.kinds.api_kinds import KINDS, no_such_kind
from tidegate.kinds.resources import KNOWN
from tidegate.kinds.strict import problems


@pytest.mark.parametrize(
    ("api_version", "kind", "words"),
    [
        ("apps/v1", "Deploiment", 'no matches for kind "Deploiment" in version "apps/v1": did you mean Deployment?'),
        ("apps/v1", "deployment", 'no matches for kind "deployment" in version "apps/v1": did you mean Deployment?'),
        ("v1", "Deployment", 'no matches for kind "Deployment" in version "v1": Deployment is of apps'),
        ("apps/v1", "Service", 'no matches for kind "Service" in version "apps/v1": Service is of the core group, v1'),
        ("apps/v1beta1", "Deployment",
         'no matches for kind "Deployment" in version "apps/v1beta1": it is served in apps/v1'),
        ("image.toolkit.fluxcd.io/v1", "ImagePolciy",
         'no matches for kind "ImagePolciy" in version "image.toolkit.fluxcd.io/v1": did you mean ImagePolicy?'),
        ("batch/v1", "Xyzzy", 'no matches for kind "Xyzzy" in version "batch/v1"'),
        ("apps/v1", "Deployment", ""),
        ("networking.k8s.io/v1beta1", "ServiceCIDR", ""),
        ("example.com/v1", "Deploiment", ""),
        ("bitnami.com/v1alpha1", "SealedSecret", ""),
    ],
)  # fmt: skip
def test_a_kind_that_a_known_group_does_not_have_is_named_with_what_was_meant(api_version, kind, words):
    assert no_such_kind(api_version, kind) == words


def test_every_kind_of_the_vocabulary_is_one_that_there_is():
    assert [resource for resource in KNOWN if resource.kind not in KINDS[resource.group]] == []


def test_every_type_that_a_field_names_is_there():
    named = {kind for fields in TYPES.values() for kind, _ in fields.values() if kind}
    assert named - set(TYPES) == set()
    assert {kind for kinds in ROOTS.values() for kind in kinds} <= set(TYPES)


def a_deployment(**spec):
    container = {"name": "web", "image": "a:1", "ports": [{"containerPort": 80}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    wanted = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": wanted}


def test_what_the_api_knows_is_no_problem():
    assert problems(a_deployment(strategy={"rollingUpdate": {"maxSurge": 1}}, paused=False)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"replica": 1}, 'unknown field "spec.replica": did you mean "replicas"?'),
        ({"strategy": {"rollingupdate": {}}},
         'unknown field "spec.strategy.rollingupdate": did you mean "rollingUpdate"?'),
        ({"xyzzy": 1}, 'unknown field "spec.xyzzy"'),
        ({"template": {"spec": {"containers": [{"name": "a", "ports": [{"containerport": 1}]}]}}},
         'unknown field "spec.template.spec.containers[0].ports[0].containerport": did you mean "containerPort"?'),
        ({"template": {"spec": {"containers": [{"name": "a", "readinessProbe": {"httpget": {}}}]}}},
         'unknown field "spec.template.spec.containers[0].readinessProbe.httpget": did you mean "httpGet"?'),
        ({"template": {"spec": {"volumes": [{"name": "v", "configMap": {"nam": "x"}}]}}},
         'unknown field "spec.template.spec.volumes[0].configMap.nam": did you mean "name"?'),
    ],
)  # fmt: skip
def test_an_unknown_field_is_named_with_what_was_meant(change, message):
    assert [problem.message for problem in problems(a_deployment(**change))] == [message]


@pytest.mark.parametrize(
    ("kind", "fields", "path"),
    [
        ("ConfigMap", {"dta": {}}, ("dta",)),
        ("Secret", {"stringdata": {}}, ("stringdata",)),
        ("Service", {"spec": {"ports": [{"port": 1, "targetport": 2}]}}, ("spec", "ports", 0, "targetport")),
        ("Namespace", {"specs": {}}, ("specs",)),
        ("Namespace", {"metadata": {"name": "a", "label": {}}}, ("metadata", "label")),
    ],
)
def test_other_kinds_that_run_here_are_checked_too(kind, fields, path):
    obj = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}} | fields
    assert [problem.path for problem in problems(obj)] == [path]


def test_values_of_a_wrong_shape_are_left_to_those_who_read_them():
    assert problems(a_deployment(template=["no map"], selector=None)) == []
