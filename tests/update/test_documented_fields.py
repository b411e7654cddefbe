"""Every field that an ImageUpdateAutomation may have is read, and docs/update.md says what it does."""

import re
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from tidegate.base.errors import InvalidInput
from tidegate.kinds.git_repository import GitRepository
from tidegate.kinds.image_update_automation import ImageUpdateAutomation
from tidegate.update.target import target_of

PAGE = Path(__file__).parents[2] / "docs/update.md"
SPEC = yaml.safe_load(files("tidegate.install").joinpath("crds/imageupdateautomation.yaml").read_text())["spec"]


def leaves(schema, path=""):
    """The paths of the fields that hold no other fields."""
    if not schema.get("properties"):
        yield path
    for name, below in schema.get("properties", {}).items():
        yield from leaves(below, f"{path}.{name}" if path else name)


def test_the_page_has_a_row_for_every_field():
    table = PAGE.read_text().partition("| field | says |")[2].partition("\n\n")[0]
    rows = {name for line in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", line.split("|")[1])}
    missing = [leaf for leaf in leaves(SPEC) if not any(leaf == row or leaf.startswith(f"{row}.") for row in rows)]
    assert missing == []
    known = list(leaves(SPEC))
    assert [row for row in rows if not any(leaf == row or leaf.startswith(f"{row}.") for leaf in known)] == []


def automation(**spec):
    git = {"commit": {"author": {"email": "a@b"}}}
    spec = {"interval": "1m", "sourceRef": {"kind": "GitRepository", "name": "s"}, "git": git} | spec
    metadata = {"name": "x", "namespace": "y"}
    found = {"apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImageUpdateAutomation", "metadata": metadata}
    return ImageUpdateAutomation.from_object(found | {"spec": spec})


def test_none_of_them_is_unknown_to_the_reader():
    full = automation(
        sourceRef={"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "name": "s", "namespace": "n"},
        git={
            "checkout": {"ref": dict.fromkeys(("branch", "commit", "name", "semver", "tag"), "x")},
            "commit": {
                "author": {"email": "a@b", "name": "A"},
                "messageTemplate": "x",
                "messageTemplateValues": {"a": "b"},
                "signingKey": {"secretRef": {"name": "k"}, "type": "ssh"},
            },
            "push": {"branch": "b", "options": {"a": "b"}, "refspec": "HEAD:refs/for/main"},
        },
        policyChangeDelay="1m",
        policySelector={"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]},
        suspend=True,
        update={"path": "./", "strategy": "Setters"},
    )
    assert full.unknown_fields == ()


@pytest.mark.parametrize("field", ["commit", "name", "semver", "tag"])
def test_what_can_not_be_updated_is_refused_by_name(field):
    source = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": {"name": "s"},
              "spec": {"interval": "1m", "url": "https://example.com/r"}}  # fmt: skip
    commit = {"author": {"email": "a@b"}}
    with pytest.raises(InvalidInput, match=rf"spec.git.checkout.ref names a {field}"):
        target_of(
            automation(git={"checkout": {"ref": {field: "x"}}, "commit": commit}), GitRepository.from_object(source)
        )
