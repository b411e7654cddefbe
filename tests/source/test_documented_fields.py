"""docs/source.md says of every field of a GitRepository what it does, and names every field of its status."""

import re
from importlib.resources import files
from pathlib import Path

import yaml

from tidegate.kinds.git_repository import GitRepository

PAGE = (Path(__file__).parents[2] / "docs/source.md").read_text()
DEFINITION = yaml.safe_load(files("tidegate.install").joinpath("crds/gitrepository.yaml").read_text())
FULL = {
    "accessFrom": {"namespaceSelectors": []}, "gitImplementation": "go-git", "serviceAccountName": "x",
    "ignore": "*.md", "include": [{"repository": {"name": "a"}, "fromPath": "b", "toPath": "c"}], "interval": "1m",
    "provider": "generic", "proxySecretRef": {"name": "p"}, "recurseSubmodules": True, "secretRef": {"name": "s"},
    "ref": dict.fromkeys(("branch", "commit", "name", "semver", "tag"), "x"), "sparseCheckout": ["a"], "suspend": True,
    "timeout": "1m", "url": "https://example.com/r", "verify": {"mode": "Tag", "secretRef": {"name": "v"}},
}  # fmt: skip
OLD = {"contentConfigChecksum", "url"}


def rows(heading):
    table = PAGE.partition(heading)[2].partition("\n\n")[0]
    return {name for line in table.splitlines() for name in re.findall(r"`([^`]+)`", line.split("|")[1])}


def test_the_page_has_a_row_for_every_field():
    assert rows("| field | says |\n|---|---|\n") == DEFINITION["spec"]["properties"].keys()
    assert rows("| `spec.ref` | follows |\n|---|---|\n") == DEFINITION["spec"]["properties"]["ref"]["properties"].keys()


def test_every_link_of_the_page_leads_to_a_heading():
    titles = [line.removeprefix("## ") for line in PAGE.splitlines() if line.startswith("## ")]
    headings = {title.lower().replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings


def test_none_of_them_is_unknown_to_the_reader():
    assert FULL.keys() == DEFINITION["spec"]["properties"].keys()
    metadata = {"name": "x", "namespace": "y"}
    found = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": metadata, "spec": FULL}
    assert GitRepository.from_object(found).unknown_fields == ()


def test_the_page_names_the_status():
    wanted = {name for name in DEFINITION["status"] if name not in OLD}
    assert [name for name in wanted if f"`{name}`" not in PAGE] == []
