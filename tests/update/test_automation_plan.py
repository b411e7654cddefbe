"""Which files an automation looks at, and which it reads."""

from collections.abc import Iterator, Mapping, Sequence

import pytest

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound
from tidegate.base.files import MemoryFiles
from tidegate.git.values import TreeEntry
from tidegate.update import marker_index
from tidegate.update.automation import plan_update, tree_path
from tidegate.update.marker_index import MarkerIndex, is_yaml

REFERENCES = {"ns:web": "ghcr.io/acme/web:2"}
MARKED = b'image: ghcr.io/acme/web:1 # {"$imagepolicy": "ns:web"}\n'
DONE = MARKED.replace(b"web:1", b"web:2")


class Commit(MemoryFiles):
    """Files whose contents and folders have ids that say what is in them; what is read is noted."""

    def __init__(self, files: Mapping[str, bytes]):
        super().__init__(files)
        self.read_ids: list[str] = []
        self.read_folders: list[str] = []
        self._contents = {f"id of {content!r}": content for content in files.values()}
        self._folders: dict[str, list[TreeEntry]] = {}
        self._at: dict[str, TreeEntry] = {}
        self._at[""] = TreeEntry("40000", "tree", self._folder("", files), "")

    def _folder(self, prefix: str, files: Mapping[str, bytes]) -> str:
        names = sorted({path.removeprefix(prefix).partition("/")[0] for path in files if path.startswith(prefix)})
        entries = []
        for name in names:
            path = prefix + name
            if path in files:
                entries.append(TreeEntry("100644", "blob", f"id of {files[path]!r}", name))
            else:
                entries.append(TreeEntry("40000", "tree", self._folder(f"{path}/", files), name))
            self._at[path] = entries[-1]
        made = repr([(entry.path, entry.id) for entry in entries])
        self._folders[made] = entries
        return made

    def entry(self, path: str) -> TreeEntry | None:
        return self._at.get(path)

    def folders(self, ids: Sequence[str]) -> Mapping[str, Sequence[TreeEntry]]:
        self.read_folders += ids
        return {one: self._folders[one] for one in ids}

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


def test_of_a_new_commit_only_the_changed_folders_are_read() -> None:
    index = MarkerIndex()
    files = {f"{letter}/{number}/d.yaml": MARKED for letter in "abc" for number in range(9)} | {"notes/x": b""}
    first = Commit(files)
    assert len(plan_update(first, "", REFERENCES, index=index).files) == 27
    assert len(first.read_folders) == len(set(first.read_folders)) == 4, "equal folders are one"
    again = Commit(files)
    assert len(plan_update(again, "", REFERENCES, index=index).files) == 27
    assert (again.read_folders, again.read_ids) == ([], [])
    changed = Commit(files | {"b/3/d.yaml": DONE})
    edited = plan_update(changed, "", REFERENCES, index=index)
    assert list(edited.files) == sorted(path for path in files if path not in ("b/3/d.yaml", "notes/x"))
    assert len(changed.read_folders) == 3, "the root, b and b/3"
    assert plan_update(changed, "b/3", REFERENCES, index=index).files == {}
    assert plan_update(changed, "b/3/d.yaml", REFERENCES, index=index).files == {}
    with pytest.raises(NotFound):
        plan_update(changed, "b/33", REFERENCES, index=index)


def test_folders_that_are_forgotten_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marker_index, "KEPT_ENTRIES", 2)
    monkeypatch.setattr(marker_index, "INDEX_LIMIT", 1)
    index = MarkerIndex()
    files = {f"{number}/d.yaml": MARKED + b"#%d\n" % number for number in range(9)}
    for _ in range(2):
        assert len(plan_update(Commit(files), "", REFERENCES, index=index).files) == 9


def test_folders_that_hold_each_other_many_times_over_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marker_index, "ENTRIES_LIMIT", 1000)
    index = MarkerIndex()
    bomb = Commit(
        {f"{a}/{b}/{c}/{d}/d.yaml": MARKED for a in range(6) for b in range(6) for c in range(6) for d in range(6)}
    )
    for _ in range(2):
        with pytest.raises(LimitExceeded):
            plan_update(bomb, "", REFERENCES, index=index)


def test_problems_name_the_file() -> None:
    files = MemoryFiles({"t.yaml": b"{{ if }}\n" + MARKED, "u.yaml": MARKED.replace(b"ns:web", b"ns:other")})
    edited = plan_update(files, "", REFERENCES)
    assert [problem.split(" ")[0].split(":")[0] for problem in edited.problems] == ["t.yaml"]
    assert [(one.path, one.policy) for one in edited.missing] == [("u.yaml", "ns:other")]
