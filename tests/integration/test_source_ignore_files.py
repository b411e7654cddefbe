"""Where `.sourceignore` files lie: looked for once, and of a new commit in the changed folders alone."""

import pytest
from tests.integration.source_world import Remote

from tidegate.base.errors import LimitExceeded
from tidegate.git.repository import Repository
from tidegate.source import ignore_files
from tidegate.source.files import ArtifactFiles
from tidegate.source.ignore_files import IgnoreFiles
from tidegate.source.recipe import Recipe

pytestmark = pytest.mark.integration


@pytest.fixture
def remote(tmp_path):
    return Remote(tmp_path / "remote")


def counted(remote, commit, seen):
    """The files of a commit that note which folders are read."""
    files = Repository(remote.folder / ".git").files(commit)
    folders = files.folders

    def noted(ids):
        seen.extend(ids)
        return folders(ids)

    files.folders = noted
    return files


def test_all_of_them_are_found_and_what_is_known_is_not_read_again(remote):
    commit = remote.commit(
        {".sourceignore": "", "a/b/.sourceignore": "", "c/x": "1", "c/.sourceignore/x": "2", "d/x": "3"}
    )
    known, seen = IgnoreFiles(), []
    with counted(remote, commit, seen) as files:
        assert sorted(known.of(files)) == ["", "a/b"]
        assert len(seen) == 6  # the root, a, a/b, c, c/.sourceignore, d
        seen.clear()
        assert sorted(known.of(files)) == ["", "a/b"]
        assert seen == []
    commit = remote.commit({"d/.sourceignore": "", "d/x": "4"})
    with counted(remote, commit, seen) as files:
        assert sorted(known.of(files)) == ["", "a/b", "d"]
        assert len(seen) == 2  # the root and d


def test_what_is_kept_is_bounded(remote):
    commit = remote.commit({f"{number}/x": str(number) for number in range(20)} | {"7/.sourceignore": ""})
    known = IgnoreFiles(kept=5)
    with Repository(remote.folder / ".git").files(commit) as files:
        assert known.of(files) == ("7",)
        assert known.of(files) == ("7",)
    assert len(known._kept) == 5


def test_trees_that_hold_each_other_are_bounded(remote, monkeypatch):
    monkeypatch.setattr(ignore_files, "FILES_LIMIT", 100)
    commit = remote.commit({"a/.sourceignore": "x"})
    tree = remote.git("rev-parse", f"{commit}:a")
    for _ in range(40):
        lines = "".join(f"040000 tree {tree}\t{name}\n" for name in ("l", "r"))
        tree = remote.git("mktree", stdin=lines.encode())
    commit = remote.git("commit-tree", "-m", "x", tree)
    with Repository(remote.folder / ".git").files(commit) as files, pytest.raises(LimitExceeded, match="at most 100"):
        IgnoreFiles().of(files)


def test_one_file_is_read_without_a_list_of_all(remote, monkeypatch):
    commit = remote.commit({"deploy/a.yaml": "a", "src/x/y/z": "z"})
    recipe = Recipe(location=str(remote.folder / ".git"), commit=commit, tree=remote.git("rev-parse", "HEAD^{tree}"))
    monkeypatch.setattr("tidegate.git.files.CommitFiles.blobs", None)
    with ArtifactFiles(recipe) as files:
        assert files.is_dir("deploy")
        assert files.is_dir("")
        assert not files.is_dir("deploy/a.yaml")
        assert files.read("deploy/a.yaml") == b"a"
        assert not files.is_file("deploy/b.yaml")
