"""Which files an automation looks at, and which it reads."""

from collections.abc import Iterator, Mapping, Sequence

import pytest

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.base.files import MemoryFiles
from tidegate.update.automation import MarkerIndex, is_yaml, plan_update, tree_path

REFERENCES = {"ns:web": "ghcr.io/acme/web:2"}
MARKED = b'image: ghcr.io/acme/web:1 # {"$imagepolicy": "ns:web"}\n'
DONE = MARKED.replace(b"web:1", b"web:2")


class Commit(MemoryFiles):
    """Files with ids, counting what is read."""

    def __init__(self, files: Mapping[str, bytes]):
        super().__init__(files)
        self.read_ids: list[str] = []
        self._contents = {f"id of {content!r}": content for content in files.values()}
        self._blobs = {path: f"id of {content!r}" for path, content in sorted(files.items())}

    def blobs(self) -> Mapping[str, str]:
        return self._blobs

    def read_blobs(self, blobs: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
        for blob in blobs:
            self.read_ids.append(blob)
            yield blob, self._contents[blob]


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("", ""),
        (".", ""),
        ("./", ""),
        ("/", ""),
        ("./apps/web/", "apps/web"),
        ("/apps", "apps"),
        ("a//b/./c/../d", "a/b/d"),
    ],
)
def test_paths_are_cleaned(path: str, clean: str) -> None:
    assert tree_path(path) == clean


@pytest.mark.parametrize("path", ["..", "../x", "a/../../b", "a\0b"])
def test_a_path_that_leaves_the_repository_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput):
        plan_update(MemoryFiles({"a.yaml": b""}), path, {})


def test_files_are_chosen_by_name() -> None:
    yes = ["a.yaml", "x/b.yml", ".hidden/c.yaml", "x/Kustomization", ".gitlab-ci.yml", ".yaml"]
    no = ["a.json", "a.yaml.bak", "b.YAML", "xKustomization", "kustomization", "yaml"]
    assert [path for path in [*yes, *no] if is_yaml(path)] == yes


def test_only_files_below_the_path_change() -> None:
    files = MemoryFiles(
        {"apps/web/d.yaml": MARKED, "apps/web2/d.yaml": MARKED, "d.yaml": MARKED, "apps/web/d.txt": MARKED}
    )
    assert plan_update(files, "./apps/web", REFERENCES).files == {"apps/web/d.yaml": DONE}
    assert set(plan_update(files, "", REFERENCES).files) == {"apps/web/d.yaml", "apps/web2/d.yaml", "d.yaml"}
    assert set(plan_update(files, "apps/web/d.yaml", REFERENCES).files) == {"apps/web/d.yaml"}


def test_a_path_that_is_not_there_is_told() -> None:
    files = MemoryFiles({"apps/readme.md": b""})
    with pytest.raises(NotFound, match="gone"):
        plan_update(files, "./gone", REFERENCES)
    assert plan_update(files, "apps", REFERENCES).files == {}


def test_a_blob_is_read_once_and_again_only_where_it_changes() -> None:
    index = MarkerIndex()
    first = Commit({"a.yaml": MARKED, "b.yaml": b"x: y\n", "c.txt": MARKED, "copy.yaml": MARKED})
    edited = plan_update(first, "", REFERENCES, index=index)
    assert set(edited.files) == {"a.yaml", "copy.yaml"}
    assert len(first.read_ids) == 2
    second = Commit({"a.yaml": DONE, "b.yaml": b"x: y\n", "copy.yaml": DONE})
    assert plan_update(second, "", REFERENCES, index=index).changes == ()
    assert second.read_ids == [f"id of {DONE!r}"]
    third = Commit({"a.yaml": MARKED})
    assert plan_update(third, "", REFERENCES, index=index).files == {"a.yaml": DONE}
    assert third.read_ids == []


def test_problems_name_the_file() -> None:
    files = MemoryFiles({"t.yaml": b"{{ if }}\n" + MARKED, "u.yaml": MARKED.replace(b"ns:web", b"ns:other")})
    edited = plan_update(files, "", REFERENCES)
    assert [problem.split(" ")[0].split(":")[0] for problem in edited.problems] == ["t.yaml"]
    assert [(one.path, one.policy) for one in edited.missing] == [("u.yaml", "ns:other")]
