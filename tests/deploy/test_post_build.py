"""Variables in what was built: types, opting out, and what goes wrong."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.deploy.kustomize.resource import Resource
from tidegate.deploy.post_build import check_names, put_in


def config_map(data, **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", **metadata}, "data": data}


def put(obj, **variables):
    resource = Resource(obj, file="app/a.yaml")
    put_in([resource], variables)
    return resource.data


@pytest.mark.parametrize(
    ("written", "value", "read"),
    [
        ("${x}", "3", 3),
        ("${x}", "true", True),
        ("${x}", "yes", True),
        ("${x}", '"3"', "3"),
        ("${x}", "", None),
        ("a${x}", "3", "a3"),
        ("${x:=7}", None, 7),
        ("${y:-}z", None, "z"),
        ("$${x}", "3", "${x}"),
        ("a\n${x}\n", "b", "a\nb\n"),
        ("a\n\n  ${x}: c\n", "b", "a\n\n  b: c\n"),
        ("true", "", "true"),
        ("0777", "", "0777"),
        ("", "", ""),
        ("k: ${x}", "v", "k: v"),
        ("# ${x}", "v", "# v"),
        ("é ${x}", "ü", "é ü"),
    ],
)
def test_a_value_becomes_what_the_text_with_it_reads_as(written, value, read):
    variables = {} if value is None else {"x": value}
    assert put(config_map({"k": written, "always": "$"}), **variables)["data"]["k"] == read


def test_a_long_line_is_not_folded():
    text = "word " * 100 + "${x}"
    assert put(config_map({"k": text}), x="end")["data"]["k"] == "word " * 100 + "end"


@pytest.mark.parametrize("part", ["labels", "annotations"])
def test_an_object_opts_out(part):
    obj = config_map({"k": "${x}"}, **{part: {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}})
    assert put(obj, x="1")["data"] == {"k": "${x}"}


@pytest.mark.parametrize("text", ["${x", "${x!y}", "${}"])
def test_what_is_no_substitution_names_the_object_and_its_file(text):
    with pytest.raises(InvalidInput, match="variable substitution failed for") as caught:
        put(config_map({"k": text}))
    assert "app/a.yaml" in str(caught.value)


def test_a_value_that_breaks_the_yaml_is_refused():
    with pytest.raises(InvalidInput):
        put(config_map({"k": "${x}"}), x="[")


@pytest.mark.parametrize("name", ["1a", "a-b", "", "ä", "a\n"])
def test_names_of_variables_are_those_of_a_shell(name):
    with pytest.raises(InvalidInput, match="var name is invalid"):
        check_names({name: "x"}, "spec.postBuild.substitute")
