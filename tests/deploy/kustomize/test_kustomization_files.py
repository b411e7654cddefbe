"""The kustomization file itself: its fields by name and type, errors at their line, older names."""

import pytest


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("resource: [cm.yaml]", "app/kustomization.yaml:1:1 (resource): unknown field 'resource'"),
        ("resources: [cm.yaml]\nimages:\n- nme: x", "app/kustomization.yaml:3:3 (images[0].nme): unknown field 'nme'"),
        ("resources: cm.yaml", "app/kustomization.yaml:1:12 (resources): must be a list"),
        ("resources: [cm.yaml]\nnamespace: 5", "app/kustomization.yaml:2:12 (namespace): must be a string"),
        ("resources: [cm.yaml]\nnamePrefix: yes", "(namePrefix): must be a string"),
        ("resources: [cm.yaml]\nreplicas: [{name: a, count: '3'}]", "must be a whole number"),
        ("resources: [cm.yaml]\ncommonLabels: [a]", "must be a mapping"),
        ("resources: [cm.yaml]\ncommonLabels: {a: 1}", "(commonLabels.a): must be a string"),
        ("labels: [{pairs: {a: b}, includeSelectors: 'true'}]", "must be true or false"),
        ("kind: Kustomisation\nresources: [cm.yaml]", "must be Kustomization or Component"),
        ("apiVersion: v1\nresources: [cm.yaml]", "must be kustomize.config.k8s.io/v1beta1"),
        ("- a", "must be a mapping"),
        ("", "the kustomization file is empty"),
        ("kind: Kustomization\n", "the kustomization file is empty"),
        ("resources: [cm.yaml\n", "app/kustomization.yaml:2"),
        ("resources: [cm.yaml]\nhelmCharts: [{name: x}]", "Helm charts are not supported"),
    ],
)
def test_faults_are_told_with_their_place(refusal, text, told):
    assert told in refusal(text)


def test_null_fields_and_lists_that_are_empty_are_allowed(build):
    assert build("resources: []\nnamespace:\nimages:") == []


def test_the_case_of_field_names_does_not_matter(build):
    assert build("Resources: [cm.yaml]\nNAMESPACE: shop")[0]["metadata"]["namespace"] == "shop"


def test_of_a_field_given_twice_the_last_one_counts(build):
    assert build("namespace: a\nresources: [cm.yaml]\nnamespace: b")[0]["metadata"]["namespace"] == "b"


def test_the_other_names_of_the_file_are_known(build):
    for name in ("kustomization.yml", "Kustomization"):
        assert len(build(None, {f"app/{name}": "resources: [cm.yaml]"})) == 1


def test_older_names_of_fields_still_work(build):
    (found,) = build("bases: [dep.yaml]\nimageTags: [{name: busybox, newTag: '1'}]")
    assert found["spec"]["template"]["spec"]["containers"][1]["image"] == "busybox:1"


def test_of_a_fields_spellings_the_one_that_sorts_last_counts(build):
    found = build("resources: [cm.yaml]\nResources: [svc.yaml]\n")
    assert [one["kind"] for one in found] == ["ConfigMap"]
