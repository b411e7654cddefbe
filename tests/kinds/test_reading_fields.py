"""Wrong fields are all named, at their line; unknown ones are kept and named."""

import pytest

from tidegate.base.yaml import load_document
from tidegate.kinds.fields import Fields, InvalidObject, located
from tidegate.kinds.image_repository import ImageRepository
from tidegate.kinds.runner import Runner

TEXT = """\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata:
  name: web
spec:
  image: 5
  interval: 1 minute
  insecure: "yes"
  exclusionList:
  - ok
  - {no: text}
  accessFrom:
    namespaceSelectors:
    - matchLabels: {tier: 1}
"""


def test_every_wrong_field_is_named_with_its_path():
    with pytest.raises(InvalidObject) as caught:
        ImageRepository.from_object(load_document(TEXT.encode(), file="web.yaml").value)
    assert dict(caught.value.problems) == {
        ("spec", "interval"): "'1 minute' is no duration: write numbers with the units ms, s, m or h, as 1m30s",
        ("spec", "exclusionList", 1): "must be a string, not a mapping",
        ("spec", "image"): "must be a string, not the number 5",
        ("spec", "insecure"): "must be true or false, not the string 'yes'",
        ("spec", "accessFrom", "namespaceSelectors", 0, "matchLabels", "tier"): (
            "must be a string, not the number 1: put it in quotes"
        ),
    }


def test_the_document_knows_the_line():
    document = load_document(TEXT.encode(), file="web.yaml")
    with pytest.raises(InvalidObject) as caught:
        ImageRepository.from_object(document.value)
    assert str(located(caught.value, document)).startswith("web.yaml:7:13 (spec.interval): '1 minute' is no duration")


def test_unknown_fields_are_kept_and_named():
    obj = {
        "apiVersion": "image.toolkit.fluxcd.io/v1",
        "kind": "ImageRepository",
        "metadata": {"name": "web"},
        "spec": {"image": "a/b", "interval": "1m", "intervall": "2m", "secretRef": {"name": "s", "key": "k"}},
    }
    assert ImageRepository.from_object(obj).unknown_fields == ("spec.intervall", "spec.secretRef.key")


def test_null_is_absent():
    fields = Fields.of({"spec": {"a": None, "b": None, "c": None}})
    assert (fields.text("a", "x"), fields.flag("b", True), fields.integer("c", 3)) == ("x", True, 3)
    assert fields.finish() == ()


@pytest.mark.parametrize("spec", [[], "text", 5])
def test_a_spec_must_be_a_mapping(spec):
    with pytest.raises(InvalidObject, match="must be a mapping"):
        Fields.of({"spec": spec}).finish()


def test_true_is_no_whole_number():
    fields = Fields.of({"spec": {"n": True, "least": 0}})
    fields.integer("n", 1)
    fields.integer("least", 1, least=1)
    with pytest.raises(InvalidObject) as caught:
        fields.finish()
    assert [message for _, message in caught.value.problems] == [
        "must be a whole number, not true",
        "must be at least 1",
    ]


@pytest.mark.parametrize("repository", ["web", "a/b/c", "../x", "a/", "a b/c", "-x/y"])
def test_a_runners_repository_is_owner_and_name(repository):
    obj = {"apiVersion": "tidegate.dev/v1alpha1", "kind": "Runner", "metadata": {"name": "r"}}
    with pytest.raises(InvalidObject, match=r"spec\.repository"):
        Runner.from_object(obj | {"spec": {"repository": repository}})
