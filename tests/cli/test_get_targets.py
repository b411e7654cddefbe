import click
import pytest

from tidegate.base.errors import NotFound
from tidegate.cli.get import shown
from tidegate.cli.targets import targets_of


def asked(*arguments):
    return [(target.resource.kind, target.name) for target in targets_of(arguments)]


def test_kinds_parted_by_commas_are_each_shown_whole():
    assert asked("ks,imgpol") == [("Kustomization", None), ("ImagePolicy", None)]


def test_several_names_of_a_kind_and_several_kinds_by_name():
    assert asked("ks", "a", "b") == [("Kustomization", "a"), ("Kustomization", "b")]
    assert asked("ks/a", "deploy/b") == [("Kustomization", "a"), ("Deployment", "b")]


def test_all_is_the_category_of_workloads_as_kubectl_has_it():
    kinds = [target.resource.kind for target in targets_of(("all",))]
    assert kinds[:3] == ["Pod", "Service", "DaemonSet"]
    assert "ConfigMap" not in kinds
    assert "Kustomization" not in kinds


@pytest.mark.parametrize("arguments", [("ks/a", "b"), ("all", "a"), (",",), ("ks/",)])
def test_what_kubectl_refuses_is_refused(arguments):
    with pytest.raises(click.UsageError):
        targets_of(arguments)


def test_an_unknown_kind_is_named():
    with pytest.raises(NotFound, match="no kind is named 'nope'"):
        targets_of(("ks,nope",))


def test_an_object_begins_with_what_it_is_and_hides_who_owns_its_fields():
    obj = {"spec": {}, "metadata": {"name": "a", "managedFields": [{}]}, "kind": "Kustomization", "apiVersion": "v1"}
    assert list(shown(obj, managed=False)) == ["apiVersion", "kind", "metadata", "spec"]
    assert shown(obj, managed=False)["metadata"] == {"name": "a"}
    assert shown(obj, managed=True)["metadata"] == obj["metadata"]
