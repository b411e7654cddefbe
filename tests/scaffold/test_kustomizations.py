"""An entry more in a kustomization: its line, and no other byte; what a folder's kustomization comes to."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.base.files import MemoryFiles
from tidegate.scaffold.draft import Draft
from tidegate.scaffold.kustomizations import add_entry, reached

PATH = "apps/kustomization.yaml"


def entry(before: str, target: str = "apps/web") -> str:
    draft = Draft(MemoryFiles({PATH: before.encode()}))
    add_entry(draft, PATH, target)
    return draft.read(PATH).decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("resources:\n  - api\n", "resources:\n  - api\n  - web\n"),
        ("resources:\n- api", "resources:\n- api\n- web"),
        ("resources:\r\n-   api # 1\r\n\r\nkind: x\r\n", "resources:\r\n-   api # 1\r\n-   web\r\n\r\nkind: x\r\n"),
        ("# top\nresources:\n  - ./api\n", "# top\nresources:\n  - ./api\n  - ./web\n"),
        ("resources:\n  - ../base\n  - ./api\n", "resources:\n  - ../base\n  - ./api\n  - ./web\n"),
        ("resources: [api]\n", "resources: [api, web]\n"),
        ('resources: [ "api" , b ] # two\n', 'resources: [ "api" , b, web ] # two\n'),
        ("resources:\n  [api,\n   b]\n", "resources:\n  [api,\n   b, web]\n"),
        ("resources: []\n", "resources: [web]\n"),
        ("resources: [ ] # none\n", "resources: [web] # none\n"),
        ("resources:\nnamespace: x\n", "resources:\n  - web\nnamespace: x\n"),
        ("kind: Kustomization\n", "kind: Kustomization\nresources:\n  - web\n"),
        ("kind: Kustomization", "kind: Kustomization\nresources:\n  - web"),
        ("{resources: [api]}\n", "{resources: [api, web]}\n"),
        ("resources:\n  - api\n  - web\n", "resources:\n  - api\n  - web\n"),
        ("resources:\n  - ./web/\n", "resources:\n  - ./web/\n"),
    ],
)  # fmt: skip
def test_an_entry_comes_behind_the_last_one_in_its_style(before, after):
    assert entry(before) == after


@pytest.mark.parametrize(
    "before",
    [
        "resources: &list\n  - api\nbases: *list\n",
        "resources:\n  - >-\n    api\n",
        "resources:\n  - ? api\n",
        "{kind: Kustomization}\n",
        "resources: api\n",
        "- api\n",
        "a: 1\n---\nb: 1\n",
    ],
)
def test_what_is_written_otherwise_is_refused_or_edited_rightly(before):
    try:
        after = entry(before)
    except InvalidInput:
        return
    assert len(after.splitlines()) == len(before.splitlines()) + 1


def test_a_file_elsewhere_is_named_from_the_kustomizations_folder():
    assert entry("resources:\n  - api\n", "clusters/web.yaml") == "resources:\n  - api\n  - ../clusters/web.yaml\n"


def test_a_folder_comes_to_what_its_kustomization_names_or_to_all_manifests():
    files = {
        "apps/a/kustomization.yaml": b"resources: [d.yaml, ../shared]\n",
        "apps/a/d.yaml": b"", "apps/a/left.yaml": b"", "apps/b/e.yaml": b"", "apps/b/main.py": b"",
        "apps/shared/kustomization.yml": b"resources: [s.yaml, ../a]\n", "apps/shared/s.yaml": b"",
    }  # fmt: skip
    found = {path for path in reached(MemoryFiles(files), "apps") if "kustomization" not in path}
    assert found == {"apps/a/d.yaml", "apps/shared/s.yaml", "apps/b/e.yaml"}
    assert "apps/b/e.yaml" in reached(MemoryFiles(files), "")
