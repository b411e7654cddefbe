"""hashFiles on a real folder: the hash of hashes, its order, and what a job may have put there."""

import hashlib
import os

import pytest

from tidegate.base.errors import LimitExceeded
from tidegate.engine.manual_clock import ManualClock
from tidegate.runner.folder import JobFolder
from tidegate.runner.hashing import hash_files
from tidegate.runner.layout import Layout


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "work/shop/shop"
    folder.mkdir(parents=True)
    return folder


def hashed(root, *patterns, clock=None):
    with JobFolder(root, os.geteuid()) as folder:
        layout = Layout(root, root, root, "/home/runner", "shop")
        return hash_files(folder, layout, clock or ManualClock()).call(patterns)


def expected(*contents):
    whole = hashlib.sha256()
    for content in contents:
        whole.update(hashlib.sha256(content).digest())
    return whole.hexdigest()


def test_it_is_the_hash_of_the_files_hashes_in_the_order_of_their_names(tmp_path, workspace):
    """This function calculates an individual SHA-256 hash for each matched file, and then uses those hashes to
    calculate a final SHA-256 hash for the set of files."""
    for name, text in (("b/lock", b"3"), ("a/lock", b"1"), ("a.d/lock", b"2"), ("c", b"x")):
        (workspace / name).parent.mkdir(exist_ok=True)
        (workspace / name).write_bytes(text)
    assert hashed(tmp_path, "**/lock") == expected(b"1", b"2", b"3")
    assert hashed(tmp_path, "a/*", "!a/lock", "c") == expected(b"x")


def test_without_a_file_it_is_empty(tmp_path, workspace):
    """If the path pattern does not match any files, this returns an empty string."""
    assert hashed(tmp_path, "**/none") == ""
    workspace.rmdir()
    assert hashed(tmp_path, "**") == ""


def test_symlinks_pipes_and_what_is_outside_are_left_out(tmp_path, workspace):
    (workspace / "real").write_bytes(b"1")
    (workspace / "link").symlink_to("/etc/passwd")
    (workspace / "folder").symlink_to("/etc")
    (workspace / "round").symlink_to(".")
    os.mkfifo(workspace / "pipe")
    (tmp_path / "outside").write_bytes(b"2")
    assert hashed(tmp_path, "**", "../../../outside") == expected(b"1")


def test_it_ends_where_it_takes_too_long(tmp_path, workspace):
    (workspace / "file").write_bytes(b"1")

    class Late(ManualClock):
        def monotonic(self):
            self.calls = getattr(self, "calls", -1) + 1
            return 0.0 if not self.calls else 121.0

    with pytest.raises(LimitExceeded, match="longer than 120 seconds"):
        hashed(tmp_path, "**", clock=Late())


def test_there_is_a_bound_on_how_many_entries_are_looked_at(tmp_path, workspace, monkeypatch):
    monkeypatch.setattr("tidegate.runner.folder.ENTRIES_LIMIT", 3)
    for number in range(3):
        (workspace / str(number)).write_bytes(b"1")
    assert hashed(tmp_path, "**") == expected(b"1", b"1", b"1")
    (workspace / "3").write_bytes(b"1")
    with pytest.raises(LimitExceeded, match="more than 3 files"):
        hashed(tmp_path, "**")


def test_a_way_that_never_ends_is_not_followed_to_its_end(tmp_path, workspace):
    (workspace / "file").write_bytes(b"1")
    deep = workspace
    for _ in range(110):
        deep = deep / "d"
        deep.mkdir()
    (deep / "file").write_bytes(b"2")
    assert hashed(tmp_path, "**/file") == expected(b"1")
