"""`configurations` and `crds`: where transformers work besides, and which fields name objects."""

import json

import pytest

WIDGET = """\
apiVersion: example.test/v1
kind: Widget
metadata: {name: first}
spec:
  size: 3
  image: nginx:1.25
  title: first
  select: {app: web}
  settings: settings
  bee: {name: first}
"""
RESOURCES = "resources: [widget.yaml, cm.yaml]\nconfigurations: [kc.yaml]\n"


def configured(build, configuration, kustomization, more=None):
    files = {"app/widget.yaml": WIDGET, "app/kc.yaml": configuration, **(more or {})}
    return build(RESOURCES + kustomization, files)


@pytest.mark.parametrize(
    ("configuration", "kustomization", "field", "value"),
    [
        ("images: [{path: spec/image, kind: Widget}]", "images: [{name: nginx, newTag: '2'}]", "image", "nginx:2"),
        ("replicas: [{path: spec/size, kind: Widget}]", "replicas: [{name: first, count: 7}]", "size", 7),
        ("namePrefix: [{path: spec/title, kind: Widget}]", "namePrefix: p-", "title", "p-first"),
        ("nameSuffix: [{path: spec/title, kind: Widget}]", "nameSuffix: -s", "title", "first-s"),
        ("namespace: [{path: spec/ns, kind: Widget, create: true}]", "namespace: shop", "ns", "shop"),
        (
            "commonLabels: [{path: spec/select, kind: Widget}]",
            "commonLabels: {team: red}",
            "select",
            {"app": "web", "team": "red"},
        ),
        (
            "labels: [{path: spec/marks, kind: Widget, create: true}]",
            "labels: [{pairs: {team: red}}]",
            "marks",
            {"team": "red"},
        ),
        (
            "templateLabels: [{path: spec/marks, kind: Widget, create: true}]",
            "labels: [{pairs: {team: red}, includeTemplates: true}]",
            "marks",
            {"team": "red"},
        ),
        (
            "commonAnnotations: [{path: spec/notes, kind: Widget, create: true}]",
            "commonAnnotations: {note: x}",
            "notes",
            {"note": "x"},
        ),
        (
            "nameReference: [{kind: ConfigMap, version: v1, fieldSpecs: [{path: spec/settings, kind: Widget}]}]",
            "nameSuffix: -s",
            "settings",
            "settings-s",
        ),
        ("nameReference: [{kind: ConfigMap, fieldSpecs: [{path: spec/settings}]}]", "nameSuffix: -s", "settings",
         "settings-s"),
    ],
)  # fmt: skip
def test_a_transformer_works_in_further_fields(build, configuration, kustomization, field, value):
    widget = configured(build, configuration, kustomization)[0]
    assert widget["spec"][field] == value


def test_the_configuration_of_a_base_holds_in_its_overlay(build):
    files = {
        "base/widget.yaml": WIDGET,
        "base/kustomization.yaml": "resources: [widget.yaml]\nconfigurations: [kc.yaml]\n",
        "base/kc.yaml": "images: [{path: spec/image, kind: Widget}]",
    }
    found = build("resources: [../base]\nimages: [{name: nginx, newTag: '2'}]", files)
    assert found[0]["spec"]["image"] == "nginx:2"


def test_a_spec_for_one_kind_displaces_the_one_for_all_of_the_same_path(build):
    configuration = "commonLabels: [{path: metadata/labels, kind: Widget, create: true}]"
    widget, config_map = configured(build, configuration, "commonLabels: {team: red}")
    assert widget["metadata"]["labels"] == {"team": "red"}
    assert "labels" not in config_map["metadata"]


@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        ("bogus: []", "app/kc.yaml:1:1 (bogus): unknown field 'bogus'"),
        ("images: x", "app/kc.yaml:1:9 (images): must be a list"),
        (
            "commonLabels: [{path: metadata/labels, kind: Widget}]",
            "app/kustomization.yaml: conflicting fieldspecs for metadata/labels",
        ),
        (
            "images: [{path: a, create: true}, {path: a}]",
            "app/kc.yaml: conflicting fieldspecs for a",
        ),
    ],
)
def test_wrong_configurations_are_refused(build, refusal, configuration, told):
    files = {"app/widget.yaml": WIDGET, "app/kc.yaml": configuration}
    assert refusal(RESOURCES, files) == told


def test_a_missing_configuration_is_told_at_its_place(refusal):
    told = refusal("resources: [cm.yaml]\nconfigurations: [none.yaml]")
    assert told == "app/kustomization.yaml:2:18 (configurations[0]): there is no file none.yaml"


def crd(**properties):
    types = {
        "example.test/v1.Widget": {"Schema": {"properties": {
            "apiVersion": {}, "kind": {}, "metadata": {}, "spec": {"$ref": "example.test/v1.WidgetSpec"},
        }}},
        "example.test/v1.WidgetSpec": {"schema": {"properties": properties}},
    }  # fmt: skip
    return {"app/widget.yaml": WIDGET, "app/crd.json": json.dumps(types)}


def test_a_type_says_which_fields_name_objects(build):
    files = crd(bee={"x-kubernetes-object-ref-api-version": "v1", "x-kubernetes-object-ref-kind": "Widget"})
    widget = build("resources: [widget.yaml]\ncrds: [crd.json]\nnamePrefix: p-", files)[0]
    assert widget["spec"]["bee"] == {"name": "p-first"}
    files = crd(settings={"x-kubernetes-object-ref-api-version": "v1", "x-kubernetes-object-ref-kind": "ConfigMap",
                          "x-kubernetes-object-ref-name-key": "name"})  # fmt: skip
    files["app/widget.yaml"] = WIDGET.replace("settings: settings", "settings: {name: settings}")
    widget = build("resources: [widget.yaml, cm.yaml]\ncrds: [crd.json]\nnamePrefix: p-", files)[0]
    assert widget["spec"]["settings"] == {"name": "p-settings"}


@pytest.mark.parametrize(
    ("mark", "kustomization", "field", "value"),
    [
        ("x-kubernetes-annotation", "commonAnnotations: {note: x}", "select", {"app": "web", "note": "x"}),
        ("x-kubernetes-label-selector", "commonLabels: {team: red}", "select", {"app": "web", "team": "red"}),
        ("x-kubernetes-identity", "namePrefix: p-", "title", "p-first"),
    ],
)
def test_a_type_marks_fields_for_transformers(build, mark, kustomization, field, value):
    files = crd(**{field: {mark: ""}})
    widget = build(f"resources: [widget.yaml]\ncrds: [crd.json]\n{kustomization}", files)[0]
    assert widget["spec"][field] == value


def test_a_type_that_leads_back_to_itself_is_refused(refusal):
    files = crd(again={"$ref": "example.test/v1.WidgetSpec"})
    assert "leads back to itself" in refusal("resources: [widget.yaml]\ncrds: [crd.json]", files)
