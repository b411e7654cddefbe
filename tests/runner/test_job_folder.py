"""A job may put anything anywhere in its folder; the server follows none of it."""

import os

import pytest

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound
from tidegate.runner.folder import JobFolder, remove


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "job"
    root.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("secret")
    with JobFolder(root, os.geteuid()) as folder:
        yield folder


def test_what_is_written_can_be_read(folder):
    folder.write("work/a/b.txt", b"text")
    assert folder.read("work/a/b.txt", 10) == b"text"
    assert folder.is_file("work/a/b.txt")
    folder.delete("work/a/b.txt")
    assert not folder.is_file("work/a/b.txt")
    folder.delete("work/a/b.txt")


def test_a_file_is_never_written_over(folder):
    folder.write("a", b"1")
    with pytest.raises(FileExistsError):
        folder.write("a", b"2")


def test_a_link_is_not_read(folder):
    (folder.root / "link").symlink_to("../outside/secret")
    with pytest.raises(InvalidInput, match="no plain file"):
        folder.read("link", 100)


def test_a_link_is_not_written_through(folder):
    (folder.root / "link").symlink_to("../outside/new")
    with pytest.raises(FileExistsError):
        folder.write("link", b"x")
    assert not (folder.root / "../outside/new").exists()


def test_a_folder_that_became_a_link_is_not_entered(folder):
    (folder.root / "work").symlink_to("../outside")
    for act in (
        lambda: folder.read("work/secret", 100),
        lambda: folder.write("work/new", b"x"),
        lambda: folder.delete("work/secret"),
        lambda: folder.make_folder("work/new"),
        lambda: folder.link("work/new", "x"),
        lambda: folder.take_in(folder.root, "work"),
    ):
        with pytest.raises(InvalidInput, match="can't be entered"):
            act()
    assert sorted(path.name for path in (folder.root / "../outside").iterdir()) == ["secret"]
    assert not folder.is_file("work/secret")


def test_a_pipe_does_not_keep_the_server_waiting(folder):
    os.mkfifo(folder.root / "pipe")
    with pytest.raises(InvalidInput, match="no plain file"):
        folder.read("pipe", 100)


def test_a_path_does_not_lead_up(folder):
    with pytest.raises(InvalidInput, match="leads out"):
        folder.read("../outside/secret", 100)


def test_a_large_file_is_not_read_whole(folder):
    folder.write("large", b"x" * 11)
    with pytest.raises(LimitExceeded, match="longer than 10 bytes"):
        folder.read("large", 10)


def test_a_missing_file_is_not_found(folder):
    with pytest.raises(NotFound):
        folder.read("none", 10)
    with pytest.raises(NotFound):
        folder.read("no/folder/none", 10)


def test_what_was_staged_comes_in_under_a_fresh_name(folder, tmp_path):
    staged = tmp_path / "staged"
    staged.mkdir()
    (staged / "file").write_text("x")
    first = folder.take_in(staged, "work/_temp")
    assert folder.read(f"{first}/file", 10) == b"x"
    assert not staged.exists()


def test_a_tree_that_denies_its_owner_is_removed(tmp_path):
    root = tmp_path / "tree"
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/file").write_text("x")
    (root / "a/link").symlink_to(tmp_path / "kept")
    (tmp_path / "kept").mkdir()
    (root / "a/b").chmod(0)
    (root / "a").chmod(0)
    remove(root)
    assert not root.exists()
    assert (tmp_path / "kept").exists()
    remove(root)
