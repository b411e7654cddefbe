"""Wrong fields of our own kinds are told at their line, before anything is applied."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.base.files import MemoryFiles
from tidegate.deploy.home_check import no_problems
from tidegate.deploy.render import Wish, render

POLICY = """
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImagePolicy
metadata: {name: web, namespace: flux-system}
spec:
  imageRepositoryRef: {name: web}
  policy:
    semver:
      range: 1
"""
SOURCE = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: web
spec:
  url: https://example.org/web
  interval: soon
"""


NO_DURATION = "'soon' is no duration: write numbers with the units ms, s, m or h, as 1m30s"


def told(**files: str) -> str:
    tree = MemoryFiles({f"a/{name}.yaml": text.lstrip("\n").encode() for name, text in files.items()})
    with pytest.raises(InvalidInput) as caught:
        render(tree, Wish("a"), no_problems)
    assert render(tree, Wish("a"))
    return str(caught.value)


def test_every_wrong_field_has_its_file_line_and_path():
    assert told(both=f"{POLICY}---{SOURCE}", other=SOURCE.replace("name: web", "name: other")).splitlines() == [
        "a/both.yaml:8:14 (spec.policy.semver.range): must be a string, not the number 1",
        f"a/both.yaml:16:13 (spec.interval): {NO_DURATION}",
        f"a/other.yaml:7:13 (spec.interval): {NO_DURATION}",
    ]


def test_a_version_that_is_not_served_is_told_with_those_that_are():
    assert told(web=SOURCE.replace("io/v1", "io/v9")).startswith(
        "a/web.yaml:1:13 (apiVersion): GitRepository has no version 'v9': v1"
    )


def test_what_a_patch_has_made_wrong_is_told_without_a_line_that_would_mislead():
    kustomization = """
resources: [web.yaml]
patches:
  - patch: |
      apiVersion: source.toolkit.fluxcd.io/v1
      kind: GitRepository
      metadata: {name: web}
      spec: {interval: later}
"""
    assert told(kustomization=kustomization, web=SOURCE) == (
        "a/web.yaml (spec.interval): source.toolkit.fluxcd.io/v1 GitRepository web: 'later' is no duration: "
        "write numbers with the units ms, s, m or h, as 1m30s"
    )


def test_an_item_of_a_list_is_told_with_its_file():
    item = "\n".join(f"    {line}" for line in SOURCE.strip().splitlines())
    text = f"apiVersion: v1\nkind: List\nitems:\n  -\n{item}\n"
    assert told(list=text).startswith("a/list.yaml (spec.interval): ")


def test_other_kinds_and_right_ones_pass():
    right = SOURCE.replace("soon", "1m")
    deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: many}\n"
    tree = MemoryFiles({"a.yaml": right.encode(), "b.yaml": deployment.encode()})
    assert [obj["kind"] for obj in render(tree, Wish(""), no_problems)] == ["GitRepository", "Deployment"]
