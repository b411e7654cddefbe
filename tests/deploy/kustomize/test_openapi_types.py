"""`openapi`: a file of types decides which lists merge by key. The wanted values are what kustomize 5.5 builds."""

import json

import pytest

MERGES = {"x-kubernetes-patch-strategy": "merge"}
BY_NAME = {"type": "array", "x-kubernetes-patch-merge-key": "name", **MERGES}
WIDGET_KIND = [{"group": "example.test", "version": "v1", "kind": "Widget"}]


def types(spec, **more):
    widget = {"properties": {"spec": {"$ref": "#/definitions/spec"}}, "x-kubernetes-group-version-kind": WIDGET_KIND}
    return json.dumps({"definitions": {"widget": widget, "spec": {"properties": spec}, **more}})


def patched(build, document, spec, kustomization="openapi: {path: types.json}"):
    """The Widget's spec, once `spec` is merged in."""
    patch = {"apiVersion": "example.test/v1", "kind": "Widget", "metadata": {"name": "first"}, "spec": spec}
    text = f"resources: [w.yaml, dep.yaml]\n{kustomization}\npatches: [{{patch: '{json.dumps(patch)}'}}]\n"
    return build(text, {"app/types.json": document})[0]["spec"]


def test_a_list_merges_by_the_key_that_its_type_names(build):
    found = patched(build, types({"items": BY_NAME}), {"items": [{"name": "b", "m": 3}]})
    assert found["items"] == [{"name": "b", "n": 2, "m": 3}, {"name": "a", "n": 1}]


@pytest.mark.parametrize(
    ("strategy", "merges"),
    [("merge", True), ("merge,retainKeys", True), ("replace,merge", True), ("retainKeys", False), ("merged", False)],
)
def test_merge_is_one_of_the_strategies_or_the_list_is_replaced(build, strategy, merges):
    document = types({"items": {**BY_NAME, "x-kubernetes-patch-strategy": strategy}})
    assert len(patched(build, document, {"items": [{"name": "b"}]})["items"]) == (2 if merges else 1)


def test_scalars_several_keys_and_the_values_of_maps_merge(build):
    document = types(
        {
            "tags": {"type": "array", **MERGES},
            "items": {"type": "array", "x-kubernetes-list-map-keys": ["name", "n"], **MERGES},
            "map": {"additionalProperties": BY_NAME},
        }
    )
    assert patched(build, document, {"items": [{"name": "a", "n": 2}]})["items"] == [
        {"name": "a", "n": 2},
        {"name": "a", "n": 1},
        {"name": "b", "n": 2},
    ]
    assert patched(build, document, {"map": {"k": [{"name": "a"}]}, "tags": ["x"]})["map"] == {"k": [{"name": "a"}]}


def test_a_type_may_lead_back_to_itself(build):
    loop = {"properties": {"loop": {"$ref": "#/definitions/loop"}, "items": BY_NAME}}
    found = patched(build, types({"items": BY_NAME, "loop": {"$ref": "#/definitions/loop"}}, loop=loop), {"size": 4})
    assert found["size"] == 4
    endless = {"$ref": "#/definitions/endless"}
    assert patched(build, types({"items": endless}, endless=endless), {"items": [{"name": "b"}]})["items"] == [
        {"name": "b"}
    ]


def test_the_files_types_stand_in_place_of_kubernetes_own(build):
    patch = '{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": '
    patch += '{"spec": {"containers": [{"name": "side", "image": "b"}]}}}}'
    text = f"resources: [dep.yaml]\npatches: [{{patch: '{patch}'}}]\n"
    for openapi, containers in (("", 2), ("openapi: {version: v1.21.2}", 2), ("openapi: {path: types.json}", 1)):
        (found,) = build(f"{text}{openapi}\n", {"app/types.json": types({})})
        assert len(found["spec"]["template"]["spec"]["containers"]) == containers


def test_the_first_kustomization_that_names_types_decides(build):
    below = "resources: [../w.yaml]\nopenapi: {path: types.json}\n"
    patch = '{"apiVersion": "example.test/v1", "kind": "Widget", "metadata": {"name": "first"}, "spec": {"items": '
    patch += '[{"name": "b"}]}}'
    files = {"app/below/kustomization.yaml": below.replace("../w.yaml", "w.yaml"), "app/none.json": '{"a": 1}'}
    files |= {"app/below/types.json": types({"items": BY_NAME}), "app/below/w.yaml": WIDGET}
    text = f"resources: [below]\npatches: [{{patch: '{patch}'}}]\n"
    assert len(build(text, files)[0]["spec"]["items"]) == 2
    assert len(build(f"{text}openapi: {{path: none.json}}\n", files)[0]["spec"]["items"]) == 1


WIDGET = (
    "apiVersion: example.test/v1\nkind: Widget\nmetadata: {name: first}\n"
    "spec: {items: [{name: a, n: 1}, {name: b, n: 2}]}\n"
)


@pytest.mark.parametrize(
    ("openapi", "said"),
    [
        ("{path: none.json}", "there is no file none.json"),
        ("{path: list.json}", "must hold an OpenAPI document"),
        ("{path: empty.json}", "must hold an OpenAPI document"),
        ("{path: text.json}", "app/text.json:1"),
        ("{version: v1.20.4}", "the OpenAPI version v1.20.4 is not built in"),
        ("{version: v1.21.2, path: list.json}", "either path or version"),
    ],
)
def test_what_is_no_file_of_types_is_refused(refusal, openapi, said):
    files = {"app/list.json": "[]", "app/empty.json": "", "app/text.json": '{"definitions": 5}'}
    assert said in refusal(f"resources: [cm.yaml]\nopenapi: {openapi}\n", files)
