"""Reading YAML: values by schema, positions, and the bounds that keep a hostile file harmless."""

import math

import pytest
import yaml as pyyaml

from tidegate.base import yaml_nodes
from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.base.yaml import Limits, Schema, load_document, load_documents


@pytest.fixture(autouse=True, params=["c", "pure"])
def parser(request, monkeypatch):
    if request.param == "pure":
        monkeypatch.setattr(yaml_nodes, "_Parser", pyyaml.SafeLoader)
    elif not hasattr(pyyaml, "CSafeLoader"):
        pytest.skip("PyYAML was built without libyaml: apt-get install libyaml-dev")


def value(text, schema=Schema.KUBERNETES):
    return load_document(text.encode(), file="f.yaml", schema=schema).value


def fault(text, **options):
    with pytest.raises((InvalidInput, LimitExceeded)) as caught:
        load_documents(text.encode() if isinstance(text, str) else text, file="f.yaml", **options)
    return caught.value


# text: (sigs.k8s.io/yaml, kustomize's kyaml, YAML 1.2 core), the first two as the Go libraries answered
SCALARS = {
    "yes": (True, "yes", "yes"),
    "On": (True, "On", "On"),
    "n": (False, "n", "n"),
    "TRUE": (True, True, True),
    "tRue": ("tRue", "tRue", "tRue"),
    "~": (None, None, None),
    "Null": (None, None, None),
    "nULL": ("nULL", "nULL", "nULL"),
    "0777": (511, 511, 777),
    "0o17": (15, 15, 15),
    "0O17": (15, 15, "0O17"),
    "-0o17": (-15, -15, "-0o17"),
    "0o8": ("0o8", "0o8", "0o8"),
    "08": (8, 8, 8),
    "0x1F": (31, 31, 31),
    "-0x1f": (-31, -31, "-0x1f"),
    "0b101": (5, 5, "0b101"),
    "1_000": (1000, 1000, "1_000"),
    "_1": ("_1", "_1", "_1"),
    ".269_": (".269_", ".269_", ".269_"),
    "-0.0": (0, 0, -0.0),
    "1._5": (1.5, 1.5, "1._5"),
    "+1": (1, 1, 1),
    "1.": (1, 1, 1.0),
    "-.5": (-0.5, -0.5, -0.5),
    "1e3": (1000, 1000, 1000.0),
    "1e400": ("1e400", "1e400", math.inf),
    "18446744073709551615": (2**64 - 1, 2**64 - 1, 2**64 - 1),
    "18446744073709551616": (2.0**64, 2.0**64, 2**64),
    "0x10000000000000000": ("0x10000000000000000", "0x10000000000000000", 2**64),
    "-9223372036854775809": (-(2**63), -(2**63), -(2**63) - 1),
    "12:30": ("12:30", "12:30", "12:30"),
    "1.2.3": ("1.2.3", "1.2.3", "1.2.3"),
    "2024-01-01": ("2024-01-01", "2024-01-01T00:00:00Z", "2024-01-01"),
    "2024-1-1": ("2024-1-1", "2024-01-01T00:00:00Z", "2024-1-1"),
    "2024-13-01": ("2024-13-01", "2024-13-01", "2024-13-01"),
    "2001-12-14t21:59:43.10-05:00": (
        "2001-12-14t21:59:43.10-05:00",
        "2001-12-14T21:59:43.1-05:00",
        "2001-12-14t21:59:43.10-05:00",
    ),
    "2001-12-14 21:59:43": ("2001-12-14 21:59:43", "2001-12-14T21:59:43Z", "2001-12-14 21:59:43"),
    "2001-12-14T21:59:43": ("2001-12-14T21:59:43", "2001-12-14T21:59:43", "2001-12-14T21:59:43"),
    "!!str 5": ("5", "5", "5"),
    '!!int "5"': (5, 5, 5),
    "!!float 5": (5, 5, 5.0),
    "!!binary aGk=": ("hi", "hi", "hi"),
    "!local 5": ("5", "5", "5"),
    '"yes"': ("yes", "yes", "yes"),
    "'5'": ("5", "5", "5"),
}


@pytest.mark.parametrize("text", SCALARS)
def test_a_scalar_means_what_its_dialect_says(text):
    for schema, wanted in zip((Schema.KUBERNETES, Schema.KUSTOMIZE, Schema.YAML_1_2), SCALARS[text], strict=True):
        got = value(f"v: {text}", schema)["v"]
        assert (type(got), got) == (type(wanted), wanted), schema


def test_infinity_is_a_number_for_workflows_and_refused_in_manifests():
    assert value("v: -.inf", Schema.YAML_1_2)["v"] == -math.inf
    assert math.isnan(value("v: .nan", Schema.YAML_1_2)["v"])
    assert str(fault("a: 1\nv: .inf").where) == "f.yaml:2:4"


@pytest.mark.parametrize("text", ["!!int x", "!!bool 7", "!!null x", "!!float x", "!!binary '*'"])
def test_a_tag_that_does_not_fit_is_refused(text):
    assert fault(f"v: {text}").where.line == 1


def test_keys_are_strings():
    assert value("1: a\non: b\n0x10: c", Schema.KUBERNETES) == {"1": "a", "true": "b", "16": "c"}
    assert value("1: a\non: b\n0x10: c", Schema.KUSTOMIZE) == {"1": "a", "on": "b", "0x10": "c"}
    assert value("on: b\n3.10: c\nnull: d", Schema.YAML_1_2) == {"on": "b", "3.10": "c", "null": "d"}


@pytest.mark.parametrize("text", ["[a]: b", "{a: b}: c", "null: a"])
def test_other_keys_are_refused(text):
    assert fault(text).where.line == 1


def test_a_key_given_twice_is_refused_at_its_second_place():
    error = fault("a:\n  b: 1\n  c: 2\n  b: 3\n")
    assert str(error) == "f.yaml:4:3: the key 'b' is given twice"


def test_keys_that_become_the_same_are_one_key():
    assert fault("yes: 1\ntrue: 2").where.line == 2


def test_merge_keys_lose_against_the_mappings_own_keys():
    text = "x: &x {a: 1, b: 2}\nz: &z {a: 9, c: 3}\nv:\n  <<: [*x, *z]\n  b: 7\n"
    assert value(text)["v"] == {"a": 1, "b": 7, "c": 3}
    assert load_document(text.encode(), file="f").where(("v", "c")).line == 2


def test_a_merge_key_is_an_ordinary_key_in_workflows():
    assert value("<<: {a: 1}", Schema.YAML_1_2) == {"<<": {"a": 1}}


def test_merging_something_else_than_mappings_is_refused():
    assert fault("<<: 5").where.column == 5


def test_documents_without_content_are_left_out():
    found = load_documents(b"# only\n---\n---\na: 1\n---\n# end\n---\n''\n", file="f.yaml")
    assert [document.value for document in found] == [{"a": 1}, ""]
    assert load_documents(b"", file="f.yaml") == []


def test_one_document_is_expected():
    assert "is empty" in str(_single_fault(b""))
    assert "has 2 documents" in str(_single_fault(b"a: 1\n---\nb: 1"))


def _single_fault(data):
    with pytest.raises(InvalidInput) as caught:
        load_document(data, file="f.yaml")
    return caught.value


def test_a_byte_order_mark_and_crlf_are_no_content():
    assert load_document("\ufeffa: 1\r\nb:\r\n- x\r\n".encode(), file="f").value == {"a": 1, "b": ["x"]}


def test_positions_count_characters_from_one():
    document = load_document("ä: 1\nspec:\n  list:\n  - ü: {k: x}\n".encode(), file="f.yaml")
    assert str(document.where(("spec", "list", 0, "ü", "k"))) == "f.yaml:4:12 (spec.list[0].ü.k)"
    assert str(document.where_key(("spec", "list"))) == "f.yaml:3:3 (spec.list)"
    assert str(document.where()) == "f.yaml:1:1"


def test_the_place_of_a_missing_value_is_its_parents():
    document = load_document(b"spec:\n  a: 1\n", file="f.yaml")
    assert str(document.where(("spec", "ref", "branch"))) == "f.yaml:2:3 (spec.ref.branch)"
    assert str(document.where_key(("spec", "ref"))) == "f.yaml:2:3 (spec.ref)"


def test_a_field_path_quotes_keys_with_dots():
    document = load_document(b"metadata:\n  annotations: {a.b/c: 1}\n", file="f.yaml")
    assert document.where(("metadata", "annotations", "a.b/c")).field == 'metadata.annotations["a.b/c"]'


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: 1\nb: c: d\n", "f.yaml:2"),
        ("a:\n  - b\n c: 1\n", "f.yaml:3"),
        ("a: *missing\n", "f.yaml:1:4"),
        ("a: &x [*x]\n", "f.yaml:1:8"),
        ("ok: 1\na: \x01\n", "f.yaml:2:4"),
        ("a: [1, 2\n", "f.yaml:2"),
        ("a: @x\n", "f.yaml:1:4"),
    ],
)
def test_a_fault_is_told_with_its_place(text, place):
    assert str(fault(text).where).startswith(place)


def test_bytes_that_are_no_utf_8_are_told_with_their_place():
    error = fault(b"a: 1\nb: caf\xe9\n")
    assert (error.message, error.where.line) == ("the text is not UTF-8", 2)


def test_an_alias_is_a_copy():
    result = value("a: &x {k: [1]}\nb: *x\n")
    result["a"]["k"].append(2)
    assert result["b"] == {"k": [1]}


def test_aliases_that_multiply_are_stopped():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert isinstance(fault("\n".join(lines)), LimitExceeded)


def test_aliases_that_nest_are_stopped():
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [[[[[*a{n - 1}]]]]]" for n in range(1, 400)]
    assert "nesting" in str(fault("\n".join(lines)))


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "".join(" " * n + "a:\n" for n in range(300))])
def test_deep_nesting_is_stopped(text):
    assert "nesting" in str(fault(text))


def test_a_large_file_is_stopped_before_it_is_read():
    assert isinstance(fault("a: " + "x" * 100, limits=Limits(size=50)), LimitExceeded)
    assert isinstance(fault("- a\n" * 100, limits=Limits(nodes=50)), LimitExceeded)
    assert isinstance(fault("---\na: 1\n" * 100, limits=Limits(documents=50)), LimitExceeded)
