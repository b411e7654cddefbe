"""Wrong manifests are refused as a whole, at their places, before anything is applied or pruned."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.base.files import MemoryFiles
from tidegate.deploy.render import Wish, render
from tidegate.kinds.strict import problems

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}}\n"


def rendered(check=problems, **files):
    tree = MemoryFiles({name.replace("__", "."): text.encode() for name, text in files.items()})
    return render(tree, Wish(""), check)


def test_a_kind_that_there_is_not_is_refused_at_its_line():
    text = f"{SERVICE}---\n# the app\napiVersion: apps/v1\nkind: Deploiment\nmetadata: {{name: web}}\n"
    with pytest.raises(InvalidInput, match="did you mean Deployment") as caught:
        rendered(app__yaml=text)
    assert (caught.value.where.file, caught.value.where.line, caught.value.where.field) == ("app.yaml", 8, "kind")


def test_all_problems_are_told_at_once():
    other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndta: {}\n"
    with pytest.raises(InvalidInput) as caught:
        rendered(a__yaml=SERVICE.replace("selector", "selectr"), b__yaml=other)
    assert str(caught.value) == (
        'a.yaml:4:8 (spec.selectr): unknown field "spec.selectr": did you mean "selector"?\n'
        'b.yaml:4:1 (dta): unknown field "dta": did you mean "data"?'
    )


def test_the_place_is_found_though_the_object_was_renamed():
    kustomization = "resources: [app.yaml]\nnamePrefix: p-\nnamespace: shop\n"
    with pytest.raises(InvalidInput) as caught:
        rendered(kustomization__yaml=kustomization, app__yaml=SERVICE.replace("selector", "selectr"))
    assert (caught.value.where.file, caught.value.where.line) == ("app.yaml", 4)


def test_what_a_patch_brings_names_the_file_that_it_patches():
    patch = '[{"op": "add", "path": "/spec/selectr", "value": {}}]'
    kustomization = f"resources: [app.yaml]\npatches: [{{target: {{kind: Service}}, patch: '{patch}'}}]\n"
    with pytest.raises(InvalidInput) as caught:
        rendered(kustomization__yaml=kustomization, app__yaml=SERVICE)
    assert str(caught.value.where) == "app.yaml (spec.selectr)"


def test_a_kind_of_an_unknown_group_and_good_manifests_pass():
    other = "apiVersion: example.com/v1\nkind: Deploiment\nmetadata: {name: web}\nspec: {any: thing}\n"
    assert [obj["kind"] for obj in rendered(app__yaml=SERVICE, other__yaml=other)] == ["Service", "Deploiment"]
