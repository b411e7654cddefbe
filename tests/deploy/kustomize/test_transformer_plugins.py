"""Transformers and generators that are configured by objects: kustomize's built-in kinds, and no others."""

import pytest

HEAD = "apiVersion: builtin\nmetadata: {name: t, namespace: tns}\n"


def transformed(build, config, resources="cm.yaml, dep.yaml"):
    return build(f"resources: [{resources}]\ntransformers: [t.yaml]", {"app/t.yaml": HEAD + config})


def test_a_namespace_only_where_there_is_none(build):
    other = {
        "app/o.yaml": "kind: A\nmetadata: {name: a, namespace: own}\n",
        "app/t.yaml": HEAD + "kind: NamespaceTransformer\nunsetOnly: true\n",
    }
    objects = build("resources: [cm.yaml, o.yaml]\ntransformers: [t.yaml]", other)
    assert [one["metadata"]["namespace"] for one in objects] == ["tns", "own"]


def test_a_prefix_for_some_kinds(build):
    config = "kind: PrefixTransformer\nprefix: x-\nfieldSpecs: [{path: metadata/name, kind: ConfigMap}]\n"
    assert [one["metadata"]["name"] for one in transformed(build, config)] == ["x-settings", "web"]


def test_labels_and_annotations(build):
    config = "kind: LabelTransformer\nlabels: {a: b}\nfieldSpecs: [{path: metadata/labels, create: true}]\n"
    assert transformed(build, config, "cm.yaml")[0]["metadata"]["labels"] == {"a": "b"}
    config = (
        "kind: AnnotationsTransformer\nannotations: {a: b}\nfieldSpecs: [{path: metadata/annotations, create: true}]\n"
    )
    assert transformed(build, config, "cm.yaml")[0]["metadata"]["annotations"] == {"a": "b"}


def test_images_replicas_and_patches(build):
    config = "kind: ImageTagTransformer\nimageTag: {name: busybox, newTag: '9'}\n"
    assert transformed(build, config)[1]["spec"]["template"]["spec"]["containers"][1]["image"] == "busybox:9"
    config = "kind: ReplicaCountTransformer\nreplica: {name: web, count: 9}\nfieldSpecs: [{path: spec/replicas}]\n"
    assert transformed(build, config)[1]["spec"]["replicas"] == 9
    config = 'kind: PatchTransformer\ntarget: {kind: ConfigMap}\npatch: \'[{"op": "add", "path": "/x", "value": 1}]\'\n'
    assert transformed(build, config)[0]["x"] == 1
    patch = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, x: 1}"
    config = f"kind: PatchStrategicMergeTransformer\npatches: '{patch}'\n"
    assert transformed(build, config)[0]["x"] == 1


def test_a_value_is_added(build):
    config = "kind: ValueAddTransformer\nvalue: peach\ntargets: [{fieldPath: data/dir, filePathPosition: 2}]\n"
    assert transformed(build, config, "cm.yaml")[0]["data"]["dir"] == "peach"
    config = "kind: ValueAddTransformer\nvalue: peach\ntargets: [{fieldPath: metadata/namespace}]\n"
    objects = transformed(build, config, "cm.yaml, ns.yaml")
    assert [one["metadata"].get("namespace") for one in objects] == ["peach", None]


def test_configuration_may_be_written_in_place(build):
    config = (
        "apiVersion: builtin\\nkind: SuffixTransformer\\nmetadata: {name: t}\\n"
        "suffix: -s\\nfieldSpecs: [{path: metadata/name}]"
    )
    assert build(f'resources: [cm.yaml]\ntransformers: ["{config}"]')[0]["metadata"]["name"] == "settings-s"


def test_a_generator_as_an_object(build):
    config = HEAD + "kind: SecretGenerator\nliterals: [a=b]\n"
    (found,) = build("generators: [g.yaml]", {"app/g.yaml": config})
    assert found["metadata"]["namespace"] == "tns"
    assert found["data"] == {"a": "Yg=="}


@pytest.mark.parametrize(
    ("field", "config"),
    [
        ("transformers", "apiVersion: example.test/v1\nkind: Custom\nmetadata: {name: x}\n"),
        ("transformers", "apiVersion: builtin\nkind: Nothing\nmetadata: {name: x}\n"),
        ("generators", "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: x}\n"),
    ],
)
def test_what_would_run_something_is_refused_by_name(refusal, field, config):
    assert "is not supported" in refusal(f"resources: [cm.yaml]\n{field}: [x.yaml]", {"app/x.yaml": config})
