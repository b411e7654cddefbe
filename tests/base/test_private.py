"""Secrets on the disk are gone when their program is, however it ended."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tidegate.base.private import PREFIX, private_folder, write_private

KEEPS_A_KEY = """
import sys
from tidegate.base.private import private_folder, write_private
with private_folder() as folder:
    print(write_private(folder / "identity", b"a key"), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@pytest.fixture
def keeper(temporary):
    """Another process that holds a key in a private folder, and the key's path."""
    with subprocess.Popen(
        [sys.executable, "-c", KEEPS_A_KEY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_a_folder_and_its_files_are_nobody_elses(temporary):
    with private_folder() as folder:
        key = write_private(folder / "identity", b"a key")
        assert (folder.parent.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o700, 0o700)
        assert key.stat().st_mode & 0o777 == 0o600
    assert not folder.exists()


def test_what_a_killed_process_has_left_is_removed(temporary, keeper):
    process, key = keeper
    process.kill()
    process.wait()
    assert key.exists()
    with private_folder() as folder:
        assert list(temporary.glob(f"{PREFIX}*")) == [folder.parent]


def test_what_a_living_process_holds_stays(temporary, keeper):
    _, key = keeper
    with private_folder():
        assert key.exists()


def test_a_process_that_ends_leaves_nothing(temporary, keeper):
    process, _ = keeper
    process.communicate("")
    assert process.returncode == 0
    assert list(temporary.iterdir()) == []


def test_a_folder_that_was_cleared_away_is_made_anew(temporary):
    with private_folder() as folder:
        place = folder.parent
    place.rmdir()
    with private_folder() as folder:
        assert folder.is_dir()
        assert folder.parent != place


def test_a_link_that_lies_in_wait_is_not_followed(temporary, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "file").touch()
    (temporary / f"{PREFIX}trap").symlink_to(elsewhere)
    with private_folder():
        assert (elsewhere / "file").exists()
